"""The emulator accepts the requests of Z-API clients from outside this project.

Each file in `clients` has the calls of one client: method, path below the instance, query, Content-Type and body. The ids
and messages in them are invented. The calls of z-api-sdk 0.0.1 (npm) were recorded by the emulator from the running
package. The other clients are in no package registry. Their calls were written down from their sources: Z-API's Postman
collection (repository Z-API/z-api-methods-postman at 21222d3), z-api-lib (rogerberaldi/z-api-lib at 3bcf023) and zapi-cli
(jonesfernandess/zapi-cli at 0f8fec1).
"""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from airflow_provider_zapi.emulator import Emulator, Instance

CLIENTS = Path(__file__).parent / "clients"
NOT_EMULATED, UNKNOWN, WRONG_METHOD = "not emulated", "unknown path", "wrong method"

#: Per client: how many calls succeed, how many are not emulated, and its mistakes. A mistake is a path that Z-API doesn't
#: have, or a method that Z-API documents otherwise.
EXPECTED: dict[str, tuple[int, int, dict[str, str]]] = {
    "z-api-sdk-0.0.1": (15, 146, {}),
    "postman-collection": (17, 156, {}),
    "z-api-lib": (
        2,
        25,
        {
            "POST disconnect": WRONG_METHOD,
            "POST group-metadata": UNKNOWN,
            "POST promote-participant": UNKNOWN,
            "POST demote-participant": UNKNOWN,
            "POST group-invite-link": UNKNOWN,
            "POST accept-group-invite": UNKNOWN,
        },
    ),
    "zapi-cli": (
        6,
        43,
        {
            **dict.fromkeys(
                (
                    *("POST restart", "POST disconnect", "POST profile-picture", "POST profile-name", "POST contacts"),
                    *("POST update-auto-read-message", "POST update-call-reject-auto"),
                    *("POST update-call-reject-message", "POST follow-newsletter", "POST unfollow-newsletter"),
                    *("GET products", "POST tags", "POST update-every-webhooks", "POST update-notify-sent-by-me"),
                ),
                WRONG_METHOD,
            ),
            **dict.fromkeys(
                (
                    *("POST last-seen", "POST profile-photo-visualization", "POST online-privacy"),
                    *("POST read-receipts", "POST delete-message", "POST reply-message", "POST remove-reaction"),
                    *("POST edit-event", "POST read-chat", "POST archive-chat", "POST pin-chat", "POST mute-chat"),
                    *("POST clear-chat", "POST delete-chat", "GET profile-picture/5544999999999"),
                    *("POST block-contact", "GET group-invitation-metadata/https%3A%2F%2Fexample.com%2Fa"),
                    *("GET invitation-link/120363019502650977-group", "POST edit-product", "DELETE delete-product/1"),
                    *("GET newsletter-metadata/120363166555745933@newsletter", "GET newsletters"),
                    *("DELETE tags/1", "POST tag-chat", "POST create-community", "POST link-group"),
                    *("POST unlink-group", "POST create-instance", "GET list-instances", "POST sign-instance"),
                    "DELETE cancel-instance/x",
                ),
                UNKNOWN,
            ),
        },
    ),
}

#: The address, then the keys of the answer, from Z-API's Postman collection and pages.
EXAMPLES: list[tuple[str, str, Any, set[str]]] = [
    ("GET", "status", None, {"connected", "smartphoneConnected", "error"}),
    (
        "GET",
        "device",
        None,
        {"phone", "imgUrl", "about", "name", "device", "originalDevice", "sessionId", "isBusiness"},
    ),
    (
        "GET",
        "me",
        None,
        {
            *("id", "token", "name", "due", "connected", "paymentStatus", "created", "connectedCallbackUrl"),
            *("deliveryCallbackUrl", "disconnectedCallbackUrl", "messageStatusCallbackUrl", "presenceChatCallbackUrl"),
            *("receivedCallbackUrl", "receiveCallbackSentByMe", "callRejectAuto", "callRejectMessage"),
            *("autoReadMessage", "initialDataCallbackUrl"),
        },
    ),
    ("POST", "send-text", {"phone": "5544999999999", "message": "Welcome"}, {"zaapId", "messageId", "id"}),
    ("POST", "send-text", {"phone": "120363019502650977-group", "message": "x"}, {"zaapId", "messageId", "id"}),
    ("POST", "privacy/last-seen", {"visualizationType": "ALL"}, {"success"}),
    ("GET", "privacy/disallowed-contacts?type=lastSeen", None, {"disallowedContacts"}),
]


def read(client: str) -> list[list[Any]]:
    return [json.loads(line) for line in (CLIENTS / f"{client}.jsonl").read_text("utf-8").splitlines()]


def meaning(answer: httpx.Response, done: bool) -> str:
    """Return the meaning of an answer: done, an error, or a reason why the call was not carried out."""
    if answer.status_code == 501:
        assert answer.json()["error"].startswith("not emulated")
        return NOT_EMULATED
    if answer.status_code == 405:
        return WRONG_METHOD
    return "done" if done else UNKNOWN if answer.json()["error"] == "NOT_FOUND" else answer.text


@pytest.mark.parametrize("client", EXPECTED)
def test_a_call_of_another_client_succeeds_or_is_reported_as_not_emulated(
    zapi: httpx.Client, instance: Instance, emulator: Emulator, client: str
) -> None:
    # Without a body, some clients send no JSON Content-Type. Z-API documents 415 for that.
    instance.patch({"switches": {"content_type": "required_with_body"}})
    meanings = []
    for method, path, query, content_type, body in read(client):
        headers = {} if content_type is None else {"Content-Type": content_type}
        content = None if body is None else json.dumps(body)
        answer = zapi.request(method, path, params=query, headers=headers, content=content)
        meanings.append((f"{method} {path}", meaning(answer, emulator.requests[-1]["done"])))
    found = [said for _, said in meanings]
    mistakes = {call: said for call, said in meanings if said not in ("done", NOT_EMULATED)}
    assert (found.count("done"), found.count(NOT_EMULATED), mistakes) == EXPECTED[client]


def test_the_partner_calls_of_the_postman_collection(http: httpx.Client, emulator: Emulator) -> None:
    headers = {"Authorization": "Bearer demo-partner-token"}
    listing = "/instances?query=sh&middleware=web&page=1&pageSize=15"
    created = http.post("/instances/integrator/on-demand", json={"name": "x", "isDevice": False}, headers=headers)
    assert (created.status_code, created.headers["X-Emulator"]) == (501, "not emulated")
    assert http.get("/instances/integrator/on-demand", headers=headers).status_code == 405
    assert http.get(listing, headers=headers).status_code == 415
    emulator.account.patch({"content_type": "optional"})
    assert http.get(listing, headers=headers).status_code == 200


@pytest.mark.parametrize(("method", "path", "body", "keys"), EXAMPLES, ids=lambda value: str(value)[:40])
def test_an_answer_has_the_documented_keys(
    zapi: httpx.Client, method: str, path: str, body: Any, keys: set[str]
) -> None:
    assert set(zapi.request(method, path, json=body).json()) == keys
