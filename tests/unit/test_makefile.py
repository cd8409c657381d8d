"""The Makefile has every command that the documentation names."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.constraints import NEWEST, PROJECT, PYTHONS, SUPPORTED, unsupported

PAGES = sorted([*PROJECT.glob("*.md"), *PROJECT.glob("docs/**/*.md")])
MAKEFILE = (PROJECT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))


def named_targets(page: str) -> set[str]:
    """Return the targets of each `make ...` in inline code or at the start of a line of a code block."""
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


def test_an_airflow_without_constraints_is_an_error_that_lists_the_supported_ones() -> None:
    answer = subprocess.run(
        ["make", "test", "AIRFLOW=1.10.15"], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 2
    assert "AIRFLOW=1.10.15 is not supported" in answer.stderr
    for path in PROJECT.glob("constraints/airflow-*.txt"):
        assert path.stem.removeprefix("airflow-") in answer.stderr


def set_up(python: Path, airflow: str, **env: str) -> str:
    """Try to set up an unsupported Airflow. Return the output, and check that no environment is left behind."""
    command = ["make", "venv", f"AIRFLOW={airflow}", f"PYTHON={python}"]
    answer = subprocess.run(command, cwd=PROJECT, env=os.environ | env, capture_output=True, text=True, check=False)
    assert answer.returncode == 2
    assert not list(PROJECT.glob(f".venv*{python.name}"))
    return answer.stderr


def test_a_python_that_an_airflow_does_not_support_is_an_error_that_lists_the_supported_pairs(tmp_path: Path) -> None:
    python = tmp_path / "python-takes-itself-for-another"
    code = "import sys; sys.version_info = (3, 13); exec(sys.argv[1])"
    python.write_text(f"#!/bin/sh\nexec {sys.executable} -c '{code}' \"$2\"\n")
    python.chmod(0o755)
    said = set_up(python, "3.0.6")
    assert "Airflow 3.0.6 is not supported on Python 3.13" in said
    assert "  Airflow 3.0.6 on Python 3.11, 3.12\n  Airflow 3.1.8 on Python 3.11, 3.12, 3.13\n" in said


def test_a_failed_setup_leaves_no_environment(tmp_path: Path) -> None:
    python = tmp_path / "python-without-packages"
    python.symlink_to(Path(sys.base_exec_prefix, "bin", "python3").resolve())
    said = set_up(python, NEWEST, UV_OFFLINE="1", UV_CACHE_DIR=str(tmp_path / "cache"))
    assert f"Installing Airflow {NEWEST} into .venv-python-without-packages/" in said


def test_the_matrix_has_every_airflow_and_the_newest_on_every_python() -> None:
    nox = str(PROJECT / ".venv-nox" / "bin" / "nox")
    command = [nox, "--list", "--json", "--tags", "smoke-matrix", "test-matrix"]
    listed = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    for kind in ("smoke", "test"):
        cells = {each["session"] for each in json.loads(listed) if f"{kind}-matrix" in each["tags"]}
        others = {each for each in cells if "python" in each}
        own = set(PYTHONS) - {each.rpartition("python")[2] for each in others}
        assert len(own) == 1
        assert others == {f"{kind}-{NEWEST}-python{python}" for python in set(PYTHONS) - own}
        supported = [each.version for each in SUPPORTED if not unsupported(each.version, *own)]
        assert cells - others == {f"{kind}-{version}" for version in supported}


def test_ci_runs_each_airflow_the_oldest_and_the_newest_in_full_and_the_newest_last() -> None:
    lines = (PROJECT / ".ci" / "run").read_text().splitlines()
    runs = [found.groups() for line in lines if (found := re.fullmatch(r"make (test|smoke)(?: AIRFLOW=(\S+))?", line))]
    kinds = {version or NEWEST: kind for kind, version in runs}
    oldest, *middle, newest = (each.version for each in SUPPORTED)
    assert kinds == {oldest: "test", **dict.fromkeys(middle, "smoke"), newest: "test"}
    assert lines[-1] == "make test"


def test_pre_commit_runs_the_same_checks_as_lint() -> None:
    lint = (PROJECT / "noxfile.py").read_text().partition("def lint")[2].partition("\n@nox")[0]
    modules = re.findall(r'(?:python, "-m", |with_name\()"([\w.-]+)"(?:, "(check|format)")?', lint)
    hooks = (PROJECT / ".pre-commit-config.yaml").read_text()
    entries = re.findall(r"entry: \.venv/bin/(?:python -m )?([\w.-]+)(?: (check|format))?", hooks)
    assert entries == modules
    for exception in ("B105", "^[a-z-]+-token ?$"):
        assert exception in lint
        assert exception in hooks
