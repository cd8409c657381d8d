"""The demo runs a DAG on a real Airflow with the emulator, and leaves nothing behind."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from airflow_provider_zapi.plugin import URL_ROUTE
from scripts.airflow_demo import ACCOUNT, AIRFLOW_PORT, EMULATOR_PORT, NUMBERS
from scripts.background import alive_in_session
from scripts.rest import request_json
from tests.airflow.support import PROJECT, newest_airflow_only

pytestmark = newest_airflow_only

#: Environment variables of a caller that uses a different Airflow. The demo must ignore them.
FOREIGN = {
    "AIRFLOW_HOME": "/nonexistent",
    "AIRFLOW__CORE__EXECUTOR": "Nonsense",
    "PYTHONPATH": "/nonexistent",
}

FAILING_DAG = """
from airflow.sdk import DAG, task

with DAG("zapi_hide_last_seen", default_args={"retries": 3}):
    @task
    def hide():
        raise ValueError("the phone is lost")

    hide()
"""


def start_demo(home: Path, *options: str) -> subprocess.Popen[str]:
    """Start the demo as the leader of a process group, like a command from a terminal."""
    return subprocess.Popen(
        [sys.executable, "-m", "scripts.airflow_demo", "--home", str(home), *options],
        cwd=PROJECT,
        env=os.environ | FOREIGN,
        process_group=0,
        stdout=subprocess.PIPE,
        text=True,
    )


def output_until(process: subprocess.Popen[str], text: str) -> str:
    """Read the output up to the line with this string, or to its end."""
    assert process.stdout is not None
    seen = ""
    for line in process.stdout:
        seen += line
        if text in line:
            break
    return seen


def server_sessions(process: subprocess.Popen[str]) -> list[int]:
    """Wait for both servers, and return their sessions. Each server is the leader of a session."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        found = [each.pid for each in psutil.Process(process.pid).children() if os.getsid(each.pid) == each.pid]
        if len(found) == 2:
            return found
        time.sleep(0.02)
    raise AssertionError("the demo did not start two servers")


def left_over(sessions: list[int]) -> list[int]:
    return [pid for session in sessions for pid in alive_in_session(session)]


def test_it_shows_the_privacy_before_and_after_and_the_result_of_the_task(tmp_path: Path) -> None:
    with start_demo(tmp_path / "home") as process:
        output = output_until(process, "Airflow is ready")
        sessions = server_sessions(process)
        output += output_until(process, "never")
    assert process.returncode == 0, output
    assert re.search(r"last seen, before: ALL$", output, re.MULTILINE)
    assert re.search(r"Task \w+ returned \{.*last_seen.*\}$", output, re.MULTILINE)
    assert re.search(r"last seen, after: NONE$", output, re.MULTILINE)
    assert "token" not in output
    assert left_over(sessions) == []


@contextlib.contextmanager
def taken(port: int) -> Iterator[None]:
    """Make sure that some process listens on a port."""
    with socket.socket() as listening:
        with contextlib.suppress(OSError):
            listening.bind(("127.0.0.1", port))
            listening.listen()
        yield


def test_with_stay_it_has_the_examples_connections_and_pools_on_the_next_free_ports(tmp_path: Path) -> None:
    with taken(AIRFLOW_PORT), taken(EMULATOR_PORT), start_demo(tmp_path / "home", "--stay") as process:
        try:
            output = output_until(process, "Press Ctrl-C to stop both")
            assert "Schedules are off" in output
            closing = output[output.index("Connections and pools") :]
            addresses = re.findall(r"(?:Airflow|Emulator): +http://127.0.0.1:(\d+)/", closing)
            airflow_port, emulator_port = (int(port) for port in addresses)
            assert f"http://127.0.0.1:{airflow_port}/plugin/{URL_ROUTE} " in closing
            assert AIRFLOW_PORT < airflow_port < AIRFLOW_PORT + 100
            assert EMULATOR_PORT < emulator_port < EMULATOR_PORT + 100
            token = {"Authorization": f"Bearer {request_json(airflow_port, 'GET', '/auth/token')['access_token']}"}
            names = {number.connection for number in NUMBERS}
            pools = request_json(airflow_port, "GET", "/api/v2/pools", headers=token)["pools"]
            assert {each["name"] for each in pools} == names | {"default_pool", ACCOUNT}
            connections = request_json(airflow_port, "GET", "/api/v2/connections", headers=token)["connections"]
            shown = {each["connection_id"]: each for each in connections}
            assert names <= set(shown)
            for number in NUMBERS:
                # The Test button sends this for a saved connection. The secrets are hidden, and stay unchanged.
                form = shown[number.connection]
                tested = request_json(airflow_port, "POST", "/api/v2/connections/test", form, token)
                assert tested["status"], tested
            cards = request_json(emulator_port, "GET", "/_emulator/instances")["instances"]
            assert [card["name"] for card in cards[:3]] == ["Demo", "Sales", "Support"]
        finally:
            os.killpg(process.pid, signal.SIGINT)
            output += output_until(process, "never")
    assert process.returncode == 0, output


def test_after_a_failed_task_it_prints_the_log_and_exits_with_1(tmp_path: Path) -> None:
    dags = tmp_path / "dags"
    dags.mkdir()
    (dags / "failing.py").write_text(FAILING_DAG)
    with start_demo(tmp_path / "home", "--dags-folder", str(dags)) as process:
        output = output_until(process, "never")
    assert process.returncode == 1
    assert "A task of zapi_hide_last_seen failed" in output
    assert "ValueError: the phone is lost" in output


@pytest.mark.parametrize("moment", ["Starting Airflow", "Airflow is ready"])
def test_an_interrupt_leaves_no_process(tmp_path: Path, moment: str) -> None:
    with start_demo(tmp_path / "home") as process:
        output_until(process, moment)
        sessions = server_sessions(process)
        os.killpg(process.pid, signal.SIGINT)
        output = output_until(process, "never")
    assert process.returncode == 128 + signal.SIGINT
    assert output.endswith("Stopped by SIGINT\n")
    assert left_over(sessions) == []


def test_a_folder_with_other_files_is_not_emptied(tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    with start_demo(tmp_path) as process:
        output = output_until(process, "never")
    assert process.returncode == 1
    assert "it has files that are not from this demo" in output
    assert (tmp_path / "precious").exists()
