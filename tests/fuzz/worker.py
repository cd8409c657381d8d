"""What a process of `make fuzz` runs: in a module of its own, which a spawned process can import by its name."""

from __future__ import annotations

import logging
import os
import tempfile

__all__ = ["case", "prepare"]


def prepare() -> None:
    """Set up a process, before it imports Airflow."""
    # Airflow prints what it logs, the hook's words about unknown keys among it, and reads a home of its own.
    os.environ["AIRFLOW_HOME"] = tempfile.gettempdir()
    os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "ERROR"
    logging.lastResort = None


def case(seed: int, number: int) -> tuple[int, str | None]:
    """Run a case, and return its number and what is wrong."""
    from tests.fuzz.cases import run_case

    return number, run_case(seed, number)
