"""Counters in Airflow's own metrics, sent where Airflow sends its own; nothing is counted while these are off.

The names hold the class of an outcome and never an id: a label for each number would make a series for each.
"""

from __future__ import annotations

import re

from airflow_provider_zapi.catching import caught

__all__ = ["count", "count_call"]


def count_call(attempts: int, error: str | None) -> None:
    """Count a call by its outcome, ``zapi.calls.ok`` or ``zapi.calls.rate_limit``, and its HTTP retries.

    :param attempts: how often it was sent
    :param error: the name of the class of its error, if it failed
    """
    count(f"zapi.calls.{_outcome(error)}")
    count("zapi.retries", attempts - 1)


def count(name: str, number: int = 1) -> None:
    """Add to a counter. A metric that cannot be sent never fails a task."""
    if number > 0:
        caught(lambda: _incr(name, number), Exception)


def _incr(name: str, number: int) -> None:
    # Here: a parse of a DAG file counts nothing.
    from airflow.providers.common.compat.sdk import Stats

    Stats.incr(name, number)


def _outcome(error: str | None) -> str:
    if error is None:
        return "ok"
    words = re.findall("[A-Z][a-z]+", error.removeprefix("ZApi").removesuffix("Error"))
    return "_".join(words).lower() or "error"
