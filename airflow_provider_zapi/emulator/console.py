"""The emulator's lines on its standard output: never in the way of an answer."""

import contextlib
import os
import queue
import select
import sys
import threading
from typing import TextIO

__all__ = ["Console"]

#: How many lines wait at most for a reader that is slow or gone; further ones are dropped and counted.
_WAITING = 1_000


class Console:
    """Writes lines from a thread of its own.

    A pipe that nobody reads, a reader that has gone, an encoding without a letter and a closed standard output must
    neither block nor break an answer, nor the end of the process.

    :param stream: where to write; standard output by default
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        # Python has no standard output if the process was started without one.
        given: TextIO | None = stream or sys.stdout
        self._fd: int | None = None
        self._encoding = "utf-8"
        if given is not None:
            given.flush()
            self._encoding = given.encoding or self._encoding
            # Past the stream's own buffer: a thread that blocks inside of it would also block the interpreter's end.
            self._fd = os.dup(given.fileno())
        self._lines: queue.Queue[str | None] = queue.Queue(_WAITING)
        self._dropped = 0
        self._thread = threading.Thread(target=self._write_all, name="zapi-emulator-console", daemon=True)
        self._thread.start()

    def print(self, line: str) -> None:
        """Write a line as soon as possible; never waits."""
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self._dropped += 1

    def close(self, patience: float = 1.0) -> None:
        """Write what waits, for at most ``patience`` seconds."""
        with contextlib.suppress(queue.Full):
            self._lines.put_nowait(None)
        self._thread.join(patience)

    def _write_all(self) -> None:
        while (line := self._lines.get()) is not None:
            dropped, self._dropped = self._dropped, 0
            if dropped:
                line = f"({dropped} lines were not written: nobody read them)\n{line}"
            data = f"{line}\n".encode(self._encoding, "backslashreplace")
            while data and self._fd is not None:
                try:
                    data = data[os.write(self._fd, data) :]
                except BlockingIOError:
                    # The pipe is full, and a process that shares it has made it non-blocking.
                    select.select([], [self._fd], [])
                except OSError:
                    return
