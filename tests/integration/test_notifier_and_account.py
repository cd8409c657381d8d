"""The notifier, the account check and the link to Z-API, with the emulator."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from airflow_provider_zapi import exceptions
from airflow_provider_zapi.client import AccountState
from airflow_provider_zapi.emulator import RunningEmulator
from airflow_provider_zapi.exceptions import ZApiInvalidRequestError
from airflow_provider_zapi.hooks.zapi import ZApiHook
from airflow_provider_zapi.notifications.zapi import ZApiNotifier
from airflow_provider_zapi.operators.instance import CheckInstanceOperator
from tests.airflow.conftest import connection
from tests.support import CLIENT_TOKEN, Canned, client_with, leaks

CONTEXT: Any = {"dag": None, "run_id": "manual-1"}
PHONE = "+55 44 99111-2222"


def sync(notifier: ZApiNotifier) -> None:
    notifier.notify(CONTEXT)


def asynchronous(notifier: ZApiNotifier) -> None:
    asyncio.run(notifier.async_notify(CONTEXT))


@pytest.mark.parametrize("notify", [sync, asynchronous])
def test_a_message_is_sent(zapi: RunningEmulator, notify: Callable[[ZApiNotifier], None]) -> None:
    notify(ZApiNotifier(phone=PHONE, message="failed"))
    [sent] = zapi.emulator.instance("instance-1").view()["messages"]
    assert (sent["phone"], sent["message"]) == ("5544991112222", "failed")


@pytest.mark.parametrize(
    "group", ["120363019502650977-group", "120363019502650977@g.us", "5544991112222-1623281429@g.us"]
)
def test_a_message_to_a_group_is_sent(zapi: RunningEmulator, group: str) -> None:
    sync(ZApiNotifier(phone=f" {group} ", message="failed"))
    [sent] = zapi.emulator.instance("instance-1").view()["messages"]
    assert (sent["phone"], sent["message"]) == (group, "failed")


UNSENT: list[tuple[str, dict[str, Any], dict[str, Any], str, int, bool]] = [
    # case, parameters, switches, a part of the error, requests, whether the message may have been sent
    ("lost answer", {}, {"lose_answer": 1}, "may have been sent", 1, True),
    ("refused phone", {}, {"refused_phones": ["5544991112222"]}, "Z-API refused a phone number", 1, False),
    ("short phone", {"phone": "12"}, {}, "phone cannot be used: it has 2 digits", 0, False),
    ("not a group's id", {"phone": "team-group"}, {}, "phone cannot be used: this is a group", 0, False),
    ("no message", {"message": " "}, {}, "message is empty", 0, False),
    ("message lost", {"message": None}, {}, "message is None", 0, False),
]


@pytest.mark.parametrize("notify", [sync, asynchronous])
@pytest.mark.parametrize(
    ("parameters", "switches", "text", "requests", "perhaps"),
    [row[1:] for row in UNSENT],
    ids=[row[0] for row in UNSENT],
)
def test_a_message_that_may_have_been_sent_is_reported_and_never_sent_twice(
    zapi: RunningEmulator,
    notify: Callable[[ZApiNotifier], None],
    parameters: dict[str, Any],
    switches: dict[str, Any],
    text: str,
    requests: int,
    perhaps: bool,
) -> None:
    zapi.emulator.instance("instance-1").patch({"switches": switches})
    with pytest.raises(exceptions.ZApiError) as caught:
        notify(ZApiNotifier(**{"phone": PHONE, "message": "failed", **parameters}))
    assert text in str(caught.value)
    assert caught.value.perhaps_done is perhaps
    assert ("may have been sent" in str(caught.value)) is perhaps
    assert len(zapi.emulator.requests) == requests
    assert not leaks(str(caught.value))


PARTS: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("lapsed", {"subscription": "lapsed"}, {}, "ZApiSubscriptionError"),
    ("ended", {"subscription": "lapsed"}, {"require_paid": False}, "ZApiSubscriptionError"),
    ("too soon", {}, {"min_days_left": "1000000"}, "ZApiSubscriptionError"),
    ("disconnected", {"connected": False}, {}, "ZApiNotConnectedError"),
    ("wrong phone", {}, {"expected_phone": "5511988887777"}, "ZApiConfigurationError"),
    ("no number", {}, {"min_days_left": "soon"}, "ZApiInvalidRequestError"),
    ("negative", {}, {"min_days_left": -1}, "ZApiInvalidRequestError"),
    ("true", {}, {"min_days_left": True}, "ZApiInvalidRequestError"),
]


@pytest.mark.parametrize(("state", "parameters", "error"), [row[1:] for row in PARTS], ids=[row[0] for row in PARTS])
def test_a_check_fails_if_the_instance_cannot_be_used(
    zapi: RunningEmulator, state: dict[str, Any], parameters: dict[str, Any], error: str
) -> None:
    zapi.emulator.instance("instance-1").patch(state)
    with pytest.raises(exceptions.ZApiError) as caught:
        CheckInstanceOperator(task_id="check", **parameters).execute(cast(Any, {}))
    assert type(caught.value).__name__ == error
    assert not leaks(str(caught.value))


def test_the_result_of_a_check_has_no_other_fields_of_me(zapi: RunningEmulator) -> None:
    check = CheckInstanceOperator(task_id="check", min_days_left="30", expected_phone="554499990000")
    result = check.execute(cast(Any, {}))
    assert result.pop("days_left") > 20_000
    assert result == {"connected": True, "due": "2100-01-01T00:00:00+00:00", "payment_status": "PAID"}


ME = {"connected": True, "due": 4_102_444_800_000, "paymentStatus": "PAID", "token": "canary-instance-token_0"}
DUE: list[tuple[Any, str]] = [
    (4_102_444_800_000, "2100-01-01T00:00:00+00:00"),
    ("2026-05-04", "2026-05-04T00:00:00+00:00"),
    ("2026-05-04T10:00:00-03:00", "2026-05-04T13:00:00+00:00"),
    ("2026-05-04 10:00:00", "2026-05-04T10:00:00+00:00"),
]


@pytest.mark.parametrize(("due", "moment"), DUE)
def test_due_is_accepted_in_two_forms(due: Any, moment: str) -> None:
    client, _, _ = client_with(Canned({**ME, "due": due}))
    account = client.account()
    assert account.due.isoformat() == moment
    assert not leaks(repr(account))


STRANGE: list[tuple[str, Any]] = [
    # Z-API sends milliseconds. A value in seconds would be a date early in 1970.
    *(
        ("due", value)
        for value in (
            4_102_444_800,
            0,
            True,
            None,
            4_102_444_800_000.0,
            "4102444800000",
            "soon",
            "2026-13-01",
            "0001-01-01T00:00:00+14:00",
            "9999-12-31T23:59:59-14:00",
        )
    ),
    *(("connected", value) for value in ("true", None, 1)),
    *(("paymentStatus", value) for value in ("", None, True)),
]


@pytest.mark.parametrize(("field", "value"), STRANGE)
def test_a_field_in_an_unknown_form_is_an_error_that_names_it(field: str, value: Any) -> None:
    client, _, _ = client_with(Canned({**ME, field: value}))
    with pytest.raises(exceptions.ZApiUnexpectedAnswerError, match=f"'{field}'") as caught:
        client.account()
    assert not leaks(str(caught.value))


@pytest.mark.parametrize(("due", "days"), [((2026, 5, 11), 7), ((2026, 5, 10), 6), ((2026, 5, 3), -1)])
def test_days_left_are_whole_days(due: tuple[int, int, int], days: int) -> None:
    now = datetime(2026, 5, 3, 12, tzinfo=UTC) if days != 7 else datetime(2026, 5, 4, tzinfo=UTC)
    assert AccountState(True, datetime(*due, tzinfo=UTC), "PAID").days_left(now) == days


def test_every_task_links_to_the_panel() -> None:
    [link] = CheckInstanceOperator(task_id="check").operator_extra_links
    assert link.name == "Z-API panel"
    assert link.get_link(None, ti_key=None) == "https://app.z-api.io/app/instances"


TESTED: list[tuple[str, Any, dict[str, Any], bool, str]] = [
    # case, extra phone, the instance's state, whether the test succeeds, its message
    ("the expected phone", "+55 44 9999-0000", {}, True, "is connected to WhatsApp with the expected phone."),
    ("no phone expected", "", {}, True, "is connected to WhatsApp."),
    (
        "another phone",
        "5544988887777",
        {},
        False,
        "The instance is paired with ***0000, but ***7777 is expected",
    ),
    ("no phone number", "12", {}, False, "Expected phone number (extra 'phone') cannot be used: it has 2 digits"),
    ("not connected", "5544988887777", {"connected": False}, False, "is not connected to WhatsApp"),
]


@pytest.mark.parametrize(
    ("phone", "state", "succeeds", "said"), [row[1:] for row in TESTED], ids=[row[0] for row in TESTED]
)
def test_the_test_button_checks_the_expected_phone(
    zapi: RunningEmulator,
    monkeypatch: pytest.MonkeyPatch,
    phone: str,
    state: dict[str, Any],
    succeeds: bool,
    said: str,
) -> None:
    zapi.emulator.instance("instance-1").patch(state)
    extra = {"client_token": CLIENT_TOKEN, "phone": phone}
    monkeypatch.setenv("AIRFLOW_CONN_ZAPI_TEST", connection(zapi.url, "instance-1", extra=extra))
    succeeded, message = ZApiHook("zapi_test").test_connection()
    assert (succeeded, said in message) == (succeeds, True), message
    assert not leaks(message)


def test_a_message_that_renders_as_none_is_not_sent(zapi: RunningEmulator) -> None:
    with pytest.raises(ZApiInvalidRequestError, match="message is the string 'None': a template that finds nothing"):
        ZApiNotifier(phone="5544991111111", message="None").notify({})
    assert not zapi.emulator.requests
