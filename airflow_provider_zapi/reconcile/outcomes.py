"""The outcomes of the numbers in a run, and the summary of a run."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum
from typing import Any

from airflow_provider_zapi.exceptions import (
    ZApiError,
    ZApiInvalidRequestError,
    ZApiNotConnectedError,
    ZApiRateLimitError,
    ZApiSubscriptionError,
    ZApiTransientError,
    ZApiUnreachableError,
)
from airflow_provider_zapi.privacy.phones import hide_phone
from airflow_provider_zapi.reconcile.plan import PolicyPlan
from airflow_provider_zapi.reconcile.rounds import SettingResult

__all__ = ["DONE", "FAIL_ON", "Outcome", "Tally", "parse_fail_on", "shown_name"]

#: The most names that a result lists for one outcome, characters of a name, and bytes of a result.
MAX_NAMES, MAX_NAME, MAX_RESULT = 100, 80, 46 * 1024

_PHONE = re.compile(r"[0-9](?:[ ().-]*[0-9]){7,}")
_ADDRESS = re.compile(r"\w+://\S+")


class Outcome(StrEnum):
    """The outcome of a number. Every number has exactly one."""

    #: Applied. At least one list was changed, and all lists were read back as wanted.
    PROVEN = "proven"
    #: Applied. The policy has no list, and values cannot be read back.
    ASSERTED = "asserted"
    #: Applied or planned. All lists already matched the policy. If applied, the values were sent again.
    UNCHANGED = "unchanged"
    #: Planned, with ``mode="plan"`` only. A list differs from the policy.
    DRIFTED = "drifted"
    #: The instance has no WhatsApp session.
    NOT_CONNECTED = "not_connected"
    #: The instance is not paid.
    LAPSED = "lapsed"
    #: The paired phone is not the expected one.
    WRONG_PHONE = "wrong_phone"
    #: Z-API refused a call, or accepted a change that a list does not show.
    REFUSED = "refused"
    #: Z-API did not answer, even after HTTP retries.
    UNREACHABLE = "unreachable"
    #: Not started or not finished when the run stopped.
    NOT_TRIED = "not_tried"


#: The outcomes of success.
DONE = frozenset({Outcome.PROVEN, Outcome.ASSERTED, Outcome.UNCHANGED, Outcome.DRIFTED})
#: The outcomes that fail a task by default.
FAIL_ON = (Outcome.REFUSED, Outcome.UNREACHABLE, Outcome.WRONG_PHONE, Outcome.NOT_TRIED)


def parse_fail_on(given: object) -> frozenset[Outcome]:
    """Return the outcomes that fail a task.

    :raises ZApiInvalidRequestError: an outcome is unknown, or is a success
    """
    accepted = [outcome.value for outcome in Outcome if outcome not in DONE or outcome is Outcome.DRIFTED]
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, Collection) or not all(isinstance(name, str) and name in accepted for name in names):
        raise ZApiInvalidRequestError(
            "fail_on must be a list of outcomes", f"Accepted: {', '.join(accepted)}. Nothing was sent."
        )
    return frozenset(map(Outcome, names))


def of_plan(plan: PolicyPlan) -> Outcome:
    """Return the outcome of a plan. All its lists could be read."""
    if plan.drifted:
        return Outcome.DRIFTED
    return Outcome.UNCHANGED if any(each.change is not None for each in plan) else Outcome.ASSERTED


def of_results(results: Mapping[str, SettingResult]) -> Outcome:
    """Return the outcome of a policy that was applied."""
    lists = [result for result in results.values() if result.verified]
    if not lists:
        return Outcome.ASSERTED
    return Outcome.PROVEN if any(result.added or result.removed for result in lists) else Outcome.UNCHANGED


def of_error(error: ZApiError) -> Outcome:
    """Return the outcome of a number whose calls ended with an error."""
    # Only a call that was cancelled before it was sent raises the base class itself.
    if type(error) is ZApiTransientError:
        return Outcome.NOT_TRIED
    return next((outcome for kinds, outcome in _OF_ERRORS if isinstance(error, kinds)), Outcome.REFUSED)


_OF_ERRORS: tuple[tuple[tuple[type[ZApiError], ...], Outcome], ...] = (
    ((ZApiNotConnectedError,), Outcome.NOT_CONNECTED),
    ((ZApiSubscriptionError,), Outcome.LAPSED),
    ((ZApiUnreachableError, ZApiRateLimitError), Outcome.UNREACHABLE),
)


def shown_name(name: str, instance_id: str) -> str:
    """Return an instance's name for a message, or its id if the name is empty or contains a phone or an address."""
    printable = "".join(character if character.isprintable() else " " for character in name[: 4 * MAX_NAME])
    text = _PHONE.sub(lambda match: hide_phone(re.sub(r"[^0-9]", "", match[0])), _ADDRESS.sub("***", printable)).strip()
    return text[:MAX_NAME] or instance_id[:MAX_NAME]


class Tally:
    """The outcomes of a run, by number."""

    def __init__(self) -> None:
        self.counts: Counter[Outcome] = Counter()
        self._names: dict[Outcome, list[str]] = {}

    def add(self, name: str, outcome: Outcome, count: int = 1) -> None:
        """Record the outcome of a number, by its name as `shown_name` returns it."""
        self.counts[outcome] += count
        if outcome not in DONE:
            names = self._names.setdefault(outcome, [])
            if len(names) < MAX_NAMES:
                names.append(name)

    @property
    def done(self) -> int:
        """Return the number of numbers that succeeded."""
        return sum(self.counts[outcome] for outcome in DONE)

    def failing(self, fail_on: Iterable[Outcome]) -> dict[str, int]:
        """Return the outcomes that fail the task, with their counts."""
        return {
            outcome.value: self.counts[outcome] for outcome in Outcome if outcome in fail_on and self.counts[outcome]
        }

    def result(self, *, mode: str, instances: int, selected: int, unmatched: int) -> dict[str, Any]:
        """Return a task's result: counts and names, at most 100 names per outcome and under 48 KiB in total."""
        result: dict[str, Any] = {
            "mode": mode,
            "instances": instances,
            "selected": selected,
            "unmatched": unmatched,
            "outcomes": {outcome.value: self.counts[outcome] for outcome in Outcome if self.counts[outcome]},
            "failed": {outcome.value: list(self._names[outcome]) for outcome in Outcome if outcome in self._names},
        }
        while len(json.dumps(result)) > MAX_RESULT:
            longest = max(result["failed"].values(), key=lambda names: len(json.dumps(names)))
            del longest[-1]
        return result
