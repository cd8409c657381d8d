"""Start and watch a system of several background processes, and store their figures."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Self, TypeVar

from scripts.background import BackgroundProcess, kill_session, poll
from tests.celery.memory import PeakMemory

T = TypeVar("T")


@dataclass(frozen=True)
class Part:
    """A process, and a function that shows whether it works. An ``OSError`` means that it does not work yet."""

    process: BackgroundProcess
    ready: Callable[[], bool]


class Parts:
    """Processes that run during a ``with`` block. They are stopped in the reverse order."""

    def __init__(self) -> None:
        self.memory = PeakMemory()
        #: The seconds from the start of each part until it was ready, by name.
        self.ready_after: dict[str, float] = {}
        self._running: dict[str, BackgroundProcess] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.enter_context(self.memory)
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def start(self, *parts: Part, seconds: float = 120) -> None:
        """Start these parts, and wait until all are ready."""
        began = time.monotonic()
        waiting = {part.process.name: part for part in parts}
        for name, part in waiting.items():
            self._running[name] = self._stack.enter_context(part.process)
            self.memory.watch(name, part.process.pid)

        def look() -> bool | None:
            for name, part in list(waiting.items()):
                if part.ready():
                    self.ready_after[name] = time.monotonic() - began
                    del waiting[name]
            return None if waiting else True

        self.wait_for(f"the start of {', '.join(waiting)}", look, seconds)

    def check(self) -> None:
        """Raise ``BackgroundError`` if a part has ended by itself."""
        for process in self._running.values():
            process.check()

    def wait_for(self, what: str, look: Callable[[], T | None], seconds: float) -> T:
        """Call ``look`` until it returns something, and return that. Raise an error if a part ends."""
        # Do not look more often, because reading a hundred tasks costs the API server more than running one.
        return poll(what, look, seconds, check=self.check, output=self.tail, interval=0.5)

    def tail(self, lines: int = 40) -> str:
        """Return the end of each part's output."""
        return "\n".join(f"{name}:\n{process.tail(lines)}" for name, process in self._running.items())

    def runs(self, name: str) -> bool:
        """Return whether a part of this name was started and not killed."""
        return name in self._running

    def pid(self, name: str) -> int:
        """Return the process id of a running part, which is also the id of its session."""
        return self._running[name].pid

    def kill(self, name: str) -> None:
        """Kill a part and all its children without a warning, as if its machine lost power."""
        kill_session(self._running.pop(name).pid)
