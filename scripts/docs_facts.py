"""Generate docs/how-z-api-behaves.md from the table of facts: ``python -m scripts.docs_facts``."""

from __future__ import annotations

from pathlib import Path

from airflow_provider_zapi.probe.facts import Fact, facts

PAGE = Path(__file__).resolve().parents[1] / "docs" / "how-z-api-behaves.md"

_GRADES = {
    "documented": "published in Z-API's documentation",
    "seen": "recorded by several public clients",
    "inferred": "follows from how WhatsApp works, or is the careful choice; nobody recorded it",
    "probed": "found by `airflow zapi probe` on real accounts",
}

_HEAD = """\
# How Z-API behaves

What this provider and its [emulator](emulator.md) assume about Z-API, and how certain each fact is. This provider has
not been tested against a live Z-API account yet.{none_probed} If you have an account, you can settle most of the
facts in [ten minutes](howto/probe-your-account.md).

This page is generated from `airflow_provider_zapi/facts.json` by `make facts`. The probe and the emulator (its switch
`probed` and its option `--as-in`) use the same ids.

| grade | meaning |
|---|---|
{grades}
"""

_SECTIONS = (
    ("Reads and credentials", 0, "Settled by level 0, `airflow zapi probe CONN_ID`."),
    ("Writes that should be refused", 1, "Settled by level 1, `--refusals`."),
    ("Lists and values", 2, "Settled by level 2, `--writes`."),
    (
        "What the probe does not check",
        None,
        "These stay as they are until Z-API documents them, or someone reports them.",
    ),
)


def page() -> str:
    """Return the page."""
    grades = "\n".join(f"| {grade} | {meaning} |" for grade, meaning in _GRADES.items())
    probed = any(fact.grade == "probed" for fact in facts().values())
    parts = [_HEAD.format(grades=grades, none_probed="" if probed else " So far, no fact is probed.")]
    for heading, level, lead in _SECTIONS:
        rows = [fact for fact in facts().values() if fact.level == level]
        parts.append(f"## {heading}\n\n{lead}\n\n{_table(rows)}")
    return "\n".join(parts)


def _table(rows: list[Fact]) -> str:
    if rows[0].level is None:
        lines = ["| fact | id | grade | assumed | why not |", "|---|---|---|---|---|"]
        lines += [_row(fact, fact.not_probed) for fact in rows]
    else:
        lines = ["| fact | id | grade | assumed |", "|---|---|---|---|"]
        lines += [_row(fact) for fact in rows]
    return "\n".join(lines) + "\n"


def _row(fact: Fact, *more: str) -> str:
    return " | ".join([f"| {fact.title}", f"`{fact.id}`", fact.grade, fact.says, *more]) + " |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
