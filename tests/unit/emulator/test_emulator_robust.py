"""Requests that must not crash the emulator, fill its memory or reveal a secret."""

import json
import os
import select
import stat
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from airflow_provider_zapi.emulator import Emulator, Instance, InvalidInputError
from airflow_provider_zapi.emulator.app import create_app
from airflow_provider_zapi.emulator.console import Console
from airflow_provider_zapi.emulator.contract import PUBLISHED
from airflow_provider_zapi.emulator.recent import Recent, drop_oldest
from airflow_provider_zapi.emulator.state import ALL_REMEMBERED_BYTES, MAX_EXCLUDED, REMEMBERED_BYTES
from airflow_provider_zapi.emulator.statefile import load, save
from tests.unit.emulator.conftest import AppTransport

JSON = {"Content-Type": "application/json"}
SHOP = "http://127.0.0.1/_emulator/instances/shop"
ACCOUNT = "http://127.0.0.1/_emulator/account"
CANARY = "canary/+=%secret"


def strict(response: httpx.Response) -> Any:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    return json.loads(response.text, parse_constant=refuse)


@pytest.mark.parametrize(
    "content",
    [
        '{"phone": "5544991111111", "message": "x", "delayMessage": 1e999}',
        '{"phone": "5544991111111", "message": "x", "delayMessage": -1e999}',
        '{"phone": "5544991111111", "message": NaN}',
        '{"a": ' * 1_485 + "1" + "}" * 1_485,
        "[" * 100_000,
        "1" * 5_000,
        '"\\ud800"',
        "\x00",
    ],
)
def test_no_body_breaks_the_interface(zapi: httpx.Client, content: str) -> None:
    assert zapi.post("send-text", content=content, headers=JSON).status_code == 400
    assert zapi.patch(SHOP, content=content).status_code == 400
    for path in ("instances", "requests", "faults", "health"):
        answer = zapi.get(f"http://127.0.0.1/_emulator/{path}")
        assert answer.status_code == 200
        strict(answer)


def test_a_patch_that_fails_halfway_changes_nothing(zapi: httpx.Client, instance: Instance) -> None:
    before = instance.view()
    deep: Any = "x"
    for _ in range(500):
        deep = [deep]
    given = {"name": "Changed", "switches": {"fail_next": [{"status": 200, "body": deep}]}}
    assert zapi.patch(SHOP, json=given).status_code == 400
    assert instance.view() == before


def test_a_body_of_millions_of_parts_is_refused_before_it_is_read(zapi: httpx.Client) -> None:
    content = '{"phone": "5544991111111", "message": "x", "a": [' + "[]," * 600_000 + "[]]}"
    assert "lists and objects" in zapi.post("send-text", content=content, headers=JSON).json()["error"]
    assert "lists and objects" in zapi.patch(SHOP, content=content).json()["error"]


@pytest.mark.parametrize("headers", [{"A": "b\nc"}, {"é": "b"}, {"A": "ü\u20ac"}, {"Content-Length": "5"}, {"": "b"}])
def test_fail_next_accepts_only_headers_that_can_be_sent(zapi: httpx.Client, headers: dict[str, str]) -> None:
    given = {"switches": {"fail_next": [{"status": 503, "headers": headers}]}}
    assert zapi.patch(SHOP, json=given).status_code == 400


def test_the_record_is_limited_in_bytes(zapi: httpx.Client, instance: Instance) -> None:
    message = "x" * 2_000_000
    for _ in range(20):
        sent = zapi.post("send-text", json={"phone": "5544991111111", "message": message})
        assert sent.status_code == 200
    body = {"phone": "5544991111111", "message": "y" * 60_000}
    for _ in range(100):
        zapi.post("send-text", json=body)
    assert len(zapi.get(SHOP).content) < REMEMBERED_BYTES
    assert len(zapi.get("http://127.0.0.1/_emulator/requests").content) < REMEMBERED_BYTES
    for _ in range(100):
        zapi.get("status", params={"z" * 60_000: ""})
    assert len(zapi.get("http://127.0.0.1/_emulator/requests").content) < REMEMBERED_BYTES
    first = zapi.get(f"{SHOP}/messages").json()["messages"][0]
    assert first["length"] > len(first["message"])
    assert instance.messages_sent == 120


def test_the_store_of_recent_items_keeps_the_newest() -> None:
    recent: Recent[int] = Recent(3, 100)
    for number, size in enumerate([10, 10, 10, 10, 95, 200]):
        recent.add(number, size)
        assert number in recent
        assert len(recent) <= 3
    assert list(recent) == [5]
    recent.add(6, 1)
    assert recent.last(5) == [6]


def test_several_memories_are_bounded_together() -> None:
    memories: list[Recent[int]] = [Recent(100, 1_000) for _ in range(3)]
    for count, memory in zip((9, 2, 4), memories, strict=True):
        for number in range(count):
            memory.add(number, 10)
    drop_oldest(memories, 90)
    assert [list(memory) for memory in memories] == [[6, 7, 8], [0, 1], [0, 1, 2, 3]]
    drop_oldest(memories, 90)
    assert sum(map(len, memories)) == 9


