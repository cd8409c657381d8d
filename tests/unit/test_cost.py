"""The cost of this provider in each process, in each parse of a DAG file and in each task, as counts and not as times."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.faults import FaultServer, good

PACKAGE = Path(__file__).resolve().parents[2] / "airflow_provider_zapi"
#: All modules that a DAG file may import.
MODULES = sorted(
    f"airflow_provider_zapi.{folder}.{file.stem}"
    for folder in ("notifications", "operators", "sensors")
    for file in (PACKAGE / folder).glob("[a-z]*.py")
)


def run(code: str, **env: str) -> Any:
    """Run some code in a new process, and return the JSON that it prints last."""
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def loaded(before: str, code: str) -> set[str]:
    """Return the modules that some code loads in a new process, without those that were loaded before."""
    return set(
        run(
            f"import json, sys\n{before}\nbefore = set(sys.modules)\n{code}\nprint(json.dumps([*set(sys.modules) - before]))"
        )
    )


def test_importing_the_package_loads_one_module() -> None:
    assert loaded("", "import airflow_provider_zapi") == {"airflow_provider_zapi"}


def test_what_airflow_discovers_loads_nothing_of_airflow_and_nothing_of_others() -> None:
    found = loaded("", "import airflow_provider_zapi.get_provider_info")
    assert {name.partition(".")[0] for name in found} - sys.stdlib_module_names == {"airflow_provider_zapi"}


BASES = "from airflow.providers.common.compat.sdk import BaseHook, BaseNotifier, BaseOperator, BaseSensorOperator"


@pytest.mark.parametrize("module", MODULES)
def test_what_a_dag_file_imports_loads_no_third_party_module_that_airflow_has_not_loaded(module: str) -> None:
    found = loaded(BASES, f"import {module}")
    assert module in found
    others = {name for name in found if name.partition(".")[0] not in {*sys.stdlib_module_names, "airflow"}}
    assert {name.partition(".")[0] for name in others} == {"airflow_provider_zapi"}
    # Our own HTTP modules are not loaded either. A task loads them when it runs.
    assert not {name for name in others if name.startswith("airflow_provider_zapi.client")}


BACKEND = """
import json, os
from airflow.secrets import BaseSecretsBackend

ASKED = []

class Counting(BaseSecretsBackend):
    def get_conn_value(self, conn_id, team_name=None):
        ASKED.append(conn_id)
        return os.environ["TEST_CONNECTION"]
"""
TASK = """
import json
from airflow_provider_zapi.operators.privacy import SetLastSeenPrivacyOperator
import counting

changes = [{"action": "add", "phone": f"55449{70000000 + number}"} for number in range(1200)]
task = SetLastSeenPrivacyOperator(
    task_id="task", visualization_type="CONTACT_BLACKLIST", contacts_blacklist=changes, zapi_conn_id="zapi_counted"
)
calls = task.execute({})["calls"]
print(json.dumps([calls, counting.ASKED]))
"""


def test_all_calls_of_a_task_share_one_look_up_and_one_tcp_connection(tmp_path: Path) -> None:
    (tmp_path / "counting.py").write_text(BACKEND)
    with FaultServer(good()) as server:
        connection = {"conn_type": "zapi", "login": "instance-1", "password": "demo-token", "host": server.url}
        calls, asked = run(
            TASK,
            PYTHONPATH=os.pathsep.join([str(tmp_path), str(PACKAGE.parent)]),
            AIRFLOW__SECRETS__BACKEND="counting.Counting",  # pragma: allowlist secret
            TEST_CONNECTION=json.dumps(connection),
        )
    assert (calls, len(server.requests)) == (3, 3)
    assert asked == ["zapi_counted"]
    assert server.connections == 1
