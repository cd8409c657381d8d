"""The emulator's lines on its standard output: never in the way of an answer."""

import contextlib
import os
import queue
import sys
import threading
from typing import TextIO, cast

__all__ = ["Console"]

#: How many lines wait at most for a reader that is slow or gone; further ones are dropped and counted.
_WAITING = 1_000


class Console:
    """Writes lines from a thread of its own.

    A pipe that nobody reads, a reader that has gone and an encoding without a letter must neither block nor break an
    answer, nor the end of the process.

    :param stream: where to write; standard output by default
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        stream = stream or cast(TextIO, sys.stdout)
        stream.flush()
        self._encoding = stream.encoding or "utf-8"
        # Past the stream's own buffer: a thread that blocks inside of it would also block the interpreter's end.
        self._fd = os.dup(stream.fileno())
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
            while data:
                try:
                    data = data[os.write(self._fd, data) :]
                except OSError:
                    return
