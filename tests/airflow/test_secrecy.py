"""Nothing that the installed Airflow prints, logs or stores contains a credential, with Airflow's masker off."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pytest

from airflow_provider_zapi.emulator import fleet_emulator, running_emulator
from tests.airflow.conftest import connection
from tests.airflow.real import environment, files, new_home, rows, run_airflow, scheduler, stored_texts
from tests.airflow.support import folded, without_airflows_own
from tests.faults import FAULTS, Behaviour, FaultServer, Received, answer, dead_port
from tests.support import CLIENT_TOKEN, PARTNER_TOKEN, TOKEN, leaks

CONTROL = "control-password"
#: The case with a connection for a whole account, and with the fleet operator.
ACCOUNT = "account"


@contextlib.contextmanager
def refusing() -> Iterator[str]:
    """Answer with Z-API's refusal of a Client-Token, which repeats the token."""
    with running_emulator() as running:
        running.emulator.put("instance-1", {"token": TOKEN, "client_token": "another-token", "phone": "5544999990000"})
        yield running.url


@contextlib.contextmanager
def dead() -> Iterator[str]:
    with dead_port() as port:
        yield f"http://127.0.0.1:{port}"


def fault(*behaviours: Behaviour) -> Callable[[], contextlib.AbstractContextManager[str]]:
    @contextlib.contextmanager
    def serving() -> Iterator[str]:
        with FaultServer(*behaviours) as server:
            yield server.url

    return serving


def telling(status: int) -> Behaviour:
    """Return an error answer with both secrets, in a form that the provider's messages quote."""

    def body(request: Received) -> bytes:
        return json.dumps({"error": f"Invalid phone in {request.target} of {request.header('Client-Token')}"}).encode()

    return answer(status, body)


@contextlib.contextmanager
def account() -> Iterator[str]:
    """Serve an account of 1,000 numbers. The answers to some of them repeat secrets of the account and of its list."""
    emulator = fleet_emulator(1_000)
    emulator.account.partner_token = PARTNER_TOKEN
    emulator.account.patch({"callback_url": f"https://hooks.example/{TOKEN}?{CLIENT_TOKEN}"})
    message = f"Invalid phone for {TOKEN}-999 of {PARTNER_TOKEN}, see https://hooks.example/{TOKEN}?{CLIENT_TOKEN}"
    for number, instance in enumerate(emulator.instances.values()):
        instance.patch({"client_token": CLIENT_TOKEN, "token": f"{TOKEN}-{number}"})
        if number % 5 == 2:
            instance.patch({"switches": {"fail_next": [{"status": 400, "body": {"error": message}}]}})
    with running_emulator(emulator) as running:
        yield running.url


#: The server of each case. The client retries after some faults. The second answer ends the retries, to avoid the waits.
SERVERS: dict[str, Callable[[], contextlib.AbstractContextManager[str]]] = {
    "dead_port": dead,
    "refusing": refusing,
    ACCOUNT: account,
    "tried_four_times": fault(FAULTS["echo_reason_retried"]),
    "quoted": fault(telling(400)),
    **{
        name: fault(behaviour, FAULTS["echo_json_raw"])
        for name, behaviour in FAULTS.items()
        if name.startswith("echo_") or re.fullmatch(r"redirect_3\d\d", name)
    },
}
#: One case of each kind, for the ways that take seconds for each case.
FEW = ("dead_port", "refusing", "quoted", "redirect_302")
SOME = (
    *FEW,
    ACCOUNT,
    "echo_json_raw",
    "echo_header",
    "echo_reason",
    "echo_page_raw",
    "echo_page_200_url",
    "echo_json_200_json",
)


@contextlib.contextmanager
def connections(cases: tuple[str, ...]) -> Iterator[dict[str, str]]:
    """Start the servers of the cases, and yield the connections to them as environment variables."""
    with contextlib.ExitStack() as stack:
        env = {}
        for case in cases:
            url = stack.enter_context(SERVERS[case]())
            of_account = {
                "login": "",
                "password": "",
                "extra": {"partner_token": PARTNER_TOKEN, "client_token": CLIENT_TOKEN},
            }
            fields = connection(url, "instance-1", **(of_account if case == ACCOUNT else {}))
            env[f"AIRFLOW_CONN_ZAPI_CASE_{case.upper()}"] = fields
        yield {**env, "AIRFLOW_CONN_ZAPI_CONTROL": json.dumps({"conn_type": "zapi", "password": CONTROL})}


