"""What goes over the wire is what Z-API publishes, and what comes back is read by its own rules."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from airflow_provider_zapi import exceptions as errors
from airflow_provider_zapi.client import InstanceStatus, ZApiClient
from airflow_provider_zapi.privacy.changes import ContactChange
from airflow_provider_zapi.privacy.settings import LAST_SEEN
from tests.support import CLIENT_TOKEN, GOOD, TOKEN, Canned, client_with, leaks

CHANGES = (ContactChange("add", "554411111111"), ContactChange("remove", "554422222222"))

#: Z-API's published examples (its repository z-api-docs, folder json-examples), placeholders filled in.
PUBLISHED: list[tuple[str, Callable[[ZApiClient], Any], Canned, str, str, dict[str, str], Any]] = [
    # name, call, answer, method, path, query, body
    (
        "privacy-last-seen",
        lambda client: client.set_privacy(LAST_SEEN, "CONTACT_BLACKLIST", CHANGES),
        GOOD,
        "POST",
        "privacy/last-seen",
        {},
        {
            "visualizationType": "CONTACT_BLACKLIST",
            "contactsBlacklist": [
                {"action": "add", "phone": "554411111111"},
                {"action": "remove", "phone": "554422222222"},
            ],
        },
    ),
    (
        "privacy-last-seen, the page's first example",
        lambda client: client.set_privacy(LAST_SEEN, "ALL"),
        GOOD,
        "POST",
        "privacy/last-seen",
        {},
        {"visualizationType": "ALL"},
    ),
    (
        "disallowed-contacts",
        lambda client: client.disallowed_contacts(LAST_SEEN),
        Canned({"disallowedContacts": []}),
        "GET",
        "privacy/disallowed-contacts",
        {"type": "lastSeen"},
        None,
    ),
    ("instance-status", lambda client: client.status(), Canned({"connected": True}), "GET", "status", {}, None),
]

#: What every request carries besides: how the connection is used, and who calls.
TRANSPORT_HEADERS = {"Accept", "Accept-Encoding", "Connection", "User-Agent", "Content-Length"}


@pytest.mark.parametrize(
    ("call", "answer", "method", "path", "query", "body"),
    [row[1:] for row in PUBLISHED],
    ids=[row[0] for row in PUBLISHED],
)
def test_a_request_is_the_published_one(
    call: Callable[[ZApiClient], Any],
    answer: Canned,
    method: str,
    path: str,
    query: dict[str, str],
    body: Any,
) -> None:
    client, adapter, _ = client_with(answer)
    call(client)
    [request] = adapter.requests
    url = urlsplit(request.url or "")
    assert request.method == method
    assert f"{url.scheme}://{url.netloc}" == "https://api.z-api.io"
    assert url.path == f"/instances/instance-1/token/{TOKEN}/{path}"
    assert dict(parse_qsl(url.query, strict_parsing=bool(url.query))) == query
    assert (json.loads(request.body) if request.body else None) == body
    headers = dict(request.headers)
    assert headers.pop("Client-Token") == CLIENT_TOKEN
    # Z-API asks for it on every call, also where its example leaves it out.
    assert headers.pop("Content-Type") == "application/json"
    assert set(headers) <= TRANSPORT_HEADERS


def test_no_client_token_sends_no_header() -> None:
    client, adapter, _ = client_with(GOOD, client_token=None)
    client.set_privacy(LAST_SEEN, "ALL")
    assert "Client-Token" not in adapter.requests[0].headers


def test_more_changes_than_one_call_takes_go_out_in_order() -> None:
    changes = [ContactChange("add", str(554400000000 + number)) for number in range(1201)]
    client, adapter, _ = client_with(GOOD)
    seen: list[tuple[int, int]] = []
    calls = client.set_privacy(LAST_SEEN, "CONTACT_BLACKLIST", changes, progress=lambda *done: seen.append(done))
    bodies = [json.loads(request.body or b"") for request in adapter.requests]
    assert calls == 3
    assert [len(body["contactsBlacklist"]) for body in bodies] == [500, 500, 201]
    assert [change["phone"] for body in bodies for change in body["contactsBlacklist"]] == [c.phone for c in changes]
    assert {body["visualizationType"] for body in bodies} == {"CONTACT_BLACKLIST"}
    assert seen == [(500, 1201), (1000, 1201), (1201, 1201)]


def test_a_failure_in_the_middle_says_what_was_done_before() -> None:
    changes = [ContactChange("add", str(554400000000 + number)) for number in range(1201)]
    client, adapter, _ = client_with(GOOD, Canned({"success": False}))
    with pytest.raises(errors.ZApiRefusedError, match="500 of 1201 changes were made before, and stay"):
        client.set_privacy(LAST_SEEN, "CONTACT_BLACKLIST", changes)
    assert len(adapter.requests) == 2


STATUSES: list[tuple[dict[str, Any], InstanceStatus]] = [
    (
        {"connected": True, "smartphoneConnected": True, "error": "You are already connected."},
        InstanceStatus(True, "You are already connected."),
    ),
    (
        {"connected": False, "smartphoneConnected": False, "error": "You are not connected."},
        InstanceStatus(False, "You are not connected."),
    ),
    (
        {"connected": False, "smartphoneConnected": True, "error": "You need to restore the session."},
        InstanceStatus(False, "You need to restore the session."),
    ),
    ({"connected": False}, InstanceStatus(False, "")),
]


@pytest.mark.parametrize(("payload", "status"), STATUSES)
def test_connected_alone_tells_the_status(payload: dict[str, Any], status: InstanceStatus) -> None:
    client, _, _ = client_with(Canned(payload))
    assert client.status() == status


def test_the_reason_of_a_status_is_scrubbed() -> None:
    client, _, _ = client_with(Canned({"connected": False, "error": f"{CLIENT_TOKEN} is /token/{TOKEN}"}))
    assert not leaks(client.status().reason)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Canned({"connected": "true"}), errors.ZApiUnexpectedAnswerError),
        (Canned({"smartphoneConnected": True}), errors.ZApiUnexpectedAnswerError),
        (Canned({"error": "Instance not found"}, 400), errors.ZApiInstanceNotFoundError),
        (Canned({"error": "Client-Token x not allowed"}, 403), errors.ZApiAuthenticationError),
        (Canned([]), errors.ZApiUnreachableError),
    ],
)
def test_a_status_that_does_not_tell_is_an_error(answer: Canned, error: type[errors.ZApiError]) -> None:
    client, _, _ = client_with(answer)
    with pytest.raises(error):
        client.status()


def test_a_list_is_read_exactly_as_it_is() -> None:
    contacts = ["5544991111111", "123456789012345@lid"]
    client, _, _ = client_with(Canned({"disallowedContacts": contacts}))
    assert client.disallowed_contacts(LAST_SEEN) == tuple(contacts)


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"disallowedContacts": None},
        {"disallowedContacts": {}},
        {"disallowedContacts": "5544991111111"},
        {"disallowedContacts": [5544991111111]},
        {"disallowedContacts": [None]},
        {"disallowedContacts": ["", "5544991111111"]},
    ],
)
def test_a_malformed_list_is_never_an_empty_one(payload: dict[str, Any]) -> None:
    client, adapter, _ = client_with(Canned(payload))
    with pytest.raises(errors.ZApiUnexpectedAnswerError, match="disallowedContacts"):
        client.disallowed_contacts(LAST_SEEN)
    assert len(adapter.requests) == 1
