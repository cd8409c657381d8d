"""Run a DAG of this project on a real Airflow with the emulator: ``make demo``. To keep both running: ``make airflow``.

It does not need a Z-API account, because the connections below use the emulator on loopback. No other tool runs a DAG
on a new Airflow with one command and leaves nothing behind.
"""

import argparse
import fcntl
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import IO

from airflow_provider_zapi.emulator.partner import DEMO_PARTNER_TOKEN
from scripts.background import BackgroundError, BackgroundProcess, clean_environment, free_port_from, free_ports
from scripts.rest import ApiError, request_json
from scripts.standalone import RunningAirflow

PROJECT = Path(__file__).resolve().parent.parent
DAG_ID = "zapi_hide_last_seen"
#: The ports of ``--stay``. They are fixed, so that bookmarks and copied commands keep working.
AIRFLOW_PORT, EMULATOR_PORT = 8080, 8765
#: The connection and the pool of the account that all numbers of the emulator belong to, and how many more it gets
#: while the pages stay open.
ACCOUNT, ACCOUNT_NUMBERS = "zapi_account", 1_000


@dataclass(frozen=True)
class Number:
    """A WhatsApp number of the demo: an instance of the emulator, and the connection and the pool for it."""

    connection: str
    instance: str
    #: The title of its card on the emulator's page.
    name: str
    token: str = "demo-token"  # noqa: S105 - only the emulator knows it
    client_token: str = "demo-client-token"  # noqa: S105 - likewise

    @property
    def emulator_argument(self) -> str:
        """The instance in the form of the emulator's ``--instance`` option."""
        return f"{self.instance}:{self.token}:{self.client_token}"

    def fields(self, port: int) -> dict[str, str | int]:
        """Return the fields of the Airflow connection, for an emulator on this port."""
        return {
            "conn_type": "zapi",
            "login": self.instance,
            "password": self.token,
            "host": f"http://127.0.0.1:{port}",
            "port": 443,  # Not used, but without a port the Test button of Airflow 3.3.2 answers "Bad Request".
            "extra": json.dumps({"client_token": self.client_token}),
        }


NUMBERS = (
    Number("zapi_default", "demo-instance", "Demo"),
    Number("zapi_sales", "sales-instance", "Sales"),
    Number("zapi_support", "support-instance", "Support"),
)


class Interruption(Exception):  # noqa: N818 - a signal is not an error
    """A signal asked the script to stop."""

    def __init__(self, number: int) -> None:
        super().__init__(f"Stopped by {signal.Signals(number).name}")
        self.exit_code = 128 + number


class Interruptible:
    """Pauses that end at a signal.

    The handler only stores the signal, and ``pause()`` raises. So a signal cannot interrupt the start or the stop of a
    process, which could leave that process running.
    """

    def __init__(self) -> None:
        self._received: int | None = None
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
                continue  # ignored under nohup
            signal.signal(number, self._remember)

    def _remember(self, number: int, frame: FrameType | None) -> None:
        self._received = self._received or number

    def pause(self, seconds: float) -> None:
        """Sleep, and raise ``Interruption`` within a quarter of a second after a signal."""
        end = time.monotonic() + seconds
        while self._received is None and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, 0.25))
        if self._received is not None:
            raise Interruption(self._received)


