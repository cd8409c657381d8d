"""The report of a run, in JSON for a file and in Markdown for people, and the comparison of two reports."""

from __future__ import annotations

import json
import platform
import textwrap
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow_provider_zapi import __version__
from airflow_provider_zapi.catching import caught
from airflow_provider_zapi.exceptions import ZApiInvalidRequestError
from airflow_provider_zapi.probe.evidence import Naming, evidence_of
from airflow_provider_zapi.probe.facts import Fact, facts
from airflow_provider_zapi.probe.run import Plan, Result
from airflow_provider_zapi.probe.wire import Wire

__all__ = [
    "CONTRADICTS",
    "NOT_SETTLED",
    "SETTLED",
    "WIDTH",
    "differences",
    "folded",
    "made",
    "markdown",
    "read_report",
    "settled_once",
    "text_of",
]

VERSION = 1
#: Columns of a terminal that nobody has widened.
WIDTH = 80
SETTLED, CONTRADICTS, NOT_SETTLED = "settled", "contradicts the docs", "not settled"
_WRITE_LEVELS = {1: "--refusals", 2: "--writes"}
_NOT_REACHED = "not reached: "
_LATER = tuple(f"needs {option}" for option in _WRITE_LEVELS.values())


def made(plan: Plan, wire: Wire, result: Result, naming: Naming | None = None) -> dict[str, Any]:
    """Return the report of a run. It holds no phone, token, name, address or text of the account.

    :param naming: describes unknown strings; by default by their length and a hash whose key is not stored
    """
    return {
        "report": VERSION,
        "provider": __version__,
        "python": platform.python_version(),
        "levels": plan.levels,
        "probed_setting": plan.probed.name if plan.refusals or plan.writes else None,
        "calls": wire.calls,
        "writes": wire.writes,
        "ended": result.ended,
        "put_back": None if not result.wrote else not result.problems,
        "answers": {name: _verdict(fact, result, plan) for name, fact in facts().items()},
        "evidence": evidence_of(wire.seen, naming or Naming()),
    }


def _verdict(fact: Fact, result: Result, plan: Plan) -> dict[str, Any]:
    outcome = result.found.get(fact.id)
    if outcome is None:
        return {"verdict": NOT_SETTLED, "outcome": None, "as_assumed": None, "how": _why_not(fact, result, plan)}
    agrees = fact.agrees(outcome)
    verdict = CONTRADICTS if not agrees and fact.grade == "documented" else SETTLED
    return {"verdict": verdict, "outcome": outcome, "as_assumed": agrees, "how": f"level {fact.level}"}


def _why_not(fact: Fact, result: Result, plan: Plan) -> str:
    if fact.level is None:
        return fact.not_probed
    if fact.level not in plan.levels:
        return f"needs {_WRITE_LEVELS[fact.level]}"
    if result.ended != "complete":
        return f"{_NOT_REACHED}{result.ended}"
    return f"needs {fact.needs}" if fact.needs else "no answer of this run shows it"


def markdown(report: Mapping[str, Any]) -> str:
    """Return a report as a summary in Markdown, whose lines fit into a terminal."""
    answers: Mapping[str, Mapping[str, Any]] = report["answers"]
    kinds = {
        "Differs from what the documentation says": [n for n, a in answers.items() if a["verdict"] == CONTRADICTS],
        "Differs from what was assumed": [
            n for n, a in answers.items() if a["verdict"] == SETTLED and not a["as_assumed"]
        ],
        "As assumed": [n for n, a in answers.items() if a["verdict"] == SETTLED and a["as_assumed"]],
    }
    levels = ", ".join(map(str, report["levels"]))
    lines = [
        "# Probe report",
        "",
        folded(
            f"Level{'s' if len(report['levels']) > 1 else ''} {levels}; {report['calls']} calls, {report['writes']} of "
            f"them writes; {_ended(report)}."
        ),
    ]
    for heading, names in kinds.items():
        if names:
            lines += ["", f"## {heading}: {len(names)}", ""]
            lines += [_item(facts()[name].title, facts()[name].means(answers[name]["outcome"])) for name in names]
    unsettled = [(facts()[name], each["how"]) for name, each in answers.items() if each["verdict"] == NOT_SETTLED]
    if unsettled:
        lines += ["", f"## Not settled: {len(unsettled)}", ""]
        # Reasons that have nothing to do with the fact are said once.
        alike = Counter(how for _, how in unsettled if how in _LATER or how.startswith(_NOT_REACHED))
        lines += [_item(fact.title, how) for fact, how in unsettled if how not in alike]
        lines += [_item(f"{count} more", how) for how, count in alike.items()]
    return "\n".join(lines) + "\n"


