"""Print the emulator's lines to standard output without delaying answers."""

import contextlib
import os
import queue
import sys
import threading
from typing import TextIO, cast

__all__ = ["Console"]

#: The most lines that wait for a slow or absent reader. Further lines are dropped and counted.
_WAITING = 1_000


class Console:
    """Write lines from a separate thread.

    If nobody reads the pipe, if the reader has gone, or if the encoding lacks a letter, answers and the end of the
    process must not block or fail.

    :param stream: the stream to write to; standard output by default
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        stream = stream or cast(TextIO, sys.stdout)
        stream.flush()
        self._encoding = stream.encoding or "utf-8"
        # Bypass the stream's buffer, because a thread that blocks in it would also block the interpreter at exit.
        self._fd = os.dup(stream.fileno())
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
            while data:
                try:
                    data = data[os.write(self._fd, data) :]
                except OSError:
                    return
