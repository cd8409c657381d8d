"""Tell a foreign change of a list from a read that lags behind."""

from __future__ import annotations

from collections.abc import Collection, Sequence

__all__ = ["ReadHistory"]


class ReadHistory:
    """What the reads of one list have shown so far in a run.

    A read may lag, even behind an earlier one, so whatever an earlier state explains is not evidence of another writer.
    """

    def __init__(self) -> None:
        self._ever: set[str] = set()
        self._always: set[str] | None = None
        self.foreign = False

    def look(self, present: Sequence[str], unwanted: Collection[str], removed: Collection[str]) -> None:
        """Note a read of the list while our own writes are known to be in force.

        :param present: the list as it was read
        :param unwanted: the entries of it that the policy does not want
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
        """Note a read that may still show an earlier state: it explains later reads, and proves nothing."""
        self._ever.update(present)
