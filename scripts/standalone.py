"""A real ``airflow standalone`` with a home of its own, for the demo and for tests.

Airflow has no such fixture of its own: its settings for a small, quiet machine are here.
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

#: Small (what two cores and SQLite bear), without a login, and with nothing run but by hand.
SETTINGS = {
    "CORE__PARALLELISM": "2",
    "API__WORKERS": "1",
    "CORE__LOAD_EXAMPLES": "False",
    "LOGGING__LOGGING_LEVEL": "INFO",  # the tasks' logs are there to be looked at
    "CORE__TEST_CONNECTION": "Enabled",
    "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
    "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
    "SCHEDULER__USE_JOB_SCHEDULE": "False",  # a DAG that is due must not run beside the one that is looked at
    "API__HOST": "127.0.0.1",
}
#: The same for Airflow 2, whose pages come from another server.
SETTINGS_2 = {
    "WEBSERVER__WORKERS": "1",
    "WEBSERVER__WEB_SERVER_HOST": "127.0.0.1",
    "DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
}


def airflow_environment(
    home: Path, dags_folder: Path, ports: tuple[int, int, int], env: Mapping[str, str]
) -> dict[str, str]:
    """Return the environment of an Airflow that is as in ``SETTINGS`` and knows nothing of another one.

    ``ports``: of the API server, of the worker's log server, of the triggerer's. ``env`` is added last.
    """
    api, worker_log, trigger_log = (str(port) for port in ports)
    settings = SETTINGS | {
        "CORE__DAGS_FOLDER": str(dags_folder),
        "API__PORT": api,
        "API__BASE_URL": f"http://127.0.0.1:{api}",  # tasks find the API by it
        "LOGGING__WORKER_LOG_SERVER_PORT": worker_log,
        "LOGGING__TRIGGER_LOG_SERVER_PORT": trigger_log,
    }
    if AIRFLOW_2:  # newer ones would complain of them
        settings |= SETTINGS_2 | {
            "WEBSERVER__WEB_SERVER_PORT": api,
            "WEBSERVER__BASE_URL": f"http://127.0.0.1:{api}",
        }
    environment = clean_environment(os.environ)
    # `airflow standalone` looks its parts up there, by the name `airflow`.
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', os.defpath)}"
    environment["PYTHONWARNINGS"] = "ignore"
    environment["PYTHONUNBUFFERED"] = "1"  # else the log lacks its end when a part is killed
    environment["AIRFLOW_HOME"] = str(home)
    return environment | {f"AIRFLOW__{name}": value for name, value in settings.items()} | dict(env)


class RunningAirflow(BackgroundProcess, AirflowApi):
    """``airflow standalone``, started and stopped with the ``with`` block.

    Of Airflow 2 it is the pages alone that can be used: the REST API is another one.

    Entering the block does not wait: ``wait_until_ready()`` does, so that another server can start meanwhile.

    :param home: an empty folder; its database, configuration and logs.
    :param dags_folder: where the DAGs are.
    :param env: variables added to the environment, connections for example.
    :param pause: how to wait; it may raise to end the waiting.
    :param port: of Airflow's pages and REST API; by default a free one.
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
        """Raise ``BackgroundError`` if Airflow or a part of it has ended: the rest goes on without one."""
        super().check()
        dead = self.dead_parts()
        if dead & self._dead_before:  # twice: one that is just being waited for is no part
            raise BackgroundError(f"A part of Airflow ended by itself. The end of the output:\n{self.tail()}")
        self._dead_before = dead
