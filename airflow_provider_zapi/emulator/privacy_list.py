"""Store the value and the list of one privacy setting, and return what reads of the list show. No HTTP."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from airflow_provider_zapi.emulator.contacts import is_odd, lid, spellings
from airflow_provider_zapi.emulator.contract import BLACKLIST, Setting
from airflow_provider_zapi.emulator.switches import AFTER_LEAVING


def registered(phone: str, ninth_digit: str) -> str:
    """Return the spelling of a phone that WhatsApp registered, according to the switch ``ninth_digit``."""
    short, long = spellings(phone)
    if ninth_digit == "mixed":
        return long if is_odd(lid(phone)) else short
    return {"as_sent": phone, "with": long, "without": short}[ninth_digit]


def identifier(contact: str, sent: str, switches: Mapping[str, Any]) -> str:
    """Return the list's entry for a contact that was first added as ``sent``, according to the switches."""
    list_as = switches["list_as"]
    # An `@lid` cannot be turned back into a phone, so a contact that was added by its `@lid` keeps it.
    if sent == contact or list_as == "lid" or (list_as == "mixed" and is_odd(contact)):
        return contact
    return registered(sent, switches["ninth_digit"])


@dataclass
class PrivacyRecord:
    """The value and the list of one setting. WhatsApp stores them as one record with a version.

    ``contacts`` maps each contact's ``@lid`` to the spelling that it was first added with. ``switches`` are the current
    switches of the instance.
    """

    setting: Setting
    switches: Mapping[str, Any]
    value: str
    contacts: dict[str, str] = field(default_factory=dict)
    version: int = 1
    _left: dict[str, str] = field(default_factory=dict)
    _lagging: list[str] = field(default_factory=list)
    _lagging_reads: int = 0

    def excluded(self, limit: int | None = None) -> list[str]:
        """Return the entries of the true list, or its first ``limit`` entries."""
        return self._named(self.contacts, limit)

    def read(self) -> list[str]:
        """Return what a read of the list shows now. The switches can make it late, empty or stale."""
        if self._lagging_reads:
            self._lagging_reads -= 1
            return self._lagging
        return self._visible()

    def size_after(self, changes: Iterable[Mapping[str, str]]) -> int:
        """Return how many contacts the list would hold after these changes, with the value `CONTACT_BLACKLIST`."""
        trial = PrivacyRecord(self.setting, self.switches, self.value, dict(self.contacts))
        trial.write(BLACKLIST, changes)
        return len(trial.contacts)

    def write(
        self, value: str, changes: Iterable[Mapping[str, str]], *, exact: bool | None = None
    ) -> dict[str, Any] | None:
        """Set the value, apply the changes one after another, and return the differences, or None.

        Adding a contact that is already on the list, or removing one that is not, does not change the list. ``exact``
        overrides the switch ``exact_removal``.
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
        """Set the value and, unless ``phones`` is None, the whole list. Return the differences, or None."""
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
            return self.excluded()
        return self._named(self._left) if reads == "the list" else []

    def _named(self, contacts: Mapping[str, str], limit: int | None = None) -> list[str]:
        return [identifier(contact, sent, self.switches) for contact, sent in islice(contacts.items(), limit)]