def text_of(report: Mapping[str, Any]) -> str:
    """Return a report as JSON for a file, with one answer or one piece of evidence per line."""
    lines = []
    for key, value in report.items():
        if isinstance(value, dict):
            rows = [f"  {json.dumps(name)}: {json.dumps(each)}" for name, each in value.items()]
            written = "{\n" + ",\n".join(rows) + "\n }"
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            written = "[\n" + ",\n".join(f"  {json.dumps(each)}" for each in value) + "\n ]"
        else:
            written = json.dumps(value)
        lines.append(f" {json.dumps(key)}: {written}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _ended(report: Mapping[str, Any]) -> str:
    ended = report["ended"]
    put_back = {None: "", True: "; everything was restored", False: "; NOT everything was restored"}[report["put_back"]]
    return f"{ended if ended == 'complete' else f'ended early: {ended}'}{put_back}"


def _item(title: str, text: str) -> str:
    return folded(f"- {title}: {text}", 2)


def folded(text: str, indent: int = 0) -> str:
    """Wrap a string into lines that fit a terminal, unless a word is too long."""
    lines = textwrap.wrap(text, WIDTH, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines)


def differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return each fact whose outcome differs between two reports, with both outcomes.

    Only facts that both reports settle are compared, because a run that ended early does not show the others.
    """
    found = []
    for name in facts():
        outcomes = [_outcome(report, name) for report in (first, second)]
        if all(outcomes) and outcomes[0] != outcomes[1]:
            found.append((name, outcomes[0], outcomes[1]))
    return found


def settled_once(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    """Return the facts that only one of two reports settles, of the levels that both have."""
    return [
        name
        for name, fact in facts().items()
        if all(fact.level in report["levels"] for report in (first, second))
        and bool(_outcome(first, name)) != bool(_outcome(second, name))
    ]


def _outcome(report: Mapping[str, Any], name: str) -> str:
    return str(report["answers"].get(name, {}).get("outcome") or "")


def read_report(path: Path) -> dict[str, Any]:
    """Read a report from a file.

    :raises ZApiInvalidRequestError: the file cannot be read, or is not a report
    """
    text = caught(lambda: path.read_text(encoding="utf-8"), OSError, ValueError)
    if isinstance(text, Exception):
        problem = (text.strerror or "it cannot be used") if isinstance(text, OSError) else "it is not UTF-8 text"
        raise ZApiInvalidRequestError(f"the report {str(path)!r} cannot be read: {problem}", "Nothing was sent.")
    parsed = caught(lambda: json.loads(text), ValueError, RecursionError)
    report: dict[str, Any] = parsed if isinstance(parsed, dict) and parsed.get("report") == VERSION else {}
    answers, levels = report.get("answers"), report.get("levels")
    if not isinstance(levels, list) or not isinstance(answers, dict) or not all(map(_is_dict, answers.values())):
        raise ZApiInvalidRequestError(f"{str(path)!r} is not a report of the probe", "Nothing was sent.")
    return report


def _is_dict(value: object) -> bool:
    return isinstance(value, dict)
