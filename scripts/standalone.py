"""Run a real ``airflow standalone`` with its own home, for the demo and for tests.

Airflow does not have such a fixture. The settings below suit a small machine.
"""

import os
import sys
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path

from scripts.background import BackgroundError, BackgroundProcess, clean_environment, free_ports
from scripts.rest import AirflowApi

AIRFLOW_2 = version("apache-airflow").startswith("2.")

#: Settings for two cores and SQLite, without a login and without scheduled runs.
SETTINGS = {
    "CORE__PARALLELISM": "2",
    "API__WORKERS": "1",
    "CORE__LOAD_EXAMPLES": "False",
    "LOGGING__LOGGING_LEVEL": "INFO",  # people read the tasks' logs
    "CORE__TEST_CONNECTION": "Enabled",
    "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
    "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
    "SCHEDULER__USE_JOB_SCHEDULE": "False",  # DAGs run only when triggered
    "API__HOST": "127.0.0.1",
}
#: More settings for Airflow 2, which serves its pages from a separate web server.
SETTINGS_2 = {
    "WEBSERVER__WORKERS": "1",
    "WEBSERVER__WEB_SERVER_HOST": "127.0.0.1",
    "DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
}


def airflow_environment(
    home: Path, dags_folder: Path, ports: tuple[int, int, int], env: Mapping[str, str]
) -> dict[str, str]:
    """Return the environment of an Airflow with ``SETTINGS`` and without variables of another Airflow.

    ``ports`` are those of the API server and of the log servers of worker and triggerer. ``env`` is added last.
    """
    api, worker_log, trigger_log = (str(port) for port in ports)
    settings = SETTINGS | {
        "CORE__DAGS_FOLDER": str(dags_folder),
        "API__PORT": api,
        "API__BASE_URL": f"http://127.0.0.1:{api}",  # tasks call the API here
        "LOGGING__WORKER_LOG_SERVER_PORT": worker_log,
        "LOGGING__TRIGGER_LOG_SERVER_PORT": trigger_log,
    }
    if AIRFLOW_2:  # newer versions would warn about these settings
        settings |= SETTINGS_2 | {
            "WEBSERVER__WEB_SERVER_PORT": api,
            "WEBSERVER__BASE_URL": f"http://127.0.0.1:{api}",
        }
    environment = clean_environment(os.environ)
    # `airflow standalone` starts its parts with the command `airflow`.
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', os.defpath)}"
    environment["PYTHONWARNINGS"] = "ignore"
    environment["PYTHONUNBUFFERED"] = "1"  # so that the log is complete if a part is killed
    environment["AIRFLOW_HOME"] = str(home)
    return environment | {f"AIRFLOW__{name}": value for name, value in settings.items()} | dict(env)


class RunningAirflow(BackgroundProcess, AirflowApi):
    """``airflow standalone``, started and stopped with the ``with`` block.

    With Airflow 2, use only the pages, because its REST API is different.

    Entering the block does not wait. ``wait_until_ready()`` waits, so that another server can start at the same time.

    :param home: an empty folder for the database, configuration and logs
    :param dags_folder: the folder of the DAGs
    :param env: variables to add to the environment, such as connections
    :param pause: a function that waits; it may raise, to end the waiting
    :param port: the port of Airflow's pages and REST API; by default a free one
    """

    def __init__(
        self,
        home: Path,
        dags_folder: Path,
        env: Mapping[str, str],
        pause: Callable[[float], None] = time.sleep,
        port: int | None = None,
    ) -> None:
        free, worker_log, trigger_log = free_ports(3)
        port = port or free
        self._dead_before: set[int] = set()
        AirflowApi.__init__(self, port)
        BackgroundProcess.__init__(
            self,
            "Airflow",
            [sys.executable, "-m", "airflow", "standalone"],
            env=airflow_environment(home, dags_folder, (port, worker_log, trigger_log), env),
            log=home / "standalone.log",
            grace=6,
            pause=pause,
        )

    def check(self) -> None:
        """Raise ``BackgroundError`` if Airflow or a part of it has ended. Airflow itself ignores the end of a part."""
        super().check()
        dead = self.dead_parts()
        if dead & self._dead_before:  # seen twice, because Airflow soon removes other children
            raise BackgroundError(f"A part of Airflow ended by itself. The end of the output:\n{self.tail()}")
        self._dead_before = dead
