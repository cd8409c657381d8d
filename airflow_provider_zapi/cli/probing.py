"""``probe``: ask for what is missing, say what will be sent, run, show the report, write it."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow_provider_zapi.catching import caught
from airflow_provider_zapi.cli.definition import ACCOUNT, DIFFERENT, OK
from airflow_provider_zapi.client import Credentials, Transport, ZApiClient
from airflow_provider_zapi.client.transport import READ_SECONDS
from airflow_provider_zapi.connection.phone import require_phone
from airflow_provider_zapi.connection.reading import InstanceConnection, mask
from airflow_provider_zapi.exceptions import ZApiConfigurationError, ZApiInvalidRequestError
from airflow_provider_zapi.privacy.phones import hide_phone, normalize_contact
from airflow_provider_zapi.privacy.settings import SETTINGS
from airflow_provider_zapi.probe.facts import facts
from airflow_provider_zapi.probe.journal import read_journal
from airflow_provider_zapi.probe.report import differences, made, markdown, read_report
from airflow_provider_zapi.probe.run import Plan, Result, planned, probe, restored_from
from airflow_provider_zapi.probe.steps import CHANGES, REFUSALS, Request
from airflow_provider_zapi.probe.wire import MAX_WRITES, Wire
from airflow_provider_zapi.tables import text_table

__all__ = ["Outcome", "run_probe"]

_NOTHING_SENT = "Nothing was sent."
_NAMES = {setting.name: setting for setting in SETTINGS}
_WITH_LIST = tuple(setting for setting in SETTINGS if setting.list_scope)
_RISKS = {write.probe: write.risk for write in REFUSALS}
_DOES = {name: write.risk for name, write in CHANGES.items()}
_HEADINGS = {
    0: "Level 0: reads. Nothing is changed.",
    1: "Level 1: writes that should be refused.",
    2: "Level 2: changes of {setting} and of one contact, which are put back.",
}

#: Data for scripts, text for people, exit code.
Outcome = tuple[dict[str, Any], str, int]


def run_probe(arguments: argparse.Namespace, connection: InstanceConnection) -> Outcome:
    """Run ``probe``.

    :param connection: whose instance is probed
    :return: what belongs to stdout, as data and as text, and the exit code
    :raises ZApiInvalidRequestError: the arguments cannot be used; nothing was sent
    """
    if arguments.restore:
        return _restore(arguments, connection)
    plan = _plan_of(arguments)
    if arguments.dry_run:
        return _listing(plan)
    other = read_report(Path(arguments.compare)) if arguments.compare else None
    if len(plan.levels) > 1:
        _confirm(plan, arguments)
        _require_phone(connection)
    wire = _wire(connection, plan)
    result = probe(plan, wire, Path(arguments.journal or f"zapi-probe-{arguments.conn_id}.journal"))
    report = made(plan, wire, result)
    text = markdown(report) + _not_put_back(result, arguments.conn_id)
    if arguments.report:
        text += _written(report, Path(arguments.report), ask=not arguments.yes)
    code = OK if result.ended == "complete" and not result.problems else ACCOUNT
    if other is None:
        return report, text, code
    differ = differences(other, report)
    told, comparison = _comparison(differ)
    return {**report, "differences": told}, comparison, DIFFERENT if differ and code == OK else code


def _plan_of(arguments: argparse.Namespace) -> Plan:
    current: dict[str, str] = {}
    for text in arguments.current or ():
        name, equals, value = text.partition("=")
        setting = _NAMES.get(name)
        if setting is None or not equals:
            raise ZApiInvalidRequestError(
                "--current must be SETTING=VALUE", f"Settings: {', '.join(_NAMES)}. {_NOTHING_SENT}"
            )
        if value not in setting.values:
            raise ZApiInvalidRequestError(
                f"--current {name} has another value", f"Accepted: {', '.join(setting.values)}. {_NOTHING_SENT}"
            )
        current[name] = value
    contact = arguments.contact
    if arguments.writes:
        contact = contact or _asked("A contact that may be added and removed, with country code", "--contact")
        if not any(setting.name in current for setting in _WITH_LIST):
            current["last_seen"] = _asked_value()
        contact = _contact(contact)
    return Plan(arguments.refusals, arguments.writes, current, contact if arguments.writes else None)


def _contact(text: str) -> str:
    contact = caught(lambda: normalize_contact(text), ValueError)
    if isinstance(contact, ValueError):
        raise ZApiInvalidRequestError(f"--contact cannot be used: {contact}", _NOTHING_SENT)
    if not contact.isdigit():
        raise ZApiInvalidRequestError("--contact must be a phone number, not an @lid", _NOTHING_SENT)
    return contact


def _asked_value() -> str:
    setting = _WITH_LIST[0]
    accepted = ", ".join(setting.values)
    value = _asked(f"Who sees {setting.title} now, as WhatsApp's settings show it ({accepted})", "--current").upper()
    if value not in setting.values:
        raise ZApiInvalidRequestError("This is none of its values", f"Accepted: {accepted}. {_NOTHING_SENT}")
    return value


def _asked(question: str, option: str) -> str:
    if not sys.stdin.isatty():
        raise ZApiInvalidRequestError(f"--writes needs {option}", _NOTHING_SENT)
    return _answer(f"{question}: ")


def _answer(question: str) -> str:
    _say(question, end="")
    return sys.stdin.readline().strip()


def _confirm(plan: Plan, arguments: argparse.Namespace) -> None:
    writes = [row for row in planned(plan) if row[0] > 0 and row[1].method == "POST"]
    _say(f"Besides the reads, these are sent to connection {arguments.conn_id!r} (at most {MAX_WRITES} writes):\n")
    for level in plan.levels[1:]:
        _say(_HEADINGS[level].format(setting=plan.probed.title))
        for row in writes:
            if row[0] == level:
                _say(f"  {row[1].line()}\n      {'if it is not refused: ' if level == 1 else ''}{row[2]}")
        _say("")
    if plan.writes and plan.contact is not None:
        _say(
            f"The contact is {hide_phone(plan.contact)}. For about a minute its entry comes and goes, and "
            f"{plan.probed.title} changes its value."
        )
    stated = ", ".join(f"{name}={value}" for name, value in plan.current.items())
    _say(f"Put back at the end: the lists, and {stated or 'no value, because none is stated (--current)'}.")
    if arguments.yes:
        return
    if not sys.stdin.isatty():
        raise ZApiInvalidRequestError("--refusals and --writes need --yes without a terminal", _NOTHING_SENT)
    if _answer("Send them? Type yes: ").lower() != "yes":
        raise ZApiInvalidRequestError("The probe was not confirmed", _NOTHING_SENT)


def _require_phone(connection: InstanceConnection) -> None:
    if connection.expected_phone is not None:
        with ZApiClient(connection.target) as client:
            require_phone(client, connection.expected_phone, connection.target.conn_id)


def _wire(connection: InstanceConnection, plan: Plan | None) -> Wire:
    mask(connection.target)
    number = 0

    def tell(request: Request) -> None:
        nonlocal number
        number += 1
        _say(f"{number:>4}  {request.line()}")
        if plan is not None and request.probe in _RISKS:
            _say(f"      if it is not refused: {_RISKS[request.probe]}")
        elif request.probe in _DOES:
            _say(f"      {_DOES[request.probe]}")

    def connect(target: Credentials) -> Transport:
        return Transport(target, read_timeout=connection.read_timeout or READ_SECONDS)

    return Wire(connection.target, connect=connect, clock=time.monotonic, sleep=time.sleep, tell=tell)


def _listing(plan: Plan) -> Outcome:
    rows = planned(plan)
    lines = []
    for level in plan.levels:
        lines += [_HEADINGS[level].format(setting=plan.probed.title), ""]
        for each, request, note in rows:
            if each == level:
                lines.append(f"  {request.line()}")
                if note:
                    lines.append(f"      {'if it is not refused: ' if level == 1 else ''}{note}")
        lines.append("")
    if plan.writes:
        lines += ["Level 2 reads the list after each of these, and skips those that do not apply.", ""]
    lines.append("Names in braces stand for phones. Nothing was sent.")
    data = {"requests": [{"level": level, "request": request.line()} for level, request, _ in rows]}
    return data, "\n".join(lines) + "\n", OK


def _restore(arguments: argparse.Namespace, connection: InstanceConnection) -> Outcome:
    path = Path(arguments.restore)
    prior = read_journal(path)
    if prior.instance_id != connection.target.instance_id:
        raise ZApiConfigurationError(
            "The journal belongs to another instance",
            f"Give the connection that the probe ran with. {_NOTHING_SENT}",
            conn_id=arguments.conn_id,
        )
    _require_phone(connection)
    wire = _wire(connection, None)
    problems = restored_from(prior, wire)
    wire.close()
    done = [setting.title for setting in SETTINGS if setting.name in prior.written]
    data: dict[str, Any] = {"settings": sorted(prior.written), "problems": problems}
    if problems:
        lines = [*problems, f"The journal {path} is kept."]
        return data, "\n".join(lines) + "\n", ACCOUNT
    path.unlink()
    return data, f"Put back: {', '.join(done) or 'nothing had been written'}. The journal {path} is deleted.\n", OK


def _not_put_back(result: Result, conn_id: str) -> str:
    if not result.problems:
        return ""
    lines = ["", "NOT everything was put back:", *(f"- {problem}" for problem in result.problems)]
    if result.journal is not None:
        lines.append(f"The journal is kept. Try again with: probe {conn_id} --restore {result.journal}")
    return "\n".join(lines) + "\n"


def _written(report: Mapping[str, Any], path: Path, *, ask: bool) -> str:
    """Show what a report holds, and write it unless its owner says no."""
    text = json.dumps(report, indent=1) + "\n"
    _say(f"\nThis is the whole report:\n\n{text}")
    if ask and sys.stdin.isatty() and _answer(f"Write it to {path}? Type yes: ").lower() != "yes":
        return f"\nThe report was not written to {path}.\n"
    failed = caught(lambda: path.write_text(text, encoding="utf-8"), OSError)
    if isinstance(failed, OSError):
        raise ZApiInvalidRequestError(f"the report cannot be written to {str(path)!r}: {failed.strerror}")
    return f"\nThe report was written to {path}. It holds no phone, token, name or address.\n"


def _comparison(differ: list[tuple[str, str, str]]) -> tuple[list[dict[str, str]], str]:
    told = [{"fact": name, "report": first, "this_account": second} for name, first, second in differ]
    if not differ:
        return told, "0 differences from the report.\n"
    rows: list[tuple[str, ...]] = [("fact", "in the report", "this account")]
    rows += [
        (facts()[name].title, facts()[name].means(first), facts()[name].means(second)) for name, first, second in differ
    ]
    return told, f"{text_table(rows)}\n\nDifferences from the report: {len(differ)}.\n"


def _say(text: str, end: str = "\n") -> None:
    # Airflow's stdout is kept for the report.
    sys.stderr.write(text + end)
    sys.stderr.flush()