@dataclass(frozen=True)
class Told:
    """The results: the output of each way to run a task, the files, the columns of the database, and the task states."""

    outputs: dict[str, str]
    files: dict[str, str]
    columns: dict[str, str]
    states: dict[str, dict[str, str]]


#: Each way to use a connection, with its cases.
WAYS = {"dags test": tuple(SERVERS), "tasks test": FEW, "connections test": FEW, "scheduler": SOME}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    home = new_home(tmp_path_factory.mktemp("secrecy") / "home")
    commands = {
        "dags test": ["db migrate", "dags test zapi_secrecy"],
        "tasks test": [f"tasks test zapi_secrecy {case} 2026-01-01" for case in (*FEW, "control")],
        "connections test": [f"connections test zapi_case_{case}" for case in FEW],
    }
    outputs, states = {}, {}
    for way, lines in commands.items():
        with connections(WAYS[way]) as env:
            outputs[way] = run_airflow(environment(home, env), *lines)
        states[way] = task_states(home)
    with connections(WAYS["scheduler"]) as env, scheduler(home, {**env, "ZAPI_TEST_SCHEDULED": "1"}) as running:
        states["scheduler"] = running.wait_for("the end of the run", lambda: scheduled_task_states(home), 120)
    outputs["scheduler"] = running.log.read_text(errors="replace")
    return Told(outputs, dict(files(home)), dict(stored_texts(home)), states)


def task_states(home: Path, runs: str = "run_type = 'manual'") -> dict[str, str]:
    return dict(
        rows(
            home,
            "SELECT task_id, task_instance.state FROM task_instance JOIN dag_run USING (dag_id, run_id) "  # noqa: S608
            f"WHERE {runs}",  # the tests' own text
        )
    )


def scheduled_task_states(home: Path) -> dict[str, str] | None:
    """Return the states of the tasks in the scheduler's run, or None before its end."""
    return task_states(home, "run_type = 'scheduled' AND dag_run.state IN ('success', 'failed')") or None


@pytest.mark.parametrize("way", WAYS)
def test_no_output_holds_a_secret(told: Told, way: str) -> None:
    output = told.outputs[way]
    # Every case ran, and its failure was reported.
    named = "Retrieving connection: 'zapi_case_{}'" if way == "connections test" else "connection 'zapi_case_{}'"
    told_in_one_line = folded(told_by(told, way))
    assert [case for case in WAYS[way] if named.format(case) not in told_in_one_line] == []
    assert not leaks(without_airflows_own(output))


def told_by(told: Told, way: str) -> str:
    """Return the output and, if tasks write log files in this way of running them, the log files."""
    logs = [text for name, text in told.files.items() if name.startswith("logs/")] if way == "scheduler" else []
    return "\n".join([told.outputs[way], *logs])


@pytest.mark.parametrize("way", ["dags test", "scheduler"])
def test_every_case_failed_and_the_control_case_succeeded(told: Told, way: str) -> None:
    assert told.states[way] == {**dict.fromkeys(WAYS[way], "failed"), "control": "success"}


def test_the_account_was_listed_and_its_numbers_were_reported(told: Told) -> None:
    log = told_by(told, "scheduler")
    assert "lists 1000 instances" in log
    assert "is refused: Z-API refused a phone" in log


def test_no_file_holds_a_secret(told: Told) -> None:
    assert any(name.startswith("logs/") for name in told.files)
    assert {name: found for name, text in told.files.items() if (found := leaks(without_airflows_own(text)))} == {}


def test_no_column_of_the_database_holds_a_secret(told: Told) -> None:
    assert {"task_instance.state", "xcom.value", "log.extra"} <= told.columns.keys()
    assert {name: found for name, text in told.columns.items() if (found := leaks(text))} == {}


@pytest.mark.parametrize("way", ["dags test", "tasks test", "scheduler"])
def test_airflows_masker_was_off(told: Told, way: str) -> None:
    assert f"The control says {CONTROL}" in told_by(told, way)
    assert CONTROL in told.columns["xcom.value"]


@pytest.mark.parametrize("way", ["tasks test", "scheduler"])
def test_the_log_has_debug_lines_without_the_token(told: Told, way: str) -> None:
    """Check that the log has the paths that `urllib3` logs at DEBUG, and that they do not contain the token."""
    if way == "scheduler" and version("apache-airflow").startswith("3.0."):
        pytest.skip("the task logs of Airflow 3.0 hold no DEBUG records of libraries")
    assert re.search(r"POST /privacy/last-seen", told_by(told, way))
