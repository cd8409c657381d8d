"""Store which numbers a run has finished, so that a task retry skips them. Only digests are stored, no ids or names."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Protocol

from airflow_provider_zapi.catching import caught
from airflow_provider_zapi.reconcile.outcomes import DONE, Outcome

__all__ = ["Ledger", "Store", "digest"]

log = logging.getLogger(__name__)

#: Hexadecimal characters of a digest. With a million numbers, two of them share a digest in one of two million runs.
_LENGTH = 15
#: Entries of one stored value. Each is a digest and the letter of its outcome, so a value has 8 KiB of the 64 KiB that
#: Airflow accepts. It is small, because the last value is written again with every batch.
ENTRIES = 512
_KEY = "zapi_fleet_{}"

_LETTERS = {outcome: letter for outcome, letter in zip(Outcome, "paudnlwrxt", strict=True) if outcome in DONE}
_OUTCOMES = {letter: outcome for outcome, letter in _LETTERS.items()}


class Store(Protocol):
    """A store whose values survive the process, such as Airflow's ``task_state_store``."""

    def get(self, key: str) -> Any:
        """Return a value, or None."""

    def set(self, key: str, value: Any) -> None:
        """Store a value."""

    def delete(self, key: str) -> None:
        """Delete a value."""


def digest(*parts: str) -> str:
    """Return a digest of strings."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:_LENGTH]


class Ledger:
    """The finished numbers of a run.

    If the store fails, the run continues without it. A task retry then repeats the numbers that are not in the store,
    which is safe.

    :param store: stores the finished numbers
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._failed = False
        self._chunks: list[str] = []
        self._attempt(self._load)
        width = _LENGTH + 1
        entries = [chunk[at : at + width] for chunk in self._chunks for at in range(0, len(chunk), width)]
        self._known = {entry[1:]: _OUTCOMES[entry[0]] for entry in entries if entry[:1] in _OUTCOMES}

    def outcome(self, key: str) -> Outcome | None:
        """Return the outcome of a number that an earlier try finished."""
        return self._known.get(key)

    def record(self, finished: Iterable[tuple[str, Outcome]]) -> None:
        """Store finished numbers, before others start. Numbers that need another try are not stored."""
        entries = [f"{_LETTERS[outcome]}{key}" for key, outcome in finished if outcome in _LETTERS]
        while entries:
            if not self._chunks or len(self._chunks[-1]) >= ENTRIES * (_LENGTH + 1):
                self._chunks.append("")
            room = ENTRIES - len(self._chunks[-1]) // (_LENGTH + 1)
            self._chunks[-1] += "".join(entries[:room])
            del entries[:room]
            self._attempt(partial(self._store.set, _KEY.format(len(self._chunks) - 1), self._chunks[-1]))

    def forget(self) -> None:
        """Delete all finished numbers at the end of a run, so that a cleared task starts from the beginning."""
        # The last value is deleted first, so that an interrupted deletion leaves no gap.
        for index in reversed(range(len(self._chunks))):
            self._attempt(partial(self._store.delete, _KEY.format(index)))
        self._chunks, self._known = [], {}

    def _load(self) -> None:
        while isinstance(chunk := self._store.get(_KEY.format(len(self._chunks))), str):
            self._chunks.append(chunk)

    def _attempt(self, use: Callable[[], None]) -> None:
        error = None if self._failed else caught(use, Exception)
        if error is not None:
            self._failed = True
            log.warning(
                "Airflow's task state store failed (%s). The run continues. A task retry repeats the numbers that it "
                "finishes from now on, which is safe.",
                type(error).__name__,
            )
