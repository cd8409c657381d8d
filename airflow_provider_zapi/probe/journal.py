"""Record the state before the first write in a file, so that it can be restored even after a kill.

The file has one JSON object per line. Each line is on disk before the next write is sent. Only the file's owner can
read it, because it holds phones.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airflow_provider_zapi.catching import caught
from airflow_provider_zapi.exceptions import ZApiInvalidRequestError
from airflow_provider_zapi.privacy.phones import is_contact
from airflow_provider_zapi.privacy.settings import SETTINGS

__all__ = ["Before", "Journal", "Prior", "read_journal"]

VERSION = 1
_BY_NAME = {setting.name: setting for setting in SETTINGS}


@dataclass(frozen=True)
class Before:
    """The state of one setting before the probe.

    :param value: its value, as the user stated it, or None
    :param contacts: its list, as it was read before the first write, or None if it has no list
    """

    value: str | None
    contacts: tuple[str, ...] | None


@dataclass(frozen=True)
class Prior:
    """Everything that is needed to restore the state before the probe.

    :param instance_id: the instance that was probed
    :param contact: the sacrificial contact; None at level 1
    :param settings: the state of each setting that is written
    :param own: the phone of the instance, which some refused writes name
    :param in_force: by setting, the list once CONTACT_BLACKLIST was in force, if another value was before
    :param forms: other forms of the contact: its ``@lid``, and its phone as WhatsApp registered it
    :param lags: how many reads were seen to show an old list after a write
    :param written: the settings that a write may have changed
    """

    instance_id: str
    contact: str | None
    settings: Mapping[str, Before]
    own: str | None = None
    in_force: dict[str, tuple[str, ...]] = field(default_factory=dict)
    forms: list[str] = field(default_factory=list)
    lags: list[int] = field(default_factory=list)
    written: set[str] = field(default_factory=set)


class Journal:
    """A journal that is being written.

    :raises ZApiInvalidRequestError: the file exists already, or cannot be written
    """

    def __init__(self, path: Path, prior: Prior) -> None:
        self.path = path
        self.prior = prior
        if path.exists():
            raise ZApiInvalidRequestError(
                f"the journal {str(path)!r} already exists",
                "An earlier probe may not have restored what it changed. Pass the file to --restore, or name another "
                "file with --journal. Nothing was changed.",
            )
        settings = {name: {"value": one.value, "contacts": one.contacts} for name, one in prior.settings.items()}
        head = {"instance_id": prior.instance_id, "contact": prior.contact, "own": prior.own, "settings": settings}
        failed = caught(lambda: self._begin({"journal": VERSION, **head}), OSError)
        if failed is not None:
            raise _unusable(path, failed)

    def write_follows(self, setting: str) -> None:
        """Record that the next write may change a setting."""
        if setting not in self.prior.written:
            self.prior.written.add(setting)
            self._append(written=setting)

    def nothing_written(self, setting: str) -> None:
        """Record that a setting is as before, because its writes were refused or it was restored."""
        if setting in self.prior.written:
            self.prior.written.discard(setting)
            self._append(unchanged=setting)

    def note_in_force(self, setting: str, contacts: tuple[str, ...]) -> None:
        """Record the list that CONTACT_BLACKLIST puts in force."""
        self.prior.in_force[setting] = contacts
        self._append(in_force={setting: contacts})

    def note_form(self, form: str) -> None:
        """Record another form of the contact."""
        if form not in self.prior.forms:
            self.prior.forms.append(form)
            self._append(form=form)

    def note_lag(self, reads: int) -> None:
        """Record how many reads were seen to show an old list after a write."""
        self.prior.lags.append(reads)
        self._append(lag=reads)

    def remove(self) -> None:
        """Delete the file once everything was restored."""
        self.path.unlink(missing_ok=True)

    def _begin(self, head: Mapping[str, Any]) -> None:
        # Write to another name first, so that a kill leaves a complete journal or none.
        part = self.path.with_name(f"{self.path.name}.part")
        part.unlink(missing_ok=True)
        _write(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), head)
        part.rename(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)

    def _append(self, **line: Any) -> None:
        _write(os.open(self.path, os.O_WRONLY | os.O_APPEND), line)


def _write(file: int, line: Mapping[str, Any]) -> None:
    """Write a line to an open file, wait until it is on disk, and close the file."""
    try:
        os.write(file, (json.dumps(line) + "\n").encode())
        os.fsync(file)
    finally:
        os.close(file)


def read_journal(path: Path) -> Prior:
    """Read a journal. A last line that a kill cut off is ignored, because nothing was sent after it.

    :raises ZApiInvalidRequestError: the file cannot be read, or is not a journal
    """
    text = caught(lambda: path.read_text(encoding="utf-8"), OSError, ValueError)
    if isinstance(text, Exception):
        raise _unusable(path, text)
    prior = caught(lambda: _parsed(text), ValueError, LookupError, TypeError, AttributeError)
    if isinstance(prior, Exception):
        raise ZApiInvalidRequestError(f"{str(path)!r} is not a journal of the probe", "Nothing was sent.")
    return prior


def _parsed(text: str) -> Prior:
    lines = [json.loads(line) for line in text.split("\n")[:-1]]
    head = lines[0]
    if head["journal"] != VERSION:
        raise ValueError("another version")
    settings = {
        name: Before(_value(name, one["value"]), None if one["contacts"] is None else _contacts(one["contacts"]))
        for name, one in head["settings"].items()
    }
    contact, own = ((_contacts([one])[0] if one is not None else None) for one in (head["contact"], head["own"]))
    prior = Prior(str(head["instance_id"]), contact, settings, own)
    for line in lines[1:]:
        if "written" in line:
            prior.written.add(_BY_NAME[line["written"]].name)
        elif "unchanged" in line:
            prior.written.discard(line["unchanged"])
        elif "lag" in line:
            prior.lags.append(int(line["lag"]))
        elif "in_force" in line:
            prior.in_force.update({_BY_NAME[name].name: _contacts(each) for name, each in line["in_force"].items()})
        else:
            prior.forms.extend(_contacts([line["form"]]))
    return prior


def _value(name: str, value: str | None) -> str | None:
    if value is not None and value not in _BY_NAME[name].values:
        raise ValueError("unknown value")
    return value


def _contacts(entries: list[str]) -> tuple[str, ...]:
    if not all(is_contact(entry) for entry in entries):
        raise ValueError("not a contact")
    return tuple(entries)


def _unusable(path: Path, error: Exception) -> ZApiInvalidRequestError:
    problem = (error.strerror or "it cannot be used") if isinstance(error, OSError) else "it is not UTF-8 text"
    return ZApiInvalidRequestError(f"the journal {str(path)!r} cannot be used: {problem}", "Nothing was sent.")
