"""A task retry knows what an earlier try finished, from stored digests only."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_zapi.reconcile.ledger import Ledger, digest
from airflow_provider_zapi.reconcile.outcomes import Outcome


class Memory(dict[str, Any]):
    """A store that keeps its values as JSON, as Airflow's store does."""

    def set(self, key: str, value: Any) -> None:
        self[key] = json.loads(json.dumps(value))

    def delete(self, key: str) -> None:
        self.pop(key, None)


def test_a_later_try_knows_what_was_finished_and_how() -> None:
    store = Memory()
    kept = (Outcome.PROVEN, Outcome.ASSERTED, Outcome.UNCHANGED, Outcome.DRIFTED)
    Ledger(store).record((digest(outcome), outcome) for outcome in Outcome)
    ledger = Ledger(store)
    assert [outcome for outcome in Outcome if ledger.outcome(digest(outcome)) is outcome] == list(kept)


def test_values_stay_small_and_hold_digests_only() -> None:
    store = Memory()
    ledger = Ledger(store)
    keys = [digest(f"instance-{index}", "policy") for index in range(10_000)]
    for at in range(0, len(keys), 7):
        ledger.record((key, Outcome.PROVEN) for key in keys[at : at + 7])
    assert max(len(json.dumps(value)) for value in store.values()) < 10_000
    assert not any("instance" in value for value in store.values())
    later = Ledger(store)
    assert all(later.outcome(key) is Outcome.PROVEN for key in keys)
    assert later.outcome(digest("another")) is None


def test_a_batch_that_spans_several_values_is_stored_completely() -> None:
    store = Memory()
    keys = [digest(str(index)) for index in range(2_000)]
    Ledger(store).record((key, Outcome.ASSERTED) for key in keys)
    assert len(store) == 4
    later = Ledger(store)
    assert all(later.outcome(key) is Outcome.ASSERTED for key in keys)


def test_nothing_is_left_of_a_run_that_is_over() -> None:
    store = Memory()
    ledger = Ledger(store)
    ledger.record((digest(str(index)), Outcome.PROVEN) for index in range(1_000))
    ledger.forget()
    assert store == {}
    ledger.record([(digest("new"), Outcome.PROVEN)])
    assert Ledger(store).outcome(digest("new")) is Outcome.PROVEN


class Failing(Memory):
    """A store whose calls fail after the first ones."""

    def __init__(self, calls: int) -> None:
        super().__init__()
        self.left = calls
        self.failures = 0

    def _call(self) -> None:
        self.left -= 1
        if self.left < 0:
            self.failures += 1
            raise ConnectionError("no answer of the API server")

    def get(self, key: str, default: Any = None) -> Any:
        self._call()
        return super().get(key, default)

    def set(self, key: str, value: Any) -> None:
        self._call()
        super().set(key, value)

    def delete(self, key: str) -> None:
        self._call()
        super().delete(key)


@pytest.mark.parametrize(("calls", "stored"), [(0, 0), (1, 0), (2, 1), (3, 2)])
def test_a_store_that_fails_is_logged_once_and_does_not_fail_the_run(
    calls: int, stored: int, caplog: pytest.LogCaptureFixture
) -> None:
    store = Failing(calls)
    ledger = Ledger(store)
    for index in range(5):
        ledger.record([(digest(str(index)), Outcome.PROVEN)])
    ledger.forget()
    assert store.failures == 1
    assert caplog.text.count("Airflow's task state store failed (ConnectionError)") == 1
    later = Ledger(Memory(store))
    assert [later.outcome(digest(str(index))) for index in range(5)].count(Outcome.PROVEN) == stored
