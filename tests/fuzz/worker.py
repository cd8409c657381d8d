"""The code of a `make fuzz` process. It is in a separate module, so that a spawned process can import it by name."""

from __future__ import annotations

import logging
import os
import tempfile

__all__ = ["case", "prepare"]


def prepare() -> None:
    """Set up a process before it imports Airflow."""
    # Hide Airflow's log, such as the hook's warnings about unknown keys, and give Airflow its own home.
    os.environ["AIRFLOW_HOME"] = tempfile.gettempdir()
    os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "ERROR"
    logging.lastResort = None


def case(seed: int, number: int) -> tuple[int, str | None]:
    """Run a case, and return its number and the problem, or None."""
    from tests.fuzz.cases import run_case

    return number, run_case(seed, number)