class Demo:
    """One run of the demo."""

    def __init__(self, home: Path, dags_folder: Path, interruptible: Interruptible) -> None:
        self.home = home
        self.dags_folder = dags_folder
        self.interruptible = interruptible
        self._started = time.monotonic()

    def say(self, text: str) -> None:
        """Print a line without credentials, and with the seconds since the start."""
        for number in NUMBERS:
            text = text.replace(number.client_token, "***").replace(number.token, "***")
        text = text.replace(DEMO_PARTNER_TOKEN, "***")
        try:
            print(f"{time.monotonic() - self._started:6.1f} s  {text}", flush=True)
        except OSError:
            return  # the terminal is closed: continue, to stop the servers

    def run(self, *, stay: bool) -> None:
        """Start both servers, run the DAG, print its result, and stop both. With ``stay``, wait for a signal first."""
        # A demo that ends by itself uses any free port, so that several demos can run at the same time.
        airflow_port = free_port_from(AIRFLOW_PORT) if stay else None
        emulator_port = free_port_from(EMULATOR_PORT) if stay else free_ports(1)[0]
        home = self.home.relative_to(Path.cwd()) if self.home.is_relative_to(Path.cwd()) else self.home
        self.say(f"Starting Airflow {version('apache-airflow')} and the emulator; files in {home}")
        with (
            self._emulator(emulator_port, ACCOUNT_NUMBERS if stay else 0) as emulator,
            RunningAirflow(
                self._folder("airflow"),
                self.dags_folder,
                {},
                self.interruptible.pause,
                airflow_port,
            ) as airflow,
        ):
            try:
                emulator.wait_for("the emulator", lambda: last_seen(emulator_port), 30)
                airflow.wait_until_ready()
                self._set_up(airflow, emulator_port)
                self.say("Airflow is ready. Waiting for it to read the DAGs")
                self._run_dag(airflow, emulator_port)
                if stay:
                    self._stay(airflow, emulator, emulator_port)
            finally:
                self.say("Stopping both")
        self.say("Done")

    def _folder(self, name: str) -> Path:
        folder = self.home / name
        folder.mkdir()
        return folder

    def _emulator(self, port: int, numbers: int) -> BackgroundProcess:
        instances = [part for number in NUMBERS for part in ("--instance", number.emulator_argument)]
        more = ["--numbers", str(numbers)] if numbers else []
        module = "airflow_provider_zapi.emulator"
        return BackgroundProcess(
            "The emulator",
            [sys.executable, "-m", module, "--port", str(port), *instances, *more, "--quiet"],
            env=clean_environment(os.environ),
            log=self.home / "emulator.log",
            grace=3,
            pause=self.interruptible.pause,
        )

    def _set_up(self, airflow: RunningAirflow, emulator_port: int) -> None:
        """Create the example DAGs' connections and pools in Airflow's database, and name the emulator's cards."""
        for number in NUMBERS:
            airflow.api("POST", "/connections", {"connection_id": number.connection, **number.fields(emulator_port)})
            pool = {"name": number.connection, "slots": 1, "description": "One task at a time on this WhatsApp number"}
            airflow.api("POST", "/pools", pool)
            request_json(emulator_port, "PATCH", f"/_emulator/instances/{number.instance}", {"name": number.name})
        extra = {"partner_token": DEMO_PARTNER_TOKEN, "client_token": NUMBERS[0].client_token}
        account = {"conn_type": "zapi", "host": f"http://127.0.0.1:{emulator_port}", "port": 443}
        airflow.api("POST", "/connections", {"connection_id": ACCOUNT, **account, "extra": json.dumps(extra)})
        airflow.api("POST", "/pools", {"name": ACCOUNT, "slots": 1, "description": "One task at a time on the account"})

    def _run_dag(self, airflow: RunningAirflow, emulator_port: int) -> None:
        airflow.wait_for_dag(DAG_ID)
        before = last_seen(emulator_port)
        self.say(f"Who sees the number's last seen, before: {before}")
        began = time.monotonic()
        tasks = airflow.run_dag(DAG_ID)
        self.say(f"The DAG {DAG_ID} ran to success in {time.monotonic() - began:.1f} s")
        for task in tasks:
            self.say(f"Task {task['task_id']} returned {json.dumps(airflow.returned(DAG_ID, task))}")
        after = last_seen(emulator_port)
        self.say(f"Who sees the number's last seen, after: {after}")
        if after == before:
            raise BackgroundError("The run succeeded, but the number's privacy has not changed.")

    def _stay(self, airflow: RunningAirflow, emulator: BackgroundProcess, emulator_port: int) -> None:
        names = ", ".join([*(number.connection for number in NUMBERS), ACCOUNT])
        self.say(f"Connections and pools of the example DAGs: {names} (see Admin; the Test button works)")
        total = ACCOUNT_NUMBERS + len(NUMBERS)
        self.say(
            f"The account of {ACCOUNT} has {total:,} numbers: the DAG zapi_fleet sets all that are ready in one task"
        )
        self.say("Schedules are off. A DAG runs only when you trigger it")
        self.say(f"Airflow:   {airflow.url}/dags  (no login; open a DAG and click Trigger)")
        self.say(f"State:     {airflow.url}/plugin/whatsapp-privacy  (each number's state, once zapi_apply_policy ran)")
        self.say(f"Emulator:  http://127.0.0.1:{emulator_port}/  (shows the numbers' privacy live)")
        self.say("Press Ctrl-C to stop both")
        while True:
            airflow.check()
            emulator.check()
            try:
                self.interruptible.pause(1)
            except Interruption:
                return


def last_seen(port: int) -> str:
    """Return who sees the first number's last seen. Raise ``OSError`` while the emulator does not answer."""
    state = request_json(port, "GET", f"/_emulator/instances/{NUMBERS[0].instance}")
    return str(state["settings"]["last_seen"]["value"])


@contextmanager
def emptied(folder: Path) -> Iterator[IO[str]]:
    """Empty the folder and lock it for this run. Refuse a folder that has files other than a demo's."""
    mark = folder / ".airflow-demo"
    if folder.exists() and any(folder.iterdir()) and not mark.exists():
        raise BackgroundError(f"{folder} would be emptied, but it has files that are not from this demo.")
    folder.mkdir(parents=True, exist_ok=True)
    with mark.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackgroundError(f"Another demo is running in {folder}. Stop it first.") from None
        for entry in folder.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry != mark:
                entry.unlink()
        yield lock


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m scripts.airflow_demo", description=__doc__)
    parser.add_argument("--stay", action="store_true", help="leave both pages open until Ctrl-C")
    parser.add_argument(
        "--home", type=Path, default=PROJECT / ".demo", help="folder for the demo's files; emptied first"
    )
    parser.add_argument("--dags-folder", type=Path, default=PROJECT / "example_dags", help="folder of the DAGs")
    options = parser.parse_args(arguments)
    demo = Demo(options.home.resolve(), options.dags_folder.resolve(), Interruptible())
    try:
        with emptied(demo.home):
            demo.run(stay=options.stay)
    except Interruption as interrupted:
        demo.say(str(interrupted))
        return interrupted.exit_code
    except (BackgroundError, ApiError, OSError) as error:
        demo.say(f"Failed: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
