"""How much memory processes take, with all that they start."""

import threading
from pathlib import Path
from typing import Self

from scripts.background import processes


def members(leader: int) -> set[int]:
    """Return a session's leader, its session, and their descendants: PostgreSQL's leave the session."""
    found = {leader}
    table = processes()
    while True:
        more = {each.pid for each in table if each.session == leader or each.parent in found} - found
        if not more:
            return found
        found |= more


def proportional_size(pid: int) -> int:
    """Return a process's memory in bytes (PSS): what it shares is divided by the number of those who share it."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:  # it ended meanwhile
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


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
