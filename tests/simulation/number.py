"""A simulated WhatsApp number that follows only the contract's rules, and uses neither the client nor the emulator.

`Rules` has a field for everything that the contract leaves open. Time is virtual: the caller moves the clock.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field

BLACKLIST = "CONTACT_BLACKLIST"

#: Name, path, parameter, values, scope of the list; from the contract's table.
SETTINGS: dict[str, tuple[str, str, tuple[str, ...], str | None]] = {
    "last_seen": ("privacy/last-seen", "visualizationType", ("ALL", "NONE", "CONTACTS", BLACKLIST), "lastSeen"),
    "photo": ("privacy/photo", "visualizationType", ("ALL", "NONE", "CONTACTS", BLACKLIST), "photo"),
    "description": ("privacy/description", "visualizationType", ("ALL", "NONE", "CONTACTS", BLACKLIST), "description"),
    "group_add": ("privacy/group-add", "type", ("ALL", "CONTACTS", BLACKLIST), "groupAdd"),
    "online": ("privacy/online", "visualizationType", ("ALL", "SAME_LAST_SEEN"), None),
    "read_receipts": ("privacy/read-receipts", "value", ("enable", "disable"), None),
    "messages_duration": ("privacy/messages-duration", "value", ("days90", "days7", "hours24", "disable"), None),
}
LISTED = tuple(name for name, row in SETTINGS.items() if row[3])
#: A person whom the number does not have among its contacts.
STRANGER = -1


@dataclass(frozen=True)
class Person:
    """A person, who may be on WhatsApp: the forms of the phone, and its form on WhatsApp.

    :param forms: the forms in which the phone may be written
    :param registered: the form that WhatsApp registered
    :param listed_as: the entry of the person on a list: the registered phone, or the ``@lid``
    :param lid_told: whether WhatsApp returns the ``@lid`` when it is asked about the phone
    """

    number: int
    forms: tuple[str, ...]
    registered: str
    lid: str
    listed_as: str
    on_whatsapp: bool = True
    lid_told: bool = True


def person(rng: random.Random, number: int, *, lids: bool, on_whatsapp: bool = True, lid_told: bool = True) -> Person:
    """Create a random person. Most have one form of phone, Brazilians have two."""
    if rng.random() < 0.5:
        eight = f"{rng.choice('6789')}{number:07d}"
        forms: tuple[str, ...] = (f"55449{eight}", f"5544{eight}")
    else:
        forms = (f"4915{number:08d}",)
    registered, lid = rng.choice(forms), f"{900_000_000_000 + number}@lid"
    listed_as = lid if lids and rng.random() < 0.5 else registered
    return Person(number, forms, registered, lid, listed_as, on_whatsapp, lid_told)


@dataclass
class Record:
    """The state of a setting: its value, its list by person, and the list from before another value was set."""

    value: str
    people: dict[int, str] = field(default_factory=dict)
    left: dict[int, str] = field(default_factory=dict)

    def copy(self) -> Record:
        return Record(self.value, dict(self.people), dict(self.left))


@dataclass(frozen=True)
class Rules:
    """The behaviour that the contract leaves open.

    :param away_reads: the result of reading a list while another value is in force (rule 5)
    :param comes_back: whether the list returns when its value is set again (rule 5)
    :param missing_refused: whether a phone that is not on WhatsApp makes the whole call fail, or is ignored
    """

    away_reads: str = "as it was"
    comes_back: bool = True
    missing_refused: bool = False


class InvalidPhoneError(Exception):
    """A call contains a phone that is refused."""


class Number:
    """One number: the people on its lists, and the results of reads.

    :param people: all people; a writer can use only these
    """

    def __init__(self, people: Iterable[Person], rules: Rules) -> None:
        self.people = {each.number: each for each in people}
        self.rules = rules
        self._by_text = {text: each for each in self.people.values() for text in (*each.forms, each.lid)}
        self.records: dict[str, Record] = {name: Record(row[2][0]) for name, row in SETTINGS.items()}
        #: The states of each setting with their start times, for reads that lag behind.
        self._shown: dict[str, list[tuple[float, list[str]]]] = {name: [] for name in LISTED}

    def start(self, states: dict[str, tuple[str, list[int]]], now: float) -> None:
        """Set the values and lists before a run."""
        for name, (value, numbers) in states.items():
            on_list = {number: self.people[number].listed_as for number in numbers}
            record = self.records[name] = Record(value)
            if value == BLACKLIST:
                record.people = on_list
            else:
                record.left = on_list
        for name in LISTED:
            self._shown[name] = [(now - 1000.0, self._visible_list(name))]

    def snapshot(self) -> dict[str, Record]:
        """Return a copy of all settings."""
        return {name: record.copy() for name, record in self.records.items()}

    def whose(self, text: str) -> Person | None:
        """Return the person with a phone or ``@lid``."""
        return self._by_text.get(text)

    def write(self, name: str, value: str, changes: Iterable[tuple[str, str]], now: float) -> None:
        """Set a value and change its list in one step.

        :raises InvalidPhoneError: the call contains a phone that is refused; nothing is changed
        """
        given = list(changes)
        if self.rules.missing_refused:
            for action, text in given:
                found = self.whose(text)
                if action == "add" and (found is None or not found.on_whatsapp):
                    raise InvalidPhoneError
        record = self.records[name]
        if record.value == BLACKLIST != value:
            record.left, record.people = record.people, {}
        elif record.value != BLACKLIST == value:
            record.people, record.left = (record.left if self.rules.comes_back else {}), {}
        record.value = value
        for action, text in given:
            found = self.whose(text)
            if action == "add":
                if found is not None and found.on_whatsapp:
                    record.people.setdefault(found.number, found.listed_as)
            else:
                # A removal must match the exact string that a read returns (rule 2).
                for number in [number for number, entry in record.people.items() if entry == text]:
                    del record.people[number]
        if name in LISTED:
            self._shown[name].append((now, self._visible_list(name)))

    def read(self, name: str, as_of: float) -> list[str]:
        """Return the result of reading a list at a given time."""
        return next(entries for since, entries in reversed(self._shown[name]) if since <= as_of)

    def _visible_list(self, name: str) -> list[str]:
        record = self.records[name]
        if record.value == BLACKLIST:
            return list(record.people.values())
        return list(record.left.values()) if self.rules.away_reads == "as it was" else []

    def exists(self, text: str) -> dict[str, object]:
        """Return the answer for one phone of ``phone-exists-batch``."""
        found = self.whose(text)
        if found is None or not found.on_whatsapp:
            return {"exists": False, "inputPhone": text, "outputPhone": text, "lid": None}
        lid = found.lid if found.lid_told else None
        return {"exists": True, "inputPhone": text, "outputPhone": found.registered, "lid": lid}


def sees(records: dict[str, Record], name: str, who: int) -> bool:
    """Return whether a person sees a setting of the number."""
    record = records[name]
    if record.value == "SAME_LAST_SEEN":
        return sees(records, "last_seen", who)
    if record.value == "CONTACTS":
        return who != STRANGER
    if record.value == BLACKLIST:
        return who != STRANGER and who not in record.people
    return record.value in ("ALL", "enable")
