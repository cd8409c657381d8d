"""The emulated Z-API calls: what each call accepts and what it answers."""

import json
from typing import Any

import httpx
import pytest

from airflow_provider_zapi.emulator import Emulator, Instance
from airflow_provider_zapi.emulator.contract import CALLS, SETTINGS

JSON = {"Content-Type": "application/json"}
NOT_FOUND = {"error": "NOT_FOUND", "message": "Unable to find matching target resource method"}
CHANGES = [
    {"action": "add", "phone": "554411111111"},
    {"action": "remove", "phone": "554422222222"},
]
LAPSED = "To continue sending a message, you must subscribe to this instance again"

# Path, body, query, and the setting's value afterwards, from Z-API's published examples.
WRITES = [
    ("privacy/last-seen", {"visualizationType": "ALL"}, {}, "last_seen", "ALL"),
    ("privacy/last-seen", {"visualizationType": "NONE"}, {}, "last_seen", "NONE"),
    ("privacy/last-seen", {"visualizationType": "CONTACTS"}, {}, "last_seen", "CONTACTS"),
    (
        "privacy/last-seen",
        {"visualizationType": "CONTACT_BLACKLIST", "contactsBlacklist": CHANGES},
        {},
        "last_seen",
        "CONTACT_BLACKLIST",
    ),
    (
        "privacy/photo",
        {"visualizationType": "CONTACT_BLACKLIST", "contactsBlacklist": CHANGES},
        {},
        "photo",
        "CONTACT_BLACKLIST",
    ),
    ("privacy/description", {"visualizationType": "NONE"}, {}, "description", "NONE"),
    ("privacy/group-add", {"type": "CONTACTS"}, {}, "group_add", "CONTACTS"),
    ("privacy/online", {"visualizationType": "SAME_LAST_SEEN"}, {}, "online", "SAME_LAST_SEEN"),
    ("privacy/read-receipts", None, {"value": "disable"}, "read_receipts", "disable"),
    ("privacy/messages-duration", None, {"value": "days90"}, "messages_duration", "days90"),
    ("privacy/messages-duration", None, {"value": "days7"}, "messages_duration", "days7"),
    ("privacy/messages-duration", None, {"value": "hours24"}, "messages_duration", "hours24"),
]


@pytest.mark.parametrize(("path", "body", "query", "setting", "value"), WRITES)
def test_a_privacy_call_sets_its_setting_and_no_other(
    zapi: httpx.Client,
    instance: Instance,
    path: str,
    body: Any,
    query: dict[str, str],
    setting: str,
    value: str,
) -> None:
    before = instance.view()["settings"]
    content = json.dumps(body) if body else ""
    response = zapi.post(path, params=query, content=content, headers=JSON)
    assert (response.status_code, response.json()) == (200, {"success": True})
    after = instance.view()["settings"]
    assert after.pop(setting)["value"] == value
    before.pop(setting)
    assert after == before


def test_every_setting_is_written_by_a_case_above() -> None:
    assert {case[3] for case in WRITES} == {setting.name for setting in SETTINGS}


@pytest.mark.parametrize(
    ("path", "body", "query"),
    [
        ("privacy/last-seen", {"visualizationType": "all"}, {}),
        ("privacy/last-seen", {"type": "ALL"}, {}),
        ("privacy/last-seen", {"visualizationType": ["ALL"]}, {}),
        ("privacy/group-add", {"type": "NONE"}, {}),
        ("privacy/group-add", {"visualizationType": "ALL"}, {}),
        ("privacy/online", {"visualizationType": "NONE"}, {}),
        ("privacy/read-receipts", {"value": "enable"}, {}),
        ("privacy/messages-duration", {}, {"value": "days30"}),
        ("privacy/photo", {"visualizationType": "NONE", "contactsBlacklist": CHANGES}, {}),
        ("privacy/photo", {"visualizationType": "CONTACT_BLACKLIST", "contactsBlacklist": CHANGES[0]}, {}),
        (
            "privacy/photo",
            {
                "visualizationType": "CONTACT_BLACKLIST",
                "contactsBlacklist": [{"action": "set", "phone": "554411111111"}],
            },
            {},
        ),
        ("phone-exists-batch", {"phones": "554411111111"}, {}),
        ("phone-exists-batch", {"phones": ["554411111111"] * 50_001}, {}),
        ("send-text", {"phone": "554411111111"}, {}),
    ],
)
def test_a_wrong_parameter_is_refused_and_changes_nothing(
    zapi: httpx.Client, instance: Instance, path: str, body: Any, query: dict[str, str]
) -> None:
    before = instance.view()
    response = zapi.post(path, params=query, json=body)
    assert response.status_code == 400
    assert response.json()["error"]
    assert instance.view() == before


