"""The guide "Test your own DAG" works unchanged in a project outside this repository."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.airflow.support import PROJECT
from tests.support import code_blocks

PAGE = (PROJECT / "docs" / "howto" / "test-your-own-dag.md").read_text()


def run_guide(folder: Path, page: str) -> subprocess.CompletedProcess[str]:
    for code in code_blocks(page, "python"):
        file = folder / code.splitlines()[0].removeprefix("# ")
        file.parent.mkdir(exist_ok=True)
        file.write_text(code)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTEST"))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_a_new_project_can_test_its_own_dag_with_the_guide(tmp_path: Path) -> None:
    done = run_guide(tmp_path, PAGE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_the_projects_test_fails_when_its_dag_does_something_else(tmp_path: Path) -> None:
    done = run_guide(tmp_path, PAGE.replace('visualization_type="NONE"', 'visualization_type="ALL"'))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "FAILED test_hide_last_seen.py::test_last_seen_is_hidden" in done.stdout
