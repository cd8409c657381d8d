"""Run a DAG of the tests in this process, on the installed Airflow."""

from __future__ import annotations

import importlib
import json
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[2]
DAGS = PROJECT / "tests" / "dags"
EXAMPLES = PROJECT / "example_dags"

SUPPORTED = [path.stem.removeprefix("airflow-") for path in PROJECT.glob("constraints/airflow-*.txt")]
NEWEST = max(SUPPORTED, key=lambda name: [int(part) for part in name.split(".")])

#: The mark of tests that run `airflow standalone`, like the demo.
newest_airflow_only = pytest.mark.skipif(
    version("apache-airflow") != NEWEST, reason=f"the demo is made for the newest supported Airflow, {NEWEST}"
)


def dag_bag(folder: Path) -> Any:
    try:
        module = importlib.import_module("airflow.dag_processing.dagbag")
    except ImportError:  # up to Airflow 3.1
        module = importlib.import_module("airflow.models.dagbag")
    return module.DagBag(dag_folder=str(folder))


def run(dag: Any, conf: dict[str, Any] | None = None, **options: Any) -> Any:
    """Run a DAG to its end in this process, like a manual run, and return the run.

    :param options: more arguments for ``DAG.test``
    """
    # In Airflow 3, such a run has no logical date. In Airflow 2, it is the time of the call. Airflow 3.0 warns about its
    # own implementation.
    by_hand = {} if version("apache-airflow").startswith(("2.", "3.0.")) else {"logical_date": None}
    return dag.test(run_conf=conf or {}, **by_hand, **options)


def results(dag_run: Any, task_id: str) -> dict[int, Any]:
    """Return what a task returned, by map index (-1 for a task that is not mapped)."""
    from airflow.utils.session import create_session
    from sqlalchemy import text

    query = text(
        "SELECT map_index, value FROM xcom WHERE key = 'return_value' AND run_id = :run AND dag_id = :dag AND task_id = :task"
    )
    with create_session() as session:
        rows = session.execute(query, {"run": dag_run.run_id, "dag": dag_run.dag_id, "task": task_id}).all()
    return {index: _decoded(value) for index, value in rows}


def _decoded(value: Any) -> Any:
    # Airflow 2 stores JSON as bytes. Airflow 3 stores it in a JSON column.
    while isinstance(value, (str, bytes)):
        value = json.loads(value)
    return value


def states(dag_run: Any) -> dict[str, str]:
    return {instance.task_id: str(instance.state) for instance in dag_run.get_task_instances()}


#: Lines in which Airflow itself prints secrets. `mask_secret`, which we call and Airflow calls for every connection that it
#: looks up, sends the secret to the process that masks. In a run within one process (`dag.test()`, `airflow dags test`,
#: Airflow 3), this is logged at DEBUG.
AIRFLOWS_OWN = re.compile(r"^.*\bSending request\b.*\bmsg=MaskSecret\(.*$", re.MULTILINE)


_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def folded(log: str) -> str:
    """Return a log as one line without colours, because Airflow 3.0 wraps error messages at a fixed width."""
    return " ".join(_COLOUR.sub("", log).split())


def without_airflows_own(text: str) -> str:
    return AIRFLOWS_OWN.sub("", text)