@pytest.mark.parametrize("content", ["", "{", "[]", '"ALL"', "[" * 100_000])
def test_a_body_that_is_not_a_json_object_is_refused(zapi: httpx.Client, content: str) -> None:
    response = zapi.post("privacy/last-seen", content=content, headers=JSON)
    assert response.status_code == 400
    assert "JSON" in response.json()["error"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "privacy/set-last-seen"),
        ("POST", "privacy/set-group-add-permission"),
        ("GET", "disallowed-contacts"),
        ("GET", "privacy/disallowed-contacts/"),
        ("GET", "phone-exists/"),
        ("GET", "phone-exists/554411111111/x"),
    ],
)
def test_an_unknown_path_answers_not_found_under_a_success_status(
    zapi: httpx.Client, emulator: Emulator, method: str, path: str
) -> None:
    response = zapi.request(method, path)
    assert (response.status_code, response.json()) == (200, NOT_FOUND)
    assert emulator.requests[-1]["done"] is False


@pytest.mark.parametrize(
    "path", ["/instances/shop", "/instances/shop/token/shop-token", "/favicon.ico", "//", "/instances//"]
)
def test_paths_outside_an_instance_answer_not_found_too(http: httpx.Client, path: str) -> None:
    assert http.get(f"http://127.0.0.1{path}").json() == NOT_FOUND


@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call.method} {call.path}")
def test_another_method_is_405_and_a_missing_content_type_415(zapi: httpx.Client, call: Any) -> None:
    path = call.path + ("554411111111" if call.path.endswith("/") else "")
    assert zapi.request("DELETE", path).status_code == 405
    unsupported = zapi.request(call.method, path, content="{}").status_code == 415
    assert unsupported == (call.method != "GET")


def test_content_type_may_have_a_charset(zapi: httpx.Client) -> None:
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    body = json.dumps({"visualizationType": "NONE"})
    assert zapi.post("privacy/last-seen", content=body, headers=headers).json() == {"success": True}


@pytest.mark.parametrize(
    ("path", "client_token", "switches", "status", "error"),
    [
        ("shop/token/wrong", "shop-client-token", {}, 400, "Instance not found"),
        ("other/token/shop-token", "shop-client-token", {}, 400, "Instance not found"),
        ("shop/token/shop-token", None, {}, 400, "your client-token is not configured"),
        (
            "shop/token/shop-token",
            None,
            {"missing_client_token": "null_not_allowed"},
            400,
            "null not allowed",
        ),
        ("shop/token/shop-token", "mistyped", {}, 403, "Client-Token mistyped not allowed"),
        (
            "shop/token/shop-token",
            "shop-client-token",
            {"address_allowed": False},
            403,
            "127.0.0.1 not allowed",
        ),
    ],
)
def test_refused_credentials_are_answered_as_recorded(
    http: httpx.Client,
    instance: Instance,
    path: str,
    client_token: str | None,
    switches: dict[str, Any],
    status: int,
    error: str,
) -> None:
    instance.patch({"switches": switches})
    headers = {} if client_token is None else {"Client-Token": client_token}
    response = http.get(f"/instances/{path}/status", headers=headers)
    assert (response.status_code, response.json()) == (status, {"error": error})


def test_an_account_without_a_client_token_needs_none(http: httpx.Client, instance: Instance) -> None:
    instance.patch({"client_token": None})
    assert http.get("/instances/shop/token/shop-token/status").json()["connected"] is True


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({}, (True, True, "You are already connected.")),
        ({"smartphone_connected": False}, (True, False, "You are already connected.")),
        ({"connected": False}, (False, True, "You are not connected.")),
        (
            {"connected": False, "switches": {"session_down_error": "You need to restore the session."}},
            (False, True, "You need to restore the session."),
        ),
    ],
)
def test_status_shows_the_session(
    zapi: httpx.Client, instance: Instance, state: dict[str, Any], expected: tuple[bool, bool, str]
) -> None:
    instance.patch(state)
    answer = zapi.get("status").json()
    assert (answer["connected"], answer["smartphoneConnected"], answer["error"]) == expected


@pytest.mark.parametrize(
    ("state", "error", "still_answered"),
    [
        ({"connected": False}, "You are not connected.", {"status", "me"}),
        ({"subscription": "lapsed"}, LAPSED, {"me"}),
    ],
)
@pytest.mark.parametrize("call", [call for call in CALLS if call.method == "GET"], ids=lambda call: str(call.path))
def test_without_session_or_subscription_all_calls_except_those_about_it_are_refused(
    zapi: httpx.Client,
    instance: Instance,
    call: Any,
    state: dict[str, Any],
    error: str,
    still_answered: set[str],
) -> None:
    instance.patch(state)
    path = call.path + ("554411111111" if call.path.endswith("/") else "")
    response = zapi.get(path, params={"type": "photo"})
    refused = (response.status_code, response.json()) == (400, {"error": error})
    assert refused == (call.path not in still_answered)


