"""What Airflow pays for this provider in each process, at each parse of a DAG file and in each task: counts, not times."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.faults.server import FaultServer

PACKAGE = Path(__file__).resolve().parents[2] / "airflow_provider_zapi"
#: Every module that a DAG file imports.
MODULES = sorted(
    f"airflow_provider_zapi.{folder}.{file.stem}"
    for folder in ("notifications", "operators", "sensors")
    for file in (PACKAGE / folder).glob("[a-z]*.py")
)


def run(code: str) -> Any:
    """Run some code in a new process, and return the JSON that it prints last."""
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def loaded(before: str, code: str) -> set[str]:
    """Return the modules that some code loads in a new process, beyond those that are there before."""
    return set(
        run(f"import json, sys\n{before}\nbefore = set(sys.modules)\n{code}\nprint(json.dumps([*set(sys.modules) - before]))")
    )


def test_importing_the_package_loads_one_module() -> None:
    assert loaded("", "import airflow_provider_zapi") == {"airflow_provider_zapi"}


def test_what_airflow_discovers_loads_nothing_of_airflow_and_nothing_of_others() -> None:
    found = loaded("import dataclasses, typing", "import airflow_provider_zapi.get_provider_info")
    assert {name.partition(".")[0] for name in found} == {"airflow_provider_zapi"}


BASES = "from airflow.providers.common.compat.sdk import BaseHook, BaseNotifier, BaseOperator, BaseSensorOperator"


@pytest.mark.parametrize("module", MODULES)
def test_what_a_dag_file_imports_loads_no_third_party_module_that_airflow_has_not_loaded(module: str) -> None:
    found = loaded(BASES, f"import {module}")
    assert module in found
    others = {name for name in found if name.partition(".")[0] not in {*sys.stdlib_module_names, "airflow"}}
    assert {name.partition(".")[0] for name in others} == {"airflow_provider_zapi"}
    # Nor what speaks HTTP or compares lists, which a task loads when it runs.
    assert not {name for name in others if name.startswith(("airflow_provider_zapi.client", f"{PRIVACY}.reconcile"))}
