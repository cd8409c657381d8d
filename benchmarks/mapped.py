"""Compare a fleet task's run on a real Airflow with a run of mapped HttpOperators that make a tenth of its calls.

The figure is the time of the whole run, as Airflow's pages show it, with scheduling, processes and calls. Both runs use
the same server, which answers after the same time.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from benchmarks.fleet_server import TOKEN, FleetServer
from scripts.background import BackgroundError
from scripts.standalone import RunningAirflow

#: The number of mapped tasks. Each makes one call.
MAPPED = 100

_HEAD = """from datetime import datetime

from airflow.sdk import DAG
{module}

with DAG({dag_id!r}, schedule=None, start_date=datetime(2026, 1, 1), max_active_tasks=1000):
    {task}
"""
_FLEET = """ApplyFleetPolicyOperator(
        task_id="task", policy={{"last_seen": "NONE"}}, max_concurrency={at_once}, zapi_conn_id="fleet"
    )"""
_HTTP = """HttpOperator.partial(
        task_id="task",
        http_conn_id="http",
        data='{{"visualizationType": "NONE"}}',
        headers={{"Content-Type": "application/json"}},
    ).expand(
        endpoint=[f"instances/number-{{one}}/token/demo-token-{{one}}/privacy/last-seen" for one in range({mapped})]
    )"""


class Runs:
    """An Airflow with both DAGs, which runs during a ``with`` block.

    :param server: the server of the numbers
    :param at_once: how many numbers the fleet task handles at the same time
    """

    def __init__(self, server: FleetServer, at_once: int) -> None:
        self._folder = tempfile.TemporaryDirectory()
        home, dags = Path(self._folder.name, "home"), Path(self._folder.name, "dags")
        files = {
            "fleet": (
                "from airflow_provider_zapi.operators.fleet import ApplyFleetPolicyOperator",
                _FLEET.format(at_once=at_once),
            ),
            "mapped": (
                "from airflow.providers.http.operators.http import HttpOperator",
                _HTTP.format(mapped=MAPPED),
            ),
        }
        for folder in (home, dags):
            folder.mkdir()
        for dag_id, (module, task) in files.items():
            (dags / f"{dag_id}.py").write_text(_HEAD.format(module=module, dag_id=dag_id, task=task))
        env = {
            "AIRFLOW_CONN_FLEET": json.dumps(
                {"conn_type": "zapi", "host": server.url, "extra": {"partner_token": TOKEN}}
            ),
            "AIRFLOW_CONN_HTTP": json.dumps({"conn_type": "http", "host": server.url}),
            "REQUESTS_CA_BUNDLE": str(server.ca_file),
        }
        self._airflow = RunningAirflow(home, dags, env)

    def __enter__(self) -> Runs:
        self._airflow.__enter__()
        self._airflow.wait_until_ready(seconds=240)
        for dag_id in ("fleet", "mapped"):
            self._airflow.wait_for_dag(dag_id, seconds=120)
        return self

    def __exit__(self, *error: object) -> None:
        self._airflow.stop()
        self._folder.cleanup()

    def seconds(self, dag_id: str) -> Callable[[], float]:
        """Return a function that runs a DAG and returns the duration of its run in seconds."""

        def run() -> float:
            path = self._airflow.start_run(dag_id)

            def ended() -> dict[str, str] | None:
                found: dict[str, str] = self._airflow.api("GET", path)
                return found if found["state"] in ("success", "failed") else None

            found = self._airflow.wait_for(f"the end of the run of {dag_id}", ended, 600)
            if found["state"] != "success":
                raise BackgroundError(f"The run of {dag_id} failed.\n{self._airflow.tail()}")
            begun, over = (datetime.fromisoformat(found[name]) for name in ("start_date", "end_date"))
            return (over - begun).total_seconds()

        return run
