"""The emulator's named faults, and its interface to match, verify and reset recorded requests."""

from typing import Any

import httpx
import pytest

from airflow_provider_zapi.emulator import Emulator, Instance, InvalidInputError
from airflow_provider_zapi.emulator.faults import FAULTS

FAULT_URL = "http://127.0.0.1/_emulator/faults"
NONE = {"visualizationType": "NONE"}


def post(zapi: httpx.Client, path: str = "privacy/photo") -> httpx.Response:
    return zapi.post(path, json=NONE)


@pytest.mark.parametrize(
    ("given", "status", "body"),
    [
        ({"fault": "status"}, 503, '{"error":"a fault on request"}'),
        ({"fault": "status", "status": 429, "body": {"a": 1}, "headers": {"Retry-After": "2"}}, 429, '{"a":1}'),
        ({"fault": "html", "status": 502}, 502, "<html><body>Sign in to the network</body></html>"),
        ({"fault": "empty"}, 200, ""),
    ],
)
def test_a_fault_replaces_the_call(
    zapi: httpx.Client, instance: Instance, given: dict[str, Any], status: int, body: str
) -> None:
    assert zapi.post(FAULT_URL, json=given).status_code == 200
    failed = post(zapi)
    assert (failed.status_code, failed.text) == (status, body)
    assert failed.headers.get("Retry-After") == given.get("headers", {}).get("Retry-After")
    assert instance.view()["settings"]["photo"]["value"] == "ALL"
    assert post(zapi).json() == {"success": True}


@pytest.mark.parametrize("kind", ["delay", "drip"])
def test_a_slow_answer_is_complete(zapi: httpx.Client, instance: Instance, slept: list[float], kind: str) -> None:
    zapi.post(FAULT_URL, json={"fault": kind, "seconds": 3})
    assert post(zapi).json() == {"success": True}
    assert set(slept) == {3}
    assert len(slept) == {"delay": 1, "drip": len('{"success":true}') - 1}[kind]


def test_a_fault_affects_only_the_calls_that_it_names_as_often_as_requested(
    zapi: httpx.Client, emulator: Emulator
) -> None:
    emulator.put("other", {"token": "t", "client_token": None, "phone": "554133334444"})
    given = {"fault": "status", "path": "privacy/ph*", "method": "POST", "instance": "shop", "times": 2}
    zapi.post(FAULT_URL, json=given)
    calls = ["privacy/last-seen", "privacy/photo", "http://127.0.0.1/instances/other/token/t/privacy/photo"]
    statuses = [post(zapi, path).status_code for path in [*calls, "privacy/photo", "privacy/photo"]]
    assert statuses == [200, 503, 200, 503, 200]
    assert zapi.get(FAULT_URL).json()["faults"] == []
    assert [request["fault"] for request in emulator.requests] == [None, "status", None, "status", None]


def test_the_seed_decides_which_calls_fail(zapi: httpx.Client, emulator: Emulator) -> None:
    def struck(seed: int) -> list[int]:
        emulator.remove_faults()
        emulator.add_fault({"fault": "status", "probability": 0.3, "seed": seed})
        return [number for number in range(200) if post(zapi).status_code == 503]

    assert struck(1) == struck(1) != struck(2)
    assert 30 <= len(struck(1)) <= 90


