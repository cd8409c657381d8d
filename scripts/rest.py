"""Run DAGs and read their results with Airflow's REST API on loopback, whichever processes serve it.

This module uses httpx. apache-airflow-client would be another package in five constraints files, for a few calls.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Self, TypeVar

import httpx

from scripts.background import BackgroundError

T = TypeVar("T")

#: The client uses no proxy, because the server is on loopback, and keeps no connections, because the server may end.
CLIENT = httpx.Client(trust_env=False, timeout=10, limits=httpx.Limits(max_keepalive_connections=0))


class ApiError(Exception):
    """Airflow's REST API refused a request."""

    def __init__(self, method: str, path: str, status: int, text: str) -> None:
        super().__init__(f"Airflow answered {status} to {method} {path}: {text[:500]}")
        self.status = status


def request_json(
    port: int, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
) -> Any:
    """Send one request to a server on loopback, and return the JSON of its answer.

    Raise ``OSError`` while no server listens there, and ``ApiError`` if the status is not a success.
    """
    try:
        answer = CLIENT.request(method, f"http://127.0.0.1:{port}{path}", json=body, headers=headers)
    except httpx.TransportError as error:
        raise ConnectionError(f"no answer to {method} {path}: {error}") from error
    if not answer.is_success:
        raise ApiError(method, path, answer.status_code, answer.text)
    return answer.json() if answer.content else None


class AirflowApi(ABC):
    """An Airflow without a login that serves its REST API on a loopback port.

    :param port: the port of its API server
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._token: str | None = None

    @abstractmethod
    def wait_for(self, what: str, look: Callable[[], T | None], seconds: float) -> T:
        """Wait like ``BackgroundProcess.wait_for``, while Airflow runs."""

    @abstractmethod
    def tail(self, lines: int = 40) -> str:
        """Return the end of Airflow's output."""

    def wait_until_ready(self, seconds: float = 120) -> Self:
        """Wait until the REST API has returned a token."""
        self.wait_for("Airflow's REST API", self.take_token, seconds)
        return self

    def take_token(self) -> bool:
        """Get the token that the calls need. Raise ``OSError`` while the API does not answer."""
        self._token = str(request_json(self.port, "GET", "/auth/token")["access_token"])
        return True

    def api(self, method: str, path: str, body: object = None) -> Any:
        """Call the REST API, and return the JSON of its answer. ``path`` is without ``/api/v2``."""
        return request_json(self.port, method, f"/api/v2{path}", body, {"Authorization": f"Bearer {self._token}"})

    def find(self, path: str) -> Any | None:
        """Return the resource at a path of the REST API, or ``None`` if it does not exist."""
        try:
            return self.api("GET", path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def wait_for_dag(self, dag_id: str, seconds: float = 60) -> None:
        """Wait until Airflow has read the DAG. Raise ``BackgroundError`` if import errors prevent it."""
        patience = 10.0  # the import errors may be from another file
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
        """Trigger a DAG, wait for the run and return its task instances, as ``wait_for_run`` does."""
        return self.wait_for_run(self.start_run(dag_id), seconds)

    def start_run(self, dag_id: str) -> str:
        """Trigger a DAG, and return the path of the run in the REST API."""
        run = self.api("POST", f"/dags/{dag_id}/dagRuns", {"logical_date": None})
        return f"/dags/{dag_id}/dagRuns/{run['dag_run_id']}"

    def task_instances(self, run: str) -> list[dict[str, Any]]:
        """Return the task instances of a run, at most 100, which is Airflow's limit for one call."""
        found: list[dict[str, Any]] = self.api("GET", f"{run}/taskInstances?limit=100")["task_instances"]
        return found

    def wait_for_run(self, run: str, seconds: float = 90) -> list[dict[str, Any]]:
        """Wait until a run has succeeded, and return its task instances.

        Raise ``BackgroundError`` with the log as soon as a try of a task fails, because retries would only take time.
        """

        def look() -> list[dict[str, Any]] | None:
            tasks = self.task_instances(run)
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
        """Return the result of a task instance, or ``None``."""
        instance = f"/dags/{dag_id}/dagRuns/{task['dag_run_id']}/taskInstances/{task['task_id']}"
        entry = self.find(f"{instance}/xcomEntries/return_value?map_index={task['map_index']}")
        return entry and entry["value"]


def _log_line(line: Mapping[str, Any]) -> str:
    errors = [f"{each.get('exc_type')}: {each.get('exc_value')}" for each in line.get("error_detail") or ()]
    return "  " + "\n    ".join([str(line.get("event")), *errors])
