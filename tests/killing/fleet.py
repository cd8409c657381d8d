"""Kill fleet runs at random moments, run them again, and count the calls that were sent twice: `make kills-fleet`.

Only calls that were under way at the kill may be sent a second time, because the ledger knows all others.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from airflow_provider_zapi.client import AccountCredentials, ZApiAccountClient
from airflow_provider_zapi.emulator import Emulator, fleet_emulator, running_emulator
from airflow_provider_zapi.reconcile.account import AccountRun, parse_fleet
from airflow_provider_zapi.reconcile.ledger import Ledger

NUMBERS, CONCURRENCY = 200, 8
#: Seconds that each answer takes, so that a run takes about half a second.
DELAY = 0.02


class FileStore:
    """A store that keeps its values in a file, which is replaced as a whole."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._values: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}

    def get(self, key: str) -> Any:
        return self._values.get(key)

    def set(self, key: str, value: Any) -> None:
        self._values[key] = value
        self._save()

    def delete(self, key: str) -> None:
        self._values.pop(key, None)
        self._save()

    def _save(self) -> None:
        new = self._path.with_suffix(".new")
        new.write_text(json.dumps(self._values))
        os.replace(new, self._path)


class CountingEmulator(Emulator):
    """A server that counts the writes to each instance."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: Counter[str] = Counter()

    def record_request(self, request: dict[str, Any], size: int = 0) -> dict[str, Any]:
        if request["method"] == "POST" and request["instance"]:
            self.writes[request["instance"]] += 1
        return super().record_request(request, size)


def child(url: str, store: Path) -> None:
    """Handle all numbers, and signal when the run begins."""
    account = ZApiAccountClient(AccountCredentials("demo-partner-token", "demo-client-token", url))
    parameters = parse_fleet({"last_seen": "NONE"}, max_concurrency=CONCURRENCY)
    sys.stdout.write("begin\n")
    sys.stdout.flush()
    with account:
        AccountRun(account, parameters).run("kills", ledger=Ledger(FileStore(store)))


def start(url: str, store: Path) -> subprocess.Popen[str]:
    """Start a run, and return when it begins."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.killing.fleet", "--child", url, str(store)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begin\n"
    return process


def one(seed: int) -> str | None:
    """Kill a run at a random moment, and run it again. Return a description of the problem, if there is one."""
    rng = random.Random(seed)
    emulator = CountingEmulator()
    emulator.replace_all(fleet_emulator(NUMBERS).snapshot())
    for instance in emulator.instances.values():
        instance.patch({"switches": {"delay": DELAY}})
    with TemporaryDirectory() as folder, running_emulator(emulator) as running:
        store = Path(folder) / "store.json"
        with start(running.url, store) as process:
            time.sleep(rng.uniform(0, 0.9))
            process.kill()
        before = emulator.writes.total()
        with start(running.url, store) as process:
            process.wait(60)
    ready = [each for each in emulator.instances.values() if each.connected and each.smartphone_connected]
    ready = [each for each in ready if each.subscription == "active"]
    unset = [each.id for each in ready if each.records["last_seen"].value != "NONE"]
    repeated = sum(count - 1 for count in emulator.writes.values())
    if unset:
        return f"{len(unset)} numbers were not set, such as {unset[0]}"
    if repeated > CONCURRENCY:
        return f"{repeated} writes were repeated, and at most {CONCURRENCY} were under way"
    if max(emulator.writes.values()) > 2:
        return "a number was written three times"
    return None if before <= len(ready) else f"{before} writes before the kill, for {len(ready)} numbers"


def main() -> int:
    """Print the problems, and return 1 if there are any."""
    parser = argparse.ArgumentParser(prog="make kills-fleet", description=__doc__)
    parser.add_argument("--seed", type=int, default=15)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        child(given.child[0], Path(given.child[1]))
        return 0
    wrong = 0
    for seed in range(given.seed, given.seed + given.count):
        if problem := one(seed):
            wrong += 1
            sys.stdout.write(f"--seed {seed} --count 1: {problem}\n")
    sys.stdout.write(f"{given.count} kills, {wrong} findings\n")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
