"""One privacy setting of one instance: its value, its list, and what reads of that list give. No HTTP."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from airflow_provider_zapi.emulator.contacts import is_odd, lid, spellings
from airflow_provider_zapi.emulator.contract import BLACKLIST, Setting
from airflow_provider_zapi.emulator.switches import AFTER_LEAVING


def registered(phone: str, ninth_digit: str) -> str:
    """Return a phone as WhatsApp registered it, by the switch ``ninth_digit``."""
    short, long = spellings(phone)
    if ninth_digit == "mixed":
        return long if is_odd(lid(phone)) else short
    return {"as_sent": phone, "with": long, "without": short}[ninth_digit]


def identifier(contact: str, sent: str, switches: Mapping[str, Any]) -> str:
    """Return how a list names a contact that was first added as ``sent``, by the switches."""
    list_as = switches["list_as"]
    # An `@lid` cannot be turned back into a phone, so one that came as an `@lid` stays one.
    if sent == contact or list_as == "lid" or (list_as == "mixed" and is_odd(contact)):
        return contact
    return registered(sent, switches["ninth_digit"])


@dataclass
class PrivacyRecord:
    """Value and list of one setting: on WhatsApp's side one record with a version stamp.

    ``contacts`` maps each contact's ``@lid`` to the spelling it was first added with. ``switches`` is the
    instance's live table of switches.
    """

    setting: Setting
    switches: Mapping[str, Any]
    value: str
    contacts: dict[str, str] = field(default_factory=dict)
    version: int = 1
    _left: dict[str, str] = field(default_factory=dict)
    _lagging: list[str] = field(default_factory=list)
    _lagging_reads: int = 0

    def exceptions(self, limit: int | None = None) -> list[str]:
        """Return the true list, or its first ``limit`` entries, as its identifiers read."""
        return self._named(self.contacts, limit)

    def read(self) -> list[str]:
        """Return what a read of the list gives now: by the switches late, empty or stale."""
        if self._lagging_reads:
            self._lagging_reads -= 1
            return self._lagging
        return self._visible()

    def size_after(self, changes: Iterable[Mapping[str, str]]) -> int:
        """Return how many contacts the list would hold after these changes under `CONTACT_BLACKLIST`."""
        trial = PrivacyRecord(self.setting, self.switches, self.value, dict(self.contacts))
        trial.write(BLACKLIST, changes)
        return len(trial.contacts)

    def write(
        self, value: str, changes: Iterable[Mapping[str, str]], *, exact: bool | None = None
    ) -> dict[str, Any] | None:
        """Set the value, apply the changes one after another, and return what became different, if anything.

        Adding a contact that is on the list and removing one that is not leave the list as it is. ``exact``
        replaces the switch ``exact_removal``.
        """
        before = self.value
        if self.switches["read_lag"]:
            self._lagging, self._lagging_reads = self._visible(), self.switches["read_lag"]
        if before == BLACKLIST != value and not AFTER_LEAVING[self.switches["list_after_leaving"]][1]:
            self._left, self.contacts = self.contacts, {}
        self.value = value
        exact = self.switches["exact_removal"] if exact is None else exact
        added = removed = 0
        for change in changes:
            contact = lid(change["phone"])
            sent = self.contacts.get(contact)
            if change["action"] == "add" and sent is None:
                self.contacts[contact] = change["phone"]
                added += 1
            elif change["action"] == "remove" and sent is not None:
                if exact and identifier(contact, sent, self.switches) != change["phone"]:
                    continue
                del self.contacts[contact]
                removed += 1
        return self._changed(before, added, removed)

    def replace(self, value: str, phones: list[str] | None) -> dict[str, Any] | None:
        """Set the value and, unless ``phones`` is None, the whole list; return what became different."""
        before, old = self.value, self.contacts
        self.value = value
        self._lagging_reads = 0
        if phones is not None:
            self.contacts = {}
            for phone in phones:
                self.contacts.setdefault(lid(phone), phone)
        return self._changed(before, len(self.contacts.keys() - old), len(old.keys() - self.contacts))

    def _changed(self, before: str, added: int, removed: int) -> dict[str, Any] | None:
        if before == self.value and not added and not removed:
            return None
        self.version += 1
        return {
            "setting": self.setting.name,
            "before": before,
            "after": self.value,
            "added": added,
            "removed": removed,
        }

    def _visible(self) -> list[str]:
        reads, restored = AFTER_LEAVING[self.switches["list_after_leaving"]]
        if self.value == BLACKLIST or (restored and reads == "the list"):
            return self.exceptions()
        return self._named(self._left) if reads == "the list" else []

    def _named(self, contacts: Mapping[str, str], limit: int | None = None) -> list[str]:
        return [identifier(contact, sent, self.switches) for contact, sent in islice(contacts.items(), limit)]
