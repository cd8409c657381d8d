"""The commands that the documentation names are the Makefile's."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
PAGES = sorted([PROJECT / "README.md", *PROJECT.glob("docs/**/*.md")])
MAKEFILE = (PROJECT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))


def named_targets(page: str) -> set[str]:
    """The targets of each `make ...` in inline code or at the start of a line of a code block."""
    commands = re.findall(r"(?:`|^[ \t]*(?:\$ )?)make((?:[ \t]+[a-zA-Z][\w.=-]*)+)", page, re.MULTILINE)
    return {word for command in commands for word in command.split() if "=" not in word}


@pytest.mark.parametrize(
    ("page", "targets"),
    [
        ("Type `make demo`, then `make test AIRFLOW=2.11.2`.", {"demo", "test"}),
        ("```\n$ make airflow\nmake lint test\n```", {"airflow", "lint", "test"}),
        ("Tests make sure of it.", set()),
    ],
)
def test_targets_are_read_from_code_and_not_from_prose(page: str, targets: set[str]) -> None:
    assert named_targets(page) == targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_target_that_a_page_names_exists(page: Path) -> None:
    assert named_targets(page.read_text()) <= TARGETS


def test_every_target_is_explained_by_help_and_so_phony() -> None:
    answer = subprocess.run(["make", "help"], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert {line.split()[0] for line in answer.stdout.splitlines() if re.match(r"[a-z-]+ +\S", line)} == TARGETS


def test_an_airflow_without_constraints_is_refused_by_naming_those_that_have_some() -> None:
    answer = subprocess.run(
        ["make", "test", "AIRFLOW=1.10.15"], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 2
    assert "AIRFLOW=1.10.15 is not supported" in answer.stderr
    for path in PROJECT.glob("constraints/airflow-*.txt"):
        assert path.stem.removeprefix("airflow-") in answer.stderr


#: A Python that takes itself for another version, and whose environments are never finished.
OTHER_PYTHON = """#!/bin/sh
case "$1" in
  -c) exec {python} -c "import sys; sys.version_info = {version}; exec(sys.argv[1])" "$2" ;;
  *) mkdir -p "$4/bin"; echo "no more space" >&2; exit 1 ;;
esac
"""


@pytest.fixture
def set_up(tmp_path: Path) -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    """Set up an Airflow on a Python that takes itself for the version; nothing may be left of it."""
    python = tmp_path / f"python-of-{tmp_path.name}"

    def run(airflow: str, version: tuple[int, int]) -> subprocess.CompletedProcess[str]:
        python.write_text(OTHER_PYTHON.format(python=sys.executable, version=version))
        python.chmod(0o755)
        command = ["make", "venv", f"AIRFLOW={airflow}", f"PYTHON={python}"]
        return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)

    yield run
    assert not list(PROJECT.glob(f".venv*{python.name}"))


def test_a_python_that_an_airflow_does_not_support_is_refused_with_the_pairs_that_are(
    set_up: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    answer = set_up("3.0.6", (3, 13))
    assert answer.returncode == 2
    assert "Airflow 3.0.6 is not supported on Python 3.13" in answer.stderr
    assert "  Airflow 3.0.6 on Python 3.11, 3.12\n  Airflow 3.1.8 on Python 3.11, 3.12, 3.13\n" in answer.stderr


def test_a_set_up_that_fails_leaves_no_environment(
    set_up: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    answer = set_up("3.3.2", (3, 11))
    assert answer.returncode == 2
    assert "no more space" in answer.stderr
