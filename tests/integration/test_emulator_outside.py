"""The emulator in its environment: slow or missing readers, containers, restarts and broken connections."""

import contextlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests

from airflow_provider_zapi.client import ZApiClient
from airflow_provider_zapi.client.targets import Credentials
from airflow_provider_zapi.emulator import running_emulator
from airflow_provider_zapi.exceptions import ZApiUnreachableError

#: Much longer than any step takes. A step that takes this long hangs.
PATIENCE = 20
STATUS = "/instances/demo-instance/token/demo-token/status"
CREDENTIALS = {"Client-Token": "demo-client-token"}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


@contextlib.contextmanager
def started(*arguments: str, stdout: Any = subprocess.PIPE, **environment: str) -> Iterator[tuple[Any, str]]:
    """Start the command, and yield it with the address where it listens. Its further output is not read."""
    port = free_port()
    command = [sys.executable, "-m", "airflow_provider_zapi.emulator", "--port", str(port), *arguments]
    with subprocess.Popen(
        command, stdout=stdout, stderr=subprocess.PIPE, env={**os.environ, **environment}, text=True
    ) as process:
        try:
            for _ in range(PATIENCE * 20):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.05):
                    break
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(0.05)
            yield process, f"127.0.0.1:{port}"
        finally:
            process.kill()


def end(process: Any) -> tuple[int, str]:
    process.send_signal(signal.SIGTERM)
    code = process.wait(PATIENCE)
    return code, process.stderr.read()


def test_a_pipe_that_nobody_reads_does_not_block_answers() -> None:
    with started() as (process, address), httpx.Client(base_url=f"http://{address}") as client:
        # A pipe holds 64 KiB, and each of these requests prints a line of about 2,000 characters.
        for number in range(100):
            assert client.get(f"/{'x' * 2_000}/{number}", timeout=PATIENCE).status_code == 200
        assert client.get("/_emulator/health").json()["requests_received"] == 100
        assert end(process) == (0, "")


def test_a_reader_that_has_gone_does_not_block_answers() -> None:
    with started() as (process, address), httpx.Client(base_url=f"http://{address}") as client:
        process.stdout.close()
        for _ in range(3):
            answer = client.get(STATUS, headers=CREDENTIALS, timeout=PATIENCE)
            assert answer.json()["connected"] is True
        assert end(process) == (0, "")


def test_a_line_that_the_terminal_cannot_show_does_not_block_answers(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w") as out, started(stdout=out, PYTHONIOENCODING="ascii") as (process, address):
        assert httpx.get(f"http://{address}/snow/\u2603", timeout=PATIENCE).status_code == 200
        assert end(process) == (0, "")
    assert "/snow/\\u2603 200" in (tmp_path / "out").read_text()


def test_a_state_file_outlives_a_restart(tmp_path: Path) -> None:
    state = str(tmp_path / "state.json")
    base = "instances/demo-instance/token/demo-token"
    with started("--state", state, "--quiet") as (process, address):
        url = f"http://{address}/{base}/privacy/last-seen"
        assert httpx.post(url, json={"visualizationType": "NONE"}, headers=CREDENTIALS).json() == {"success": True}
        assert end(process) == (0, "")
    with started("--state", state, "--quiet") as (process, address):
        [instance] = httpx.get(f"http://{address}/_emulator/instances").json()["instances"]
        assert instance["settings"]["last_seen"]["value"] == "NONE"
        assert end(process) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--host", ""), 2, "--host must be"),
        (("--host", "0"), 2, "--host must be"),
        (("--instance", "a:b", "--instance", "a:c"), 2, "twice"),
        (("--instance", "12=a:b"), 2, "phone must be"),
        (("--state", "/proc/nothing/here"), 1, "/proc/nothing/here"),
        (("--tls", "/proc/nothing/here"), 1, "/proc/nothing/here"),
    ],
)
def test_a_wrong_option_ends_the_command_with_one_line(arguments: tuple[str, ...], code: int, said: str) -> None:
    command = [sys.executable, "-m", "airflow_provider_zapi.emulator", "--port", "0", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_instance_option_can_include_the_phone() -> None:
    with started("--instance", "5544988887777=shop:token", "--quiet") as (_, address):
        device = httpx.get(f"http://{address}/instances/shop/token/token/device")
        assert device.json()["phone"] == "5544988887777"


def addresses() -> list[str]:
    """Return the machine's addresses that are not loopback."""
    found = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=False).stdout.split()
    return [address for address in found if "." in address]


