"""Processes that the scripts start: what they inherit from the caller, and what they leave behind."""

import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from scripts.background import (
    BackgroundError,
    BackgroundProcess,
    alive_in_session,
    clean_environment,
    free_port_from,
    free_ports,
)
from scripts.standalone import airflow_environment

#: Starts a child in another process group, as Airflow does with a task, prints its id and waits for it.
PARENT = """
import os, signal, subprocess, sys
{interrupt}
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], process_group=0)
print("child", child.pid, flush=True)
child.wait()
"""
IGNORES = "signal.signal(signal.SIGINT, signal.SIG_IGN)"


def parent(log: Path, interrupt: str = "", grace: float = 5) -> BackgroundProcess:
    command = [sys.executable, "-c", PARENT.format(interrupt=interrupt)]
    return BackgroundProcess("The parent", command, env=os.environ, log=log, grace=grace)


def child_of(process: BackgroundProcess) -> int:
    """Wait until the parent has printed the id of its child, and return the id."""

    def look() -> int | None:
        words = process.tail().split()
        return int(words[1]) if len(words) == 2 else None

    return process.wait_for("the child", look, 10)


@pytest.mark.parametrize(
    "name", ["AIRFLOW_HOME", "AIRFLOW__CORE__EXECUTOR", "AIRFLOW_CONN_X", "VIRTUAL_ENV", "PYTHONPATH"]
)
def test_settings_of_another_airflow_or_python_are_dropped(name: str) -> None:
    assert clean_environment({name: "x", "HOME": "/home/me"}).keys() & {name, "HOME"} == {"HOME"}


def test_a_proxy_of_the_caller_is_not_used_for_loopback() -> None:
    assert "127.0.0.1" in clean_environment({"HTTP_PROXY": "http://proxy:3128", "no_proxy": ""})["no_proxy"]


def test_airflow_finds_its_own_commands_first_and_its_api_on_the_chosen_port(tmp_path: Path) -> None:
    env = airflow_environment(tmp_path, tmp_path / "dags", (4001, 4002, 4003), {"AIRFLOW_CONN_X": "{}"})
    assert env["PATH"].startswith(f"{Path(sys.executable).parent}{os.pathsep}")
    assert env["AIRFLOW__API__BASE_URL"] == "http://127.0.0.1:4001"
    assert (env["AIRFLOW_HOME"], env["AIRFLOW_CONN_X"]) == (str(tmp_path), "{}")


def test_ports_chosen_together_differ() -> None:
    assert len(set(free_ports(20))) == 20


@pytest.mark.parametrize(("interrupt", "grace"), [("", 5.0), (IGNORES, 0.2)], ids=["obeys", "ignores the interrupt"])
def test_stop_leaves_no_process_of_the_session(tmp_path: Path, interrupt: str, grace: float) -> None:
    with parent(tmp_path / "log", interrupt, grace) as process:
        session, child = process.pid, child_of(process)
        assert set(alive_in_session(session)) == {session, child}
    assert alive_in_session(session) == []


def test_a_child_that_outlives_its_parent_is_stopped_too(tmp_path: Path) -> None:
    with parent(tmp_path / "log") as process:
        session, child = process.pid, child_of(process)
        os.kill(session, signal.SIGKILL)
        with pytest.raises(BackgroundError, match=f"The parent ended by itself(.|\n)*child {child}"):
            process.wait_for("anything", lambda: None, 5)
        assert alive_in_session(session) == [child]
    assert alive_in_session(session) == []


def test_after_a_timeout_the_error_has_the_end_of_the_output(tmp_path: Path) -> None:
    with parent(tmp_path / "log") as process:
        child = child_of(process)
        with pytest.raises(BackgroundError, match=f"the sun: nothing after 0 s(.|\n)*child {child}"):
            process.wait_for("the sun", lambda: None, 0)


def test_the_end_of_a_part_is_noticed(tmp_path: Path) -> None:
    code = PARENT.format(interrupt="").replace("child.wait()", "signal.pause()")
    log = tmp_path / "log"
    with BackgroundProcess("x", [sys.executable, "-c", code], env=os.environ, log=log, grace=5) as process:
        child = child_of(process)
        assert process.dead_parts() == set()
        os.kill(child, signal.SIGKILL)
        assert process.wait_for("its end", lambda: process.dead_parts() or None, 5) == {child}


def test_if_a_port_is_taken_the_next_free_one_is_used() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        assert port < free_port_from(port) < port + 100
    assert free_port_from(port) == port
