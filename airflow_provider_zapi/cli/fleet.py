"""The commands for a whole account."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from airflow_provider_zapi.cli.definition import DIFFERENT, OK
from airflow_provider_zapi.cli.inputs import NOTHING, Report, code_of, connection_of, policy_text
from airflow_provider_zapi.client.account import PAGES_AT_ONCE
from airflow_provider_zapi.hooks.zapi import ZApiHook
from airflow_provider_zapi.privacy.policies import matcher
from airflow_provider_zapi.reconcile.account import AccountRun, FleetParameters, parse_fleet
from airflow_provider_zapi.reconcile.selection import parse_patterns

__all__ = ["COMMANDS"]

#: How many names the table shows for each outcome.
_SHOWN = 3


def _list(arguments: argparse.Namespace) -> Report:
    selected = matcher(parse_patterns(arguments.select, "--select") or ("*",))
    excluded = matcher(parse_patterns(arguments.exclude, "--exclude") or ())
    with ZApiHook(arguments.conn_id).account_of(connection_of(arguments.conn_id)) as account:
        instances = [
            each
            for each in account.instances(at_once=PAGES_AT_ONCE)
            if selected(each.name, each.id) and not excluded(each.name, each.id)
        ]
    rows: list[Sequence[object]] = [("id", "name", "connected", "paid", "due", "payment")]
    rows += [
        (
            each.id,
            each.name,
            _word(each.connected),
            _word(each.paid),
            f"{each.due:%Y-%m-%d}" if each.due else NOTHING,
            each.payment_status or NOTHING,
        )
        for each in instances
    ]
    data = [
        {
            "id": each.id,
            "name": each.name,
            "connected": each.connected,
            "paid": each.paid,
            "due": each.due.isoformat() if each.due else None,
            "payment_status": each.payment_status,
        }
        for each in instances
    ]
    connected, paid = sum(each.connected for each in instances), sum(each.paid is not False for each in instances)
    return Report(
        {"instances": data},
        rows,
        notes=["", f"Instances: {len(instances)}. Connected: {connected}. Not lapsed: {paid}."],
    )


def _plan(arguments: argparse.Namespace) -> Report:
    return _handled(arguments, _parameters(arguments, mode="plan"))


def _apply(arguments: argparse.Namespace) -> Report:
    given = {"canary": arguments.canary, "allow_mass_removal": arguments.allow_mass_removal}
    return _handled(arguments, _parameters(arguments, **given))


COMMANDS: Mapping[str, Callable[[argparse.Namespace], Report]] = {"list": _list, "plan": _plan, "apply": _apply}


def _parameters(arguments: argparse.Namespace, **given: Any) -> FleetParameters:
    return parse_fleet(
        policy_text(arguments.policy),
        parameter=f"policy {arguments.policy!r}",
        select=arguments.select,
        exclude=arguments.exclude,
        shard=arguments.shard,
        max_concurrency=arguments.max_concurrency,
        min_instances=arguments.min_instances,
        **given,
    )


def _handled(arguments: argparse.Namespace, parameters: FleetParameters) -> Report:
    with (
        ZApiHook(arguments.conn_id).account_of(connection_of(arguments.conn_id)) as account,
        _progress_bar() as progress,
    ):
        report = AccountRun(account, parameters).run(arguments.conn_id, progress=progress)
    result = report.result
    rows: list[Sequence[object]] = [("outcome", "numbers", "instances")]
    for outcome, count in result["outcomes"].items():
        names = result["failed"].get(outcome, [])
        shown = ", ".join(names[:_SHOWN]) + (", ..." if count > _SHOWN else "") if names else NOTHING
        rows.append((outcome, count, shown))
    notes = ["", f"Instances of the account: {result['instances']}. Selected: {result['selected']}."]
    if result["unmatched"]:
        notes.append(f"Without a policy, so not changed: {result['unmatched']}.")
    if report.error is not None:
        return Report(result, rows, code_of(report.error), notes, f"{report.error}\n")
    return Report(result, rows, DIFFERENT if result["outcomes"].get("drifted") else OK, notes)


@contextmanager
def _progress_bar() -> Iterator[Callable[[int, int, int], None]]:
    """Draw a progress bar on stderr. stdout is for the report."""
    if not sys.stderr.isatty():
        yield lambda handled, failed, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[failed]} failed"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("numbers", total=None, failed=0)
        yield lambda handled, failed, total: bar.update(task, completed=handled, total=total, failed=failed)


def _word(value: bool | None) -> str:
    return NOTHING if value is None else "yes" if value else "no"
