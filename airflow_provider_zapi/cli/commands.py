"""The commands. Each returns one report and an exit code."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import yaml

from airflow_provider_zapi.cli import fleet
from airflow_provider_zapi.cli.definition import ACCOUNT, DIFFERENT, OK
from airflow_provider_zapi.cli.inputs import NOTHING, Report, code_of, connection_of, policy_text
from airflow_provider_zapi.cli.status import status
from airflow_provider_zapi.client import ZApiClient
from airflow_provider_zapi.connection.phone import require_phone
from airflow_provider_zapi.connection.reading import InstanceConnection, read_connection
from airflow_provider_zapi.exceptions import (
    ZApiConfigurationError,
    ZApiError,
    ZApiUnexpectedAnswerError,
)
from airflow_provider_zapi.hooks.zapi import ZApiHook
from airflow_provider_zapi.privacy.phones import hide_phone, split_contacts
from airflow_provider_zapi.privacy.policy import parse_policy
from airflow_provider_zapi.privacy.settings import SETTINGS
from airflow_provider_zapi.reconcile import (
    applied_settings,
    apply_policy,
    parse_digest,
    plan_digest,
    plan_policy,
    plan_summary,
    planned_settings,
    require_plan,
)
from airflow_provider_zapi.tables import text_table

__all__ = ["run"]


def run(name: str, arguments: argparse.Namespace) -> tuple[int, str, str]:
    """Run a command.

    :return: the exit code, the output for stdout, and the output for stderr
    """
    try:
        report = _COMMANDS[name](arguments)
    except ZApiError as error:
        return code_of(error), "", f"{error}\n"
    return report.code, _WRITERS[arguments.output](report), report.errors


def _as_table(report: Report) -> str:
    if report.text is not None:
        return report.text
    return "\n".join([text_table(report.rows), *report.notes]) + "\n"


def _as_json(report: Report) -> str:
    return json.dumps(report.data, indent=2) + "\n"


def _as_yaml(report: Report) -> str:
    return yaml.safe_dump(report.data, sort_keys=False, allow_unicode=True)


_WRITERS: Mapping[str, Callable[[Report], str]] = {
    "table": _as_table,
    "json": _as_json,
    "yaml": _as_yaml,
    "markdown": lambda report: report.markdown,
}


def _check(arguments: argparse.Namespace) -> Report:
    with _client(arguments) as (client, hook):
        status = client.status()
        data: dict[str, Any] = {
            "instance": client.instance_id,
            "credentials": "accepted",
            "connected": status.connected,
        }
        rows: list[Sequence[object]] = [
            ("instance", client.instance_id),
            ("credentials", "accepted"),
            ("WhatsApp session", "connected" if status.connected else f"not connected: {status.reason}"),
        ]
        if status.connected:
            phone = hide_phone(client.paired_phone())
            if hook.expected_phone:
                require_phone(client, hook.expected_phone, arguments.conn_id)
            data["phone"] = phone
            rows.append(("paired phone", f"{phone}, as expected" if hook.expected_phone else phone))
        try:
            account = client.account()
        except ZApiUnexpectedAnswerError as error:
            # Z-API does not document the form of this answer, so an unknown form is not an error.
            data["subscription"] = None
            rows.append(("subscription", f"cannot be read: {error.what}"))
        else:
            left = account.days_left(datetime.now(UTC))
            data["subscription"] = {
                "payment_status": account.payment_status,
                "due": account.due.isoformat(),
                "days_left": left,
            }
            rows.append(("subscription", f"{account.payment_status}, due {account.due:%Y-%m-%d} ({left} days left)"))
    return Report(data, rows, OK if status.connected else ACCOUNT)


def _show(arguments: argparse.Namespace) -> Report:
    with _client(arguments) as (client, _):
        status = client.status()
        if not status.connected:
            return Report(
                {"instance": client.instance_id, "connected": False, "reason": status.reason, "lists": None},
                [("instance", client.instance_id), ("WhatsApp session", f"not connected: {status.reason}")],
                ACCOUNT,
            )
        lists = {each.name: split_contacts(client.disallowed_contacts(each)) for each in SETTINGS if each.list_scope}
        instance = client.instance_id
    rows: list[Sequence[object]] = [("setting", "excluded", *(("contacts",) if arguments.contacts else ()))]
    for name, (contacts, unknown) in lists.items():
        count = len(contacts) + unknown
        if not arguments.contacts:
            rows.append((name, count))
            continue
        # Other entries are only counted, because they may contain control characters for the terminal.
        first, *others = (*contacts, *((f"unknown entries: {unknown}",) if unknown else ())) or (NOTHING,)
        rows += [(name, count, first), *(("", "", contact) for contact in others)]
    return Report(
        {
            "instance": instance,
            "connected": True,
            "lists": {
                name: {
                    "excluded": len(contacts) + unknown,
                    **({"contacts": list(contacts), "unknown": unknown} if arguments.contacts else {}),
                }
                for name, (contacts, unknown) in lists.items()
            },
        },
        rows,
        notes=[
            "",
            f"Instance {instance} is connected.",
            "Z-API has no call that reads a setting's value, so only the lists are shown.",
        ],
    )


def _plan(arguments: argparse.Namespace) -> Report:
    policy = parse_policy(policy_text(arguments.policy), f"policy {arguments.policy!r}")
    with _client(arguments, check_phone=True) as (client, _):
        plan = plan_policy(policy, client)
        digest = plan_digest(plan, client)
    settings, drifted = planned_settings(plan), list(plan.drifted)
    return Report(
        {"mode": "plan", "drifted": drifted, "settings": settings, "digest": str(digest)},
        _settings_rows(settings, ("add", "remove", "keep"), {True: "as wanted", False: "differs"}),
        DIFFERENT if drifted else OK,
        [
            "",
            f"Lists that differ: {', '.join(drifted) or 'none'}. Values cannot be read, so apply always sends them.",
            *plan.notes(),
            f"Digest: {digest}",
        ],
        markdown=plan_summary(plan, digest, plan.notes()),
    )


def _apply(arguments: argparse.Namespace) -> Report:
    policy = parse_policy(policy_text(arguments.policy), f"policy {arguments.policy!r}")
    expected = None if arguments.expect is None else parse_digest(arguments.expect, "--expect")
    with _client(arguments, check_phone=True) as (client, _):
        plan = plan_policy(policy, client)
        if expected is not None:
            require_plan(plan, client, expected, arguments.conn_id)
        settings = applied_settings(apply_policy(plan, client, allow_mass_removal=arguments.allow_mass_removal))
    return Report(
        {"mode": "apply", "settings": settings},
        _settings_rows(settings, ("added", "removed", "kept"), {True: "read back"}),
        notes=["", *plan.notes()] if plan.notes() else [],
    )


def _status(arguments: argparse.Namespace) -> Report:
    data, rows, drifted, notes = status(arguments.conn_id, arguments.stale_after)
    return Report(data, list(rows), DIFFERENT if drifted else OK, notes)


def _probe(arguments: argparse.Namespace) -> Report:
    from airflow_provider_zapi.cli.probing import run_probe

    connection = read_connection(connection_of(arguments.conn_id), arguments.conn_id)
    if not isinstance(connection, InstanceConnection):
        raise ZApiConfigurationError(
            "The probe needs one instance, but this connection covers a whole account",
            "Use a connection with an Instance ID and an Instance token. Nothing was sent.",
            conn_id=arguments.conn_id,
            code="ZAPI-CONFIG-FIELDS",
        )
    data, text, code = run_probe(arguments, connection)
    return Report(data, [], code, text=text)


_COMMANDS: Mapping[str, Callable[[argparse.Namespace], Report]] = {
    "check": _check,
    "show": _show,
    "plan": _plan,
    "apply": _apply,
    "status": _status,
    **{f"fleet {name}": command for name, command in fleet.COMMANDS.items()},
    "probe": _probe,
}


def _settings_rows(
    settings: Mapping[str, Mapping[str, Any]], counts: Sequence[str], verdicts: Mapping[bool, str]
) -> list[Sequence[object]]:
    rows: list[Sequence[object]] = [("setting", "value", *counts, "unknown", "list")]
    for name, found in settings.items():
        verdict = verdicts.get(found["verified"]) if found["verified"] is not None else None
        told = [found[count] for count in ("added", "removed", "kept", "unknown")] if verdict else [NOTHING] * 4
        rows.append((name, found["value"], *told, verdict or NOTHING))
    return rows


@contextmanager
def _client(arguments: argparse.Namespace, *, check_phone: bool = False) -> Iterator[tuple[ZApiClient, ZApiHook]]:
    hook = ZApiHook(arguments.conn_id, instance=arguments.instance)
    # The connection is not kept in a variable, because a traceback would show it.
    with hook.client_of(connection_of(arguments.conn_id)) as client:
        if check_phone and hook.expected_phone:
            require_phone(client, hook.expected_phone, arguments.conn_id)
        yield client, hook
