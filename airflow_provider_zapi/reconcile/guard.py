"""Refuse to remove most of a list by mistake: a wrong policy file would show the number to everybody on it."""

from __future__ import annotations

from airflow_provider_zapi.exceptions import ZApiInvalidRequestError
from airflow_provider_zapi.privacy.difference import ListChange

__all__ = ["RemovalGuard"]

#: A list of this length or longer is guarded.
GUARDED_LENGTH = 10


class RemovalGuard:
    """Counts what a run removes from one list, against what was on it.

    :param place: where the list stands in the policy, for messages
    :param allowed: whether any number may be removed
    """

    def __init__(self, place: str, allowed: bool) -> None:
        self._place = place
        self._allowed = allowed
        self._length: int | None = None
        self._shortest = 0
        self._removed: set[str] = set()

    def look(self, change: ListChange, sent: int) -> None:
        """Take the first read that is not empty as the base.

        :param sent: how many of the entries may be there only because this run added them
        """
        if self._length is None and change.length:
            self._length = change.length
            self._shortest = max(change.length - sent, 0)

    def check(self, change: ListChange, already_sent: str = "") -> None:
        """Refuse a change with which the run would remove more than half of the list.

        The base may hold contacts that this run added, and it cannot be known whether they were there before. So the
        change must be right for every length that the list may have had.

        :param already_sent: what the run has changed so far, as a sentence
        :raises ZApiInvalidRequestError: it would
        """
        if self._allowed or self._length is None or self._length < GUARDED_LENGTH:
            return
        removed = len(self._removed.union(change.remove))
        if removed * 2 > max(self._shortest, GUARDED_LENGTH):
            raise ZApiInvalidRequestError(
                f"{self._place} would remove {removed} of {max(self._shortest, removed)} contacts from the list",
                f"{already_sent} If the policy is right, allow it (allow_mass_removal): a wrong policy would show the "
                "number to all of them.".strip(),
                code="ZAPI-INVALID-MASS-REMOVAL",
            )

    def sent(self, entries: tuple[str, ...]) -> None:
        """Count entries whose removal was sent."""
        self._removed.update(entries)