def test_a_disconnected_instance_writes_nothing(zapi: httpx.Client, instance: Instance) -> None:
    instance.patch({"connected": False})
    assert zapi.post("privacy/photo", json={"visualizationType": "NONE"}).status_code == 400
    assert instance.records["photo"].value == "ALL"


def test_device_shows_the_paired_phone(zapi: httpx.Client) -> None:
    assert zapi.get("device").json()["phone"] == "5544999990000"


def test_me_contains_the_token_as_z_api_does(zapi: httpx.Client) -> None:
    answer = zapi.get("me").json()
    assert answer["token"] == "shop-token"
    assert {"connected", "due", "paymentStatus", "receivedCallbackUrl"} <= answer.keys()


@pytest.mark.parametrize("scope", ["lastSeen", "photo", "description", "groupAdd"])
def test_each_scope_reads_its_own_list(zapi: httpx.Client, instance: Instance, scope: str) -> None:
    for number, name in enumerate(("last_seen", "photo", "description", "group_add")):
        instance.patch({"settings": {name: {"value": "CONTACT_BLACKLIST", "excluded": [f"5544111111{number}0"]}}})
    number = ["lastSeen", "photo", "description", "groupAdd"].index(scope)
    answer = zapi.get("privacy/disallowed-contacts", params={"type": scope}).json()
    assert answer == {"disallowedContacts": [f"5544111111{number}0"]}


@pytest.mark.parametrize("query", [{}, {"type": "online"}, {"type": "last_seen"}])
def test_a_list_with_an_unknown_scope_is_refused(zapi: httpx.Client, query: dict[str, str]) -> None:
    assert zapi.get("privacy/disallowed-contacts", params=query).status_code == 400


def test_phone_exists_batch_returns_the_registered_number_and_one_lid(zapi: httpx.Client, instance: Instance) -> None:
    instance.patch({"switches": {"ninth_digit": "without", "unregistered_phones": ["5511888887777"]}})
    phones = ["5544991111111", "554491111111", "5511888887777", "abc"]
    long, short, unregistered, invalid = zapi.post("phone-exists-batch", json={"phones": phones}).json()
    assert long["inputPhone"] == "5544991111111"
    assert long["outputPhone"] == short["outputPhone"] == "554491111111"
    assert long["exists"] is True
    assert long["lid"] == short["lid"]
    assert long["lid"].endswith("@lid")
    for row in (unregistered, invalid):
        assert row["exists"] is False
        assert row["lid"] is None


@pytest.mark.parametrize(
    ("form", "expected"),
    [("list", [True]), ("object", True), ("object_with_text", "true")],
)
def test_phone_exists_answers_in_each_recorded_form(
    zapi: httpx.Client, instance: Instance, form: str, expected: Any
) -> None:
    instance.patch({"switches": {"phone_exists_answer": form}})
    answer = zapi.get("phone-exists/554411111111").json()
    exists = [row["exists"] for row in answer] if isinstance(answer, list) else answer["exists"]
    assert exists == expected
    [row] = answer if isinstance(answer, list) else [answer]
    # Z-API documents this form, although the batch call has a different one.
    assert row.keys() == {"exists", "phone", "lid"}


def test_the_profile_name_is_set_and_the_instance_name_does_not_change(zapi: httpx.Client, instance: Instance) -> None:
    instance.patch({"name": "Shop 1"})
    assert zapi.get("device").json()["name"] == "Shop 1"
    assert zapi.put("profile-name", json={"value": "Ana's shop"}).json() == {"value": True}
    assert zapi.get("device").json()["name"] == "Ana's shop"
    assert zapi.get("me").json()["name"] == "Shop 1"
    assert instance.snapshot()["profile_name"] == "Ana's shop"


def test_a_text_is_recorded_and_gets_ids(zapi: httpx.Client, instance: Instance) -> None:
    first = zapi.post("send-text", json={"phone": "554411111111", "message": "hello"}).json()
    second = zapi.post("send-text", json={"phone": "554411111111", "message": "again"}).json()
    assert first.keys() == {"zaapId", "messageId", "id"}
    assert first["messageId"] != second["messageId"]
    assert [message["message"] for message in instance.view()["messages"]] == ["hello", "again"]
