"""Kill the probe with SIGKILL. The probe and the emulator run in separate processes."""

from __future__ import annotations

import json
import os
import random
import select
import signal
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from typing import Any

from airflow_provider_zapi.client import Credentials, Transport
from airflow_provider_zapi.probe.journal import read_journal
from airflow_provider_zapi.probe.run import Plan, probe, restored_from
from airflow_provider_zapi.probe.wire import Wire
from tests.probing import CONTACT, OTHERS, OWN

INSTANCE = {"token": "a-token", "client_token": "a/client+token=", "phone": OWN}
LEAVING = ("kept", "hidden", "empty", "stale")


def wire_to(url: str) -> Wire:
    """Return a wire that does not wait between calls."""
    target = Credentials("instance-1", INSTANCE["token"], INSTANCE["client_token"], url)
    return Wire(target, connect=Transport, clock=time.monotonic, sleep=lambda seconds: None)


class Emulated:
    """An emulator in its own process, with one instance."""

    def __init__(self, url: str) -> None:
        self.url = url

    def put(self, seed: int) -> dict[str, Any]:
        """Create the instance again, with switches from the seed, and return its settings."""
        contacts = ["123456789012345@lid", *OTHERS] if seed % 3 else []
        settings = {"last_seen": {"value": "CONTACT_BLACKLIST", "excluded": contacts}}
        switches = {"list_after_leaving": LEAVING[seed % 4], "exact_removal": seed % 5 > 0}
        return self._settings("PUT", {**INSTANCE, "settings": settings, "switches": switches})

    def settings(self) -> dict[str, Any]:
        """Return the instance's settings, with unordered lists."""
        return self._settings("GET", None)

    def _settings(self, method: str, body: Any) -> dict[str, Any]:
        request = urllib.request.Request(  # noqa: S310 - loopback
            f"{self.url}/_emulator/instances/instance-1", json.dumps(body).encode() if body else None, method=method
        )
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            settings: dict[str, Any] = json.load(answer)["settings"]
        for one in settings.values():
            one["excluded"] = sorted(one.get("excluded", []))
        return settings


@contextmanager
def emulator() -> Iterator[Emulated]:
    """Run an emulator in its own process."""
    command = [sys.executable, "-m", "airflow_provider_zapi.emulator", "--port", "0", "--quiet"]
    process = Popen(command, stdout=PIPE, stderr=DEVNULL, text=True)
    try:
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], 30)
        if not ready:
            raise RuntimeError("the emulator did not start within 30 seconds")
        yield Emulated(process.stdout.readline().split()[2].rstrip("/"))
    finally:
        process.terminate()
        process.communicate()


def killed_once(emulated: Emulated, seed: int, longest: float) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Kill level 2 at a random moment, and restore the settings.

    :return: how far the probe came, and the settings before and after
    """
    before = emulated.put(seed)
    with tempfile.TemporaryDirectory() as folder:
        journal = Path(folder) / "journal"
        child = os.fork()
        if child == 0:
            try:
                plan = Plan(False, True, {"last_seen": "CONTACT_BLACKLIST"}, CONTACT)
                probe(plan, wire_to(emulated.url), journal)
            finally:
                os._exit(0)
        time.sleep(random.Random(seed).uniform(0, longest))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            return "was done already", before, emulated.settings()
        if not journal.exists():
            return "killed before its first write", before, emulated.settings()
        problems = restored_from(read_journal(journal), wire_to(emulated.url))
        assert not problems, problems
    return "killed, and restored", before, emulated.settings()


def seconds_of_a_run(emulated: Emulated) -> float:
    """Return the duration of a run that is not killed."""
    emulated.put(1)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        plan = Plan(False, True, {"last_seen": "CONTACT_BLACKLIST"}, CONTACT)
        probe(plan, wire_to(emulated.url), Path(folder) / "journal")
    return time.monotonic() - started
