"""Measure the memory of processes and their children."""

import threading
from contextlib import suppress
from typing import Self

import psutil

from scripts.background import alive_in_session


def members(leader: int) -> set[int]:
    """Return a session's processes and their descendants, because PostgreSQL's children leave the session."""
    found = {leader, *alive_in_session(leader)}
    for pid in list(found):
        with suppress(psutil.Error):  # the process has ended
            found |= {child.pid for child in psutil.Process(pid).children(recursive=True)}
    return found


def proportional_size(pid: int) -> int:
    """Return a process's memory in bytes (PSS). Shared memory is divided among the processes that share it."""
    try:
        return int(psutil.Process(pid).memory_full_info().pss)
    except psutil.Error:  # the process has ended
        return 0


class PeakMemory:
    """Measure once a second during a ``with`` block, and store the maximum for each name."""

    def __init__(self) -> None:
        self.peaks: dict[str, int] = {}
        self._leaders: dict[str, int] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="memory", daemon=True)

    def watch(self, name: str, leader: int) -> None:
        """Also measure the leader of a session and its children."""
        self.peaks[name] = 0
        self._leaders[name] = leader

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._stopped.wait(1):
            for name, leader in list(self._leaders.items()):
                self.peaks[name] = max(self.peaks[name], sum(map(proportional_size, members(leader))))
