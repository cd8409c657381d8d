"""Run ``probe``: ask for missing input, list the requests, and show and write a report."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from airflow_provider_zapi.catching import caught
from airflow_provider_zapi.cli.definition import ACCOUNT, DIFFERENT, OK
from airflow_provider_zapi.client import Credentials, Transport, ZApiClient
from airflow_provider_zapi.client.transport import READ_SECONDS
from airflow_provider_zapi.connection.phone import require_phone
from airflow_provider_zapi.connection.reading import InstanceConnection, mask
from airflow_provider_zapi.exceptions import ZApiConfigurationError, ZApiError, ZApiInvalidRequestError
from airflow_provider_zapi.privacy.phones import hide_phone, normalize_contact
from airflow_provider_zapi.privacy.settings import SETTINGS
from airflow_provider_zapi.probe.evidence import Seen
from airflow_provider_zapi.probe.facts import facts
from airflow_provider_zapi.probe.journal import Prior, held
from airflow_provider_zapi.probe.report import (
    WIDTH,
    differences,
    folded,
    made,
    markdown,
    read_report,
    settled_once,
    text_of,
)
from airflow_provider_zapi.probe.run import Plan, Result, planned, probe, restored_from
from airflow_provider_zapi.probe.steps import CHANGES, READS, REFUSALS, REFUSED_READS, Request
from airflow_provider_zapi.probe.wire import MAX_WRITES, Wire

__all__ = ["Outcome", "run_probe"]

_TRY_AGAIN = "The journal is kept. To restore the state in it, run: probe {conn_id} --restore {journal}"
_NOTHING_SENT = "Nothing was sent."
_LISTED = (
    "Calls that do not apply to the account are left out, and a write may be sent again. Names in braces stand for "
    f"phones. {_NOTHING_SENT}"
)
_NAMES = {setting.name: setting for setting in SETTINGS}
_WITH_LIST = tuple(setting for setting in SETTINGS if setting.list_scope)
_READS = {request.probe for request in READS}
_RISKS = {write.probe: write.risk for write in REFUSALS}
_LEVEL_1 = {*_RISKS, *(request.probe for request in REFUSED_READS), "list_after_refusals"}
_DOES = {name: write.risk for name, write in CHANGES.items()}
_HEADINGS = {
    0: "Level 0: reads. Nothing is changed.",
    1: "Level 1: writes that should be refused.",
    2: "Level 2: changes of {setting} and of one contact, which are restored.",
}

#: The data for scripts, the lines for people, and the exit code.
Outcome = tuple[dict[str, Any], str, int]


def run_probe(
    arguments: argparse.Namespace,
    connection: InstanceConnection,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Outcome:
    """Run ``probe``.

    :param connection: the connection to the instance
    :param clock: seconds, monotonic
    :param sleep: waits for the given number of seconds
    :return: the output as data and as a string, and the exit code
    :raises ZApiInvalidRequestError: the arguments are invalid; nothing was sent
    """
    if arguments.restore:
        _require_alone(arguments)
        return _restore(arguments, connection, _wire(connection, None, clock, sleep))
    plan = _plan_of(arguments)
    if arguments.dry_run:
        return _listing(plan)
    other = read_report(Path(arguments.compare)) if arguments.compare else None
    if arguments.report:
        _require_place(Path(arguments.report))
    if len(plan.levels) > 1:
        _confirm(plan, arguments)
        _require_phone(connection)
    wire = _wire(connection, plan, clock, sleep)
    journal = Path(arguments.journal or f"zapi-probe-{arguments.conn_id}.journal")
    if len(plan.levels) > 1:
        _say(
            folded(
                f"{journal} records what must be restored, until that is done. The file holds phone numbers, and only "
                "you can read it (mode 0600). Ctrl-C ends the probe and restores everything. If the process is killed, "
                "restore everything with:"
            )
        )
        _say(f"  probe {arguments.conn_id} --restore {journal}")
    try:
        result = probe(plan, wire, journal)
    except ZApiError:
        raise
    except BaseException:
        if journal.exists():
            _say(f"\n{_TRY_AGAIN.format(conn_id=arguments.conn_id, journal=journal)}")
        raise
    report = made(plan, wire, result)
    text = markdown(report) + _left(result, arguments.conn_id)
    if arguments.report:
        text += _written(report, Path(arguments.report), ask=not arguments.yes)
    code = OK if result.ended == "complete" and not result.problems else ACCOUNT
    if other is None:
        return report, text, code
    differ = differences(other, report)
    data, comparison = _comparison(differ, len(settled_once(other, report)))
    return {**report, "differences": data}, comparison, DIFFERENT if differ and code == OK else code


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
                f"--current {name} has an unknown value", f"Accepted: {', '.join(setting.values)}. {_NOTHING_SENT}"
            )
        current[name] = value
    contact = arguments.contact
    if arguments.dry_run:  # Nothing is sent, so do not ask for anything.
        return Plan(arguments.refusals, arguments.writes, current)
    if arguments.writes:
        contact = contact or _asked("A contact to add and remove, with country code", "--contact")
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
        raise ZApiInvalidRequestError("This is not one of its values", f"Accepted: {accepted}. {_NOTHING_SENT}")
    return value


def _asked(question: str, option: str) -> str:
    if not sys.stdin.isatty():
        raise ZApiInvalidRequestError(f"--writes needs {option}", _NOTHING_SENT)
    if not (answer := _answer(f"{folded(question)}: ")):
        raise ZApiInvalidRequestError(f"--writes needs {option}", _NOTHING_SENT)
    return answer


def _answer(question: str) -> str:
    """Ask a question, and return the answer. Ctrl-C counts as an empty answer."""

    def asked() -> str:
        _say(question, end="")
        return sys.stdin.readline()

    answer: str | KeyboardInterrupt = caught(asked, KeyboardInterrupt)
    if isinstance(answer, KeyboardInterrupt):
        _say("")
        return ""
    return answer.strip()


def _confirm(plan: Plan, arguments: argparse.Namespace) -> None:
    """List the writes, and ask for approval."""
    if arguments.yes:
        return
    if not sys.stdin.isatty():
        raise ZApiInvalidRequestError("--refusals and --writes need --yes without a terminal", _NOTHING_SENT)
    _say(f"Besides the reads, connection {arguments.conn_id!r} gets these writes, at most {MAX_WRITES}:\n")
    _say("\n".join(_lines(plan, plan.levels[1:])))
    if plan.contact is not None:
        _say(
            folded(
                f"The contact is {hide_phone(plan.contact)}. For about a minute, it is added to and removed from the "
                f"list, and the value of {plan.probed.title} changes."
            )
        )
    stated = ", ".join(f"{name}={value}" for name, value in plan.current.items())
    _say(
        f"Restored at the end: the lists, and {stated}."
        if stated
        else "Restored at the end: the lists, but no value, because --current states none."
    )
    if _answer("Send them? Type yes: ").lower() != "yes":
        raise ZApiInvalidRequestError("The probe was not confirmed", _NOTHING_SENT)


def _lines(plan: Plan, levels: list[int]) -> list[str]:
    lines = []
    for level in levels:
        lines += [_HEADINGS[level].format(setting=plan.probed.title), ""]
        for each, request, note in planned(plan):
            if each == level:
                lines.append(folded(f"  {request.line()}", 4))
                if note:
                    lines.append(folded(f"      {note}", 6))
        lines.append("")
    return lines


def _require_alone(arguments: argparse.Namespace) -> None:
    others = ("refusals", "writes", "contact", "current", "report", "compare", "journal")
    if given := [f"--{name}" for name in others if getattr(arguments, name)]:
        raise ZApiInvalidRequestError(f"--restore cannot be used with {', '.join(given)}", _NOTHING_SENT)


def _require_place(path: Path) -> None:
    """Check before the first call that the report can be written after the last one."""
    problem = (
        "it is a directory"
        if path.is_dir()
        else "its directory does not exist"
        if not path.parent.is_dir()
        else "permission denied"
        if not os.access(path if path.exists() else path.parent, os.W_OK)
        else None
    )
    if problem:
        raise ZApiInvalidRequestError(f"the report cannot be written to {str(path)!r}: {problem}", _NOTHING_SENT)


def _require_phone(connection: InstanceConnection) -> None:
    if connection.expected_phone is not None:
        with ZApiClient(connection.target) as client:
            require_phone(client, connection.expected_phone, connection.target.conn_id)


def _wire(
    connection: InstanceConnection, plan: Plan | None, clock: Callable[[], float], sleep: Callable[[float], None]
) -> Wire:
    mask(connection.target)
    number, heading, column = 0, "", 0

    def tell(request: Request) -> None:
        nonlocal number, heading, column
        number += 1
        if (found := _heading(request.probe, plan)) != heading:
            heading = found
            _say(f"\n{heading}")
        if request.probe in _RISKS:
            _say(folded(f"      If the next call is not refused: {_RISKS[request.probe]}.", 6))
        elif request.probe in _DOES:
            _say(folded(f"      The next call {_DOES[request.probe]}.", 6))
        line = folded(f"{number:>4}  {request.line()}", 6)
        column = len(line.rpartition("\n")[2])
        _say(line, end="")

    def show_answer(seen: Seen) -> None:
        answer = f"-> {seen.answer}"
        _say(f" {answer}" if column + 1 + len(answer) <= WIDTH else f"\n      {answer}")

    def connect(target: Credentials) -> Transport:
        return Transport(target, read_timeout=connection.read_timeout or READ_SECONDS)

    return Wire(connection.target, connect=connect, clock=clock, sleep=sleep, tell=tell, told=show_answer)


def _heading(probe_id: str, plan: Plan | None) -> str:
    if plan is None or probe_id.startswith("restore_"):
        return "The earlier state is restored. Ctrl-C is ignored until this is done."
    level = 0 if probe_id in _READS else 1 if probe_id in _LEVEL_1 else 2
    return _HEADINGS[level].format(setting=plan.probed.title)


def _listing(plan: Plan) -> Outcome:
    lines = _lines(plan, plan.levels)
    lines.append(folded(_LISTED))
    data = {"requests": [{"level": level, "request": request.line()} for level, request, _ in planned(plan)]}
    return data, "\n".join(lines) + "\n", OK


def _restore(arguments: argparse.Namespace, connection: InstanceConnection, wire: Wire) -> Outcome:
    path = Path(arguments.restore)
    with held(path) as prior:
        if prior.instance_id != connection.target.instance_id:
            raise ZApiConfigurationError(
                "The journal belongs to another instance",
                f"Use the connection of that probe. {_NOTHING_SENT}",
                conn_id=arguments.conn_id,
            )
        done = [setting for setting in SETTINGS if setting.name in prior.written]
        if arguments.dry_run:
            lines = [f"  {setting.title}: {_before(prior, setting.name)}" for setting in done]
            lines = ["Without --dry-run, this is restored:", "", *lines, ""] if done else ["Nothing must be restored."]
            return {"settings": sorted(prior.written)}, "\n".join([*lines, _NOTHING_SENT]) + "\n", OK
        _require_phone(connection)
        try:
            problems = restored_from(prior, wire)
        finally:
            wire.close()
        # A retry cannot restore a value that nobody stated.
        kept = any(prior.settings[name].value is not None for name in problems)
        deleted = not kept and not isinstance(caught(path.unlink, OSError), OSError)
    data: dict[str, Any] = {"settings": sorted(prior.written), "problems": list(problems.values())}
    names = [setting.name for setting in done if setting.name not in problems]
    lines = [f"Restored: {', '.join(names)}."] if names else []
    lines += [] if done else ["Nothing was written, so there is nothing to restore."]
    lines += [f"NOT restored: {problem}" for problem in problems.values()]
    lines.append(f"The journal {path} is {'deleted' if deleted else 'kept'}." if kept or deleted else _undeleted(path))
    return data, "\n".join(lines) + "\n", ACCOUNT if problems else OK


def _before(prior: Prior, name: str) -> str:
    before = prior.settings[name]
    contacts = prior.in_force.get(name, before.contacts)
    listed = f", with {len(contacts)} excluded contacts" if contacts is not None else ""
    return f"{before.value or 'its value is not known'}{listed}"


def _undeleted(path: Path) -> str:
    return f"The journal {path} could not be deleted. Delete it: it is no longer needed, and it holds phone numbers."


def _left(result: Result, conn_id: str) -> str:
    """Return lines about what the user must still do after a run."""
    lines = []
    if result.problems:
        lines += ["", "NOT everything was restored:", *(f"- {problem}" for problem in result.problems.values())]
    if result.journal is not None:
        lines.append(_TRY_AGAIN.format(conn_id=conn_id, journal=result.journal))
    if result.undeleted is not None:
        lines += ["", _undeleted(result.undeleted)]
    return "".join(f"{line}\n" for line in lines)


def _written(report: Mapping[str, Any], path: Path, *, ask: bool) -> str:
    """Show a report, and write it to a file unless the user says no."""
    text = text_of(report)
    _say(f"\nThis is the whole report:\n\n{text}")
    instead = ", and replace the file that is there" if path.exists() else ""
    if ask and sys.stdin.isatty() and _answer(f"Write it to {path}{instead}? Type yes: ").lower() != "yes":
        return f"\nThe report was not written to {path}.\n"
    failed = caught(lambda: path.write_text(text, encoding="utf-8"), OSError)
    if isinstance(failed, OSError):
        raise ZApiInvalidRequestError(f"the report cannot be written to {str(path)!r}: {failed.strerror}")
    return f"\nThe report was written to {path}. It holds no phone, token, name or address.\n"


def _comparison(differ: list[tuple[str, str, str]], settled_in_one: int) -> tuple[list[dict[str, str]], str]:
    data = [{"fact": name, "report": first, "this_account": second} for name, first, second in differ]
    lines = []
    for name, first, second in differ:
        fact = facts()[name]
        lines.append(folded(f"- {fact.title}", 2))
        lines.append(folded(f"  in the report: {fact.means(first)}", 4))
        lines.append(folded(f"  this account: {fact.means(second)}", 4))
    lines += [""] if lines else []
    lines.append(f"{len(differ)} difference{'' if len(differ) == 1 else 's'} from the report.")
    if settled_in_one:
        lines.append(f"{settled_in_one} facts cannot be compared: only one of the two runs settled them.")
    return data, "\n".join(lines) + "\n"


def _say(text: str, end: str = "\n") -> None:
    # stdout is for the report. If the terminal was closed, everything must still be restored.
    with suppress(OSError, ValueError):
        sys.stderr.write(text + end)
        sys.stderr.flush()
