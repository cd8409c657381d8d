"""Apply policies to many numbers of an account, in a few threads.

The thread that calls `FleetRun.run` assigns the numbers and records the outcomes. Each worker thread handles one number
at a time, from its first call to its last.
"""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractContextManager
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_zapi.catching import caught
from airflow_provider_zapi.exceptions import ZApiConfigurationError, ZApiError, ZApiPermanentError, ZApiTransientError
from airflow_provider_zapi.privacy.phones import same_contact
from airflow_provider_zapi.privacy.policy import Policy
from airflow_provider_zapi.reconcile.apply import apply_policy
from airflow_provider_zapi.reconcile.binding import plan_digest, require_fleet_plan
from airflow_provider_zapi.reconcile.ledger import Ledger, digest
from airflow_provider_zapi.reconcile.outcomes import DONE, Outcome, Tally, of_error, of_plan, of_results, shown_name
from airflow_provider_zapi.reconcile.pace import AccountPace
from airflow_provider_zapi.reconcile.plan import plan_policy
from airflow_provider_zapi.reconcile.selection import Chosen

if TYPE_CHECKING:
    from airflow_provider_zapi.client import ZApiClient

__all__ = ["ClientOf", "FleetRun", "failure_of"]

log = logging.getLogger(__name__)

#: A function that lends a client for an instance of the account to one thread.
ClientOf = Callable[[Any], AbstractContextManager["ZApiClient"]]

#: Seconds within which the thread that assigns the numbers notices that the task was killed.
_LOOK = 0.25
#: The most failed numbers that the log names. The result has the others.
_MAX_TOLD = 20
#: Outcomes that do not show whether the policy works. The next number replaces a canary with such an outcome.
_NOT_READY = frozenset({Outcome.NOT_CONNECTED, Outcome.LAPSED})


@dataclass(frozen=True, slots=True)
class _Handled:
    chosen: Chosen
    outcome: Outcome
    error: Exception | None = None
    #: The code of the plan's digest, with ``mode="plan"``.
    code: str = ""


