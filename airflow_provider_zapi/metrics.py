"""Count calls and outcomes in Airflow's own metrics. Nothing is counted while Airflow's metrics are off.

The names contain the class of an outcome and never an id, because an id would create a time series for each number.
"""

from __future__ import annotations

import re

from airflow_provider_zapi.catching import caught

__all__ = ["count", "count_call"]


def count_call(attempts: int, error: str | None) -> None:
    """Count a call by its outcome, ``zapi.calls.ok`` or ``zapi.calls.rate_limit``, and its HTTP retries.

    :param attempts: how often the call was sent
    :param error: the name of the error's class, if the call failed
    """
    count(f"zapi.calls.{_outcome(error)}")
    count("zapi.retries", attempts - 1)


def count(name: str, number: int = 1) -> None:
    """Add to a counter. A metric that cannot be sent never fails a task."""
    if number > 0:
        caught(lambda: _incr(name, number), Exception)


def _incr(name: str, number: int) -> None:
    # This import is not at the top, because parsing a DAG sends no metrics.
    from airflow.providers.common.compat.sdk import Stats

    Stats.incr(name, number)


def _outcome(error: str | None) -> str:
    if error is None:
        return "ok"
    words = re.findall("[A-Z][a-z]+", error.removeprefix("ZApi").removesuffix("Error"))
    return "_".join(words).lower() or "error"