def test_faults_can_be_listed_and_removed(http: httpx.Client) -> None:
    first = http.post(FAULT_URL, json={"fault": "reset", "times": 3}).json()
    second = http.post(FAULT_URL, json={"fault": "html"}).json()
    listed = http.get(FAULT_URL).json()
    assert listed["faults"] == [first, second]
    assert [kind["name"] for kind in listed["kinds"]] == [kind.name for kind in FAULTS]
    assert http.delete(f"{FAULT_URL}/{first['number']}").status_code == 204
    assert http.delete(f"{FAULT_URL}/{first['number']}").status_code == 404
    assert http.get(FAULT_URL).json()["faults"] == [second]
    assert http.delete(FAULT_URL).status_code == 204
    assert http.get(FAULT_URL).json()["faults"] == []


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({}, "status, html"),
        ({"fault": "fire"}, "lost_answer"),
        ({"fault": "reset", "status": 500}, "status"),
        ({"fault": "status", "status": 99}, "200 to 599"),
        ({"fault": "status", "status": True}, "200 to 599"),
        ({"fault": "status", "headers": {"A": "b\r\nc"}}, "headers"),
        ({"fault": "status", "headers": {"Content-Length": "1"}}, "headers"),
        ({"fault": "status", "headers": {"é": "b"}}, "headers"),
        ({"fault": "status", "times": 0}, "times"),
        ({"fault": "status", "probability": 0}, "probability"),
        ({"fault": "delay", "seconds": 61}, "seconds"),
        ({"fault": "status", "path": 1}, "path"),
    ],
)
def test_an_invalid_fault_is_refused(http: httpx.Client, given: dict[str, Any], named: str) -> None:
    refused = http.post(FAULT_URL, json=given)
    assert refused.status_code == 400
    assert named in refused.json()["error"]
    assert http.get(FAULT_URL).json()["faults"] == []


def test_the_number_of_active_faults_is_limited(emulator: Emulator) -> None:
    for _ in range(1_000):
        emulator.add_fault({"fault": "reset"})
    with pytest.raises(InvalidInputError, match="1000"):
        emulator.add_fault({"fault": "reset"})


@pytest.mark.parametrize(
    ("asked", "verified", "count"),
    [
        ({"path": "privacy/photo"}, True, 2),
        ({"path": "privacy/photo", "times": 1}, False, 2),
        ({"path": "privacy/photo", "body": {"value": "NONE"}}, True, 2),
        ({"path": "privacy/photo", "body": {"visualizationType": "ALL"}}, False, 0),
        ({"method": "get", "times": 0}, True, 0),
        ({"instance": "shop", "status": 200}, True, 3),
        ({"query": {"value": "disable"}}, True, 1),
        ({}, True, 3),
    ],
)
def test_requests_are_matched_and_verified(
    zapi: httpx.Client, asked: dict[str, Any], verified: bool, count: int
) -> None:
    post(zapi)
    post(zapi)
    zapi.post("privacy/read-receipts?value=disable", headers={"Content-Type": "application/json"})
    answer = zapi.post("http://127.0.0.1/_emulator/verify", json=asked).json()
    assert (answer["verified"], answer["count"], len(answer["requests"])) == (verified, count, count)


@pytest.mark.parametrize("asked", [{"path": 1}, {"times": -1}, {"times": True}, {"colour": 1}, {"body": []}])
def test_an_invalid_description_is_refused(http: httpx.Client, asked: dict[str, Any]) -> None:
    assert http.post("/_emulator/verify", json=asked).status_code == 400


def test_requests_can_be_filtered(zapi: httpx.Client) -> None:
    post(zapi)
    post(zapi, "privacy/last-seen")
    base = "http://127.0.0.1/_emulator/requests"
    [one] = zapi.get(base, params={"path": "privacy/last-seen", "bodies": "false"}).json()["requests"]
    assert (one["number"], one["body"]) == (2, None)
    assert zapi.get(f"{base}/2").json()["body"] == NONE
    assert zapi.get(f"{base}/3").status_code == 404
    assert zapi.get(base, params={"colour": "red"}).json()["error"].startswith("unknown query parameters: colour")


def test_a_reset_restores_the_initial_state(zapi: httpx.Client, emulator: Emulator) -> None:
    emulator.keep_as_start()
    before = emulator.instance("shop").view()
    post(zapi)
    emulator.put("other", {"token": "t", "client_token": None, "phone": "554133334444"})
    emulator.add_fault({"fault": "reset"})
    assert zapi.post("http://127.0.0.1/_emulator/reset").status_code == 204
    assert list(emulator.instances) == ["shop"]
    assert emulator.instance("shop").view() == before
    assert emulator.requests == []
    assert emulator.faults == []


def test_health_shows_the_version_and_the_instances(http: httpx.Client) -> None:
    health = http.get("/_emulator/health").json()
    assert (health["status"], health["instances"]) == ("ok", 1)
