"""The emulator's JSON interface, its record of requests, its page and the packages that it imports."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from airflow_provider_zapi.emulator import Emulator, Instance, InvalidInputError
from airflow_provider_zapi.emulator.app import BODY_LIMIT
from airflow_provider_zapi.emulator.contract import CALLS
from airflow_provider_zapi.emulator.control import ROUTES
from airflow_provider_zapi.emulator.faults import FAULTS
from airflow_provider_zapi.emulator.switches import SWITCHES

ROOT = Path(__file__).parents[3]
SHOP = "/_emulator/instances/shop"


def test_the_state_of_a_fresh_instance(http: httpx.Client) -> None:
    state = http.get(SHOP).json()
    everyone = {"value": "ALL", "excluded": []}
    assert state["settings"] == {
        "last_seen": everyone,
        "photo": everyone,
        "description": everyone,
        "group_add": everyone,
        "online": {"value": "ALL"},
        "read_receipts": {"value": "enable"},
        "messages_duration": {"value": "disable"},
    }
    assert state["client_token_required"] is True
    assert state["switches"] == {switch.name: switch.default for switch in SWITCHES}


def test_the_interface_shows_no_token(http: httpx.Client) -> None:
    http.get("/instances/shop/token/shop-token/status", headers={"Client-Token": "shop-client-token"})
    texts = [http.get(f"/_emulator/{path}").text for path in ("instances", "instances/shop", "requests")]
    assert "shop-token" not in "".join(texts)
    assert "shop-client-token" not in "".join(texts)


def test_put_creates_and_replaces(http: httpx.Client, emulator: Emulator) -> None:
    given = {"token": "new-token", "client_token": None, "phone": "554133334444"}
    settings = {"last_seen": {"value": "CONTACT_BLACKLIST", "excluded": ["554411111111"]}}
    created = http.put("/_emulator/instances/new", json={**given, "settings": settings})
    assert created.status_code == 200
    assert created.json()["settings"]["last_seen"] == settings["last_seen"]
    replaced = http.put("/_emulator/instances/new", json={**given, "name": "New"})
    assert replaced.json()["settings"]["last_seen"] == {"value": "ALL", "excluded": []}
    assert replaced.json()["history"] == []
    assert list(emulator.instances) == ["shop", "new"]


def test_patch_changes_only_the_given_parts(http: httpx.Client, instance: Instance) -> None:
    before = instance.view()
    changes = {
        "connected": False,
        "subscription": "lapsed",
        "phone": "554133334444",
        "settings": {"photo": {"excluded": ["554411111111"]}},
        "switches": {"list_as": "lid"},
    }
    after = http.patch(SHOP, json=changes).json()
    assert (after["connected"], after["subscription"], after["phone"]) == (False, "lapsed", "554133334444")
    assert after["settings"]["photo"]["value"] == "ALL"
    assert after["excluded_counts"]["photo"] == 1
    assert after["switches"] == {**before["switches"], "list_as": "lid"}
    assert after["name"] == before["name"]


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"colour": "red"}, ("colour", "smartphone_connected")),
        ({"connected": "yes"}, ("connected", "true or false")),
        ({"subscription": "ended"}, ("subscription", "lapsed")),
        ({"phone": "+55 44"}, ("phone", "digits")),
        ({"token": "a/b"}, ("token", "letters")),
        ({"settings": {"status": {}}}, ("status", "messages_duration")),
        ({"settings": {"online": {"excluded": []}}}, ("excluded", "value")),
        ({"settings": {"group_add": {"value": "NONE"}}}, ("group_add", "CONTACTS")),
        ({"settings": {"photo": {"excluded": ["+55"]}}}, ("photo", "digits")),
        ({"settings": {"photo": []}}, ("photo", "object")),
        ({"switches": {"colour": 1}}, ("colour", "exact_removal")),
        ({"switches": {"delay": 61}}, ("delay", "0 to 60")),
        ({"switches": {"delay": True}}, ("delay", "seconds")),
        ({"switches": {"conflicts": -1}}, ("conflicts", "count")),
        ({"switches": {"list_as": "name"}}, ("list_as", "mixed")),
        ({"switches": {"fail_next": [{"status": 99}]}}, ("fail_next", "answers")),
        ({"switches": {"fail_next": [{"code": 500}]}}, ("code", "status")),
        ({"switches": {"other_writer": [{"setting": "nix"}]}}, ("setting", "last_seen")),
        ({"switches": {"other_writer": [{"setting": []}]}}, ("setting", "last_seen")),
        ({"switches": {"other_writer": [{"setting": "photo", "value": "X"}]}}, ("other_writer", "CONTACTS")),
        ({"switches": {"other_writer": [{"setting": "photo", "changes": [1]}]}}, ("other_writer", "writes")),
        ({"switches": {"refused_phones": ["x"]}}, ("refused_phones", "phones")),
    ],
)
def test_a_wrong_patch_is_refused_with_what_is_accepted_and_changes_nothing(
    http: httpx.Client, instance: Instance, given: dict[str, Any], named: tuple[str, str]
) -> None:
    before = instance.view()
    response = http.patch(SHOP, json={"name": "Changed", **given})
    assert response.status_code == 400
    for text in named:
        assert text in response.json()["error"]
    assert instance.view() == before


@pytest.mark.parametrize("missing", ["token", "client_token", "phone"])
def test_an_instance_needs_its_credentials(emulator: Emulator, missing: str) -> None:
    given = {"token": "t", "client_token": None, "phone": "554133334444"}
    del given[missing]
    with pytest.raises(InvalidInputError, match=missing):
        emulator.put("new", given)
    assert "new" not in emulator.instances


@pytest.mark.parametrize(
    ("method", "path", "content", "status"),
    [
        ("PATCH", SHOP, "{", 400),
        ("PATCH", SHOP, "[]", 400),
        ("PATCH", SHOP, '{"switches": {"fail_next": [{"status": 200, "body": NaN}]}}', 400),
        ("GET", "/_emulator/instances/none", "", 404),
        ("PATCH", "/_emulator/instances/none", "{}", 404),
        (
            "PUT",
            "/_emulator/instances/a.b",
            '{"token": "t", "client_token": null, "phone": "554133334444"}',
            400,
        ),
        ("GET", "/_emulator/nix", "", 404),
        ("POST", "/_emulator/instances", "", 405),
        ("GET", "/_emulator/instances?excluded=-1", "", 400),
        ("GET", "/_emulator/requests?last=many", "", 400),
    ],
)
def test_a_wrong_request_to_the_interface_is_refused(
    http: httpx.Client, method: str, path: str, content: str, status: int
) -> None:
    assert http.request(method, path, content=content).status_code == status


def test_delete_removes_an_instance(http: httpx.Client, emulator: Emulator) -> None:
    assert http.delete(SHOP).status_code == 204
    assert emulator.instances == {}
    assert http.get("/instances/shop/token/shop-token/status").json() == {"error": "Instance not found"}


def test_lists_can_be_cut_and_the_counts_stay_complete(http: httpx.Client, instance: Instance) -> None:
    phones = ["554411111111", "554422222222", "554433333333"]
    instance.patch({"settings": {"photo": {"excluded": phones}}})
    (state,) = http.get("/_emulator/instances?excluded=2").json()["instances"]
    assert state["settings"]["photo"]["excluded"] == phones[:2]
    assert state["excluded_counts"]["photo"] == 3


def test_a_request_is_recorded_without_secrets(zapi: httpx.Client, emulator: Emulator) -> None:
    zapi.post("privacy/photo", params={"a": "b"}, json={"visualizationType": "NONE"})
    (request,) = emulator.requests
    assert "client-token" in request.pop("headers")
    assert request == {
        "number": 1,
        "time": 1_700_000_000.0,
        "instance": "shop",
        "method": "POST",
        "path": "/instances/shop/token/***/privacy/photo",
        "query": {"a": "b"},
        "body": {"visualizationType": "NONE"},
        "status": 200,
        "done": True,
        "emulated": True,
        "fault": None,
    }


@pytest.mark.parametrize(
    ("content", "remembered"),
    [
        ("", None),
        ("{", "{"),
        ("x" * 70_000, "(70000 bytes)"),
        ('["\\ud800"]', ["\ud800"]),
        # A strict reader does not accept this as JSON, so the record has it as it was sent.
        ("[NaN]", "[NaN]"),
        ('{"delayMessage": 1e999}', '{"delayMessage": 1e999}'),
        ("[" * 1_485 + "]" * 1_485, "[" * 1_485 + "]" * 1_485),
    ],
)
def test_the_record_of_a_body_is_limited(zapi: httpx.Client, emulator: Emulator, content: str, remembered: Any) -> None:
    zapi.post("privacy/photo", content=content, headers={"Content-Type": "application/json"})
    assert emulator.requests[-1]["body"] == remembered
    (request,) = zapi.get("http://127.0.0.1/_emulator/requests").json()["requests"]
    assert request["body"] == remembered


def test_a_recorded_path_cannot_forge_a_line_of_the_log(http: httpx.Client, emulator: Emulator) -> None:
    http.get("/instances/x/token/secret-one%0Asecret-two/status")
    assert emulator.requests[-1]["path"] == "/instances/x/token/***/status"
    http.get("/x%0Ay")
    assert emulator.requests[-1]["path"] == "/x?y"


def test_recorded_requests_are_limited_and_can_be_cleared(http: httpx.Client, emulator: Emulator) -> None:
    for _ in range(510):
        emulator.record_request({"path": "/x", "method": "GET", "query": {}, "body": None})
    numbers = [request["number"] for request in http.get("/_emulator/requests").json()["requests"]]
    assert numbers == list(range(11, 511))
    for last, expected in ((2, [509, 510]), (0, []), (9999, numbers)):
        cut = http.get("/_emulator/requests", params={"last": last}).json()["requests"]
        assert [request["number"] for request in cut] == expected
    assert http.delete("/_emulator/requests").status_code == 204
    assert emulator.requests == []


def test_a_body_above_the_limit_is_refused(zapi: httpx.Client, instance: Instance) -> None:
    content = b" " * BODY_LIMIT + b"{}"
    headers = {"Content-Type": "application/json"}
    assert zapi.post("privacy/photo", content=content, headers=headers).status_code == 413
    response = zapi.patch("http://127.0.0.1" + SHOP, content=content)
    assert response.status_code == 400
    assert "bytes" in response.json()["error"]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8765", 200),
        ("localhost", 200),
        ("[::1]:80", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example:80", 421),
    ],
)
def test_a_host_that_is_not_loopback_is_refused(http: httpx.Client, host: str, status: int) -> None:
    assert http.get(SHOP, headers={"Host": host}).status_code == status


def test_every_change_increases_the_revision(emulator: Emulator, instance: Instance) -> None:
    seen = [emulator.revision]
    for change in (
        lambda: instance.patch({"name": "Other"}),
        lambda: emulator.record_request({}),
        emulator.clear_requests,
        lambda: emulator.delete("shop"),
        lambda: emulator.put("shop", {"token": "t", "client_token": None, "phone": "554133334444"}),
    ):
        change()
        seen.append(emulator.revision)
    assert len(set(seen)) == len(seen)


def test_the_page_needs_nothing_from_elsewhere(http: httpx.Client) -> None:
    response = http.get("/")
    assert response.headers["Content-Type"].startswith("text/html")
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    for sign in ("http://", "https://", "innerHTML", "@import", "url("):
        assert sign not in response.text


def test_the_documentation_lists_the_switches_as_they_are() -> None:
    text = (ROOT / "docs" / "emulator.md").read_text(encoding="utf-8")
    table = text.partition("| switch | accepts | default | what it does |\n|---|---|---|---|\n")[2]
    rows = table.partition("\n\n")[0].splitlines()
    expected = [
        f"| `{switch.name}` | {switch.accepts} | `{json.dumps(switch.default)}` | {switch.doc} |" for switch in SWITCHES
    ]
    assert rows == expected


def test_it_imports_nothing_of_airflow_or_of_the_rest_of_the_provider() -> None:
    program = "import sys, airflow_provider_zapi.emulator.__main__; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    modules = done.stdout.split()
    assert "airflow_provider_zapi.emulator.server" in modules
    assert not [name for name in modules if name.split(".")[0] in ("airflow", "requests", "tenacity")]
    own = [name for name in modules if name.startswith("airflow_provider_zapi.")]
    assert [name for name in own if not name.startswith("airflow_provider_zapi.emulator")] == []


def test_the_documentation_lists_faults_and_requests_as_they_are() -> None:
    text = (ROOT / "docs" / "emulator.md").read_text(encoding="utf-8")
    for kind in FAULTS:
        assert f"| `{kind.name}` | {'yes' if kind.done else 'no'} | {kind.doc} |" in text
    for row in ROUTES:
        query = f" Query: {', '.join(f'`{parameter.name}`' for parameter in row.query)}." if row.query else ""
        assert f"| `{row.method} /_emulator/{row.path}` | {row.summary}{query} |" in text


def test_the_openapi_document_has_every_call_and_every_request(http: httpx.Client) -> None:
    document = http.get("/_emulator/openapi.json").json()
    found = {(method.upper(), path) for path, operations in document["paths"].items() for method in operations}
    assert {(row.method, f"/_emulator/{row.path}") for row in ROUTES} <= found
    assert ("GET", "/instances") in found
    assert len(found) == len(ROUTES) + len(CALLS) + 1
