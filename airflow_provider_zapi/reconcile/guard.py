"""Prevent the removal of most of a list by mistake. A wrong policy would show the number to everybody on the list."""

from __future__ import annotations

from airflow_provider_zapi.exceptions import ZApiInvalidRequestError
from airflow_provider_zapi.privacy.difference import ListChange

__all__ = ["RemovalGuard"]

#: The shortest list that is guarded.
GUARDED_LENGTH = 10


class RemovalGuard:
    """Limit how many entries one run removes from one list.

    :param place: the place of the list in the policy, for messages
    :param allowed: accept any number of removals
    """

    def __init__(self, place: str, allowed: bool) -> None:
        self._place = place
        self._allowed = allowed
        self._length: int | None = None
        self._shortest = 0
        self._removed: set[str] = set()

    def look(self, change: ListChange, sent: int) -> None:
        """Use the length of the first list that is not empty as the base of the limit.

        :param sent: the number of entries that this run may have added itself
        """
        if self._length is None and change.length:
            self._length = change.length
            self._shortest = max(change.length - sent, 0)

    def check(self, change: ListChange, already_sent: str = "") -> None:
        """Raise an error if the run would remove more than half of the list with this change.

        The base may include contacts that this run added, and it is not known whether they were there before. So the
        limit applies to every length that the list may have had.

        :param already_sent: a sentence about the changes that the run has sent so far
        :raises ZApiInvalidRequestError: the run would remove too many entries
        """
        if self._allowed or self._length is None or self._length < GUARDED_LENGTH:
            return
        removed = len(self._removed.union(change.remove))
        if removed * 2 > max(self._shortest, GUARDED_LENGTH):
            raise ZApiInvalidRequestError(
                f"{self._place} would remove {removed} of {max(self._shortest, removed)} contacts from the list",
                f"{already_sent} A wrong policy would show the number to all of them. If the policy is right, set "
                "allow_mass_removal.".strip(),
                code="ZAPI-INVALID-MASS-REMOVAL",
            )

    def sent(self, entries: tuple[str, ...]) -> None:
        """Record entries whose removal was sent."""
        self._removed.update(entries)
