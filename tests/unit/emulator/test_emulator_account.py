"""The list of instances that the emulator returns to integrators, and many numbers at the same time."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from airflow_provider_zapi.emulator import Emulator, InvalidInputError, fleet_emulator
from airflow_provider_zapi.emulator.app import create_app
from airflow_provider_zapi.emulator.fleet import fleet_numbers
from airflow_provider_zapi.emulator.partner import ACCOUNT_SWITCHES, DEMO_PARTNER_TOKEN
from tests.unit.emulator.conftest import NOON, AppTransport

HEADERS = {"Authorization": f"Bearer {DEMO_PARTNER_TOKEN}", "Content-Type": "application/json"}


@pytest.fixture
def fleet() -> Emulator:
    return fleet_emulator(120, clock=lambda: NOON)


@pytest.fixture
def account(fleet: Emulator) -> httpx.Client:
    """Return a client with the integrator token."""
    transport = AppTransport(create_app(fleet))
    return httpx.Client(base_url="http://127.0.0.1", transport=transport, headers=HEADERS)


def ids(page: httpx.Response) -> list[str]:
    return [row["id"] for row in page.json()["content"]]


def test_a_page_has_the_documented_form(account: httpx.Client, fleet: Emulator) -> None:
    response = account.get("/instances", params={"page": 2, "pageSize": 50})
    assert response.status_code == 200
    page = response.json()
    assert {name: page[name] for name in page if name != "content"} == {
        "total": 120,
        "totalPage": 3,
        "pageSize": 50,
        "page": 2,
    }
    row = page["content"][0]
    instance = fleet.instance("number-0051")
    assert row.keys() == {
        "token", "tenant", "created", "due", "paymentStatus", "deliveryCallbackUrl", "receivedCallbackUrl",
        "disconnectedCallbackUrl", "messageStatusCallbackUrl", "receivedAndDeliveryCallbackUrl",
        "presenceChatCallbackUrl", "connectedCallbackUrl", "receivedStatusCallbackUrl", "phoneConnected",
        "whatsappConnected", "middleware", "name", "id",
    }  # fmt: skip
    assert (row["id"], row["token"], row["name"]) == (instance.id, instance.token, instance.name)
    assert row["due"] > 1_000 * NOON


def test_the_pages_together_have_all_instances(account: httpx.Client, fleet: Emulator) -> None:
    pages = [account.get("/instances", params={"page": page, "pageSize": 50}) for page in (1, 2, 3, 4)]
    assert [len(ids(page)) for page in pages] == [50, 50, 20, 0]
    assert [one for page in pages for one in ids(page)] == list(fleet.instances)


@pytest.mark.parametrize(
    ("headers", "method", "status"),
    [
        ({"Content-Type": "application/json"}, "GET", 401),
        ({**HEADERS, "Authorization": "Bearer another"}, "GET", 401),
        ({**HEADERS, "Authorization": DEMO_PARTNER_TOKEN}, "GET", 401),
        ({"Client-Token": "demo-client-token", "Content-Type": "application/json"}, "GET", 401),
        ({"Authorization": HEADERS["Authorization"]}, "GET", 415),
        (HEADERS, "POST", 405),
        (HEADERS, "DELETE", 405),
    ],
)
def test_a_wrong_token_method_or_content_type_is_refused(
    fleet: Emulator, headers: dict[str, str], method: str, status: int
) -> None:
    with httpx.Client(base_url="http://127.0.0.1", transport=AppTransport(create_app(fleet))) as bare:
        response = bare.request(method, "/instances", headers=headers)
    assert response.status_code == status
    assert "content" not in response.json()


@pytest.mark.parametrize(
    "query",
    [
        {"page": "0"},
        {"page": "x"},
        {"page": "-1"},
        {"pageSize": "0"},
        {"pageSize": "9" * 5000},
        {"page": "0000000001" + "1" * 5000},
        {"middleware": "fax"},
    ],
)
def test_an_invalid_query_is_refused(account: httpx.Client, query: dict[str, str]) -> None:
    assert account.get("/instances", params=query).status_code == 400


@pytest.mark.parametrize(("query", "found"), [("number-0007", 1), ("são PAULO", 15), ("nobody", 0)])
def test_a_query_finds_by_name_or_id(account: httpx.Client, query: str, found: int) -> None:
    page = account.get("/instances", params={"query": query, "pageSize": 100}).json()
    assert (page["total"], len(page["content"])) == (found, found)


def test_each_instance_has_one_middleware(account: httpx.Client) -> None:
    totals = [account.get("/instances", params={"middleware": kind}).json()["total"] for kind in ("web", "mobile")]
    assert sum(totals) == 120
    assert min(totals) > 0


def test_both_documented_statuses_can_be_selected(account: httpx.Client, fleet: Emulator) -> None:
    fleet.account.patch({"status": 201})
    response = account.get("/instances", params={"pageSize": 200})
    assert (response.status_code, len(ids(response))) == (201, 120)


def listed(account: httpx.Client) -> list[str]:
    pages = [account.get("/instances", params={"page": page, "pageSize": 50}) for page in (1, 2, 3)]
    return [one for page in pages for one in ids(page)]


def test_a_shuffled_list_has_the_same_instances_in_another_order(account: httpx.Client, fleet: Emulator) -> None:
    fleet.account.patch({"order": "shuffled"})
    first = listed(account)
    assert first != list(fleet.instances)
    assert sorted(first) == sorted(fleet.instances)
    assert listed(account) == first


def test_a_shifting_list_misses_and_repeats_instances(account: httpx.Client, fleet: Emulator) -> None:
    fleet.account.patch({"order": "shifting"})
    counted = Counter(listed(account))
    assert len(counted) < 120


def test_the_total_can_change_between_pages(account: httpx.Client, fleet: Emulator) -> None:
    fleet.account.patch({"total_changes": 3})
    totals = [account.get("/instances").json()["total"] for _ in range(5)]
    assert totals == [121, 120, 121, 120, 120]


def test_a_requested_failure_is_answered_once(account: httpx.Client, fleet: Emulator) -> None:
    fleet.account.patch({"fail_next": [{"status": 503, "body": {}}]})
    assert [account.get("/instances").status_code for _ in range(2)] == [503, 200]


@pytest.mark.parametrize(
    "given", [{"status": 204}, {"status": True}, {"order": "random"}, {"order": []}, {"total_changes": -1}, {"x": 1}]
)
def test_a_wrong_switch_of_the_account_changes_nothing(fleet: Emulator, given: dict[str, Any]) -> None:
    before = dict(fleet.account.switches)
    with pytest.raises(InvalidInputError):
        fleet.account.patch({"callback_url": "https://other.example", **given})
    assert fleet.account.switches == before


def test_the_record_of_requests_holds_no_integrator_token(account: httpx.Client, fleet: Emulator) -> None:
    account.get("/instances", params={"page": 1})
    assert fleet.requests[-1]["path"] == "/instances"
    assert DEMO_PARTNER_TOKEN not in json.dumps(fleet.requests)


def test_the_numbers_share_an_account_and_are_in_mixed_states(fleet: Emulator) -> None:
    instances = list(fleet.instances.values())
    assert {instance.client_token for instance in instances} == {"demo-client-token"}
    for of_all in ("id", "token", "phone", "name"):
        assert len({getattr(instance, of_all) for instance in instances}) == 120
    states = Counter(
        (instance.smartphone_connected, instance.connected, instance.subscription) for instance in instances
    )
    assert states == {
        (True, True, "active"): 108,
        (False, True, "active"): 5,
        (True, False, "active"): 5,
        (True, True, "lapsed"): 2,
    }
    assert instances[0].name == "Store 0001 São Paulo"


def test_the_page_of_the_docs_lists_the_switches_of_the_account() -> None:
    page = (Path(__file__).parents[3] / "docs" / "emulator.md").read_text(encoding="utf-8")
    for switch in ACCOUNT_SWITCHES:
        assert f"| `{switch.name}` | {switch.accepts} | `{json.dumps(switch.default)}` | {switch.doc} |" in page


@pytest.mark.parametrize("count", [0, -1, 100_001])
def test_the_count_of_numbers_is_limited(count: int) -> None:
    with pytest.raises(InvalidInputError, match="from 1 to"):
        list(fleet_numbers(count))


def test_the_account_can_be_changed_through_the_interface(http: httpx.Client) -> None:
    url = "http://127.0.0.1/_emulator/account"
    before = http.get(url).json()
    assert "demo-partner-token" not in http.get(url).text
    assert http.patch(url, json={"status": 201, "order": "upside down"}).status_code == 400
    assert http.get(url).json() == before
    assert http.patch(url, json={"status": 201}).json()["switches"]["status"] == 201
