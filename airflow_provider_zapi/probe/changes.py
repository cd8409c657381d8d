"""Level 2: change one setting and one contact, and read the list after each write."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_provider_zapi.privacy.phones import both_forms, same_contact
from airflow_provider_zapi.privacy.settings import CONTACT_BLACKLIST, PrivacySetting
from airflow_provider_zapi.probe.evidence import Seen
from airflow_provider_zapi.probe.findings import contacts_of, inconclusive
from airflow_provider_zapi.probe.journal import Journal
from airflow_provider_zapi.probe.steps import (
    CHANGES,
    CONTACT,
    CONTACT_BATCH,
    ENTRY,
    LID,
    OTHER_FORM,
    list_read,
    write_request,
)
from airflow_provider_zapi.probe.wire import Stopped, Wire

__all__ = ["LONGEST_LIST", "Changes"]

#: The longest list that the probe changes, because it must be restored in one call.
LONGEST_LIST = 500
#: The outcomes of the reads after the first write.
_LAGS = ("first_read", "second_read", "third_read", "fourth_read")


class Changes:
    """Change one setting. ``found`` has the outcomes so far.

    :param journal: records, before each write, what is needed to undo it
    :param setting: the setting that is probed; it has a list
    :param contact: the sacrificial contact, as `normalize_contact` returns it
    :param phones: the phones for the names in braces
    """

    def __init__(
        self, wire: Wire, journal: Journal, setting: PrivacySetting, contact: str, phones: Mapping[str, str]
    ) -> None:
        self._wire = wire
        self._journal = journal
        self._setting = setting
        self._contact = contact
        self._phones = {**phones, CONTACT: contact}
        self._lag = 0
        self._before: tuple[str, ...] = ()
        self._value_only_accepted = False
        self.found: dict[str, str] = {}

    def run(self) -> None:
        """Make the changes.

        :raises Stopped: a condition for the next change is not met
        """
        self._look_up_contact()
        self._put_in_force()
        entry = self._add()
        entry = self._add_again(entry)
        self._remove(entry)
        self._add_by_lid()
        self._add_among_bad()
        self._without_list()
        self._leave_and_return()

    def _look_up_contact(self) -> None:
        seen = self._wire.send(CONTACT_BATCH, self._phones)
        row = seen.payload[0] if isinstance(seen.payload, list) and seen.payload else None
        if seen.status != 200 or not isinstance(row, dict):
            return
        if str(row.get("exists")).lower() == "false":
            raise Stopped("the contact is not on WhatsApp")
        lid, phone = row.get("lid"), row.get("outputPhone")
        if isinstance(lid, str) and lid.endswith("@lid") and lid[:-4].isdigit() and len(lid) < 30:
            self._phones[LID] = lid
            self._journal.note_form(lid)
        if isinstance(phone, str):
            self.found["registered_form"] = self._form(phone)

    def _put_in_force(self) -> None:
        prior = self._journal.prior
        before = prior.settings[self._setting.name]
        if before.value != CONTACT_BLACKLIST:
            if not self._write("enter").done:
                raise Stopped("CONTACT_BLACKLIST was not accepted")
            # It is not known yet how long reads lag behind, and this read must be right.
            for _ in _LAGS:
                self._before = self._read()
            self._journal.note_in_force(self._setting.name, self._before)
        else:
            self._before = before.contacts or ()
            if not self._before:
                self._require_empty_list()
        if any(self._is_contact(entry) for entry in self._before):
            raise Stopped("the contact is already on the list; use one that is not")
        if len(self._before) > LONGEST_LIST:
            raise Stopped(f"the list has more than {LONGEST_LIST} contacts; use a setting with a shorter list")

    def _require_empty_list(self) -> None:
        changed_before = self._setting.name in self._journal.prior.written
        seen = self._write("enter")
        if seen.refused and not changed_before:
            self._journal.nothing_written(self._setting.name)
        if not seen.done:
            raise Stopped("an empty list is not accepted, so the contact could not be removed again")

    def _add(self) -> str:
        seen = self._write("add")
        if not seen.done:
            raise Stopped("the contact could not be added")
        for lag, word in enumerate(_LAGS):
            entry = self._entry(self._read())
            if entry is not None:
                self._lag = lag
                self._journal.note_lag(lag)
                self.found["read_lag"] = word
                self.found["entry_form"] = self._form(entry)
                self._journal.note_form(entry)
                return entry
        self.found["read_lag"] = "never"
        raise Stopped("the list does not show a contact that was added")

    def _add_again(self, entry: str) -> str:
        self._write("add_again")
        entries = [each for each in self._read_settled() if self._is_contact(each)]
        self.found["list_after_add_again"] = "gone" if not entries else "once" if len(entries) == 1 else "twice"
        return self._back(entries[0] if entries else None)

    def _remove(self, entry: str) -> None:
        other = self._other_form(entry)
        if other is not None:
            self._phones[OTHER_FORM] = other
            entry = self._back(self._after("remove_other_form", entry))
        self._phones[ENTRY] = entry
        if self._after("remove", entry) is None:
            self._write("remove_absent")

    def _after(self, probe: str, entry: str) -> str | None:
        """Send a removal, note its outcome, and return the entry if it is still there."""
        seen = self._write(probe)
        left = self._entry(self._read_settled())
        if not inconclusive(seen):
            self.found[probe] = "removed" if left is None else "ignored" if seen.done else "refused"
        return left

    def _add_by_lid(self) -> None:
        if LID not in self._phones or self._entry(self._read_settled()) is not None:
            return
        seen = self._write("lid_as_phone")
        entry = self._entry(self._read_settled())
        if not inconclusive(seen):
            self.found["lid_as_phone"] = "listed" if entry else "ignored" if seen.done else "refused"
        if entry is not None:
            self._phones[ENTRY] = entry
            self._write("remove_lid")

    def _add_among_bad(self) -> None:
        if self._entry(self._read_settled()) is not None:
            return
        seen = self._write("bad_phone_among_good")
        entry = self._entry(self._read_settled())
        if not inconclusive(seen):
            words = ("accepted", "ignored") if seen.done else ("good_done", "nothing_done")
            self.found["bad_phone_among_good"] = words[entry is None]
        self._back(entry)

    def _without_list(self) -> None:
        before = self._read_settled()
        # If Z-API does not accept identifiers, a lost list with identifiers could not be restored.
        if self.found.get("lid_as_phone") != "listed" and any(each.endswith("@lid") for each in before):
            raise Stopped("the list holds @lid identifiers, and it is not known whether they can be added again")
        self._value_only_accepted = self._write("blacklist_without_list").done
        after = self._read_settled()
        self.found["list_after_blacklist"] = (
            "kept" if set(after) == set(before) else "emptied" if not after else "changed"
        )
        self._back(self._entry(after))

    def _leave_and_return(self) -> None:
        before = set(self._read_settled())
        if not self._write("value_set").done:
            return
        self._write("value_again")
        away = set(self._read_settled())
        # The call that keeps the list: the value only, if this was seen to work, or else with a change without effect.
        keeps = self._value_only_accepted and self.found["list_after_blacklist"] == "kept"
        others = {entry for entry in before if not self._is_contact(entry)}
        if not self._write("return" if keeps else "enter").done:
            # An account that refuses an empty list refuses this one if it is gone. With a contact it is not empty.
            if not others or not self._write("add_back").done:
                raise Stopped("CONTACT_BLACKLIST was not accepted")
            back = set(self._read_settled())
            back = back if others & back else set()
        else:
            back = set(self._read_settled())
        kept, empty = before, set[str]()
        words = {(0, 0): "kept", (1, 0): "hidden", (1, 1): "empty", (0, 1): "stale"}
        if away in (kept, empty) and back in (kept, empty):
            self.found["list_after_leaving"] = words[(int(away == empty), int(back == empty))]
        else:
            self.found["list_after_leaving"] = "other"

    def _back(self, entry: str | None) -> str:
        """Make sure that the contact is on the list, and return its entry."""
        if entry is None:
            self._write("add_back")
            entry = self._entry(self._read_settled())
        if entry is None:
            raise Stopped("the contact could not be added again")
        return entry

    def _write(self, probe: str) -> Seen:
        self._journal.write_follows(self._setting.name)
        return self._wire.send(write_request(CHANGES[probe], self._setting), self._phones, writes=True)

    def _read(self) -> tuple[str, ...]:
        contacts = contacts_of(self._wire.send(list_read(self._setting, "list_after_write"), self._phones))
        if contacts is None:
            raise Stopped("the list cannot be read, or holds something other than contacts")
        return contacts

    def _read_settled(self) -> tuple[str, ...]:
        """Read the list once more than the number of reads that were seen to lag behind a write."""
        for _ in range(self._lag):
            self._read()
        return self._read()

    def _entry(self, contacts: tuple[str, ...]) -> str | None:
        return next((entry for entry in contacts if self._is_contact(entry)), None)

    def _is_contact(self, entry: str) -> bool:
        return same_contact(entry, self._contact) or entry == self._phones.get(LID)

    def _form(self, entry: str) -> str:
        if entry.endswith("@lid"):
            return "lid"
        if entry == self._contact:
            return "as_sent"
        shorter, longer = both_forms(self._contact)
        return "shorter" if entry == shorter else "longer" if entry == longer else "other"

    def _other_form(self, entry: str) -> str | None:
        if entry.endswith("@lid"):
            return self._contact
        forms = [form for form in (*both_forms(self._contact), self._phones.get(LID)) if form and form != entry]
        return forms[0] if forms else None
