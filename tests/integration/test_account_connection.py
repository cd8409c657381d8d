"""An account with many numbers over real sockets: each is listed once, one is selected, and no secret is shown."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from airflow_provider_zapi.client import AccountCredentials, ZApiAccountClient
from airflow_provider_zapi.emulator import RunningEmulator
from airflow_provider_zapi.exceptions import (
    ZApiAuthenticationError,
    ZApiConfigurationError,
    ZApiError,
    ZApiInvalidRequestError,
    ZApiTransientError,
)
from airflow_provider_zapi.hooks.zapi import ZApiHook
from tests.support import CLIENT_TOKEN, PARTNER_TOKEN, TOKEN, check_error, leaks

pytestmark = pytest.mark.usefixtures("nothing_leaks")


@pytest.fixture
def account(fleet: RunningEmulator) -> Iterator[ZApiAccountClient]:
    with ZApiAccountClient(AccountCredentials(PARTNER_TOKEN, CLIENT_TOKEN, fleet.url, "zapi_account")) as client:
        yield client


@pytest.mark.parametrize(
    "switches",
    [{}, {"status": 201}, {"order": "shuffled"}, {"order": "shifting"}, {"total_changes": 3}],
    ids=str,
)
def test_every_number_is_listed_once(
    account: ZApiAccountClient, fleet: RunningEmulator, switches: dict[str, object]
) -> None:
    fleet.emulator.account.patch(switches)
    listed = [instance.id for instance in account.instances()]
    assert sorted(listed) == sorted(fleet.emulator.instances)


def test_a_total_that_keeps_changing_is_an_error(account: ZApiAccountClient, fleet: RunningEmulator) -> None:
    fleet.emulator.account.patch({"total_changes": 1000})
    with pytest.raises(ZApiTransientError, match="3 times"):
        next(account.instances())
    assert len(fleet.emulator.requests) == 15


def test_states_are_those_of_the_numbers(account: ZApiAccountClient, fleet: RunningEmulator) -> None:
    for listed in account.instances():
        instance = fleet.emulator.instance(listed.id)
        assert listed.connected == (instance.connected and instance.smartphone_connected)
        assert listed.paid == (instance.subscription == "active")
        assert not leaks(repr(listed))


def test_each_number_can_be_called(account: ZApiAccountClient, fleet: RunningEmulator) -> None:
    for listed in account.instances(query="number-000"):
        with account.client_for(listed) as client:
            assert client.status().connected == fleet.emulator.instance(listed.id).connected


def test_a_wrong_integrator_token_is_refused_once(fleet: RunningEmulator) -> None:
    account = ZApiAccountClient(AccountCredentials("wrong", CLIENT_TOKEN, fleet.url, "zapi_account"))
    with account, pytest.raises(ZApiAuthenticationError, match="refused the integrator token") as caught:
        account.count()
    check_error(caught.value)
    assert len(fleet.emulator.requests) == 1


def test_the_connection_test_shows_the_number_of_instances(account_id: str, fleet: RunningEmulator) -> None:
    said = ZApiHook(account_id).test_connection()
    assert said == (True, "Z-API accepts the integrator token, and the account has 230 instances.")
    assert [request["query"] for request in fleet.emulator.requests] == [{"page": "1", "pageSize": "1"}]


def test_the_connection_test_says_what_z_api_refused(account_id: str, fleet: RunningEmulator) -> None:
    fleet.emulator.account.partner_token = "another"
    good, text = ZApiHook(account_id).test_connection()
    assert not good
    assert text.startswith("Z-API refused the integrator token (endpoint instances, HTTP 401). ")


@pytest.mark.parametrize("instance", ["number-0007", "Store 0007 Curitiba", " Store 0007  Curitiba "])
def test_one_number_is_picked_by_id_or_name(account_id: str, fleet: RunningEmulator, instance: str) -> None:
    hook = ZApiHook(account_id, instance=instance)
    with hook as client:
        assert client.instance_id == hook.picked == "number-0007"
        assert client.status().connected
    assert hook.expected_phone is None
    assert [request["path"] for request in fleet.emulator.requests] == [
        "/instances",
        "/instances/number-0007/token/***/status",
    ]


@pytest.mark.parametrize(
    ("instance", "text"),
    [
        ("store 0007 curitiba", "not one of the account's 230 instances.* Did you mean 'Store 0007 Curitiba'"),
        ("Store 0007", "not one of the account's 230 instances.* Did you mean 'Store 0007 Curitiba'"),
        ("number-9999", "not one of the account's 230 instances.* Did you mean 'number-0"),
        ("~", r"not one of the account's 230 instances[^?]*$"),
        ("", "instance is empty"),
        ("None", "is the string 'None'"),
        (7, "instance is an integer, but must be a string"),
    ],
)
def test_a_number_that_cannot_be_picked_is_an_error_and_gets_nothing(
    account_id: str, fleet: RunningEmulator, instance: str, text: str
) -> None:
    with pytest.raises(ZApiInvalidRequestError, match=text) as caught:
        ZApiHook(account_id, instance=instance).get_conn()
    assert "Nothing was sent." in str(caught.value)
    check_error(caught.value)
    assert {request["path"] for request in fleet.emulator.requests} <= {"/instances"}


def test_a_name_that_two_instances_have_is_ambiguous(account_id: str, fleet: RunningEmulator) -> None:
    fleet.emulator.instance("number-0009").patch({"name": "Store 0007 Curitiba"})
    with pytest.raises(ZApiInvalidRequestError, match=r"ambiguous: 2 instances.*number-0007, number-0009") as caught:
        ZApiHook(account_id, instance="Store 0007 Curitiba").get_conn()
    check_error(caught.value)


def test_an_account_connection_without_an_instance_is_an_error(account_id: str, fleet: RunningEmulator) -> None:
    with pytest.raises(ZApiConfigurationError, match=r"no instance was named.*'instance'") as caught:
        ZApiHook(account_id).get_conn()
    check_error(caught.value)
    assert fleet.emulator.requests == []


def test_a_search_that_counts_all_instances_still_finds(account_id: str, fleet: RunningEmulator) -> None:
    """Check this, because Z-API does not document what `total` counts in a search."""
    fleet.emulator.account.patch({"total_changes": 1})
    with ZApiHook(account_id, instance="number-0007") as client:
        assert client.instance_id == "number-0007"


def test_a_connection_with_one_instance_accepts_only_its_id(
    fleet: RunningEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = {
        "conn_type": "zapi",
        "host": fleet.url,
        "login": "number-0001",
        "password": f"{TOKEN}-0",
        "extra": {"client_token": CLIENT_TOKEN},
    }
    monkeypatch.setenv("AIRFLOW_CONN_ZAPI_ONE", json.dumps(connection))
    hook = ZApiHook("zapi_one", instance="number-0001")
    with hook as client:
        assert client.status().connected
        assert hook.picked is None
    for wrong in ("number-0002", "Store 0001 São Paulo", "", "None"):
        with pytest.raises(ZApiInvalidRequestError, match="instance is") as caught:
            ZApiHook("zapi_one", instance=wrong).get_conn()
        check_error(caught.value)
    with pytest.raises(ZApiConfigurationError, match="has one instance, and a whole account is needed"):
        ZApiHook("zapi_one").get_account()
    assert len(fleet.emulator.requests) == 1


def test_the_account_of_a_connection(account_id: str) -> None:
    with ZApiHook(account_id).get_account() as account:
        assert len(list(account.instances())) == 230


def test_a_hook_that_was_cancelled_lists_nothing(account_id: str, fleet: RunningEmulator) -> None:
    hook = ZApiHook(account_id, instance="number-0001")
    hook.cancel()
    with pytest.raises(ZApiError, match="cancelled"):
        hook.get_conn()
    assert fleet.emulator.requests == []
