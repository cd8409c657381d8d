"""The sensors with the emulator. One table covers the modes poke, reschedule and deferrable."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException, TaskDeferred

from airflow_provider_zapi import exceptions
from airflow_provider_zapi.emulator import RunningEmulator
from airflow_provider_zapi.exceptions import ZApiInvalidRequestError
from airflow_provider_zapi.sensors.contacts import DisallowedContactsSensor
from airflow_provider_zapi.sensors.instance import ZApiInstanceConnectedSensor
from airflow_provider_zapi.triggers.instance import InstanceConnectedTrigger, error_of
from tests.airflow.conftest import connection
from tests.support import leaks

DOWN = {"status": 200, "body": {"connected": False, "error": "You are not connected."}}
BUSY = {"status": 503, "body": {"error": "busy"}}
LAPSED = {"status": 400, "body": {"error": "To continue sending a message, you must subscribe to this instance again"}}
REFUSED = {"status": 403, "body": {"error": "Client-Token canary/client+token=50% not allowed"}}


class Impatient(InstanceConnectedTrigger):
    """The trigger, which records its waits and does not sleep."""

    waits: list[float]

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)


def fired(trigger: InstanceConnectedTrigger) -> Any:
    async def first() -> Any:
        return [event.payload async for event in trigger.run()]

    [payload] = asyncio.run(first())
    return payload


def outcome(mode: str, **parameters: Any) -> Any:
    """Run a sensor to its end in one mode. Return its result, or the class of its error."""

    def made() -> ZApiInstanceConnectedSensor:
        return ZApiInstanceConnectedSensor(
            task_id="wait",
            poke_interval=0.01,
            max_consecutive_errors=3,
            mode="reschedule" if mode == "reschedule" else "poke",
            deferrable=mode == "deferrable",
            **parameters,
        )

    sensor = made()
    # Airflow 2 and 3 use these to get the time of the first poke.
    begin = datetime.now(UTC)
    instance = SimpleNamespace(
        max_tries=0, dag_id="d", task_id="wait", run_id="r", map_index=-1, get_first_reschedule_date=lambda _: begin
    )
    context = cast(Any, {"ti": instance})
    for _ in range(20):
        try:
            return sensor.execute(context)
        except TaskDeferred as deferred:
            _, arguments = deferred.trigger.serialize()
            trigger = Impatient(**arguments)
            trigger.waits = []
            event = fired(trigger)
            assert trigger.waits
            assert min(trigger.waits) >= 2
            assert not leaks(repr(event), repr(arguments))
            sensor._resumed = False
            try:
                return sensor.resume_execution("execute_complete", {"event": event}, context)
            except (exceptions.ZApiError, AirflowSkipException) as error:
                return type(error).__name__
        except (exceptions.ZApiError, AirflowSkipException) as error:
            return type(error).__name__
        except BaseException as error:
            if type(error).__name__ != "AirflowRescheduleException":
                raise
            # The next poke runs in another process, which has no memory of this one.
            sensor = made()
    raise AssertionError("it still waits")


OUTCOMES: list[tuple[str, list[dict[str, Any]], dict[str, Any], Any, int]] = [
    # case, answers before the real ones, parameters, outcome, requests
    ("connected", [], {}, None, 1),
    ("connected later", [DOWN, DOWN, DOWN, DOWN], {}, None, 5),
    ("errors with an answer between", [BUSY, BUSY, DOWN, BUSY, BUSY], {}, None, 6),
    ("too many errors", [BUSY] * 9, {}, "ZApiUnreachableError", 3),
    ("too many errors later", [DOWN, *[BUSY] * 9], {}, "ZApiUnreachableError", 4),
    ("lapsed", [LAPSED], {}, "ZApiSubscriptionError", 1),
    ("lapsed later", [DOWN, LAPSED], {}, "ZApiSubscriptionError", 2),
    ("refused credential later", [DOWN, REFUSED], {}, "ZApiAuthenticationError", 2),
    ("lapsed, soft_fail", [LAPSED], {"soft_fail": True}, "AirflowSkipException", 1),
    ("lapsed later, soft_fail", [DOWN, LAPSED], {"soft_fail": True}, "AirflowSkipException", 2),
    ("too many errors, soft_fail", [BUSY] * 9, {"soft_fail": True}, "ZApiUnreachableError", 3),
]
#: A rescheduled sensor cannot count errors across its processes, so only `timeout` ends the wait.
RESCHEDULED = {"too many errors": 10, "too many errors later": 11, "too many errors, soft_fail": 10}


@pytest.mark.usefixtures("airflow_db")
@pytest.mark.parametrize("mode", ["poke", "reschedule", "deferrable"])
@pytest.mark.parametrize(
    ("case", "answers", "parameters", "result", "requests"), OUTCOMES, ids=[row[0] for row in OUTCOMES]
)
def test_all_modes_behave_the_same_except_for_counting_errors(
    zapi: RunningEmulator,
    mode: str,
    case: str,
    answers: list[dict[str, Any]],
    parameters: dict[str, Any],
    result: Any,
    requests: int,
) -> None:
    if mode == "reschedule" and case in RESCHEDULED:
        result, requests = None, RESCHEDULED[case]
    zapi.emulator.instance("instance-1").patch({"switches": {"fail_next": answers}})
    assert outcome(mode, **parameters) == result
    assert len(zapi.emulator.requests) == requests
    assert {request["method"] for request in zapi.emulator.requests} == {"GET"}


def test_a_trigger_serializes_to_a_connection_id_and_numbers() -> None:
    path, arguments = InstanceConnectedTrigger("zapi_default", 30.0, 5, 1).serialize()
    assert path == "airflow_provider_zapi.triggers.instance.InstanceConnectedTrigger"
    assert arguments == {
        "zapi_conn_id": "zapi_default",
        "poke_interval": 30.0,
        "max_consecutive_errors": 5,
        "errors": 1,
        "instance": None,
    }


def test_a_deleted_connection_ends_the_wait(zapi: RunningEmulator) -> None:
    trigger = Impatient("zapi_gone", 30.0, 5)
    trigger.waits = []
    error = error_of(fired(trigger))
    assert isinstance(error, exceptions.ZApiConfigurationError)
    assert "connection 'zapi_gone'" in str(error)
    assert str(error).endswith("[ZAPI-CONFIG-NO-CONNECTION]")


@pytest.mark.parametrize(
    "event", [None, [], {"error": None}, {"error": {"type": "ZApiError"}}, {"error": {"type": "log"}}]
)
def test_an_invalid_event_is_an_error(event: Any) -> None:
    assert isinstance(error_of(event), exceptions.ZApiUnexpectedAnswerError)


def test_the_default_of_deferrable_is_airflows(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ZApiInstanceConnectedSensor(task_id="wait").deferrable is False
    monkeypatch.setenv("AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE", "True")
    assert ZApiInstanceConnectedSensor(task_id="wait").deferrable is True


PHONE = "5544991111111"
LISTS: list[tuple[str, list[str], str, list[str], list[str], bool]] = [
    ("present", [PHONE], "phone", ["+55 44 99111-1111"], [], True),
    ("missing", [], "phone", [PHONE], [], False),
    ("one of two", [PHONE], "phone", [PHONE, "5544992222222"], [], False),
    ("without its ninth digit", ["554491111111"], "phone", [PHONE], [], True),
    ("by @lid", [PHONE], "lid", [PHONE], [], True),
    ("absent", ["5544992222222"], "phone", [], [PHONE], True),
    ("not absent", [PHONE], "phone", [], [PHONE], False),
    ("not absent by @lid", [PHONE], "lid", [], [PHONE], False),
    ("both", [PHONE], "lid", [PHONE], ["5544992222222"], True),
]


@pytest.mark.parametrize(
    ("listed", "list_as", "present", "absent", "there"), [row[1:] for row in LISTS], ids=[row[0] for row in LISTS]
)
def test_a_list_is_compared_by_contact(
    zapi: RunningEmulator, listed: list[str], list_as: str, present: list[str], absent: list[str], there: bool
) -> None:
    zapi.emulator.instance("instance-1").patch(
        {
            "settings": {"photo": {"value": "CONTACT_BLACKLIST", "excluded": listed}},
            "switches": {"list_as": list_as},
        }
    )
    sensor = DisallowedContactsSensor(
        task_id="wait", setting="photo", present=present, absent=absent, timeout=0, poke_interval=0.01
    )
    if there:
        assert sensor.execute(cast(Any, {})) is None
    else:
        with pytest.raises(Exception, match="timed out"):
            sensor.execute(cast(Any, {}))


BAD_LISTS: list[tuple[dict[str, Any], str]] = [
    ({"setting": "online", "present": [PHONE]}, "setting is 'online'"),
    ({}, "present and absent are both empty"),
    ({"present": PHONE}, "present is a string that is not a JSON array"),
    ({"present": None}, "present is None"),
    ({"absent": [PHONE, "12"]}, "absent[1] cannot be used: it has 2 digits"),
    ({"present": [PHONE], "absent": ["554491111111"]}, "present and absent name the same contact"),
]


@pytest.mark.parametrize(("parameters", "text"), BAD_LISTS, ids=[row[1] for row in BAD_LISTS])
def test_bad_parameters_are_refused_before_sending(
    zapi: RunningEmulator, parameters: dict[str, Any], text: str
) -> None:
    sensor = DisallowedContactsSensor(task_id="wait", **{"setting": "photo", **parameters})
    with pytest.raises(ZApiInvalidRequestError) as caught:
        sensor.execute(cast(Any, {}))
    assert str(caught.value).startswith(text)
    assert "554491111111" not in str(caught.value)
    assert not zapi.emulator.requests


def test_the_phone_of_a_disconnected_instance_is_not_read(
    zapi: RunningEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "AIRFLOW_CONN_ZAPI_DEFAULT",
        connection(zapi.url, "instance-1", extra={"phone": "5511999999999", "client_token": "canary/client+token=50%"}),
    )
    assert outcome("poke") is None
