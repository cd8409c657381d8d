"""The emulator as a server: its command, its event stream, its start and its stop."""

import contextlib
import json
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import httpx
import pytest

from airflow_provider_zapi.emulator import Emulator, running_emulator

#: Much longer than any step takes. A step that takes this long hangs.
PATIENCE = 20


def command(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "airflow_provider_zapi.emulator", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextlib.contextmanager
def started(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """Start the command, and yield it with the first lines that it prints."""
    with command("--port", "0", *arguments) as process:
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline()]
            lines += [process.stdout.readline() for _ in range(max(arguments.count("--instance"), 1))]
            yield process, lines
        finally:
            process.kill()


def connection(line: str) -> dict[str, object]:
    match = re.fullmatch(r"AIRFLOW_CONN_ZAPI_\w+='(.*)'\n", line)
    assert match, line
    values: dict[str, object] = json.loads(match[1])
    return values


def test_the_command_prints_a_connection_that_works() -> None:
    with started() as (_, (first, second)):
        values = connection(second)
        url = str(values["host"])
        assert f"{url}/" in first
        assert values == {
            "conn_type": "zapi",
            "host": url,
            "login": "demo-instance",
            "password": "demo-token",
            "extra": {"client_token": "demo-client-token"},
        }
        device = httpx.get(
            f"{url}/instances/demo-instance/token/demo-token/device",
            headers={"Client-Token": "demo-client-token"},
        )
        assert device.json()["phone"] == "5544999990000"


def test_the_command_serves_the_instances_given() -> None:
    with started("--instance", "a:token-a", "--instance", "b-c:token-b:client-b") as (_, lines):
        assert "extra" not in connection(lines[1])
        assert lines[2].startswith("AIRFLOW_CONN_ZAPI_B_C=")
        url = connection(lines[1])["host"]
        assert httpx.get(f"{url}/instances/a/token/token-a/status").json()["connected"] is True


def test_the_command_serves_many_numbers_and_prints_two_connections() -> None:
    with started("--numbers", "40") as (process, lines):
        assert process.stdout is not None
        one, account = connection(lines[1]), connection(process.stdout.readline())
        assert one["login"] == "number-0001"
        assert account.keys() == {"conn_type", "host", "extra"}
        extra = account["extra"]
        assert isinstance(extra, dict)
        headers = {"Authorization": f"Bearer {extra['partner_token']}", "Content-Type": "application/json"}
        assert httpx.get(f"{account['host']}/instances", headers=headers).json()["total"] == 40


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_command_cleanly_while_streams_are_open(number: signal.Signals) -> None:
    with started() as (process, lines):
        url = connection(lines[1])["host"]
        with httpx.stream("GET", f"{url}/_emulator/events", timeout=PATIENCE) as stream:
            assert next(stream.iter_lines()) == "event: change"
            process.send_signal(number)
            output, errors = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
        assert (output, errors) == ("", "")


@pytest.mark.parametrize(("arguments", "logged"), [((), True), (("--quiet",), False)])
def test_the_request_log_hides_the_token(arguments: tuple[str, ...], logged: bool) -> None:
    with started(*arguments) as (process, lines):
        url = connection(lines[1])["host"]
        httpx.get(f"{url}/instances/demo-instance/token/demo-token/status")
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=PATIENCE)
    assert errors == ""
    assert "demo-token" not in output
    assert output.endswith("GET /instances/demo-instance/token/***/status 400\n") is logged
    assert bool(output) is logged


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--instance", "a"), 2, "ID:TOKEN"),
        (("--instance", "a:b/c"), 2, "token must be"),
        (("--numbers", "0"), 2, "from 1 to"),
        (("--port", "99999"), 1, "99999"),
        (("--host", "192.0.2.1"), 1, "192.0.2.1"),
    ],
)
def test_a_wrong_argument_ends_the_command_with_one_line(arguments: tuple[str, ...], code: int, said: str) -> None:
    with command(*arguments) as process:
        output, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, output) == (code, "")
    assert said in errors
    assert errors.count("\n") == 1


def test_a_port_in_use_ends_the_command_with_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with command("--port", str(port)) as process:
            output, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, output) == (1, "")
    assert errors == f"emulator: cannot listen on 127.0.0.1:{port}: Address already in use\n"


def test_a_running_emulator_can_be_changed_directly_and_stopped() -> None:
    threads = threading.active_count()
    with running_emulator() as running, httpx.Client(base_url=running.url) as client:
        running.emulator.instance("demo-instance").patch({"client_token": None, "connected": False})
        status = client.get("/instances/demo-instance/token/demo-token/status").json()
        assert status["connected"] is False
        assert [request["status"] for request in running.emulator.requests] == [200]
    assert threading.active_count() == threads
    with pytest.raises(httpx.ConnectError):
        httpx.get(running.url)


def test_two_emulators_can_run_at_the_same_time() -> None:
    with running_emulator() as one, running_emulator(Emulator()) as two:
        assert one.url != two.url
        assert httpx.get(f"{two.url}/_emulator/instances").json()["instances"] == []


def test_the_event_stream_reports_each_change_and_ends_with_the_server() -> None:
    with httpx.Client(timeout=PATIENCE) as client:
        with contextlib.ExitStack() as server:
            running = server.enter_context(running_emulator())
            stream = client.send(client.build_request("GET", f"{running.url}/_emulator/events"), stream=True)
            assert stream.headers["Content-Type"].startswith("text/event-stream")
            lines = stream.iter_lines()
            revisions = (json.loads(line.removeprefix("data: "))["revision"] for line in lines if "data" in line)
            first = next(revisions)
            running.emulator.instance("demo-instance").patch({"connected": False})
            assert next(revisions) > first
        # Reading ends without an error, because the server closed the stream properly.
        assert list(revisions) == []


def test_writes_from_many_threads_all_arrive() -> None:
    with running_emulator() as running:
        base = f"{running.url}/instances/demo-instance/token/demo-token/"

        def write(number: int) -> None:
            with httpx.Client(base_url=base, headers={"Client-Token": "demo-client-token"}) as client:
                for step in range(10):
                    change = {"action": "add", "phone": str(554430000000 + 10 * number + step)}
                    body = {"visualizationType": "CONTACT_BLACKLIST", "contactsBlacklist": [change]}
                    client.post("privacy/photo", json=body)

        threads = [threading.Thread(target=write, args=(number,)) for number in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        record = running.emulator.instance("demo-instance").records["photo"]
        assert len(record.read()) == 50
        assert record.version == 51
