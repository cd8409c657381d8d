"""The example that waits, checks, applies and notifies, on a real Airflow while Z-API disconnects, dies and returns."""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from scripts.background import BackgroundProcess, clean_environment, free_ports, kill_session
from scripts.rest import request_json
from scripts.standalone import RunningAirflow
from tests.airflow.conftest import connection
from tests.airflow.real import files, new_home, stored_texts
from tests.airflow.support import EXAMPLES, newest_airflow_only, without_airflows_own
from tests.support import CLIENT_TOKEN, TOKEN, leaks

pytestmark = newest_airflow_only

DAG_ID = "zapi_wait_check_apply_tell"
INSTANCE = "instance-1"
PARTS = {"token": TOKEN, "client_token": CLIENT_TOKEN, "phone": "5544999990000", "connected": False}

#: An emulator whose instance is disconnected from the start. The emulator's command line has no option for this.
SERVE = """
import json, sys
from airflow_provider_zapi.emulator import Emulator
from airflow_provider_zapi.emulator.server import listen, serve
emulator = Emulator()
emulator.put(sys.argv[2], json.loads(sys.argv[3]))
with listen("127.0.0.1", int(sys.argv[1])) as listening:
    serve(emulator, listening)
"""


class Server:
    """The emulator in a process that a test can kill and restart on the same port, while Airflow runs."""

    def __init__(self, port: int, log: Path) -> None:
        self.port = port
        self.process = BackgroundProcess(
            "The emulator",
            [sys.executable, "-c", SERVE, str(port), INSTANCE, json.dumps(PARTS)],
            env=clean_environment(os.environ),
            log=log,
            grace=3,
        )

    def state(self) -> dict[str, Any]:
        return dict(request_json(self.port, "GET", f"/_emulator/instances/{INSTANCE}"))

    def reads(self) -> int:
        """Return the number of requests for the instance's status since the start."""
        requests = request_json(self.port, "GET", "/_emulator/requests")["requests"]
        return sum(each["path"].endswith("/status") for each in requests)

    def connect(self) -> None:
        request_json(self.port, "PATCH", f"/_emulator/instances/{INSTANCE}", {"connected": True})

    def refuses(self) -> bool:
        try:
            self.state()
        except ConnectionError:
            return True
        return False


@dataclass(frozen=True)
class Ran:
    """The results of the run: the states of its tasks, the instance, all files, and all columns of the database."""

    tasks: dict[str, tuple[str, int]]
    instance: dict[str, Any]
    files: dict[str, str]
    columns: dict[str, str]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """Run the example. Each step waits until the effect of the previous one is visible."""
    folder = tmp_path_factory.mktemp("chain")
    home = new_home(folder / "home")
    port = free_ports(1)[0]
    env = {
        "AIRFLOW_CONN_ZAPI_DEFAULT": connection(f"http://127.0.0.1:{port}", INSTANCE),
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG",
    }
    server = Server(port, folder / "emulator.log")
    with server.process, RunningAirflow(home, quick_example(folder / "dags"), env) as airflow:
        server.process.wait_for("the emulator", server.state, 30)
        airflow.wait_until_ready()
        airflow.api("POST", "/pools", {"name": "zapi_default", "slots": 1})
        airflow.wait_for_dag(DAG_ID)
        run = airflow.start_run(DAG_ID)

        def state_of_the_wait() -> str:
            return str(airflow.api("GET", f"{run}/taskInstances/wait_for_phone")["state"])

        def warning() -> str | None:
            text = triggerers_log(home)
            return text if "the connection was refused" in text else None

        airflow.wait_for("the deferred wait", lambda: state_of_the_wait() == "deferred" or None, 60)
        # The first request came from the worker.
        airflow.wait_for("a look of the triggerer", lambda: server.reads() > 1 or None, 60)
        kill_session(server.process.pid)
        airflow.wait_for("a dead emulator", lambda: server.refuses() or None, 10)
        airflow.wait_for("the triggerer's warning", warning, 30)
        server.process.stop()
        with server.process:
            airflow.wait_for("a look at the new emulator", lambda: server.reads() or None, 30)
            assert state_of_the_wait() == "deferred"
            server.connect()
            tasks = airflow.wait_for_run(run)
            instance = server.state()
    return Ran(
        {each["task_id"]: (each["state"], each["try_number"]) for each in tasks},
        instance,
        dict(files(home)),
        dict(stored_texts(home)),
    )


def quick_example(folder: Path) -> Path:
    """Write the example into its own folder, unchanged except for a shorter poke interval."""
    folder.mkdir()
    source = (EXAMPLES / f"{DAG_ID}.py").read_text()
    assert source.count("poke_interval=30") == 1
    (folder / "example.py").write_text(source.replace("poke_interval=30", "poke_interval=3"))
    return folder


def triggerers_log(home: Path) -> str:
    """Return the triggerer's log of the waiting tasks."""
    return "".join(path.read_text(errors="replace") for path in sorted(home.glob("logs/**/*.trigger.*")))


def test_every_task_succeeds_at_its_first_try(ran: Ran) -> None:
    names = ("wait_for_phone", "check_account", "apply_policy", "tell_team")
    assert ran.tasks == dict.fromkeys(names, ("success", 1))


def test_the_policy_is_applied(ran: Ran) -> None:
    settings = ran.instance["settings"]
    assert settings["last_seen"] == {"value": "CONTACT_BLACKLIST", "excluded": ["5544991111111"]}
    assert (settings["photo"]["value"], settings["online"]["value"]) == ("CONTACTS", "SAME_LAST_SEEN")


def test_the_team_gets_one_message(ran: Ran) -> None:
    [sent] = ran.instance["messages"]
    assert sent["phone"] == "5544990000000"
    assert sent["message"].startswith("Privacy is set: last_seen CONTACT_BLACKLIST (+1 -0)")


def test_nothing_holds_a_secret(ran: Ran) -> None:
    # The triggerer's output has the paths that `urllib3` logs at DEBUG, but without a token.
    assert re.search(r"^triggerer .*GET /status", ran.files["standalone.log"], re.MULTILINE)
    texts = {**ran.files, **ran.columns}
    assert {name: found for name, text in texts.items() if (found := leaks(without_airflows_own(text)))} == {}
