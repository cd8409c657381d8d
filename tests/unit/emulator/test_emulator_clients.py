"""The emulator accepts the requests of a Z-API client from outside this project.

The file has every call of the npm package z-api-sdk 0.0.1: method, path below the instance, query, Content-Type and
body. The emulator recorded them from the running package. The ids and messages in them are invented.
"""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from airflow_provider_zapi.emulator import Emulator, Instance

RECORDED = [
    json.loads(line) for line in (Path(__file__).parent / "z-api-sdk-0.0.1.jsonl").read_text("utf-8").splitlines()
]
#: This path is not on any published page. Z-API's page has recovery-pin-code instead.
UNKNOWN = {"mobile/recover-pin-code"}

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


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda row: f"{row[0]} {row[1]}")
def test_a_call_of_another_client_succeeds_or_is_reported_as_not_emulated(
    zapi: httpx.Client, instance: Instance, emulator: Emulator, recorded: list[Any]
) -> None:
    method, path, query, content_type, body = recorded
    # Two calls have no body, so the package's HTTP library sends no JSON Content-Type. Z-API documents 415 for that.
    instance.patch({"switches": {"content_type": "required_with_body"}})
    headers = {} if content_type is None else {"Content-Type": content_type}
    content = None if body is None else json.dumps(body)
    answer = zapi.request(method, path, params=query, headers=headers, content=content)
    if path in UNKNOWN:
        assert answer.json()["error"] == "NOT_FOUND"
    elif answer.status_code == 501:
        assert answer.json()["error"].startswith("not emulated")
    else:
        assert answer.status_code == 200
        assert emulator.requests[-1]["done"], answer.text


@pytest.mark.parametrize(("method", "path", "body", "keys"), EXAMPLES, ids=lambda value: str(value)[:40])
def test_an_answer_has_the_documented_keys(
    zapi: httpx.Client, method: str, path: str, body: Any, keys: set[str]
) -> None:
    assert set(zapi.request(method, path, json=body).json()) == keys


def test_some_calls_of_the_client_are_served() -> None:
    paths = {path for _, path, *_ in RECORDED}
    assert {"send-text", "status", "me", "device", "privacy/last-seen", "phone-exists-batch"} <= paths
    assert len(RECORDED) > 150
