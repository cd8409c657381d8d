"""Distinguish a list that somebody else changed from a read that lags behind."""

from __future__ import annotations

from collections.abc import Collection, Sequence

__all__ = ["ReadHistory"]


class ReadHistory:
    """The states of one list that a run has read so far.

    A read may lag, even behind an earlier read. So a state that the run has seen before does not prove that there is
    another writer.
    """

    def __init__(self) -> None:
        self._ever: set[str] = set()
        self._always: set[str] | None = None
        self.foreign = False

    def look(self, present: Sequence[str], unwanted: Collection[str], removed: Collection[str]) -> None:
        """Record a read that shows all writes of this run.

        :param present: the list as it was read
        :param unwanted: the entries that the policy does not want
        :param removed: the entries whose removal was sent
        """
        entries = set(present)
        if self._always is not None:
            appeared = set(unwanted) - self._ever
            vanished = self._always - entries - set(removed)
            self.foreign = self.foreign or bool(appeared or vanished)
        self._ever |= entries
        self._always = entries if self._always is None else self._always & entries

    def look_before(self, present: Sequence[str]) -> None:
        """Record a read that may show an earlier state. It can explain later reads, but proves nothing."""
        self._ever.update(present)
