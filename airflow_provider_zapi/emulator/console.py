"""Print the emulator's lines to standard output without delaying answers."""

import contextlib
import os
import queue
import select
import sys
import threading
from typing import TextIO

__all__ = ["Console"]

#: The maximum number of lines that wait for a slow or absent reader. Further lines are dropped and counted.
_WAITING = 1_000


class Console:
    """Write lines from a separate thread.

    Output must never block or fail an answer, or the end of the process: not if nobody reads the pipe, the reader has
    exited, the encoding lacks a character, or standard output is closed.

    :param stream: the stream to write to; standard output by default
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        # Python has no standard output if the process was started without one.
        given: TextIO | None = stream or sys.stdout
        self._fd: int | None = None
        self._encoding = "utf-8"
        if given is not None:
            given.flush()
            self._encoding = given.encoding or self._encoding
            # Bypass the stream's buffer, because a thread that blocks in it would also block the interpreter at exit.
            self._fd = os.dup(given.fileno())
        self._lines: queue.Queue[str | None] = queue.Queue(_WAITING)
        self._dropped = 0
        self._thread = threading.Thread(target=self._write_all, name="zapi-emulator-console", daemon=True)
        self._thread.start()

    def print(self, line: str) -> None:
        """Write a line as soon as possible, without waiting."""
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self._dropped += 1

    def close(self, patience: float = 1.0) -> None:
        """Write the waiting lines, for at most ``patience`` seconds."""
        with contextlib.suppress(queue.Full):
            self._lines.put_nowait(None)
        self._thread.join(patience)

    def _write_all(self) -> None:
        while (line := self._lines.get()) is not None:
            dropped, self._dropped = self._dropped, 0
            if dropped:
                line = f"({dropped} lines were dropped, because nobody read them)\n{line}"
            data = f"{line}\n".encode(self._encoding, "backslashreplace")
            while data and self._fd is not None:
                try:
                    data = data[os.write(self._fd, data) :]
                except BlockingIOError:
                    # The pipe is full, and a process that shares it has made it non-blocking.
                    select.select([], [self._fd], [])
                except OSError:
                    return
