"""A real Airflow as in production: separate processes, tasks on Celery's workers, PostgreSQL and Redis."""

import base64
import secrets
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from scripts.background import BackgroundError, BackgroundProcess, free_ports
from scripts.rest import AirflowApi, request_json
from scripts.standalone import airflow_environment
from tests.celery.parts import Part, Parts
from tests.celery.services import postgresql, redis

T = TypeVar("T")

#: The number of tasks that a worker runs at the same time.
CONCURRENCY = 4
WORKERS = 2
#: Airflow and Celery notice within this time that a worker is gone. By default, they take minutes and a day.
NOTICE = {
    # The task's process sends a heartbeat every 5 seconds (workers.min_heartbeat_interval).
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    # Tasks that the worker took from the queue but did not start go back to the queue. A task that runs longer than this
    # is started a second time, which Airflow reports as a failure.
    "CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": "60",
    "CELERY_BROKER_TRANSPORT_OPTIONS__UNACKED_RESTORE_INTERVAL": "2",
    "CELERY_BROKER_TRANSPORT_OPTIONS__UNACKED_RESTORE_THROTTLE": "1",
}


class DistributedAirflow(AirflowApi):
    """Airflow with the CeleryExecutor. ``parts`` starts, watches and stops its processes.

    :param parts: the parts, inside their ``with`` block
    :param home: a folder for the configuration and the logs of all parts
    :param database: an empty folder for PostgreSQL, which a user other than root must be able to access
    :param dags_folder: the folder of the DAGs
    :param env: more environment variables for all parts
    """

    def __init__(self, parts: Parts, home: Path, database: Path, dags_folder: Path, env: Mapping[str, str]) -> None:
        api_port, worker_log_port, trigger_log_port = free_ports(3)
        super().__init__(api_port)
        self.parts = parts
        self.home = home
        self._postgresql, address = postgresql(database, self._log("postgresql"))
        self._redis, broker = redis(home, self._log("redis"))
        self.database = f"postgresql+psycopg2://{address}"
        settings = NOTICE | {
            "CORE__EXECUTOR": "CeleryExecutor",
            "CORE__PARALLELISM": "32",
            "CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "CORE__FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "API_AUTH__JWT_SECRET": secrets.token_urlsafe(32),
            "DATABASE__SQL_ALCHEMY_CONN": self.database,
            "DATABASE__SQL_ALCHEMY_CONN_ASYNC": f"postgresql+asyncpg://{address}",
            "CELERY__BROKER_URL": broker,
            "CELERY__RESULT_BACKEND": f"db+{self.database}",
        }
        named = {f"AIRFLOW__{name}": value for name, value in settings.items()}
        ports = (api_port, worker_log_port, trigger_log_port)
        self._env = airflow_environment(home, dags_folder, ports, named | dict(env))
        self._workers: list[str] = []

    def start(self) -> None:
        """Start everything and wait until each part is ready."""
        self.parts.start(self._postgresql, self._redis)
        self._migrate()
        self.parts.start(
            self._part("api-server", self.take_token),
            self._part("scheduler", self._healthy("scheduler")),
            self._part("dag-processor", self._healthy("dag_processor")),
            # The log servers would listen on all addresses, and are not needed: the API server reads the files.
            self._part("triggerer", self._healthy("triggerer"), "--skip-serve-logs"),
        )
        self.workers()

    def workers(self) -> list[str]:
        """Return the names of the running workers, after a new worker has replaced each one that was killed."""
        while len(running := [name for name in self._workers if self.parts.runs(name)]) < WORKERS:
            self._workers.append(f"worker {len(self._workers) + 1}")
            # Start the workers one after the other, because the first one creates Celery's tables.
            self.parts.start(self._worker(self._workers[-1]))
        return running

    def wait_for(self, what: str, look: Callable[[], T | None], seconds: float) -> T:
        """Call ``look`` until it returns something, and return that. Raise an error if a part ends."""
        return self.parts.wait_for(what, look, seconds)

    def tail(self, lines: int = 40) -> str:
        """Return the end of each part's output."""
        return self.parts.tail(lines)

    def _log(self, name: str) -> Path:
        return self.home / f"{name.replace(' ', '-')}.log"

    def _migrate(self) -> None:
        command = [sys.executable, "-m", "airflow", "db", "migrate"]
        with self._log("db-migrate").open("wb") as output:
            done = subprocess.run(command, env=self._env, stdout=output, stderr=subprocess.STDOUT, check=False)
        if done.returncode != 0:
            raise BackgroundError(f"airflow db migrate failed:\n{self._log('db-migrate').read_text()}")

    def _part(self, name: str, ready: Callable[[], bool], *options: str, command: tuple[str, ...] = ()) -> Part:
        process = BackgroundProcess(
            name,
            [sys.executable, "-m", "airflow", *(command or (name,)), *options],
            env=self._env,
            log=self._log(name),
            grace=1,  # it has nothing to save when it stops
        )
        return Part(process, ready)

    def _worker(self, name: str) -> Part:
        host = name.replace(" ", "-")
        options = {
            "--celery-hostname": host,
            "--concurrency": str(CONCURRENCY),
            "--pid": str(self.home / f"{host}.pid"),
        }
        return self._part(
            name,
            lambda: f"{host} ready" in self._log(name).read_text(errors="replace"),
            *(word for option in options.items() for word in option),
            "--skip-serve-logs",
            command=("celery", "worker"),
        )

    def _healthy(self, part: str) -> Callable[[], bool]:
        return lambda: request_json(self.port, "GET", "/api/v2/monitor/health")[part]["status"] == "healthy"
