"""The table of facts about Z-API that the probe, the emulator and the documentation share: ``facts.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["Fact", "error_id", "facts"]

FILE = Path(__file__).parents[1] / "facts.json"


@dataclass(frozen=True)
class Fact:
    """One fact.

    :param id: its name in reports and in the emulator's switches
    :param title: its subject
    :param grade: documented, seen (recorded by public clients) or inferred
    :param says: what this provider and the emulator assume
    :param level: the level of the probe that tests it, or None
    :param expected: the outcomes that agree with ``says``; a status stands for all answers with this status
    :param outcomes: the meaning of each outcome; empty if the outcome is an answer, such as ``400 error:invalid_phone``
    :param needs: what the account must have so that the probe can test it
    :param not_probed: the reason why no level tests it
    """

    id: str
    title: str
    grade: str
    says: str
    level: int | None = None
    expected: tuple[str, ...] = ()
    outcomes: Mapping[str, str] = field(default_factory=dict)
    needs: str = ""
    not_probed: str = ""

    def agrees(self, outcome: str) -> bool:
        """Return whether an outcome is expected."""
        return any(outcome == each or outcome.startswith(f"{each} ") for each in self.expected)

    def means(self, outcome: str) -> str:
        """Return an outcome in words."""
        return self.outcomes.get(outcome) or _answer_in_words(outcome)


_BODIES = {
    "empty": "no body",
    "not_json": "something other than JSON",
    "list": "a list",
    "value": "a bare value",
    "object": "an object",
    "success:true": "`success: true`",
    "success:false": "`success: false`",
    "success:other": "`success` that is neither true nor false",
    "error:other": "an unknown error text",
}


def _answer_in_words(answer: str) -> str:
    status, _, kind = answer.partition(" ")
    text = _table()["texts"].get(kind.removeprefix("error:"))
    body = _BODIES.get(kind) or (f'"{text.replace("*", "...")}"' if text else "")
    return f"{status}, {body}" if body else answer


@cache
def facts() -> Mapping[str, Fact]:
    """Return the facts by id, in the order of the table."""
    return {
        row["id"]: Fact(
            row["id"],
            row["title"],
            row["grade"],
            row["says"],
            row.get("level"),
            tuple(row.get("expected", ())),
            {name: outcome["says"] for name, outcome in row.get("outcomes", {}).items()},
            row.get("needs", ""),
            row.get("not_probed", ""),
        )
        for row in _table()["facts"]
    }


def error_id(text: str) -> str:
    """Return the id of a known error text, or ``other``."""
    lowered = text.strip().lower()
    for name, known in _table()["texts"].items():
        before, star, after = known.lower().partition("*")
        if lowered == before if not star else lowered.startswith(before) and lowered.endswith(after):
            return str(name)
    return "other"


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return table
