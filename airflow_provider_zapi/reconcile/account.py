"""Apply or plan policies for an account. The operator and the command line share this code."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_zapi.client.account import PAGES_AT_ONCE
from airflow_provider_zapi.exceptions import ZApiError, ZApiInvalidRequestError
from airflow_provider_zapi.privacy.policies import parse_policies
from airflow_provider_zapi.privacy.policy import Policy
from airflow_provider_zapi.reconcile.binding import MAX_FLEET, fleet_digest, parse_fleet_digest
from airflow_provider_zapi.reconcile.fleet import FleetRun, failure_of
from airflow_provider_zapi.reconcile.ledger import Ledger
from airflow_provider_zapi.reconcile.outcomes import FAIL_ON, Outcome, parse_fail_on
from airflow_provider_zapi.reconcile.pace import MAX_CONCURRENCY, AccountPace
from airflow_provider_zapi.reconcile.selection import Shard, check_listing, choose, parse_patterns, parse_shard
from airflow_provider_zapi.wording import counted

if TYPE_CHECKING:
    from airflow_provider_zapi.client import ZApiAccountClient

__all__ = ["NO_PLAN", "AccountRun", "FleetParameters", "FleetReport", "parse_fleet"]

#: The default of ``expected_plan``: no check. It is not None, because a template that returns None must not disable the
#: check.
NO_PLAN: Any = object()

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FleetParameters:
    """The parameters of a run, as `parse_fleet` returns them."""

    policies: Sequence[tuple[str, Policy]]
    mode: Literal["apply", "plan"]
    select: object
    exclude: object
    shard: Shard | None
    expected_phones: object
    canary: int
    max_concurrency: int
    min_instances: int
    max_shrink: float
    fail_on: frozenset[Outcome]
    allow_mass_removal: bool
    expected: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class FleetReport:
    """The result of a run.

    :ivar result: counts and names, as a task returns them
    :ivar error: the error to raise, if the run failed
    :ivar listed: the number of instances that the account lists
    """

    result: dict[str, Any]
    error: ZApiError | None
    listed: int


def parse_fleet(
    policy: object,
    *,
    parameter: str = "policy",
    mode: object = "apply",
    select: object = None,
    exclude: object = None,
    shard: object = None,
    expected_phones: object = None,
    canary: object = 1,
    max_concurrency: object = 8,
    min_instances: object = 1,
    max_shrink: object = 0.5,
    fail_on: object = FAIL_ON,
    allow_mass_removal: bool = False,
    expected_plan: object = NO_PLAN,
) -> FleetParameters:
    """Check the parameters of a run.

    :param expected_plan: the digest of the approved plans; `NO_PLAN` for no check
    :param parameter: the policy's name in messages
    :raises ZApiInvalidRequestError: a parameter is invalid; nothing was sent
    """
    if mode not in ("apply", "plan"):
        raise ZApiInvalidRequestError("mode must be 'apply' or 'plan'", "Nothing was sent.")
    parse_patterns(select, "select")
    parse_patterns(exclude, "exclude")
    if isinstance(max_shrink, bool) or not isinstance(max_shrink, (int, float)) or not 0 <= max_shrink <= 1:
        raise ZApiInvalidRequestError("max_shrink must be a number from 0 to 1", "Nothing was sent.")
    return FleetParameters(
        parse_policies(policy, parameter),
        "plan" if mode == "plan" else "apply",
        select,
        exclude,
        parse_shard(shard),
        expected_phones,
        _integer("canary", canary, 0, 1_000),
        _integer("max_concurrency", max_concurrency, 1, MAX_CONCURRENCY),
        _integer("min_instances", min_instances, 0, 1_000_000),
        float(max_shrink),
        parse_fail_on(fail_on),
        allow_mass_removal,
        None if expected_plan is NO_PLAN else parse_fleet_digest(expected_plan, "expected_plan"),
    )


class AccountRun:
    """One run over an account.

    :param account: the client of the account; the caller closes it
    :param parameters: the checked parameters
    """

    def __init__(self, account: ZApiAccountClient, parameters: FleetParameters) -> None:
        self._account = account
        self._parameters = parameters
        self._pace = AccountPace(parameters.max_concurrency)

    def cancel(self) -> None:
        """Stop sending in all threads. This is safe in a signal handler: it sets flags without a lock."""
        self._pace.stop()
        self._account.cancel()

    def run(
        self,
        conn_id: str,
        *,
        earlier: int | None = None,
        ledger: Ledger | None = None,
        progress: Callable[[int, int, int], None] = lambda handled, failed, total: None,
    ) -> FleetReport:
        """List the account, and handle the selected numbers.

        :param conn_id: the connection, for messages
        :param earlier: the number of instances that the account listed in an earlier run, if known
        :param ledger: the numbers that an earlier try finished
        :param progress: called with the number of handled numbers, of failed ones, and of all
        :raises ZApiError: the account could not be listed, lists too few instances, or lacks a selected one
        """
        wanted = self._parameters
        selection = choose(
            list(self._account.instances(at_once=min(PAGES_AT_ONCE, wanted.max_concurrency))),
            wanted.policies,
            select=wanted.select,
            exclude=wanted.exclude,
            shard=wanted.shard,
            expected_phones=wanted.expected_phones,
        )
        check_listing(selection, wanted.min_instances, earlier, wanted.max_shrink)
        log.info(
            "Connection %s lists %s. Selected%s: %d. Without a policy, and left alone: %d.",
            conn_id,
            counted(selection.listed, "instance"),
            " in this shard" if wanted.shard else "",
            len(selection.numbers),
            selection.unmatched,
        )
        with self._account.lending(self._pace) as client_of:
            run = FleetRun(
                selection.numbers,
                client_of,
                self._pace,
                mode=wanted.mode,
                canary=wanted.canary,
                allow_mass_removal=wanted.allow_mass_removal,
                expected=wanted.expected,
                # A plan needs the digest of every number, which the ledger does not store.
                ledger=ledger if wanted.mode == "apply" else None,
                progress=progress,
            )
            tally = run.run()
        if run.resumed:
            log.info("%s were finished by an earlier try of this run.", counted(run.resumed, "number"))
        result = tally.result(
            mode=wanted.mode,
            instances=selection.listed,
            selected=len(selection.numbers),
            unmatched=selection.unmatched,
        )
        if wanted.mode == "plan":
            if len(run.codes) <= MAX_FLEET:
                result["digest"] = fleet_digest(run.codes)
            else:
                log.warning(
                    "No digest for more than %d numbers. To approve plans, plan and apply in shards.", MAX_FLEET
                )
        return FleetReport(result, failure_of(run, self._pace, wanted.fail_on, conn_id), selection.listed)


def _integer(name: str, given: object, least: int, most: int) -> int:
    if type(given) is not int or not least <= given <= most:
        raise ZApiInvalidRequestError(f"{name} must be a whole number from {least} to {most}", "Nothing was sent.")
    return given