def test_the_messages_of_many_numbers_are_limited_in_bytes(emulator: Emulator) -> None:
    parts = {"token": "token-x", "client_token": None, "phone": "5544999990000"}
    numbers = [emulator.put(f"number-{number}", parts) for number in range(20)]
    for number in numbers:
        for _ in range(50):
            number.send("5544991111111", "x" * 16_000)
    # After this many requests, the emulator has checked the memory of all numbers.
    for _ in range(256):
        emulator.record_request({})
    kept = sum(number.messages.kept_size for number in numbers)
    assert ALL_REMEMBERED_BYTES / 2 < kept <= ALL_REMEMBERED_BYTES
    assert all(len(number.messages) > 10 for number in numbers)


def test_what_is_set_is_bounded_in_bytes(http: httpx.Client, instance: Instance) -> None:
    big = "x" * 900_000
    for _ in range(4):
        assert http.post("/_emulator/faults", json={"fault": "status", "body": big}).status_code == 200
    refused = http.post("/_emulator/faults", json={"fault": "status", "body": big})
    assert (refused.status_code, "4194304 bytes" in refused.text) == (400, True)
    assert http.delete("/_emulator/faults").status_code == 204
    assert http.post("/_emulator/faults", json={"fault": "status", "body": big}).status_code == 200
    fail_next = [{"status": 503, "body": big}]
    for path, given in ((SHOP, {"switches": {"fail_next": fail_next * 2}}), (ACCOUNT, {"fail_next": fail_next * 2})):
        refused = http.patch(path, json=given)
        assert (refused.status_code, "1048576 bytes" in refused.text) == (400, True)
    assert instance.switches["fail_next"] == []
    assert http.patch(SHOP, json={"switches": {"fail_next": fail_next}}).status_code == 200


def test_a_pipe_that_does_not_block_gets_every_line_later() -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    lines = [f"{number} {'x' * 1_000}" for number in range(200)]
    with open(write, "w") as stream:
        console = Console(stream)
        for line in lines:
            console.print(line)
        received = b""
        # The timeout is much longer than any read takes.
        while received.count(b"\n") < len(lines) and select.select([read], [], [], 20)[0]:
            received += os.read(read, 1 << 16)
        console.close()
    os.close(read)
    assert received.decode().splitlines() == lines


def test_a_closed_standard_output_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    # So Python starts where its standard output is closed.
    monkeypatch.setattr(sys, "stdout", None)
    console = Console()
    console.print("a line")
    console.close()


@pytest.mark.parametrize(
    ("method", "path"), [("BREW", "/_emulator/health"), ("POST", "/"), ("DELETE", "/_emulator/reset")]
)
def test_a_method_that_a_path_does_not_take_is_refused_in_json(http: httpx.Client, method: str, path: str) -> None:
    answer = http.request(method, path)
    assert answer.status_code == 405
    assert "this path" in strict(answer)["error"]


def test_a_fault_with_501_is_not_a_call_that_is_not_emulated(zapi: httpx.Client, emulator: Emulator) -> None:
    emulator.add_fault({"fault": "status", "status": 501})
    assert zapi.get("status").status_code == 501
    assert emulator.requests[-1]["emulated"]


def test_a_list_has_at_most_as_many_contacts_as_whatsapp_allows(zapi: httpx.Client, instance: Instance) -> None:
    full = [str(10_000_000_000 + number) for number in range(MAX_EXCLUDED - 1)]
    instance.patch({"settings": {"photo": {"value": "CONTACT_BLACKLIST", "excluded": full}}})

    def add(*phones: str) -> Any:
        changes = [{"action": "add", "phone": phone} for phone in phones]
        return zapi.post(
            "privacy/photo", json={"visualizationType": "CONTACT_BLACKLIST", "contactsBlacklist": changes}
        ).json()

    assert add("5544991111111", "5544992222222") == {"success": False}
    assert len(instance.records["photo"].contacts) == MAX_EXCLUDED - 1
    assert add("5544991111111", full[0]) == {"success": True}
    assert add("5544992222222") == {"success": False}


