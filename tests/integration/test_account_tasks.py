"""Every task, the notifier and the command line with an account's connection, where `instance` selects the number."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_zapi.__main__ import main
from airflow_provider_zapi.assets import privacy_uri, sanitize_uri
from airflow_provider_zapi.emulator import RunningEmulator
from airflow_provider_zapi.exceptions import ZApiConfigurationError, ZApiError, ZApiInvalidRequestError
from airflow_provider_zapi.notifications.zapi import ZApiNotifier
from airflow_provider_zapi.operators import privacy
from airflow_provider_zapi.operators.base import ZApiOperator
from airflow_provider_zapi.operators.instance import CheckInstanceOperator
from airflow_provider_zapi.operators.policy import PRIVACY_ALIAS, ApplyPrivacyPolicyOperator
from airflow_provider_zapi.sensors.contacts import DisallowedContactsSensor
from airflow_provider_zapi.sensors.instance import ZApiInstanceConnectedSensor
from airflow_provider_zapi.triggers.instance import InstanceConnectedTrigger
from tests.support import check_error, leaks

pytestmark = pytest.mark.usefixtures("nothing_leaks")

NAME, ID = "Store 0007 Curitiba", "number-0007"


def setter(kind: Any) -> Callable[..., Any]:
    return lambda **given: kind(**{kind.value_parameter: kind.setting.values[0]}, **given)


#: A function for each task that creates it.
TASKS: dict[str, Callable[..., Any]] = {
    **{name: setter(getattr(privacy, name)) for name in privacy.__all__ if name != "GetDisallowedContactsOperator"},
    "GetDisallowedContactsOperator": lambda **given: privacy.GetDisallowedContactsOperator(setting="photo", **given),
    "ApplyPrivacyPolicyOperator": lambda **given: ApplyPrivacyPolicyOperator(policy={"photo": "NONE"}, **given),
    "CheckInstanceOperator": CheckInstanceOperator,
    "DisallowedContactsSensor": lambda **given: DisallowedContactsSensor(
        setting="photo", absent=["5544991111111"], **given
    ),
    "ZApiInstanceConnectedSensor": lambda **given: ZApiInstanceConnectedSensor(deferrable=False, **given),
}


def run(task: Any) -> Any:
    return task.execute(cast(Any, {}))


def test_every_task_is_in_the_table() -> None:
    def kinds(kind: type[Any]) -> set[type[Any]]:
        below: list[type[Any]] = kind.__subclasses__()
        return {kind}.union(*map(kinds, below))

    made = {kind.__name__ for kind in kinds(ZApiOperator) if kind.__module__.startswith("airflow_provider_zapi")}
    bases = {"ZApiOperator", "ZApiSensor", "SettingOperator", "ValueOperator", "VisibilityOperator"}
    # The fleet operator handles all instances of an account, so it has no parameter `instance`.
    assert made - bases - {"VisibilityWithListOperator", "ApplyFleetPolicyOperator"} == TASKS.keys()


@pytest.mark.parametrize("name", TASKS)
def test_a_task_calls_the_instance_that_it_names(fleet: RunningEmulator, account_id: str, name: str) -> None:
    task = TASKS[name](task_id="t", zapi_conn_id=account_id, instance=NAME)
    assert "instance" in task.template_fields
    run(task)
    called = [request["path"] for request in fleet.emulator.requests]
    assert called[0] == "/instances"
    assert called[1:]
    assert all(path.startswith(f"/instances/{ID}/token/***/") for path in called[1:])
    assert not leaks(repr(task))


def test_a_mapped_task_is_one_task_for_each_instance() -> None:
    from airflow.providers.common.compat.sdk import DAG

    with DAG("mapped", schedule=None):
        mapped = privacy.SetOnlinePrivacyOperator.partial(task_id="t", visualization_type="ALL").expand(
            instance=["number-0001", NAME]
        )
    assert mapped.expand_input.value == {"instance": ["number-0001", NAME]}


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize(
    ("instance", "kind"),
    [(None, ZApiConfigurationError), ("Store 9999", ZApiInvalidRequestError), ("None", ZApiInvalidRequestError)],
)
def test_a_task_without_a_known_instance_sends_nothing_to_any(
    fleet: RunningEmulator, account_id: str, name: str, instance: str | None, kind: type[ZApiError]
) -> None:
    with pytest.raises(kind, match="instance") as caught:
        run(TASKS[name](task_id="t", zapi_conn_id=account_id, instance=instance))
    check_error(caught.value)
    assert {request["path"] for request in fleet.emulator.requests} <= {"/instances"}


@pytest.mark.parametrize("name", TASKS)
def test_a_killed_task_does_not_list_the_account(fleet: RunningEmulator, account_id: str, name: str) -> None:
    task = TASKS[name](task_id="t", zapi_conn_id=account_id, instance=NAME)
    task.on_kill()
    with pytest.raises(ZApiError, match="cancelled"):
        run(task)
    assert fleet.emulator.requests == []


def test_a_task_that_is_killed_while_it_lists_sends_nothing_more(fleet: RunningEmulator, account_id: str) -> None:
    busy = {"status": 503, "body": {}, "headers": {"Retry-After": "30"}}
    fleet.emulator.account.patch({"fail_next": [busy] * 9})
    task = TASKS["SetOnlinePrivacyOperator"](task_id="t", zapi_conn_id=account_id, instance=NAME)

    def kill() -> None:
        for _ in range(1_000):
            if fleet.emulator.requests:
                break
            threading.Event().wait(0.01)
        task.on_kill()

    # Airflow 2 runs a task in the main thread only.
    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(ZApiError, match="cancelled"):
        run(task)
    killer.join()
    assert len(fleet.emulator.requests) == 1


def test_the_warning_names_a_pool_for_the_number(
    account_id: str, fleet: RunningEmulator, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    run(TASKS["SetOnlinePrivacyOperator"](task_id="t", zapi_conn_id=account_id, instance="Store 0001 São Paulo"))
    said = caplog.text + "".join(capfd.readouterr())
    assert "airflow pools set zapi_account_Store_0001_S_o_Paulo 1" in said
    assert "Connection zapi_account: the instance is number-0001 (Store 0001 São Paulo)." in said


class Events(dict[Any, Any]):
    """The object with which a task publishes and reads asset events, like the one that Airflow provides."""

    def __init__(self) -> None:
        super().__init__()
        self.added: list[tuple[str, dict[str, Any]]] = []
        self[PRIVACY_ALIAS] = self

    def add(self, asset: Any, extra: dict[str, Any]) -> None:
        self.added.append((asset.uri, extra))


@pytest.mark.skipif(not AIRFLOW_V_3_0_PLUS, reason="Airflow 2 has no asset events that a task can name at run time")
def test_each_number_of_an_account_has_its_own_asset(fleet: RunningEmulator, account_id: str) -> None:
    for instance in ("number-0001", NAME):
        events = Events()
        task = TASKS["ApplyPrivacyPolicyOperator"](task_id="t", zapi_conn_id=account_id, instance=instance)
        assert task.execute(cast(Any, {"outlet_events": events}))["changed"]
        expected = "number-0001" if instance == "number-0001" else ID
        [(uri, extra)] = events.added
        assert uri == f"zapi://zapi_account/{expected}/privacy"
        assert (extra["conn_id"], extra["instance"]) == ("zapi_account", expected)


@pytest.mark.parametrize(
    ("uri", "known"),
    [
        (privacy_uri("a b"), True),
        (privacy_uri("a", "number-1"), True),
        ("zapi://a/b/privacy", True),
        ("zapi://a//privacy", False),
        ("zapi://a/b/c/privacy", False),
        ("zapi://a/privacy/", False),
        ("zapi://a/b", False),
        ("zapi:///privacy", False),
        ("zapi://a/b/privacy?x", False),
    ],
)
def test_an_asset_uri_has_the_connection_and_the_instance(uri: str, known: bool) -> None:
    from urllib.parse import urlsplit

    if known:
        assert sanitize_uri(urlsplit(uri)) == urlsplit(uri)
    else:
        with pytest.raises(ValueError, match="instance id"):
            sanitize_uri(urlsplit(uri))


def test_a_deferred_sensor_keeps_waiting_for_the_same_number(fleet: RunningEmulator, account_id: str) -> None:
    fleet.emulator.instance(ID).patch({"connected": False})
    sensor = ZApiInstanceConnectedSensor(task_id="t", zapi_conn_id=account_id, instance=NAME, deferrable=True)
    with pytest.raises(TaskDeferred) as deferred:
        run(sensor)
    _, arguments = deferred.value.trigger.serialize()
    assert arguments["instance"] == ID
    assert not leaks(repr(arguments))
    fleet.emulator.instance(ID).patch({"connected": True, "name": "Renamed in between"})

    class AtOnce(InstanceConnectedTrigger):
        async def sleep(self, seconds: float) -> None:
            return

    async def fired() -> list[Any]:
        return [event.payload async for event in AtOnce(**arguments).run()]

    assert asyncio.run(fired()) == [{}]
    assert [request["path"] for request in fleet.emulator.requests] == [
        "/instances",
        f"/instances/{ID}/token/***/status",
    ] * 2


@pytest.mark.parametrize("notify", ["notify", "async_notify"])
def test_the_notifier_sends_from_the_number_that_it_names(fleet: RunningEmulator, account_id: str, notify: str) -> None:
    notifier = ZApiNotifier(phone="5544991112222", message="failed", zapi_conn_id=account_id, instance=NAME)
    assert "instance" in notifier.template_fields
    done = getattr(notifier, notify)(cast(Any, {}))
    if done is not None:
        asyncio.run(done)
    assert len(fleet.emulator.instance(ID).messages) == 1


@pytest.mark.usefixtures("airflow_db")
@pytest.mark.parametrize("words", [["check"], ["show"], ["plan", "policy.json"], ["apply", "policy.json"]])
def test_the_command_line_picks_the_number(
    fleet: RunningEmulator,
    account_id: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    words: list[str],
) -> None:
    contacts = ["5544991111111"]
    policy = {"photo": {"visible_to": "CONTACT_BLACKLIST", "except": contacts}}
    (tmp_path / "policy.json").write_text(json.dumps(policy))
    settings = {"photo": {"value": "CONTACT_BLACKLIST", "excluded": contacts}}
    fleet.emulator.instance(ID).patch({"settings": settings})
    monkeypatch.chdir(tmp_path)
    command, *rest = words
    assert main([command, account_id, *rest, "--instance", NAME]) == 0
    paths = {request["path"] for request in fleet.emulator.requests}
    assert all(path == "/instances" or path.startswith(f"/instances/{ID}/") for path in paths)
    assert len(paths) > 1
    assert main([command, account_id, *rest]) == 3
    assert main([command, account_id, *rest, "--instance", "Nobody"]) == 2
    printed = "".join(capfd.readouterr())
    assert "no instance was named" in printed
    assert not leaks(printed)
