"""A task process of the installed Airflow is killed at the worst moment, and then the task is retried."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_zapi.emulator import Emulator, running_emulator
from scripts.background import BackgroundProcess, alive_in_session
from tests.airflow.conftest import connection
from tests.airflow.real import environment, files, new_home, rows, run_airflow, scheduler
from tests.airflow.support import without_airflows_own
from tests.faults import FAULTS, FaultServer
from tests.support import CLIENT_TOKEN, TOKEN, leaks

#: The requested changes, and the number of calls that they need.
PHONES = {f"1415{number:07d}" for number in range(2000)}
CALLS = 4


@dataclass(frozen=True)
class Kill:
    """A task that is killed: how the emulator prolongs the moment, after how many requests it comes, and the signal."""

    name: str
    switches: dict[str, Any]
    requests: int
    signal: signal.Signals


#: Each answer takes long enough to be noticed. The second call is not answered before the signal.
SLOW = {"delay": 3}
#: The client waits as long as the server asks, which is longer than the test takes.
BUSY = {"fail_next": [{"status": 503, "body": {}, "headers": {"Retry-After": "55"}}]}
KILLS = (
    Kill("terminated_between_calls", SLOW, 2, signal.SIGTERM),
    Kill("killed_between_calls", SLOW, 2, signal.SIGKILL),
    Kill("terminated_in_a_wait", BUSY, 1, signal.SIGTERM),
    Kill("killed_in_a_wait", BUSY, 1, signal.SIGKILL),
)
#: Behaviours of a server that never finishes the headers. Each byte comes long before the read timeout, or none comes.
HANGING = ("silent", "drip_headers")


@dataclass
class Seen:
    """The results of all tasks: the state and the number of tries of each, the requests, and the log."""

    ends: dict[str, tuple[str, int]] = field(default_factory=dict)
    requests: dict[str, int] = field(default_factory=dict)
    lists: dict[str, list[str]] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)
    on_kill_called: set[str] = field(default_factory=set)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    home = new_home(tmp_path_factory.mktemp("killed") / "home")
    marks = home / "marks"
    marks.mkdir()
    env = {
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",  # DEBUG would cost a third of the time
        "ZAPI_TEST_MARKS": str(marks),
        "ZAPI_TEST_KILLED": " ".join(kill.name for kill in KILLS),
        "ZAPI_TEST_HANGING": " ".join(HANGING),
    }
    seen = Seen()
    with contextlib.ExitStack() as stack:
        zapi = stack.enter_context(running_emulator())
        for kill in KILLS:
            zapi.emulator.put(kill.name, {"token": TOKEN, "client_token": CLIENT_TOKEN, "phone": "5544999990000"})
            zapi.emulator.instance(kill.name).patch({"switches": kill.switches})
            env[f"AIRFLOW_CONN_ZAPI_{kill.name.upper()}"] = connection(zapi.url, kill.name)
        servers = {name: stack.enter_context(FaultServer(FAULTS[name])) for name in HANGING}
        for name, server in servers.items():
            env[f"AIRFLOW_CONN_ZAPI_{name.upper()}"] = connection(server.url, "instance-1")
        run_airflow(environment(home, env), "db migrate")
        running = stack.enter_context(scheduler(home, env))
        seen.ends = running.wait_for("the end of the run", kill_in_time(home, running, zapi.emulator), 120)
        for kill in KILLS:
            seen.requests[kill.name] = len(requests(zapi.emulator, kill.name))
            seen.lists[kill.name] = zapi.emulator.instance(kill.name).view()["settings"]["last_seen"]["excluded"]
        seen.requests |= {name: len(server.requests) for name, server in servers.items()}
    texts = dict(files(home))
    for name in (*HANGING, *(kill.name for kill in KILLS)):
        seen.logs[name] = "\n".join(text for path, text in texts.items() if f"task_id={name}/" in path)
    seen.on_kill_called = {path.name for path in marks.iterdir()}
    return seen


def requests(emulator: Emulator, instance: str) -> list[dict[str, Any]]:
    return [request for request in emulator.requests if request["instance"] == instance]


def kill_in_time(
    home: Path, running: BackgroundProcess, emulator: Emulator
) -> Callable[[], dict[str, tuple[str, int]] | None]:
    """Return a function that sends each signal at its moment, and finally returns the states of the tasks."""
    waiting = {kill.name: kill for kill in KILLS}

    def look() -> dict[str, tuple[str, int]] | None:
        for name, pid in rows(home, "SELECT task_id, pid FROM task_instance WHERE state = 'running'"):
            kill = waiting.get(name)
            if kill and len(requests(emulator, name)) == kill.requests and pid in alive_in_session(running.pid):
                os.kill(pid, kill.signal)
                emulator.instance(name).patch({"switches": {"delay": 0}})
                del waiting[name]
        ended = rows(home, "SELECT 1 FROM dag_run WHERE dag_id = 'zapi_killed' AND state IN ('success', 'failed')")
        found = rows(home, "SELECT task_id, state, try_number FROM task_instance WHERE dag_id = 'zapi_killed'")
        return {name: (state, tries) for name, state, tries in found} if ended else None

    return look


@pytest.mark.parametrize("kill", KILLS, ids=[kill.name for kill in KILLS])
def test_nothing_is_sent_after_the_signal_and_the_next_try_succeeds(seen: Seen, kill: Kill) -> None:
    if kill.signal == signal.SIGKILL and version("apache-airflow").startswith("3.0."):
        pytest.skip("Airflow 3.0 fails a task whose process was killed, and does not retry it")
    assert seen.ends[kill.name] == ("success", 2)
    assert seen.requests[kill.name] == kill.requests + CALLS
    assert set(seen.lists[kill.name]) == PHONES


@pytest.mark.parametrize("kill", KILLS, ids=[kill.name for kill in KILLS])
def test_airflow_calls_on_kill_for_sigterm(seen: Seen, kill: Kill) -> None:
    assert (kill.name in seen.on_kill_called) == (kill.signal == signal.SIGTERM)


@pytest.mark.parametrize("name", HANGING)
def test_the_execution_timeout_ends_a_call_that_hangs_in_the_headers(seen: Seen, name: str) -> None:
    assert seen.ends[name] == ("failed", 1)
    assert seen.requests[name] == 1
    assert "AirflowTaskTimeout" in seen.logs[name]


@pytest.mark.parametrize("name", [*HANGING, *(kill.name for kill in KILLS)])
def test_the_log_of_an_ended_task_holds_no_secret(seen: Seen, name: str) -> None:
    assert seen.logs[name]
    assert not leaks(without_airflows_own(seen.logs[name]))