def test_a_patch_of_a_deleted_instance_is_an_error(emulator: Emulator) -> None:
    emulator.delete("shop")
    with pytest.raises(KeyError):
        emulator.patch("shop", {"name": "x"})


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/instances/shop/token//shop-token/status", None),
        ("GET", "/instances/shop/token/shop-token/shop-token/x", None),
        ("POST", "/instances/shop/token/shop-token/send-text?a=shop-token", {"phone": CANARY, "shop-client-token": 1}),
        ("POST", "/x?token=shop-token", {"deep": [{"a": "shop-client-token"}], "b": "shop-token"}),
        ("GET", "/instances/shop/TOKEN/shop-token/status", None),
    ],
)
def test_the_record_shows_no_secret(
    http: httpx.Client, emulator: Emulator, method: str, path: str, body: dict[str, Any] | None
) -> None:
    headers = {"Client-Token": "shop-client-token", "Authorization": f"Bearer {CANARY}"}
    emulator.put("shop", {"token": "shop-token", "client_token": "shop-client-token", "phone": "5544999990000"})
    http.request(method, path, json=body, headers=headers)
    shown = json.dumps(emulator.requests)
    assert CANARY not in shown
    assert "shop-client-token" not in shown
    assert "shop-token" not in shown
    assert "***" in shown


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://127.0.0.1", 200),
        ("https://evil.example", 403),
        ("http://127.0.0.1:99", 403),
        ("null", 403),
        ("http://[", 403),
    ],
)
def test_a_page_of_another_origin_is_refused(http: httpx.Client, origin: str, status: int) -> None:
    assert http.get("/_emulator/health", headers={"Origin": origin}).status_code == status
    assert http.post("/_emulator/reset", headers={"Origin": origin}).status_code == (204 if status == 200 else 403)


@pytest.mark.parametrize(
    ("host", "status"),
    [("zapi", 200), ("ZAPI:8765", 200), ("10.1.2.3:8765", 200), ("[fe80::1]:1", 200), ("zapi.evil.example", 421)],
)
def test_it_accepts_ip_addresses_and_allowed_names_as_host(emulator: Emulator, host: str, status: int) -> None:
    transport = AppTransport(create_app(emulator, allowed_hosts=["Zapi"]))
    with httpx.Client(base_url="http://127.0.0.1", transport=transport) as client:
        assert client.get("/_emulator/health", headers={"Host": host}).status_code == status


def test_every_published_path_is_served_or_reported_as_not_emulated(zapi: httpx.Client, emulator: Emulator) -> None:
    served = missing = 0
    for line in (Path(__file__).parents[3] / "airflow_provider_zapi/emulator/published.txt").read_text().splitlines():
        if line.startswith("#"):
            continue
        method, path = line.split()
        answer = zapi.request(method, path.replace("{id}", "5544991111111"), headers=JSON)
        assert "NOT_FOUND" not in answer.text, line
        emulated = answer.status_code != 501
        assert emulator.requests[-1]["emulated"] is emulated
        assert answer.headers.get("X-Emulator") == (None if emulated else "not emulated")
        assert emulated or answer.json()["error"].startswith("not emulated")
        served, missing = served + emulated, missing + (not emulated)
    assert served >= 15
    assert served + missing == sum(map(len, PUBLISHED.values()))


def test_a_published_path_with_another_method_is_a_wrong_method(zapi: httpx.Client) -> None:
    assert zapi.delete("send-image").status_code == 405
    assert zapi.get("send-text").status_code == 405
    assert zapi.get("send-imag").json()["error"] == "NOT_FOUND"


@pytest.mark.parametrize(
    ("switch", "body", "status"),
    [
        ("required", "", 415),
        ("required", "{}", 415),
        ("required_with_body", "", 200),
        ("required_with_body", "{}", 415),
        ("optional", "{}", 200),
    ],
)
def test_a_post_without_a_content_type_depends_on_the_switch(
    zapi: httpx.Client, instance: Instance, switch: str, body: str, status: int
) -> None:
    instance.patch({"switches": {"content_type": switch}})
    assert zapi.post("privacy/read-receipts?value=disable", content=body).status_code == status


def test_a_state_file_restores_everything(emulator: Emulator, instance: Instance, tmp_path: Path) -> None:
    instance.patch(
        {
            "name": "Shop \u2603",
            "connected": False,
            "settings": {
                "photo": {"value": "CONTACT_BLACKLIST", "excluded": ["5544991111111"]},
                "online": {"value": "SAME_LAST_SEEN"},
            },
            "switches": {"list_as": "lid", "conflicts": 2},
        }
    )
    file = tmp_path / "state.json"
    save(file, emulator)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    fresh = Emulator(clock=emulator.clock)
    assert load(file, fresh)
    assert fresh.snapshot() == emulator.snapshot()
    assert fresh.instance("shop").records["photo"].read() == instance.records["photo"].read()
    assert not load(tmp_path / "none.json", fresh)


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"version": 2, "instances": {}}', '{"version": 1, "instances": {"a": {}}}', '{"version": 1}', "\xff"],
)
def test_an_invalid_state_file_is_refused_as_a_whole(emulator: Emulator, tmp_path: Path, content: str) -> None:
    file = tmp_path / "state.json"
    file.write_text(content, encoding="latin-1")
    before = emulator.snapshot()
    with pytest.raises(InvalidInputError, match="state file"):
        load(file, emulator)
    assert emulator.snapshot() == before


def test_each_change_increases_the_counter_for_the_state_file(zapi: httpx.Client, emulator: Emulator) -> None:
    before = emulator.changes
    zapi.get("status")
    assert emulator.changes == before
    zapi.post("privacy/photo", json={"visualizationType": "NONE"})
    zapi.put("profile-name", json={"value": "New"})
    assert emulator.changes >= before + 2
