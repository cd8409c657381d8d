"""Apply the plan of one setting, in rounds of writing and reading."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_provider_zapi.catching import caught
from airflow_provider_zapi.exceptions import (
    ZApiConflictError,
    ZApiError,
    ZApiInvalidRequestError,
    ZApiNotVerifiedError,
    ZApiRefusedError,
)
from airflow_provider_zapi.privacy.difference import ListChange, compare
from airflow_provider_zapi.privacy.phones import hide_phone
from airflow_provider_zapi.reconcile.guard import RemovalGuard
from airflow_provider_zapi.reconcile.history import ReadHistory
from airflow_provider_zapi.reconcile.plan import Contacts, SettingPlan
from airflow_provider_zapi.wording import counted

if TYPE_CHECKING:
    from airflow_provider_zapi.client import ZApiClient
    from airflow_provider_zapi.privacy.changes import ContactChange

__all__ = ["SettingResult", "SettingRun"]

log = logging.getLogger(__name__)

#: The most writes of one setting. After them, a list that differs is only read.
MAX_ROUNDS = 3
#: The most contacts that one log line names.
MAX_NAMED = 20


@dataclass(frozen=True, slots=True)
class SettingResult:
    """The result of one setting.

    :param value: the value that was sent; it cannot be read back
    :param verified: whether the list was read back as wanted; None if there is no list to read
    :param verified_at: the time of the last read that verified the list, in UTC
    :param added: number of contacts that were missing and are now on the list
    :param removed: number of entries that were removed
    :param kept: number of entries that were already on the list
    :param unknown: number of entries that cannot be interpreted; they stay
    :param not_on_whatsapp: number of wanted contacts that are not on WhatsApp, and therefore not on the list
    :param rounds: number of times that the setting was written
    """

    value: str
    verified: bool | None
    verified_at: datetime | None = None
    added: int = 0
    removed: int = 0
    kept: int = 0
    unknown: int = 0
    not_on_whatsapp: int = 0
    rounds: int = 1


class SettingRun:
    """The state of one setting while it is applied.

    :param plan: the plan for the setting
    :param contacts: WhatsApp's answers about phones
    :param steps: numbers the reads and writes of the whole run, in their order
    :param allow_mass_removal: allow the removal of more than half of a list
    :param now: returns the time, in UTC
    """

    def __init__(
        self,
        plan: SettingPlan,
        client: ZApiClient,
        contacts: Contacts,
        steps: Iterator[int],
        allow_mass_removal: bool,
        now: Callable[[], datetime],
    ) -> None:
        self.plan = plan
        self.name = plan.wanted.setting.name
        #: Whether the setting is as wanted, as far as Z-API can show.
        self.settled = False
        #: The numbers of the last write and of the last read.
        self.written = self.read_at = 0
        self._client = client
        self._contacts = contacts
        self._steps = steps
        self._now = now
        #: The number of extra writes that the last look allows.
        self.extra_rounds = 1
        self._rounds, self._most_rounds = 0, MAX_ROUNDS
        self._change = plan.change
        self._verified_at: datetime | None = None
        self._refused: ZApiError | None = None
        self._missing: set[str] = set()
        self._added: set[str] = set()
        self._removed: set[str] = set()
        self._guard = RemovalGuard(f"{self.name}.except", allow_mass_removal)
        self._history = ReadHistory()
        if plan.change is not None:
            self._guard.look(plan.change, 0)
            self._history.look_before(plan.change.remove)

    def check_removals(self) -> None:
        """Check that the plan does not remove too many entries.

        :raises ZApiInvalidRequestError: the plan removes too many; nothing was sent
        """
        if self._change is not None:
            self._guard.check(self._change, "Nothing was sent.")

    def first_round(self) -> None:
        """Write the setting, and read its list back."""
        if self.plan.unreadable is not None:
            # Try to read it once more. If that fails too, the error prevents the write.
            self._read()
        self._write()
        self._read()

    def next_round(self) -> None:
        """Read the list, and write it again if it still differs."""
        self._read()
        if not self.settled and self._rounds < self._most_rounds:
            self._write()
            self._read()

    def last_look(self) -> None:
        """Read the list once more, with one more round if it differs."""
        self._most_rounds = self._rounds + self.extra_rounds
        self.next_round()
        self.extra_rounds = 0

    @property
    def is_hopeless(self) -> bool:
        """Return whether waiting cannot help, because the last write was refused or another writer changed the list."""
        return (
            not self.settled
            and self._rounds >= self._most_rounds
            and (self._refused is not None or self._history.foreign)
        )

    def verdict(self) -> ZApiError:
        """Return the error for a setting that is not as wanted."""
        if self._refused is not None:
            return self._refused
        setting, change = self.plan.wanted.setting, self._change or ListChange()
        differing = len(change.changes) + change.undecided
        what = (
            f"The list of {setting.title} still differs from the policy in {counted(differing, 'contact')} after "
            f"{counted(self._rounds, 'write')}"
        )
        if self._history.foreign:
            return ZApiConflictError(
                f"{what}, because somebody else changed it during the run",
                "Give all tasks of the number the same pool with one slot, and find out who else changes the list.",
                endpoint=setting.endpoint,
                code="ZAPI-CONFLICT-OTHER-WRITER",
            )
        advice = "Z-API accepted every change, so the reads may lag behind. Retry later."
        if change.undecided:
            advice += (
                f" WhatsApp does not identify {change.undecided} of the entries. They may be wanted contacts, so "
                "they were not changed."
            )
        return ZApiNotVerifiedError(what, advice, endpoint=setting.endpoint, code="ZAPI-NOT-VERIFIED-LIST")

    def result(self) -> SettingResult:
        """Return the result of a setting that is as wanted."""
        value, change = self.plan.wanted.value, self._change
        if change is None:
            return SettingResult(value, verified=None, rounds=self._rounds)
        if change.not_on_whatsapp:
            named = ", ".join(hide_phone(contact) for contact in change.not_on_whatsapp[:MAX_NAMED])
            others = len(change.not_on_whatsapp) - MAX_NAMED
            log.warning(
                "%s: these contacts are not on WhatsApp, so they are not on the list: %s%s.",
                self.plan.wanted.setting.title,
                named,
                f" and {others} more" if others > 0 else "",
            )
        added = len(self._missing - set(change.not_on_whatsapp))
        return SettingResult(
            value,
            verified=True,
            verified_at=self._verified_at,
            added=added,
            removed=len(self._removed),
            kept=max(change.kept - added, 0),
            unknown=change.unknown,
            not_on_whatsapp=len(change.not_on_whatsapp),
            rounds=self._rounds,
        )

    def _write(self) -> None:
        setting, value = self.plan.wanted.setting, self.plan.wanted.value
        changes = self._changes()
        if self._rounds == 1 and self._refused is not None and self.plan.listed:
            self._warn_of_difference(len(changes))
        self._rounds += 1

        def progress(done: int, total: int) -> None:
            self._accepted(changes[:done])
            if total > done:
                log.info("%s: %d of %d changes were sent.", setting.title, done, total)

        written = caught(
            lambda: self._client.set_privacy(setting, value, changes, progress=progress),
            ZApiRefusedError,
            ZApiInvalidRequestError,
        )
        self._refused = written if isinstance(written, ZApiError) else None
        self.written = next(self._steps)
        # Z-API may refuse a change because another writer changed the list, so the next round reads the list again.
        # A refused phone is final, unless it is no longer on WhatsApp. Then the next round leaves it out.
        if isinstance(self._refused, ZApiInvalidRequestError) and not self._names_missing(changes):
            raise self._refused

    def _changes(self) -> tuple[ContactChange, ...]:
        if self._change is None:
            return ()
        self._missing.update(self._change.add)
        changes = self._change.changes if self._rounds else self.plan.first_changes(self._change)
        # After the plan was made, another setting's round may have found contacts that are no longer on WhatsApp.
        gone = self._contacts.known_missing(change.phone for change in changes if change.action == "add")
        return tuple(change for change in changes if change.phone not in gone)

    def _warn_of_difference(self, sent: int) -> None:
        """Log how many contacts may see the number for now, because the write of all wanted contacts was refused."""
        setting, wanted = self.plan.wanted.setting, len(self.plan.wanted.excluded)
        log.warning(
            "%s: Z-API refused the write of all wanted contacts. The next write sends only the difference (%s). If the "
            "value in force now is not %s, up to %s can see it until the list has been read back.",
            setting.title,
            counted(sent, "change"),
            self.plan.wanted.value,
            counted(wanted, "excluded contact"),
        )

    def _names_missing(self, changes: Sequence[ContactChange]) -> bool:
        """Ask WhatsApp about the phones of a refused call, and return whether one is not on WhatsApp."""
        added = [change.phone for change in changes if change.action == "add" and not change.phone.endswith("@lid")]
        # If Z-API refuses a phone here too, the phone is invalid, and did not just leave WhatsApp.
        with suppress(ZApiInvalidRequestError):
            self._contacts.resolve(added)
        return bool(self._contacts.known_missing(added))

    def _accepted(self, changes: Sequence[ContactChange]) -> None:
        self._added.update(change.phone for change in changes if change.action == "add")
        self._removed.update(change.phone for change in changes if change.action == "remove")
        self._guard.sent(tuple(self._removed))

    def _read(self) -> None:
        if not self.plan.listed:
            self.settled = self._refused is None
            return
        self.settled = False
        wanted = self.plan.wanted
        present = self._client.disallowed_contacts(wanted.setting)
        self.read_at, read_at = next(self._steps), self._now()
        change = compare(wanted.excluded, present, self._contacts.resolve, ask_about_missing=bool(self._rounds))
        self._change = change
        self._guard.look(change, min(change.kept, len(self._added)))
        self._guard.check(change, self._sent_so_far())
        if self._in_force(change):
            self._history.look(present, change.remove, self._removed)
        else:
            self._history.look_before(present)
        self.settled = self._refused is None and not change.differs
        if self.settled:
            self._verified_at = read_at

    def _in_force(self, change: ListChange) -> bool:
        """Return whether a read shows everything that this run wrote to the list."""
        return bool(self._rounds) and self._added.isdisjoint(change.add) and self._removed.isdisjoint(change.remove)

    def _sent_so_far(self) -> str:
        if not self._rounds:
            return "Nothing was sent for this list."
        return (
            f"Already sent and in force: {self.plan.wanted.value}, {counted(len(self._added), 'addition')} and "
            f"{counted(len(self._removed), 'removal')}."
        )
