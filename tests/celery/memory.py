"""How much memory processes take, with all that they start."""

import threading
from contextlib import suppress
from typing import Self

import psutil

from scripts.background import alive_in_session


def members(leader: int) -> set[int]:
    """Return a session's leader, its session, and their descendants: PostgreSQL's leave the session."""
    found = {leader, *alive_in_session(leader)}
    for pid in list(found):
        with suppress(psutil.Error):  # it ended meanwhile
            found |= {child.pid for child in psutil.Process(pid).children(recursive=True)}
    return found


def proportional_size(pid: int) -> int:
    """Return a process's memory in bytes (PSS): what it shares is divided by the number of those who share it."""
    try:
        return int(psutil.Process(pid).memory_full_info().pss)
    except psutil.Error:  # it ended meanwhile
        return 0


class PeakMemory:
    """Looks once a second, for the length of a ``with`` block, and keeps the most that each name took."""

    def __init__(self) -> None:
        self.peaks: dict[str, int] = {}
        self._leaders: dict[str, int] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="memory", daemon=True)

    def watch(self, name: str, leader: int) -> None:
        """Look at the process that leads a session, too, and at what it starts."""
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
