"""Run one distributed Airflow for all these tests, and print its figures at the end."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.airflow.real import new_home
from tests.celery.parts import Parts
from tests.celery.system import System

#: Only the environment of `make celery-test` has Celery.
collect_ignore_glob = [] if find_spec("airflow.providers.celery") else ["test_*.py"]

SYSTEM = pytest.StashKey[System]()


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[System]:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)  # pytest stops everything at Ctrl-C
    home = new_home(tmp_path_factory.mktemp("celery") / "home")
    # PostgreSQL's user cannot access the folders of pytest.
    with tempfile.TemporaryDirectory(prefix="zapi-postgresql-") as database, Parts() as parts:
        system = System(home, Path(database), parts)
        pytestconfig.stash[SYSTEM] = system
        system.start()
        yield system


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    system = config.stash.get(SYSTEM, None)
    if system is None:
        return
    terminalreporter.section("figures")
    peaks = system.parts.memory.peaks
    parts = [
        ("part", "ready after", "peak memory"),
        *((name, f"{after:.1f} s", f"{peaks[name] / 1e6:.0f} MB") for name, after in system.parts.ready_after.items()),
        ("all", "", f"{sum(peaks.values()) / 1e6:.0f} MB"),
    ]
    for heading, *rows in (parts, [("phase", ""), *system.facts.items()]):
        for row in (heading, ("---",) * len(heading), *rows):
            terminalreporter.write_line(f"| {' | '.join(row)} |")
        terminalreporter.write_line("")
