"""Apply a plan: write every setting, then read the lists until they are as wanted or waiting cannot help.

Z-API can read lists, so they are compared and verified. It cannot read values. A value is always sent, because it may
have drifted, and it never counts as verified.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

from airflow_provider_zapi.catching import caught
from airflow_provider_zapi.exceptions import ZApiError
from airflow_provider_zapi.reconcile.failures import combined
from airflow_provider_zapi.reconcile.plan import PolicyPlan, concerns_all
from airflow_provider_zapi.reconcile.rounds import SettingResult, SettingRun

if TYPE_CHECKING:
    from airflow_provider_zapi.client import ZApiClient

__all__ = ["apply_policy"]

#: The ranges of the waits between rounds, in seconds: at most 60 in total, for all settings together. Each wait is
#: random within its range, so that two writers that collided once do not collide again.
WAITS = ((2.0, 3.0), (4.0, 6.0), (8.0, 11.0), (14.0, 18.0), (18.0, 22.0))


def apply_policy(
    plan: PolicyPlan,
    client: ZApiClient,
    *,
    allow_mass_removal: bool = False,
    settle: float = 0.0,
    uniform: Callable[[float, float], float] = random.uniform,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> dict[str, SettingResult]:
    """Apply a policy to a number, and verify the lists.

    Stricter values are sent first. Every setting is tried, even if an earlier one failed. After the last write, every
    list is read once more.

    :param plan: a fresh plan, as `plan_policy` returns it
    :param allow_mass_removal: allow the removal of more than half of a list of 10 or more entries
    :param settle: seconds to wait before a last read of all lists; 0 skips this read
    :param uniform: returns a random number of seconds within a range
    :param now: returns the time, in UTC
    :return: the result of each setting, by its name
    :raises ZApiInvalidRequestError: too many entries would be removed
    :raises ZApiConflictError: somebody else changed a list during the run, and the list still differs
    :raises ZApiNotVerifiedError: a list does not show the changes yet
    :raises ZApiError: a call failed; the message names the settings that are done and those that are not
    """
    return _PolicyRun(plan, client, allow_mass_removal, settle, uniform, now).run()


class _PolicyRun:
    """The state of one policy while it is applied."""

    def __init__(
        self,
        plan: PolicyPlan,
        client: ZApiClient,
        allow_mass_removal: bool,
        settle: float,
        uniform: Callable[[float, float], float],
        now: Callable[[], datetime],
    ) -> None:
        self._plan = plan
        self._client = client
        self._settle = settle
        self._uniform = uniform
        self._waits = iter(WAITS)
        self._failures: dict[str, ZApiError] = {}
        self._stopped = False
        steps = count(1)
        runs = [SettingRun(each, client, plan.contacts, steps, allow_mass_removal, now) for each in plan]
        self._runs = sorted(runs, key=lambda run: run.plan.wanted.setting.openness(run.plan.wanted.value))

    def run(self) -> dict[str, SettingResult]:
        """Apply the policy, and return the result of each setting in the plan's order."""
        for run in self._runs:
            run.check_removals()
        self._each(self._runs, SettingRun.first_round)
        self._finish()
        if self._settle and not self._failures:
            self._client.pause(self._settle)
            for run in self._runs:
                run.extra_rounds = 1
            self._each([run for run in self._runs if run.plan.listed], SettingRun.last_look)
            self._finish()
        if self._failures:
            raise combined(
                self._failures,
                done=[run.name for run in self._alive() if run.settled],
                order=[run.name for run in self._runs],
            )
        results = {run.name: run.result() for run in self._runs}
        return {each.wanted.setting.name: results[each.wanted.setting.name] for each in self._plan}

    def _finish(self) -> None:
        """Wait for the settings that are not as wanted yet, then reread the lists that may have changed since."""
        while not self._stopped:
            self._failures |= {run.name: run.verdict() for run in self._alive() if run.is_hopeless}
            unsettled = [run for run in self._alive() if not run.settled]
            if unsettled:
                wait = next(self._waits, None)
                if wait is None:
                    self._failures |= {run.name: run.verdict() for run in unsettled}
                    continue
                self._client.pause(self._uniform(*wait))
                self._each(unsettled, SettingRun.next_round)
            elif outdated := self._outdated():
                self._each(outdated, SettingRun.last_look)
            else:
                return

    def _alive(self) -> list[SettingRun]:
        return [run for run in self._runs if run.name not in self._failures]

    def _outdated(self) -> list[SettingRun]:
        """Return the lists that were not read since the run's last write. Another writer may have changed them."""
        last_write = max(run.written for run in self._runs)
        return [run for run in self._alive() if run.plan.listed and run.read_at < last_write]

    def _each(self, runs: Sequence[SettingRun], step: Callable[[SettingRun], None]) -> None:
        """Run a step for each setting. After a failure, continue unless the other settings would fail too."""
        for run in runs:
            failed = caught(partial(step, run), ZApiError)
            if failed is not None:
                self._failures[run.name] = failed
                if concerns_all(failed, self._client):
                    self._stopped = True
                    return
