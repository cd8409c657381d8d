"""A run over many numbers. The tests run them one after another in this thread, each with an injected network."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from typing import Any

import pytest

from airflow_provider_zapi.client import Transport, ZApiClient
from airflow_provider_zapi.exceptions import ZApiAuthenticationError, ZApiPermanentError, ZApiTransientError
from airflow_provider_zapi.privacy.policies import parse_policies
from airflow_provider_zapi.reconcile.fleet import FleetRun, failure_of
from airflow_provider_zapi.reconcile.ledger import Ledger
from airflow_provider_zapi.reconcile.outcomes import FAIL_ON, Outcome, Tally, parse_fail_on, shown_name
from airflow_provider_zapi.reconcile.pace import AccountPace
from airflow_provider_zapi.reconcile.progress import Progress
from airflow_provider_zapi.reconcile.selection import Listed, choose
from tests.support import GOOD, TOKEN, Canned, CannedAdapter, Clock, credentials, leaks
from tests.unit.reconcile.test_ledger import Memory
from tests.unit.reconcile.test_selection import Row

VALUE = {"last_seen": "NONE"}
LIST = {"photo": {"visible_to": "CONTACT_BLACKLIST", "except": ["5544991111111"]}}


class Inline(Executor):
    """Runs each function immediately, in the caller's thread."""

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        function(*arguments, **named)
        return Future()


class Account:
    """Answers for each instance, and records the order in which the instances are called."""

    def __init__(self, answers: dict[str, tuple[Canned, ...]] | None = None) -> None:
        self.answers = answers or {}
        self.called: list[str] = []
        self.clock = Clock()
        self.pace = AccountPace(4, self.clock)

    @contextmanager
    def client_of(self, instance: Listed) -> Iterator[ZApiClient]:
        target = credentials(instance_id=instance.id)
        adapter = CannedAdapter(*self.answers.get(instance.id, (GOOD,)), before=lambda: self.called.append(instance.id))
        transport = Transport(target, adapter=adapter, pace=self.pace, clock=self.clock, sleep=self.clock.sleep)
        yield ZApiClient(target, transport=transport)

    def run(self, rows: list[Row], policy: object = VALUE, phones: Any = None, **options: Any) -> FleetRun:
        numbers = choose(rows, parse_policies(policy), expected_phones=phones).numbers
        run = FleetRun(numbers, self.client_of, self.pace, executor=lambda most: Inline(), **options)
        run.run()
        return run


def rows(count: int) -> list[Row]:
    return [Row(f"id-{index}", f"shop-{index}") for index in range(count)]


def outcomes(run: FleetRun) -> dict[str, int]:
    return {outcome.value: count for outcome, count in run.tally.counts.items() if count}


PHONE = "5544990000001"
REFUSED = Canned({"error": "Invalid phone"}, 400)
WRONG_CLIENT_TOKEN = Canned({"error": "Client-Token not allowed"}, 403)
LISTED, EMPTY = Canned({"disallowedContacts": ["5544991111111"]}), Canned({"disallowedContacts": []})
LAPSED = Canned({"error": "To continue sending a message, you must subscribe to this instance again"}, 400)


@pytest.mark.parametrize(
    ("outcome", "policy", "answers", "mode"),
    [
        ("asserted", VALUE, (GOOD,), "apply"),
        ("proven", LIST, (EMPTY, GOOD, LISTED), "apply"),
        ("unchanged", LIST, (LISTED, GOOD, LISTED), "apply"),
        ("unchanged", LIST, (LISTED,), "plan"),
        ("drifted", LIST, (EMPTY,), "plan"),
        ("asserted", VALUE, (), "plan"),
        ("not_connected", VALUE, (Canned({"error": "You are not connected."}, 400),), "apply"),
        ("lapsed", VALUE, (LAPSED,), "apply"),
        ("refused", VALUE, (REFUSED,), "apply"),
        ("refused", VALUE, (Canned({"error": "Instance not found"}, 404),), "apply"),
        ("refused", LIST, (LISTED, GOOD, EMPTY), "apply"),
        ("unreachable", VALUE, (Canned("", 503),), "apply"),
        ("unreachable", VALUE, (Canned({}, 429, {"Retry-After": "9"}),), "apply"),
        ("unreachable", LIST, (Canned("", 503),), "plan"),
    ],
)
def test_each_number_has_exactly_one_outcome(
    outcome: str, policy: object, answers: tuple[Canned, ...], mode: Any
) -> None:
    account = Account({"id-0": answers or (GOOD,)})
    assert outcomes(account.run(rows(1), policy, mode=mode)) == {outcome: 1}