class FleetRun:
    """One run over the numbers of an account.

    :param numbers: the numbers to handle, in this order
    :param client_of: lends a client for an instance; its transport must follow ``pace``
    :param pace: decides how many numbers are handled at the same time, and when to stop
    :param mode: ``apply``, or ``plan`` to only read
    :param canary: how many numbers must succeed, one by one, before the others begin
    :param allow_mass_removal: allow the removal of more than half of a list of 10 or more contacts
    :param expected: the approved plans, from `parse_fleet_digest`; a number with another plan is not changed
    :param ledger: the numbers that an earlier try finished; this run adds the numbers that it finishes
    :param progress: called after each batch with the number of handled numbers, of failed ones, and of all
    :param executor: returns an executor with the given number of threads
    """

    def __init__(
        self,
        numbers: Sequence[Chosen],
        client_of: ClientOf,
        pace: AccountPace,
        *,
        mode: Literal["apply", "plan"] = "apply",
        canary: int = 1,
        allow_mass_removal: bool = False,
        expected: Mapping[str, str] | None = None,
        ledger: Ledger | None = None,
        progress: Callable[[int, int, int], None] = lambda handled, failed, total: None,
        executor: Callable[[int], Executor] = ThreadPoolExecutor,
    ) -> None:
        self.tally = Tally()
        #: The first error of each outcome.
        self.errors: dict[Outcome, ZApiError] = {}
        #: The number that failed as a canary, if one did.
        self.failed_canary: str | None = None
        #: The number of numbers that an earlier try finished.
        self.resumed = 0
        self._numbers = numbers
        self._client_of = client_of
        self._pace = pace
        self._mode = mode
        self._canaries = canary
        self._allow_mass_removal = allow_mass_removal
        self._expected = expected
        #: The codes of the plans, by instance id, with ``mode="plan"``.
        self.codes: dict[str, str] = {}
        self._ledger = ledger
        self._progress = progress
        self._executor = executor
        self._most = pace.limit
        self._answered = False
        self._told = 0
        self._policy_texts: dict[int, str] = {}
        self._handled: SimpleQueue[_Handled] = SimpleQueue()

    def run(self) -> Tally:
        """Handle all numbers, and return their outcomes. A failed number does not raise an error."""
        waiting = self._still_to_do()
        executor = self._executor(self._most)
        in_flight = 0
        try:
            while in_flight or (waiting and not self._halted):
                while waiting and not self._halted and in_flight < self._allowed:
                    executor.submit(copy_context().run, self._handle, waiting.popleft())
                    in_flight += 1
                batch = self._next_batch()
                in_flight -= len(batch)
                self._record(batch)
        finally:
            if in_flight:  # an exception ended the loop, such as the task's timeout
                self._pace.stop()
            executor.shutdown(wait=not in_flight, cancel_futures=True)
        for chosen in waiting:
            self._count(chosen, Outcome.NOT_TRIED)
        return self.tally

    @property
    def _halted(self) -> bool:
        return self._pace.stopped or self.failed_canary is not None

    @property
    def _allowed(self) -> int:
        """Return how many numbers may be handled now. The first one runs by itself, to check the account."""
        return self._pace.limit if self._canaries <= 0 and self._answered else 1

    def _still_to_do(self) -> deque[Chosen]:
        waiting: deque[Chosen] = deque()
        for chosen in self._numbers:
            outcome = chosen.outcome
            if outcome is None and self._ledger is not None:
                outcome = self._ledger.outcome(self._key(chosen))
                if outcome is not None:
                    self.resumed += 1
                    self._canaries -= 1
            if outcome is None:
                waiting.append(chosen)
            else:
                self._count(chosen, outcome)
        self._tell_progress()
        return waiting

    def _next_batch(self) -> list[_Handled]:
        """Wait until a number is finished, and return all finished numbers."""
        batch: list[_Handled] = []
        try:
            batch.append(self._handled.get(timeout=_LOOK))
            while True:
                batch.append(self._handled.get_nowait())
        except Empty:
            return batch

    def _record(self, batch: Iterable[_Handled]) -> None:
        batch = list(batch)
        # Record these before other numbers start, so that after a kill only the calls in progress are sent again.
        if self._ledger is not None and batch:
            self._ledger.record((self._key(each.chosen), each.outcome) for each in batch)
        for each in batch:
            if each.error is not None and not isinstance(each.error, ZApiError):
                raise each.error
            self._answered = True
            self._pace.finished()
            self._count(each.chosen, each.outcome, each.error)
            if each.code:
                self.codes[each.chosen.instance.id] = each.code
            if self._canaries > 0 and each.outcome not in _NOT_READY:
                if each.outcome in DONE:
                    self._canaries -= 1
                else:
                    self.failed_canary = shown_name(each.chosen.instance.name, each.chosen.instance.id)
        self._tell_progress()

    def _count(self, chosen: Chosen, outcome: Outcome, error: ZApiError | None = None) -> None:
        name = shown_name(chosen.instance.name, chosen.instance.id)
        self.tally.add(name, outcome)
        if error is not None and outcome is not Outcome.NOT_TRIED:
            self.errors.setdefault(outcome, error)
            self._told += 1
            if self._told <= _MAX_TOLD:
                log.warning("%s is %s: %s", name, outcome.value, error)

    def _tell_progress(self) -> None:
        counts = self.tally.counts
        failed = counts.total() - self.tally.done - sum(counts[outcome] for outcome in _NOT_READY)
        self._progress(counts.total(), failed, len(self._numbers))

    def _key(self, chosen: Chosen) -> str:
        """Return a key that is equal for the same number, policy, phone and mode."""
        text = self._policy_texts.get(id(chosen.policy))
        if text is None:
            text = self._policy_texts[id(chosen.policy)] = _text(chosen.policy)
        return digest(chosen.instance.id, self._mode, chosen.phone or "", text)

    # The methods below run in the worker threads.

    def _handle(self, chosen: Chosen) -> None:
        handled = caught(partial(self._reconciled, chosen), Exception)
        if isinstance(handled, Exception):
            # The frames of the traceback hold values that no error report may show.
            error = handled.with_traceback(None)
            handled = _Handled(chosen, of_error(error) if isinstance(error, ZApiError) else Outcome.NOT_TRIED, error)
        self._handled.put(handled)

    def _reconciled(self, chosen: Chosen) -> _Handled:
        if self._pace.stopped:
            return _Handled(chosen, Outcome.NOT_TRIED)
        with self._client_of(chosen.instance) as client:
            if chosen.phone is not None and not same_contact(client.paired_phone(), chosen.phone):
                return _Handled(chosen, Outcome.WRONG_PHONE, _WRONG_PHONE)
            plan = plan_policy(chosen.policy, client)
            if self._mode == "plan":
                return _Handled(chosen, of_plan(plan), code=plan_digest(plan, client).code)
            if self._expected is not None:
                require_fleet_plan(plan, client, self._expected)
            results = apply_policy(plan, client, allow_mass_removal=self._allow_mass_removal)
            return _Handled(chosen, of_results(results))


_WRONG_PHONE = ZApiConfigurationError("The paired phone is not the one in expected_phones", "Nothing was changed.")


def failure_of(run: FleetRun, pace: AccountPace, fail_on: Iterable[Outcome], conn_id: str) -> ZApiError | None:
    """Return the error of a run, or None. It is transient if the error of any number is."""
    if pace.refusal is not None:
        refusal = pace.refusal
        return refusal.error(
            refusal.what,
            f"This affects the whole account, so the run was stopped: {_summary(run.tally)}. {refusal.advice}",
            conn_id=conn_id,
            status=refusal.status,
            retry_after=refusal.retry_after,
            code=refusal.code,
        )
    failing = run.tally.failing(fail_on)
    if not failing:
        return None
    if run.failed_canary is not None:
        what = f"The canary {run.failed_canary!r} failed, so no other number was tried"
    else:
        what = "Some numbers differ from their policy"
    first = [f"The first error of {outcome.value}: {error.what}." for outcome, error in run.errors.items()]
    errors = [error for outcome, error in run.errors.items() if outcome.value in failing]
    permanent = bool(errors) and all(isinstance(error, ZApiPermanentError) for error in errors)
    # The numbers that were not tried after a failed canary would fail the same way.
    if Outcome.NOT_TRIED.value in failing and run.failed_canary is None:
        permanent = False
    kind = ZApiPermanentError if permanent else ZApiTransientError
    return kind(what, " ".join([f"{_summary(run.tally)}.", *first]), conn_id=conn_id)


def _summary(tally: Tally) -> str:
    return ", ".join(f"{outcome.value}: {tally.counts[outcome]}" for outcome in Outcome if tally.counts[outcome])


def _text(policy: Policy) -> str:
    return json.dumps([(each.setting.name, each.value, each.excluded) for each in policy.settings])
