"""Requests have the form that Z-API publishes, and each kind of answer is read by its own rules."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from airflow_provider_zapi import __version__
from airflow_provider_zapi import exceptions as errors
from airflow_provider_zapi.client import InstanceStatus, ResolvedContact, ZApiClient
from airflow_provider_zapi.privacy.changes import ContactChange
from airflow_provider_zapi.privacy.settings import LAST_SEEN, PHOTO, SETTINGS, PrivacySetting
from tests.faults import FaultServer, good
from tests.support import CLIENT_TOKEN, GOOD, TOKEN, Canned, client_with, credentials, ids, leaks

CHANGES = (ContactChange("add", "554411111111"), ContactChange("remove", "554422222222"))

#: Z-API's published examples (repository z-api-docs, folder json-examples) with the placeholders filled in.
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
        "privacy-photo",
        lambda client: client.set_privacy(PHOTO, "CONTACT_BLACKLIST", CHANGES),
        GOOD,
        "POST",
        "privacy/photo",
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
        "disallowed-contacts",
        lambda client: client.disallowed_contacts(LAST_SEEN),
        Canned({"disallowedContacts": []}),
        "GET",
        "privacy/disallowed-contacts",
        {"type": "lastSeen"},
        None,
    ),
    ("instance-status", lambda client: client.status(), Canned({"connected": True}), "GET", "status", {}, None),
    ("device", lambda client: client.paired_phone(), Canned({"phone": "554411111111"}), "GET", "device", {}, None),
    (
        "phone-exists-batch",
        lambda client: client.resolve_contacts(["554411111111"]),
        Canned([]),
        "POST",
        "phone-exists-batch",
        {},
        {"phones": ["554411111111"]},
    ),
]

#: The headers that every request has too: how to use the connection, and which program calls.
TRANSPORT_HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip",
    "Connection": "keep-alive",
    "User-Agent": f"airflow-provider-zapi/{__version__}",
}


@pytest.mark.parametrize(
    ("call", "answer", "method", "path", "query", "body"),
    [row[1:] for row in PUBLISHED],
    ids=[row[0] for row in PUBLISHED],
)
def test_a_request_matches_the_published_example(
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
    assert url.path == f"/{path}"
    assert dict(parse_qsl(url.query, strict_parsing=bool(url.query))) == query
    assert (json.loads(request.body) if request.body else None) == body
    headers = dict(request.headers)
    # Z-API requires this header on every call, even if its example leaves it out.
    assert headers.pop("Content-Type") == "application/json"
    assert headers.pop("Content-Length", "0") == str(len(request.body or b""))
    assert headers == TRANSPORT_HEADERS


@pytest.mark.parametrize("client_token", [CLIENT_TOKEN, None])
@pytest.mark.parametrize(
    ("call", "answer", "path"), [(row[1], row[2], row[4]) for row in PUBLISHED], ids=ids(PUBLISHED)
)
def test_instance_and_tokens_are_added_on_the_wire(
    call: Callable[[ZApiClient], Any], answer: Canned, path: str, client_token: str | None
) -> None:
    with FaultServer(good(answer.body)) as server:
        with ZApiClient(credentials(base_url=server.url, client_token=client_token)) as client:
            call(client)
            call(client)  # over the same connection
        assert server.connections == 1
        for request in server.requests:
            assert request.target.partition("?")[0] == f"/instances/instance-1/token/{TOKEN}/{path}"
            assert request.header("Client-Token") == client_token
            assert request.header("Host") == server.url.removeprefix("http://")


#: From Z-API's page of each setting: path, parameter, values, and the part of the request that has the value.
DOCUMENTED = {
    "last_seen": ("privacy/last-seen", "visualizationType", "NONE CONTACT_BLACKLIST CONTACTS ALL", "body"),
    "photo": ("privacy/photo", "visualizationType", "NONE CONTACT_BLACKLIST CONTACTS ALL", "body"),
    "description": ("privacy/description", "visualizationType", "NONE CONTACT_BLACKLIST CONTACTS ALL", "body"),
    "group_add": ("privacy/group-add", "type", "CONTACT_BLACKLIST CONTACTS ALL", "body"),
    "online": ("privacy/online", "visualizationType", "SAME_LAST_SEEN ALL", "body"),
    "read_receipts": ("privacy/read-receipts", "value", "disable enable", "query"),
    "messages_duration": ("privacy/messages-duration", "value", "hours24 days7 days90 disable", "query"),
}
#: The name of each list on Z-API's page about lists.
LISTS = {"last_seen": "lastSeen", "photo": "photo", "description": "description", "group_add": "groupAdd"}


def test_the_settings_are_the_documented_ones() -> None:
    assert {setting.name: " ".join(setting.values) for setting in SETTINGS} == {
        name: row[2] for name, row in DOCUMENTED.items()
    }
    assert {setting.name: setting.list_scope for setting in SETTINGS if setting.list_scope} == LISTS


@pytest.mark.parametrize(("setting", "value"), [(setting, value) for setting in SETTINGS for value in setting.values])
def test_each_documented_value_is_sent_as_documented(setting: PrivacySetting, value: str) -> None:
    path, parameter, _, place = DOCUMENTED[setting.name]
    client, adapter, _ = client_with(GOOD)
    client.set_privacy(setting, value)
    [request] = adapter.requests
    url = urlsplit(request.url or "")
    assert (request.method, url.path) == ("POST", f"/{path}")
    sent = dict(parse_qsl(url.query)), json.loads(request.body or "{}")
    assert sent == ({parameter: value}, {}) if place == "query" else ({}, {parameter: value})
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["Content-Length"] == str(len(request.body or b""))


@pytest.mark.parametrize("setting", [setting for setting in SETTINGS if setting.list_scope])
def test_each_list_is_changed_and_read_under_its_own_name(setting: PrivacySetting) -> None:
    client, adapter, _ = client_with(GOOD, Canned({"disallowedContacts": ["554411111111"]}))
    client.set_privacy(setting, "CONTACT_BLACKLIST", CHANGES)
    assert client.disallowed_contacts(setting) == ("554411111111",)
    changed, read = adapter.requests
    assert json.loads(changed.body or b"") == {
        DOCUMENTED[setting.name][1]: "CONTACT_BLACKLIST",
        "contactsBlacklist": [
            {"action": "add", "phone": "554411111111"},
            {"action": "remove", "phone": "554422222222"},
        ],
    }
    assert (read.url or "").endswith(f"privacy/disallowed-contacts?type={LISTS[setting.name]}")


SETTINGS_WITHOUT_LIST = [setting for setting in SETTINGS if not setting.list_scope]


@pytest.mark.parametrize("setting", SETTINGS_WITHOUT_LIST)
def test_reading_the_list_of_a_setting_without_one_is_an_error(setting: PrivacySetting) -> None:
    client, adapter, _ = client_with(GOOD)
    with pytest.raises(errors.ZApiInvalidRequestError, match="has no list of excluded contacts"):
        client.disallowed_contacts(setting)
    assert not adapter.requests


def test_more_changes_than_fit_into_one_call_are_sent_in_order() -> None:
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
    with pytest.raises(errors.ZApiRefusedError, match="500 of 1201 changes were made before this, and stay"):
        client.set_privacy(LAST_SEEN, "CONTACT_BLACKLIST", changes)
    assert len(adapter.requests) == 2


def test_a_failure_at_the_start_says_nothing_of_what_was_done_before() -> None:
    client, _, _ = client_with(Canned({"success": False}))
    with pytest.raises(errors.ZApiRefusedError) as caught:
        client.set_privacy(LAST_SEEN, "CONTACT_BLACKLIST", CHANGES)
    assert "changes were made" not in str(caught.value)


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
def test_only_connected_decides_the_status(payload: dict[str, Any], status: InstanceStatus) -> None:
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
def test_a_status_without_connected_is_an_error(answer: Canned, error: type[errors.ZApiError]) -> None:
    client, _, _ = client_with(answer)
    with pytest.raises(error):
        client.status()


def test_the_paired_phone_is_read_from_device() -> None:
    client, _, _ = client_with(Canned({"phone": "5544991111111", "lid": "1@lid"}))
    assert client.paired_phone() == "5544991111111"


Read = Callable[[ZApiClient], Any]

STATUS: Read = lambda client: client.status()  # noqa: E731 - cells of the table below, with their types
PAIRED: Read = lambda client: client.paired_phone()  # noqa: E731
LISTED: Read = lambda client: client.disallowed_contacts(LAST_SEEN)  # noqa: E731
RESOLVE: Read = lambda client: client.resolve_contacts(["5544991111111"])  # noqa: E731

BROKEN_CONTRACT: list[tuple[Read, Any, str]] = [
    # the read, the answer, a part of the message
    (STATUS, {}, "'connected' is missing"),
    (PAIRED, {}, "'phone' is missing"),
    (PAIRED, {"phone": None}, "'phone' is missing"),
    (PAIRED, {"phone": ""}, "'phone' is missing"),
    (PAIRED, {"phone": "\x1b[2J"}, "'phone' is not a phone number"),
    (PAIRED, {"phone": 5544991111111}, "'phone' is missing"),
    (LISTED, {}, "'disallowedContacts' is not a list"),
    (LISTED, {"disallowedContacts": [5]}, "'disallowedContacts' has entries that are not strings"),
    (RESOLVE, {}, "the contacts are not a list"),
    (RESOLVE, [{}], "a contact lacks its 'inputPhone'"),
    (RESOLVE, [{"inputPhone": "1"}], "a contact's 'exists', 'outputPhone' or 'lid' has the wrong type"),
]


@pytest.mark.parametrize(("read", "payload", "said"), BROKEN_CONTRACT, ids=[row[2] for row in BROKEN_CONTRACT])
def test_an_answer_that_breaks_the_contract_is_described(read: Read, payload: Any, said: str) -> None:
    client, adapter, _ = client_with(Canned(payload))
    with pytest.raises(errors.ZApiUnexpectedAnswerError) as caught:
        read(client)
    assert caught.value.what == f"Z-API's answer breaks its contract: {said}"
    assert len(adapter.requests) == 1


@pytest.mark.parametrize("read", [PAIRED, LISTED, RESOLVE], ids=["paired phone", "list", "contacts"])
def test_an_error_instead_of_the_expected_answer_is_raised(read: Read) -> None:
    client, _, _ = client_with(Canned({"error": "Blocked for now", "phone": "1", "disallowedContacts": []}))
    with pytest.raises(errors.ZApiRefusedError, match="Blocked for now"):
        read(client)


def test_a_list_is_returned_unchanged() -> None:
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
def test_a_malformed_list_never_counts_as_empty(payload: dict[str, Any]) -> None:
    client, adapter, _ = client_with(Canned(payload))
    with pytest.raises(errors.ZApiUnexpectedAnswerError, match="disallowedContacts"):
        client.disallowed_contacts(LAST_SEEN)
    assert len(adapter.requests) == 1


RESOLVED: list[dict[str, Any]] = [
    {"exists": True, "inputPhone": "5544991111111", "outputPhone": "554491111111", "lid": "123456789012345@lid"},
    {"exists": "true", "inputPhone": "5544992222222", "outputPhone": "5544992222222", "lid": None},
    {"exists": False, "inputPhone": "5544993333333", "outputPhone": "", "lid": None},
]


def test_phones_are_resolved_as_whatsapp_registered_them() -> None:
    client, adapter, _ = client_with(Canned(RESOLVED))
    phones = [item["inputPhone"] for item in RESOLVED]
    assert client.resolve_contacts([*phones, phones[0]]) == {
        "5544991111111": ResolvedContact(True, "554491111111", "123456789012345@lid"),
        "5544992222222": ResolvedContact(True, "5544992222222", None),
        "5544993333333": ResolvedContact(False, None, None),
    }
    [request] = adapter.requests
    assert json.loads(request.body or b"") == {"phones": phones}


def test_more_phones_than_fit_into_one_call_are_sent_in_several() -> None:
    client, adapter, _ = client_with(*(Canned([item]) for item in RESOLVED[:2]), Canned([]))
    resolved = client.resolve_contacts(str(554400000000 + number) for number in range(50_001))
    assert list(resolved) == [item["inputPhone"] for item in RESOLVED[:2]]
    assert [len(json.loads(request.body or b"")["phones"]) for request in adapter.requests] == [50_000, 1]
    assert client.resolve_contacts([]) == {}


#: A list may be longer than the limit for other answers.
LONG = " " * (1 << 20)


def test_contacts_and_the_answers_of_other_endpoints_may_be_long() -> None:
    client, _, _ = client_with(Canned(json.dumps(RESOLVED) + LONG))
    assert len(client.resolve_contacts(["5544991111111"])) == 3
    assert len(client.request("GET", "contacts")) == 3


@pytest.mark.parametrize(
    "payload",
    [
        {"exists": True},
        [None],
        [{"exists": True}],
        [{**RESOLVED[0], "exists": None}],
        [{**RESOLVED[0], "outputPhone": 5544991111111}],
        [{**RESOLVED[0], "lid": ["x"]}],
    ],
)
def test_malformed_contacts_are_an_unexpected_answer(payload: Any) -> None:
    client, _, _ = client_with(Canned(payload))
    with pytest.raises(errors.ZApiUnexpectedAnswerError):
        client.resolve_contacts(["5544991111111"])


def test_any_other_endpoint_can_be_called_in_the_same_way() -> None:
    client, adapter, _ = client_with(Canned({"value": True}))
    assert client.request("PUT", "profile-name", json={"value": "Support"}, params={"a": "b c"}) == {"value": True}
    [request] = adapter.requests
    assert request.method == "PUT"
    assert (request.url or "").endswith("/profile-name?a=b+c")
    assert json.loads(request.body or b"") == {"value": "Support"}


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/x",
        "x/",
        "a//b",
        "..",
        "a/../b",
        "a/.",
        "https://x.y/z",
        "a?b=c",
        "a#b",
        "a b",
        "a%2e%2e",
        "é",
        "a\n",
        "a\\b",
        "x:y",
    ],
)
def test_a_path_that_leaves_the_instance_is_refused(path: str) -> None:
    client, adapter, _ = client_with(GOOD)
    with pytest.raises(errors.ZApiInvalidRequestError, match="path is invalid"):
        client.request("GET", path)
    assert not adapter.requests


@pytest.mark.parametrize("body", [{"a": float("nan")}, {"a": object()}, {"a": {1, 2}}])
def test_a_body_that_is_not_json_is_refused(body: Any) -> None:
    client, adapter, _ = client_with(GOOD)
    with pytest.raises(errors.ZApiInvalidRequestError, match="json cannot be sent") as caught:
        client.request("PUT", "profile-name", json=body)
    assert not adapter.requests
    assert caught.value.__context__ is None


def test_an_unknown_method_is_refused() -> None:
    client, adapter, _ = client_with(GOOD)
    with pytest.raises(errors.ZApiInvalidRequestError, match="method is unknown"):
        client.request("get", "status")
    assert not adapter.requests


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda client: client.request("get", "x"), "method is unknown. Accepted: GET, POST, PUT, DELETE."),
        (
            lambda client: client.request("GET", ".."),
            "path is invalid. Use a relative path such as 'profile-name' or 'phone-exists/5544991111111', with letters, "
            "digits and _ . ~ @ - between single slashes. It must not have '..', a scheme or a query.",
        ),
        (
            lambda client: client.request("PUT", "x", json=object()),
            "json cannot be sent. Use only values that JSON supports.",
        ),
        (
            lambda client: client.disallowed_contacts(SETTINGS_WITHOUT_LIST[0]),
            f"{SETTINGS_WITHOUT_LIST[0].title} has no list of excluded contacts.",
        ),
    ],
    ids=["method", "path", "json", "list"],
)
def test_an_error_before_sending_says_what_is_accepted(call: Callable[[ZApiClient], Any], said: str) -> None:
    with pytest.raises(errors.ZApiInvalidRequestError) as caught:
        call(client_with(GOOD)[0])
    assert str(caught.value) == f"{said} Nothing was sent. [{caught.value.code}]"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Canned({"error": "x"}), errors.ZApiRefusedError),
        (Canned({"success": False}), errors.ZApiRefusedError),
        (Canned("text"), errors.ZApiUnreachableError),
        (Canned("5"), errors.ZApiUnreachableError),
    ],
)
def test_a_failure_of_any_other_endpoint_raises_its_error(answer: Canned, error: type[errors.ZApiError]) -> None:
    client, _, _ = client_with(answer)
    with pytest.raises(error):
        client.request("GET", "x")


@pytest.mark.parametrize(
    ("method", "repeatable", "requests"),
    [("GET", None, 4), ("PUT", None, 4), ("POST", None, 1), ("POST", True, 4), ("PUT", False, 1)],
)
def test_a_post_through_request_is_not_retried_after_a_lost_answer(
    method: str, repeatable: bool | None, requests: int
) -> None:
    client, adapter, _ = client_with(Canned(status=504))
    with pytest.raises(errors.ZApiUnreachableError):
        client.request(method, "send-text", json={}, repeatable=repeatable)
    assert len(adapter.requests) == requests


def test_a_phone_in_a_path_is_hidden_in_messages() -> None:
    client, _, _ = client_with(Canned({"error": "x"}))
    with pytest.raises(errors.ZApiRefusedError, match=r"endpoint phone-exists/\*\*\*1111"):
        client.request("GET", "phone-exists/5544991111111")
