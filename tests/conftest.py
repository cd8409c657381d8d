"""A separate Airflow for the tests: an empty home, its own configuration, and a database for tests that request one."""

from __future__ import annotations

import json
import logging
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

# This comes before the first import of Airflow, because Airflow reads its configuration on import.
for name in [name for name in os.environ if name.startswith("AIRFLOW")]:
    del os.environ[name]
_HOME = tempfile.mkdtemp(prefix="zapi-tests-")
os.environ["AIRFLOW_HOME"] = _HOME
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "False"
os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(Path(__file__).parent / "dags")
# Airflow 3 runs a DAG only from a known bundle. These are the bundles of the tests, the examples and the how-tos.
(Path(_HOME) / "howto").mkdir()
os.environ["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"] = json.dumps(
    [
        {
            "name": name,
            "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
            "kwargs": {"path": str(path)},
        }
        for name, path in {
            "dags-folder": Path(__file__).parent / "dags",
            "examples": Path(__file__).parent.parent / "example_dags",
            "howto": Path(_HOME) / "howto",
        }.items()
    ]
)
os.environ["AIRFLOW__CORE__TEST_CONNECTION"] = "Enabled"
# Airflow 2.11 warns about the default when it is imported.
os.environ["AIRFLOW__METRICS__TIMER_UNIT_CONSISTENCY"] = "True"


@pytest.fixture(scope="session", autouse=True)
def airflow_home() -> Iterator[Path]:
    yield Path(_HOME)
    shutil.rmtree(_HOME, ignore_errors=True)


@pytest.fixture
def nothing_leaks(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Check that the test's logs, at every level, and its output contain no canary secret."""
    from tests.support import leaks, logged

    caplog.set_level(logging.DEBUG)
    yield
    assert not leaks(caplog.text, *logged(caplog.records), *capfd.readouterr())


@pytest.fixture(scope="session")
def airflow_db(airflow_home: Path) -> None:
    from airflow.utils.db import initdb

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warnings from Airflow's dependencies; our code does not run here
        initdb()
