"""Measure the time for the worst input of a server or a user, in full and half length: ``python -m benchmarks.growth``.

The time must be proportional to the length: twice the input takes about twice the time, not four times. Each regular
expression of the package has a row. The tests read the same input at a length at which any other growth would take
minutes or hours.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from benchmarks.harness import OURS, Figures, Goal, Row, cpu, medians, report

HALF = "half of the text"
#: The length of the longer string of a pair, in characters. The shorter one has half of it.
LENGTH = 1 << 17
ROUNDS = 3

#: A token like Z-API's, and its first 28 of 32 characters. The latter is a partial match wherever it appears.
TOKEN = "A1B2C3D4" * 4
PARTIAL = TOKEN[:28]


class Worst(NamedTuple):
    """A function that reads strings, and the repeated pieces that make its worst input.

    :param read: reads a string
    :param pieces: the pieces; each string repeats one of them
    :param expressions: the names of the regular expressions that the function uses, as ``module.name``
    :param end: the end of each string
    """

    read: Callable[[str], object]
    pieces: tuple[str, ...]
    expressions: tuple[str, ...] = ()
    end: str = "\0"

    def texts(self, length: int) -> list[str]:
        """Return the strings of a given length."""
        return [piece * (length // len(piece)) + self.end for piece in self.pieces]


def worst() -> Mapping[str, Worst]:
    """Return each row by its name."""
    from airflow_provider_zapi.client import answers, api, moments, redaction, targets
    from airflow_provider_zapi.notifications import zapi as notifications
    from airflow_provider_zapi.privacy import phones, policy
    from airflow_provider_zapi.reconcile import outcomes, selection

    redactor = redaction.Redactor([TOKEN, "secret/+=%"])
    account = redaction.Redactor([f"{TOKEN}{number}" for number in range(100)], urls=True)

    def quiet(read: Callable[[str], object]) -> Callable[[str], object]:
        def reading(text: str) -> object:
            try:
                return read(text)
            except Exception:  # noqa: BLE001 - only the time matters here
                return None

        return reading

    schema = policy.policy_schema()
    patterns = sorted(set(_patterns(schema)))
    digits, spaces = ("1", "55449", "5", " 1"), (" ", "\t ", "\n")
    return {
        "scrubbing": Worst(
            lambda text: [redactor.scrub(text), account.scrub(text)],
            (
                *("https://", "a://", "a+", "http%3A%2F%2F"),
                *("\\", "%", "%25", "&#", "&#00", "&amp;", "&a", "\\u00", "\\u0041", "\\\\"),
                *(PARTIAL, "A1", "A", "%41", PARTIAL.replace("A", "%41"), TOKEN, "secret/", "secret%2F"),
                *(
                    "client-token x ",
                    "client-token",
                    "client-token ",
                    "client-token: ",
                    "Client-Token\t",
                    "not allowed",
                ),
                *(
                    "not allowed",
                    "/token/",
                    "/token/x",
                    "/token",
                    "%2ftoken%2f",
                    "client-token x not allowed ",
                    '"',
                    " ",
                    " n",
                ),
            ),
            (
                "client.redaction._ESCAPE",
                "client.redaction._SHAPES",
                "client.redaction._REFUSED",
                "client.redaction._REFUSAL",
                "client.redaction._URL",
            ),
        ),
        "reading an error text": Worst(
            lambda text: answers.read_answer(
                400, {}, b'{"error": "' + text.encode() + b'"}', answers.success_is_true, redactor.scrub, 0.0
            ),
            ("client-token x ", "client-token ", PARTIAL, " ", "1", "1.", "f:", "null ", "%25", "not "),
            ("client.answers.TEXTS", "client.answers._PHONE"),
            end="x",
        ),
        "a Retry-After": Worst(
            lambda text: answers.retry_after(text, 0.0),
            (*spaces, *digits, "Mon, ", ", ", "(", "()", "\\", '"', "1 ", ":", "-"),
            ("client.answers._SECONDS",),
        ),
        "a path": Worst(
            lambda text: api._PATH.fullmatch(text), ("a", ".", "./", "a/", "..a/", "a.", ".a"), ("client.api._PATH",)
        ),
        "the numbers in a path": Worst(
            lambda text: api._LONG_NUMBER.sub("", text), digits, ("client.api._LONG_NUMBER",)
        ),
        "a date": Worst(
            moments.moment, (*digits, "2026-01-01", "2026-01-01T", ":"), ("client.moments._ISO_DATE",), end="2026-01-01"
        ),
        "a base URL": Worst(
            lambda text: targets._BASE_URL.fullmatch(text),
            ("a", "a.", "a-", "-", "https://", "[", ":", "1:", "aaaa.", "a" * 64 + "."),
            ("client.targets._BASE_URL",),
        ),
        "an id or a token": Worst(
            lambda text: (targets._PATH_SAFE.fullmatch(text), targets._VISIBLE_ASCII.fullmatch(text)),
            ("a", "-"),
            ("client.targets._PATH_SAFE", "client.targets._VISIBLE_ASCII"),
        ),
        "a contact": Worst(
            quiet(phones.normalize_contact),
            (*digits, "+", "(", "( ", "( 0", ". ", "1.0", "@g.u", "-grou", "1@lid", "@lid", "-group"),
            tuple(f"privacy.phones.{name}" for name in ("_PHONE", "_LID", "_GROUP", "_DECIMAL", "_TRUNK_ZERO")),
        ),
        "an instance's name": Worst(
            lambda text: outcomes.shown_name(text, ""),
            (*digits, "1 ", "1-(", "a", "a:", "a:/", "a://", "://", " "),
            ("reconcile.outcomes._PHONE", "reconcile.outcomes._ADDRESS"),
        ),
        "a shard": Worst(
            lambda text: selection._SHARD.fullmatch(text),
            (*digits, *spaces, "(", ",", "1,"),
            ("reconcile.selection._SHARD",),
        ),
        "a group": Worst(
            notifications._GROUP.fullmatch, (*digits, "1-", "-group", "@g.u"), ("notifications.zapi._GROUP",)
        ),
        "the key of a contact": Worst(phones.contact_key, digits, ("privacy.phones._DOUBLE_FORMS",)),
        "the patterns of the policy's schema": Worst(
            lambda text: [re.search(pattern, text) for pattern in patterns], (*digits, "+", " ", "@lid"), ("schema",)
        ),
    }


def _patterns(schema: Any) -> list[str]:
    inner = schema.values() if isinstance(schema, Mapping) else schema if isinstance(schema, list) else ()
    found = [schema["pattern"]] if isinstance(schema, Mapping) and isinstance(schema.get("pattern"), str) else []
    return [*found, *(pattern for each in inner for pattern in _patterns(each))]


NAMES = (
    "scrubbing",
    "reading an error text",
    "a Retry-After",
    "a path",
    "the numbers in a path",
    "a date",
    "a base URL",
    "an id or a token",
    "a contact",
    "an instance's name",
    "a shard",
    "a group",
    "the key of a contact",
    "the patterns of the policy's schema",
)
ROWS = tuple(Row(name, "ms", HALF, Goal(3)) for name in NAMES)


def measure() -> Figures:
    """Return the processor time for the worst input of each row, in milliseconds."""
    figures: Figures = {}
    for name, row in worst().items():
        long, half = row.texts(LENGTH), row.texts(LENGTH // 2)
        figures |= medians(name, {OURS: reading(row, long), HALF: reading(row, half)}, ROUNDS)
    return figures


def reading(row: Worst, texts: list[str]) -> Callable[[], float]:
    """Return a function that measures the processor time of reading the strings, with enough repetitions."""

    def work() -> None:
        for text in texts:
            row.read(text)

    times = max(1, int(0.02 / max(cpu(work), 1e-7)))

    def often() -> None:
        for _ in range(times):
            work()

    return lambda: cpu(often) / times * 1000


if __name__ == "__main__":
    import benchmarks.growth

    report(benchmarks.growth)
