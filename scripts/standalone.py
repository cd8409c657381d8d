"""A real ``airflow standalone`` with a home of its own, for the demo and for tests."""

import http.client
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

from scripts.background import BackgroundError, BackgroundProcess, clean_environment, free_ports

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


class ApiError(Exception):
    """Airflow's REST API refused a request."""

    def __init__(self, method: str, path: str, status: int, text: str) -> None:
        super().__init__(f"Airflow answered {status} to {method} {path}: {text[:500]}")
        self.status = status


def request_json(
    port: int, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
) -> Any:
    """Send one request to a server on loopback and return the JSON that it answers.

    Raises ``OSError`` while nobody listens there, ``ApiError`` for any status but a success.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        sent = None if body is None else json.dumps(body)
        connection.request(method, path, sent, {"Content-Type": "application/json", **(headers or {})})
        answer = connection.getresponse()
        text = answer.read().decode()
    except http.client.HTTPException as error:  # it closed the connection while it started or stopped
        raise ConnectionError(f"no answer to {method} {path}") from error
    finally:
        connection.close()
    if not 200 <= answer.status < 300:
        raise ApiError(method, path, answer.status, text)
    return json.loads(text) if text else None


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


class RunningAirflow(BackgroundProcess):
    """``airflow standalone``, started and stopped with the ``with`` block.

    Of Airflow 2 it is the pages alone that can be used: the REST API is another one.

    Entering the block does not wait: ``wait_until_ready()`` does, so that another server can start meanwhile.

    :param home: an empty folder; its database, configuration and logs.
    :param dags_folder: where the DAGs are.
    :param env: variables added to the environment, connections for example.
    :param pause: how to wait; it may raise to end the waiting.
    """

    def __init__(
        self,
        home: Path,
        dags_folder: Path,
        env: Mapping[str, str],
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        ports = free_ports(3)
        self.port = ports[0]
        self.url = f"http://127.0.0.1:{self.port}"
        self._token: str | None = None
        self._dead_before: set[int] = set()
        super().__init__(
            "Airflow",
            [sys.executable, "-m", "airflow", "standalone"],
            env=airflow_environment(home, dags_folder, (ports[0], ports[1], ports[2]), env),
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

    def wait_until_ready(self, seconds: float = 120) -> Self:
        """Wait until the REST API answers and has given a token."""

        def token() -> str:
            return str(request_json(self.port, "GET", "/auth/token")["access_token"])

        self._token = self.wait_for("Airflow's REST API", token, seconds)
        return self

    def api(self, method: str, path: str, body: object = None) -> Any:
        """Call the REST API, ``path`` without ``/api/v2``, and return the JSON it answers."""
        return request_json(self.port, method, f"/api/v2{path}", body, {"Authorization": f"Bearer {self._token}"})

    def find(self, path: str) -> Any | None:
        """Return what the REST API has there, or ``None`` while there is nothing."""
        try:
            return self.api("GET", path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def wait_for_dag(self, dag_id: str, seconds: float = 60) -> None:
        """Wait until the DAG can be run; raise ``BackgroundError``, with import errors, if it never can."""
        patience = 10.0  # for a DAG in one file while another file is broken
        broken_since: float | None = None

        def look() -> bool | None:
            nonlocal broken_since
            if self.find(f"/dags/{dag_id}"):
                return True
            errors = self.api("GET", "/importErrors")["import_errors"]
            if errors:
                broken_since = broken_since or time.monotonic()
                if time.monotonic() - broken_since > patience:
                    texts = "\n".join(f"{each['filename']}:\n{each['stack_trace']}" for each in errors)
                    raise BackgroundError(f"The DAG {dag_id} was not found, and there are import errors:\n{texts}")
            return None

        self.wait_for(f"the DAG {dag_id}", look, seconds)

    def run_dag(self, dag_id: str, seconds: float = 90) -> list[dict[str, Any]]:
        """Run a DAG once by hand and return its task instances, as ``wait_for_run`` does."""
        return self.wait_for_run(self.start_run(dag_id), seconds)

    def start_run(self, dag_id: str) -> str:
        """Start a run of a DAG by hand and return its path in the REST API."""
        run = self.api("POST", f"/dags/{dag_id}/dagRuns", {"logical_date": None})
        return f"/dags/{dag_id}/dagRuns/{run['dag_run_id']}"

    def wait_for_run(self, run: str, seconds: float = 90) -> list[dict[str, Any]]:
        """Wait until a run has succeeded and return its task instances.

        Raises ``BackgroundError`` with the log at a task's first failed try: retries would only delay it.
        """

        def look() -> list[dict[str, Any]] | None:
            tasks: list[dict[str, Any]] = self.api("GET", f"{run}/taskInstances")["task_instances"]
            failed = [each for each in tasks if each["state"] in ("failed", "up_for_retry")]
            if failed:
                logs = "\n".join(f"{each['task_id']}:\n{self.task_log(run, each)}" for each in failed)
                raise BackgroundError(f"A task of {failed[0]['dag_id']} failed. Its log:\n{logs}")
            state = self.api("GET", run)["state"]
            if state == "failed":
                raise BackgroundError(f"The run {run} failed.\n{self.tail()}")
            return tasks if state == "success" else None

        return self.wait_for(f"the end of the run {run}", look, seconds)

    def task_log(self, run: str, task: Mapping[str, Any]) -> str:
        """Return the log of a task instance's last try."""
        path = f"{run}/taskInstances/{task['task_id']}/logs/{task['try_number']}?map_index={task['map_index']}"
        lines = self.api("GET", path)["content"]
        return "\n".join(line if isinstance(line, str) else _log_line(line) for line in lines)

    def returned(self, dag_id: str, task: Mapping[str, Any]) -> Any | None:
        """Return what a task instance returned, or ``None``."""
        instance = f"/dags/{dag_id}/dagRuns/{task['dag_run_id']}/taskInstances/{task['task_id']}"
        entry = self.find(f"{instance}/xcomEntries/return_value?map_index={task['map_index']}")
        return entry and entry["value"]


def _log_line(line: Mapping[str, Any]) -> str:
    errors = [f"{each.get('exc_type')}: {each.get('exc_value')}" for each in line.get("error_detail") or ()]
    return "  " + "\n    ".join([str(line.get("event")), *errors])
