"""A distributed Airflow with emulated numbers, and functions that inspect both."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from airflow_provider_zapi.emulator.partner import DEMO_PARTNER_TOKEN
from scripts.background import BackgroundProcess, clean_environment, free_ports
from scripts.rest import request_json
from tests.celery.distributed import DistributedAirflow
from tests.celery.parts import Part, Parts
from tests.support import CLIENT_TOKEN, TOKEN

DAGS = Path(__file__).parent / "dags"
#: The connection ids of the hundred numbers, and of the number that two DAGs write to. Each instance has the same id.
NUMBERS = tuple(f"zapi_{number:03d}" for number in range(100))
ONE = "zapi_one"
#: The id of an account's connection and pool, and the number of its instances, in another emulator.
ACCOUNT, ACCOUNT_NUMBERS = "zapi_account", 2_000
#: Seconds that every answer takes, so that a task runs long enough to be killed in the middle.
DELAY = 0.1
#: The contacts on the lists before any task.
OLD = ["554499990001", "554499990002"]


class Numbers:
    """An emulator with numbers, in its own process.

    :param name: the name of the process
    :param log: the file for its output
    :param options: more options of the emulator
    """

    def __init__(self, name: str, log: Path, *options: str) -> None:
        self.port = free_ports(1)[0]
        self.log = log
        process = BackgroundProcess(
            name,
            [sys.executable, "-m", "airflow_provider_zapi.emulator", "--port", str(self.port), *options],
            env=clean_environment(os.environ),
            log=log,
            grace=3,
        )
        self.part = Part(process, lambda: self.call("GET", "requests?last=1") is not None)

    def call(self, method: str, path: str, body: object = None) -> Any:
        return request_json(self.port, method, f"/_emulator/{path}", body)

    def create(self) -> None:
        for number in (*NUMBERS, ONE):
            parts = {"token": TOKEN, "client_token": CLIENT_TOKEN, "phone": "5544999990000"}
            settings = {name: {"excluded": OLD} for name in ("last_seen", "photo", "description", "group_add")}
            self.call("PUT", f"instances/{number}", {**parts, "settings": settings, "switches": {"delay": DELAY}})

    def connection(self, number: str) -> dict[str, Any]:
        """Return the number's connection as the REST API takes it."""
        return {
            "connection_id": number,
            "conn_type": "zapi",
            "host": f"http://127.0.0.1:{self.port}",
            "login": number,
            "password": TOKEN,
            "extra": json.dumps({"client_token": CLIENT_TOKEN}),
        }

    def settings(self, *numbers: str) -> list[dict[str, Any]]:
        """Return the state of the numbers, with sorted lists."""
        found = [self.call("GET", f"instances/{number}")["settings"] for number in numbers]
        for settings in found:
            for parts in settings.values():
                if "excluded" in parts:
                    parts["excluded"].sort()
        return found

    def printed(self) -> list[tuple[str, str]]:
        """Return number, method and path of every request since the start, as the emulator printed them."""
        lines = re.findall(r" (\w+) /instances/([\w-]+)/token/\*\*\*/(\S+) \d+$", self.log.read_text(), re.MULTILINE)
        return [(number, f"{method} {path}") for method, number, path in lines]

    def requests(self) -> list[dict[str, Any]]:
        return list(self.call("GET", "requests")["requests"])


class System:
    """The whole running system. ``facts`` are printed at the end."""

    def __init__(self, folder: Path, database: Path, parts: Parts) -> None:
        self.parts = parts
        self.numbers = Numbers("emulator", folder / "emulator.log")
        self.account = Numbers("account", folder / "account.log", "--numbers", str(ACCOUNT_NUMBERS))
        env = {"ZAPI_TEST_NUMBERS": " ".join(NUMBERS)}
        self.airflow = DistributedAirflow(parts, folder, database, DAGS, env)
        self.facts: dict[str, str] = {}

    def start(self) -> None:
        self.parts.start(self.numbers.part, self.account.part)
        self.numbers.create()
        self.airflow.start()
        connections = [self.numbers.connection(number) for number in (*NUMBERS, ONE)]
        connections.append(
            {
                "connection_id": ACCOUNT,
                "conn_type": "zapi",
                "host": f"http://127.0.0.1:{self.account.port}",
                "extra": json.dumps({"partner_token": DEMO_PARTNER_TOKEN, "client_token": "demo-client-token"}),
            }
        )
        self.airflow.api("PATCH", "/connections", {"actions": [{"action": "create", "entities": connections}]})
        for pool, slots in (("zapi_all", 16), (ONE, 1), (ACCOUNT, 8)):
            self.airflow.api("POST", "/pools", {"name": pool, "slots": slots})
        for dag_id in ("all_office", "all_night", "one_office", "one_night", "shards"):
            self.airflow.wait_for_dag(dag_id)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.facts[name] = f"{time.monotonic() - began:.0f} s"

    def wait_for_ends(self, *runs: str, seconds: float) -> list[str]:
        """Wait until runs have ended, and return their states."""

        def look() -> list[str] | None:
            states = [str(self.airflow.api("GET", run)["state"]) for run in runs]
            return states if {"queued", "running"}.isdisjoint(states) else None

        return self.airflow.wait_for("the end of the runs", look, seconds)