def test_another_machine_or_container_can_call_it_over_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [address, *_] = addresses() or pytest.skip("this machine has loopback only")
    authority = tmp_path / "authority.pem"
    every = "0.0.0.0"  # noqa: S104
    options = ("--host", every, "--allowed-host", address, "--allowed-host", "zapi", "--tls", str(authority))
    with started(*options) as (process, local):
        url = f"https://{address}:{local.rpartition(':')[2]}"
        lines = [process.stdout.readline() for _ in range(3)]
        assert f'"host": "{url}"' in lines[1]
        assert lines[2] == f"REQUESTS_CA_BUNDLE={authority}\n"
        answer = requests.get(url + STATUS, headers=CREDENTIALS, verify=str(authority), timeout=PATIENCE)
        assert answer.json()["connected"] is True
        target = Credentials("demo-instance", "demo-token", client_token="demo-client-token", base_url=url)
        with ZApiClient(target) as client, pytest.raises(ZApiUnreachableError, match="certificate"):
            client.status()
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority))
        with ZApiClient(target) as client:
            assert client.status().connected
        context = ssl.create_default_context(cafile=str(authority))
        with (
            socket.create_connection((address, int(url.rpartition(":")[2]))) as connection,
            context.wrap_socket(connection, server_hostname="zapi"),
        ):
            pass
        refused = requests.get(url + STATUS, headers={"Host": "evil.example"}, verify=str(authority), timeout=PATIENCE)
        assert refused.status_code == 421
    assert b"PRIVATE KEY" not in authority.read_bytes()


@pytest.mark.parametrize(
    ("fault", "done"), [("reset", False), ("lost_answer", True), ("truncated", True)], ids=lambda value: str(value)
)
def test_a_connection_breaks_as_the_fault_says(fault: str, done: bool) -> None:
    with running_emulator() as running, httpx.Client(base_url=running.url, headers=CREDENTIALS) as client:
        running.emulator.add_fault({"fault": fault})
        with pytest.raises(httpx.TransportError):
            client.post(STATUS.replace("status", "privacy/photo"), json={"visualizationType": "NONE"})
        assert (running.emulator.instance("demo-instance").records["photo"].value == "NONE") is done
        assert client.get(STATUS).json()["connected"] is True


def test_a_reset_is_a_reset_on_the_wire() -> None:
    with running_emulator() as running:
        running.emulator.add_fault({"fault": "reset"})
        host, port = running.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), PATIENCE) as connection:
            connection.sendall(f"GET {STATUS} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            with pytest.raises(ConnectionResetError):
                connection.recv(1)


def test_the_console_script_says_its_version() -> None:
    script = Path(sys.executable).with_name("zapi-emulator")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, timeout=PATIENCE, check=True)
    from airflow_provider_zapi import __version__

    assert done.stdout == f"zapi-emulator {__version__}\n"


def test_the_printed_connections_are_json() -> None:
    with started("--instance", "a:t", "--instance", "b:t:c") as (process, _):
        process.stdout.readline()
        for _ in range(2):
            assert json.loads(process.stdout.readline().partition("='")[2][:-2])["conn_type"] == "zapi"


def test_on_all_addresses_it_prints_one_that_can_be_called() -> None:
    with started("--host", "0.0.0.0") as (process, address):  # noqa: S104
        assert end(process) == (0, "")
        lines = process.stdout.read().splitlines()
    assert lines[0].startswith(f"Z-API emulator: http://{address}/ ")
    assert f'"host": "http://{address}"' in lines[1]
    assert "--tls FILE" in lines[2]
