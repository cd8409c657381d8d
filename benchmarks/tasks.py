"""Measure mapped task instances on a real Airflow with LocalExecutor: ``python -m benchmarks.tasks``.

The figure is the processor time of the executor's workers and of all processes that they have started and waited for:
a task's supervisor and its process. That process parses the DAG file (so each subject has its own file), renders, looks
up the connection and makes one call. Airflow's scheduler, dag processor and API server are not counted.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from benchmarks.calls import DISCORD, HTTP_OPERATOR, SLACK, TASK, TELEGRAM
from benchmarks.harness import OURS, Figures, Goal, Row, medians, report
from benchmarks.server import CallServer, connections
from scripts.background import alive_in_session
from scripts.standalone import RunningAirflow

MEASURED = "processor time of a mapped instance"
NOOP = "a no-op"
#: The number of runs of each subject's DAG, and the number of mapped task instances in each run.
ROUNDS, INSTANCES = 3, 8
GOALS = {NOOP: Goal(1.25), HTTP_OPERATOR: Goal(0.6)}
ROWS = tuple(
    Row(MEASURED, "ms", other, GOALS.get(other)) for other in (NOOP, HTTP_OPERATOR, TASK, SLACK, TELEGRAM, DISCORD)
)

#: The part of the DAG file that differs between subjects: its imports or definitions, and its mapped task.
SUBJECTS = {
    OURS: (
        "from airflow_provider_zapi.operators.privacy import SetLastSeenPrivacyOperator",
        "SetLastSeenPrivacyOperator.partial(task_id='task', zapi_conn_id='zapi')"
        ".expand(visualization_type=['NONE'] * N)",
    ),
    NOOP: (
        """from airflow.sdk import BaseOperator

class NoOp(BaseOperator):
    template_fields = ("value", "conn_id")

    def __init__(self, *, value, conn_id, **kwargs):
        super().__init__(**kwargs)
        self.value = value
        self.conn_id = conn_id

    def execute(self, context):
        return {"value": self.value}""",
        "NoOp.partial(task_id='task', conn_id='none').expand(value=['NONE'] * N)",
    ),
    HTTP_OPERATOR: (
        "from airflow.providers.http.operators.http import HttpOperator",
        "HttpOperator.partial(task_id='task', http_conn_id='http', endpoint='last-seen').expand(data=['{}'] * N)",
    ),
    TASK: (
        """import requests
from airflow.sdk import task as task_decorator

@task_decorator(task_id="task")
def call(value):
    answer = requests.post(os.environ["BENCH_URL"], json={"visualizationType": value}, timeout=(5, 30))
    answer.raise_for_status()
    return answer.json()""",
        "call.expand(value=['NONE'] * N)",
    ),
    SLACK: (
        "from airflow.providers.slack.operators.slack import SlackAPIPostOperator",
        "SlackAPIPostOperator.partial(task_id='task', slack_conn_id='slack').expand(text=['done'] * N)",
    ),
    TELEGRAM: (
        """import telegram
from airflow.providers.telegram.hooks.telegram import TelegramHook
from airflow.providers.telegram.operators.telegram import TelegramOperator

class LocalHook(TelegramHook):
    def get_conn(self):
        return telegram.Bot(self.token, base_url=os.environ["BENCH_URL"] + "/bot")

class LocalTelegramOperator(TelegramOperator):
    def execute(self, context):
        LocalHook(self.telegram_conn_id, self.token, self.chat_id).send_message({"text": self.text})""",
        "LocalTelegramOperator.partial(task_id='task', telegram_conn_id='telegram').expand(text=['done'] * N)",
    ),
    DISCORD: (
        "from airflow.providers.discord.operators.discord_webhook import DiscordWebhookOperator",
        "DiscordWebhookOperator.partial(task_id='task', http_conn_id='discord').expand(message=['done'] * N)",
    ),
}

DAG_FILE = """import os
from datetime import datetime

from airflow.sdk import DAG
{own}

N = {instances}

with DAG({dag_id!r}, schedule=None, start_date=datetime(2026, 1, 1)):
    {task}
"""


def measure() -> Figures:
    """Return the processor time of a task instance, in milliseconds."""
    with tempfile.TemporaryDirectory() as folder, CallServer(tls=True) as server:
        home, dags = Path(folder, "home"), Path(folder, "dags")
        home.mkdir()
        dags.mkdir()
        env = {f"AIRFLOW_CONN_{name.upper()}": value for name, value in connections(server.url).items()}
        env |= {
            "BENCH_URL": server.url,
            "REQUESTS_CA_BUNDLE": str(server.ca_file),
            "SSL_CERT_FILE": str(server.ca_file),
        }
        for number, (own, task) in enumerate(SUBJECTS.values()):
            text = DAG_FILE.format(own=own, task=task, instances=INSTANCES, dag_id=f"bench_{number}")
            (dags / f"bench_{number}.py").write_text(text)
        with RunningAirflow(home, dags, env) as airflow:
            airflow.wait_until_ready(seconds=240)
            for number in range(len(SUBJECTS)):
                airflow.wait_for_dag(f"bench_{number}", seconds=120)

            return medians(
                MEASURED,
                {name: running(airflow, f"bench_{number}") for number, name in enumerate(SUBJECTS)},
                ROUNDS,
            )


def running(airflow: RunningAirflow, dag_id: str) -> Callable[[], float]:
    """Return a function that runs a DAG and measures the processor time of a task instance, in milliseconds."""

    def run() -> float:
        before = workers_time(airflow.pid)
        airflow.run_dag(dag_id, seconds=180)
        time.sleep(1)  # the last supervisor must still wait for its process, and end
        return (workers_time(airflow.pid) - before) / INSTANCES * 1000

    return run


def workers_time(session: int) -> float:
    """Return the processor time of a session's LocalExecutor workers and of their ended children, in seconds."""
    seconds = 0.0
    for process in map(psutil.Process, alive_in_session(session)):
        with suppress(psutil.Error):  # the process has ended
            if " ".join(process.cmdline()).startswith("airflow worker -- LocalExecutor"):
                times = process.cpu_times()
                seconds += times.user + times.system + times.children_user + times.children_system
    return seconds


if __name__ == "__main__":
    import benchmarks.tasks

    report(benchmarks.tasks)
