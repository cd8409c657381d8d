"""Log the progress of a run over many numbers, every 5 seconds or 5 percent, whichever comes first."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["Progress"]

_SECONDS, _PART = 5.0, 0.05


class Progress:
    """Report the progress of a run.

    :param tell: called with a sentence
    :param clock: seconds, monotonic
    """

    def __init__(self, tell: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._tell = tell
        self._clock = clock
        self._begun: tuple[float, int] | None = None
        self._told_at, self._told = 0.0, 0

    def __call__(self, handled: int, failed: int, total: int) -> None:
        """Report the progress if it is time: the handled numbers, the failed ones among them, and the total."""
        now = self._clock()
        if self._begun is None:
            # Numbers that an earlier try finished must not count towards the rate.
            self._begun = now, handled
            self._told_at, self._told = now, handled
            return
        news = handled - self._told
        if now - self._told_at < _SECONDS and (not news or news < total * _PART):
            return
        self._told_at, self._told = now, handled
        begun, before = self._begun
        rate = (handled - before) / max(now - begun, 0.001)
        left = f", {(total - handled) / rate:.0f} s left" if handled < total and rate else ""
        self._tell(f"{handled} of {total} numbers done, {failed} failed, {rate:.1f} a second{left}.")