def test_a_number_with_an_unexpected_phone_is_not_changed() -> None:
    account = Account({"id-1": (Canned({"phone": "5544990000009"}),), "id-0": (Canned({"phone": PHONE}), GOOD)})
    run = account.run(rows(2), phones={"shop-0": PHONE, "shop-1": PHONE})
    assert outcomes(run) == {"asserted": 1, "wrong_phone": 1}
    assert account.called == ["id-0", "id-0", "id-1"]
    assert isinstance(failure_of(run, account.pace, FAIL_ON, "zapi"), ZApiPermanentError)


def test_numbers_that_the_list_shows_as_not_connected_or_not_paid_are_counted_but_not_called() -> None:
    account = Account()
    run = account.run([*rows(2), Row("off", "off", connected=False), Row("late", "late", paid=False)])
    assert outcomes(run) == {"asserted": 2, "not_connected": 1, "lapsed": 1}
    assert account.called == ["id-0", "id-1"]


@pytest.mark.parametrize("canary", [1, 2])
def test_nothing_else_is_sent_if_a_canary_fails(canary: int) -> None:
    account = Account({f"id-{canary - 1}": (REFUSED,)})
    run = account.run(rows(10), canary=canary)
    assert account.called == [f"id-{index}" for index in range(canary)]
    assert run.tally.counts[Outcome.NOT_TRIED] == 10 - canary
    error = failure_of(run, account.pace, FAIL_ON, "zapi")
    assert f"The canary 'shop-{canary - 1}' failed, so no other number was tried" in str(error)
    assert isinstance(error, ZApiPermanentError)


def test_without_a_canary_all_numbers_are_tried_even_if_one_fails() -> None:
    account = Account({"id-0": (REFUSED,)})
    assert outcomes(account.run(rows(10), canary=0)) == {"refused": 1, "asserted": 9}


def test_a_canary_that_lost_its_session_is_replaced_by_the_next_number() -> None:
    account = Account({"id-0": (LAPSED,), "id-1": (REFUSED,)})
    run = account.run(rows(10))
    assert account.called == ["id-0", "id-1"]
    assert run.failed_canary == "shop-1"


@pytest.mark.parametrize("canary", [0, 1, 3])
def test_a_wrong_client_token_is_tried_on_one_number_only(canary: int) -> None:
    account = Account({f"id-{index}": (WRONG_CLIENT_TOKEN,) for index in range(10)})
    run = account.run(rows(10), canary=canary)
    assert account.called == ["id-0"]
    assert outcomes(run) == {"refused": 1, "not_tried": 9}
    error = failure_of(run, account.pace, (), "zapi")
    assert isinstance(error, ZApiAuthenticationError)
    assert error.code == "ZAPI-AUTH-CLIENT-TOKEN"
    assert "the run was stopped: refused: 1, not_tried: 9. Copy the account security token" in str(error)


def test_a_refusal_that_affects_the_account_stops_the_run() -> None:
    account = Account({"id-5": (WRONG_CLIENT_TOKEN,)})
    assert outcomes(account.run(rows(10))) == {"asserted": 5, "refused": 1, "not_tried": 4}


def test_a_run_that_was_stopped_sends_nothing_more() -> None:
    account = Account()

    def stop(handled: int, failed: int, total: int) -> None:
        if handled >= 3:
            account.pace.stop()

    run = account.run(rows(10), progress=stop)
    assert len(account.called) == 5  # the canary, and then the four that started at the same time
    assert outcomes(run) == {"asserted": 5, "not_tried": 5}
    assert isinstance(failure_of(run, account.pace, FAIL_ON, "zapi"), ZApiTransientError)


def test_a_later_try_skips_what_an_earlier_one_finished_and_counts_it() -> None:
    store = Memory()
    first = Account({"id-1": (REFUSED,)})
    first.run(rows(4), ledger=Ledger(store))
    later = Account()
    run = later.run(rows(6), ledger=Ledger(store))
    assert later.called == ["id-1", "id-4", "id-5"]
    assert outcomes(run) == {"asserted": 6}
    assert run.resumed == 3


