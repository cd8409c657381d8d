"""What the matrix reads in pytest's output, which cells it has, and that CI covers every Airflow."""

import re
import sys
from pathlib import Path

import pytest

from scripts import matrix
from scripts.constraints import PYTHONS
from scripts.matrix import Outcome, read_outcome
from tests.airflow.support import NEWEST, PROJECT, SUPPORTED

SUMMARY = """\
=========================== short test summary info ============================
SKIPPED [2] tests/airflow/test_killed.py:126: Airflow 3.0 fails a task: no more tries
SKIPPED [1] tests/airflow/test_demo.py: made for the newest
"""

#: Output, counts, seconds, skips, what is wrong with it.
OUTPUTS: list[tuple[str, dict[str, int], float, dict[str, int], list[str]]] = [
    ("============ 12 passed in 3.45s ============", {"passed": 12}, 3.45, {}, []),
    (
        f"{SUMMARY}== 2509 passed, 3 skipped in 330.10s (0:05:30) ==\n",
        {"passed": 2509, "skipped": 3},
        330.1,
        {"Airflow 3.0 fails a task: no more tries": 2, "made for the newest": 1},
        [],
    ),
    ("== 1 passed, 3 skipped in 1.00s ==", {"passed": 1, "skipped": 3}, 1.0, {}, ["3 skipped without a reason"]),
    (
        "FAILED tests/unit/test_x.py::test_y[a b] - assert 1 == 2\n= 1 failed, 4 passed, 1 warning in 0.5s =\nmake: *** [test] 1",
        {"failed": 1, "passed": 4, "warning": 1},
        0.5,
        {},
        ["FAILED tests/unit/test_x.py::test_y[a b] - assert 1 == 2"],
    ),
    (
        "ERROR tests/unit/test_x.py - ImportError: no\n!!! Interrupted !!!\n==== 1 error in 2.0s ====",
        {"error": 1},
        2.0,
        {},
        ["ERROR tests/unit/test_x.py - ImportError: no"],
    ),
    ("make: *** No rule to make target", {}, 0.0, {}, ["no test ran"]),
    ("==== no tests ran in 0.01s ====", {}, 0.0, {}, ["no test ran"]),
    # A test that prints such a line; with -q the closing line has no frame.
    ("== 9 passed in 9.00s ==\n3 passed in 1.00s", {"passed": 3}, 1.0, {}, []),
    ("I saw 3 passed in 1.00s of time", {}, 0.0, {}, ["no test ran"]),
]


@pytest.mark.parametrize(("output", "counts", "seconds", "skips", "problems"), OUTPUTS)
def test_pytests_output_is_read(
    output: str, counts: dict[str, int], seconds: float, skips: dict[str, int], problems: list[str]
) -> None:
    outcome = read_outcome(output)
    assert (dict(outcome.counts), outcome.seconds, dict(outcome.skips)) == (counts, seconds, skips)
    assert outcome.problems(exit_code=0) == problems


def test_a_run_that_says_nothing_of_a_failure_and_has_one_fails() -> None:
    outcome = read_outcome("== 12 passed in 3.45s ==")
    assert outcome.problems(exit_code=2) == ["ended with exit code 2"]
    many = Outcome(counts=outcome.counts, failures=[f"FAILED tests/x.py::{number}" for number in range(25)])
    assert many.problems(exit_code=2)[-1] == "and 15 more"


def test_every_airflow_is_a_cell_and_the_newest_is_one_on_each_supported_python() -> None:
    cells = matrix.cells(sys.executable)
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert [(cell.airflow, cell.command) for cell in cells if cell.python == own] == [
        (version, sys.executable) for version in matrix.VERSIONS
    ]
    assert set(matrix.VERSIONS) == set(SUPPORTED)
    others = [cell for cell in cells if cell.python != own]
    assert {cell.airflow for cell in others} == {NEWEST}
    assert {own, *(cell.python for cell in others)} == {own, *PYTHONS}
    assert PYTHONS == ("3.11", "3.12", "3.13")


def test_a_command_that_is_there_and_does_not_start_is_no_python(tmp_path: Path) -> None:
    shim = tmp_path / "python3.11"
    shim.write_text("#!/bin/sh\necho 'pyenv: python3.11: command not found' >&2\nexit 127\n")
    shim.chmod(0o755)
    assert matrix.version_of(str(shim)) is None
    assert matrix.version_of(str(tmp_path / "python3.12")) is None
    assert matrix.find_python("3.999") is None


def test_ci_runs_each_airflow_the_oldest_and_the_newest_in_full_and_the_newest_last() -> None:
    lines = (PROJECT / ".ci" / "run").read_text().splitlines()
    runs = [found.groups() for line in lines if (found := re.fullmatch(r"make (test|smoke)(?: AIRFLOW=(\S+))?", line))]
    kinds = {version or NEWEST: kind for kind, version in runs}
    oldest, *middle, newest = matrix.VERSIONS
    assert kinds == {oldest: "test", **dict.fromkeys(middle, "smoke"), newest: "test"}
    assert lines[-1] == "make test"