@pytest.mark.parametrize("change", [{"policy": {"last_seen": "ALL"}}, {"mode": "plan"}])
def test_a_later_try_with_another_policy_handles_all_numbers_again(change: dict[str, Any]) -> None:
    store = Memory()
    Account().run(rows(4), ledger=Ledger(store))
    assert Account().run(rows(4), ledger=Ledger(store), **change).resumed == 0


def test_a_finished_number_is_recorded_before_another_one_starts() -> None:
    store = Memory()
    account = Account()
    seen: list[int] = []
    client_of = account.client_of

    def looking(instance: Listed) -> Any:
        seen.append(sum(len(chunk) // 16 for chunk in store.values()))
        return client_of(instance)

    account.client_of = looking  # type: ignore[method-assign]
    account.pace = AccountPace(1, account.clock)
    account.run(rows(5), ledger=Ledger(store))
    assert seen == [0, 1, 2, 3, 4]


def test_a_bug_in_this_provider_is_raised_and_not_counted() -> None:
    account = Account()

    def broken(instance: Listed) -> Any:
        raise RuntimeError("a defect")

    account.client_of = broken  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="a defect"):
        account.run(rows(3))


def test_the_error_of_a_run_is_transient_only_if_the_error_of_a_number_is() -> None:
    account = Account({"id-1": (REFUSED,), "id-2": (Canned("", 503),)})
    run = account.run(rows(4))
    error = failure_of(run, account.pace, FAIL_ON, "zapi")
    assert isinstance(error, ZApiTransientError)
    assert "asserted: 2, refused: 1, unreachable: 1. The first error of refused: Z-API refused a phone" in str(error)
    assert isinstance(failure_of(run, account.pace, parse_fail_on(["refused"]), "zapi"), ZApiPermanentError)
    assert failure_of(run, account.pace, parse_fail_on([]), "zapi") is None


@pytest.mark.parametrize("given", ["proven", ["refused", "other"], 7, None])
def test_an_unknown_or_successful_outcome_in_fail_on_is_an_error(given: object) -> None:
    with pytest.raises(Exception, match="fail_on must be a list of outcomes"):
        parse_fail_on(given)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("shop-0001", "shop-0001"),
        ("Maria +55 (44) 99111-2222", "Maria +***2222"),
        ("5544991112222", "***2222"),
        ("see https://hooks.example/x?key=1 now", "see *** now"),
        ("two\nlines\x1b[31m", "two lines [31m"),
        ("", "the-id"),
        ("x" * 500, "x" * 80),
    ],
)
def test_a_name_is_shown_without_phones_addresses_and_control_characters(name: str, shown: str) -> None:
    assert shown_name(name, "the-id") == shown


def test_a_result_is_under_48_kib_and_names_at_most_100_of_each_outcome() -> None:
    tally = Tally()
    for index in range(20_000):
        tally.add(shown_name(f"{index} " + "\N{GRINNING FACE}" * 100, ""), list(Outcome)[index % 10])
    result = tally.result(mode="apply", instances=20_000, selected=20_000, unmatched=0)
    assert len(json.dumps(result)) < 48 * 1024
    assert sum(result["outcomes"].values()) == 20_000
    assert {len(names) for names in result["failed"].values()} <= set(range(5, 101))
    assert set(result["failed"]) == {outcome.value for outcome in Outcome} - {
        "proven",
        "asserted",
        "unchanged",
        "drifted",
    }


def test_the_messages_of_a_run_have_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    account = Account({"id-1": (Canned({"error": f"no {TOKEN}"}, 400),)})
    run = account.run(rows(3))
    told = str(failure_of(run, account.pace, FAIL_ON, "zapi"))
    assert "shop-1 is refused: " in caplog.text
    assert not leaks(told, caplog.text, str(run.tally.result(mode="apply", instances=3, selected=3, unmatched=0)))


def test_progress_is_reported_every_5_percent_or_5_seconds() -> None:
    clock, told = Clock(), list[str]()
    progress = Progress(told.append, clock)
    progress(40, 0, 1000)
    for handled in range(41, 151):
        clock.now += 0.1
        progress(handled, 2, 1000)
    assert told == [
        "90 of 1000 numbers done, 2 failed, 10.0 a second, 91 s left.",
        "140 of 1000 numbers done, 2 failed, 10.0 a second, 86 s left.",
    ]
    clock.now += 60
    progress(1000, 2, 1000)
    assert told[-1] == "1000 of 1000 numbers done, 2 failed, 13.5 a second."
