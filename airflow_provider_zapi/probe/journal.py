"""Record the state before the first write in a file, so that it can be restored even after a kill.

One JSON object a line, each on disk before the next write is sent. Only its owner can read the file: it holds phones.
A lock on the file ends with the process, so a journal that is left behind differs from one that is in use.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airflow_provider_zapi.catching import caught
from airflow_provider_zapi.exceptions import ZApiInvalidRequestError
from airflow_provider_zapi.privacy.phones import is_contact
from airflow_provider_zapi.privacy.settings import SETTINGS
from airflow_provider_zapi.probe.wire import Stopped

__all__ = ["Before", "Journal", "Prior", "held", "read_journal"]

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

    It reserves its name before the first call, so a run that cannot write it does not begin. `begin` creates the file
    with that name.

    :raises ZApiInvalidRequestError: the file exists already, is in use, or cannot be written; nothing was sent
    """

    prior: Prior

    def __init__(self, path: Path) -> None:
        self.path = path
        # Write to another name first, so that a kill leaves a complete journal or none.
        self._part = path.with_name(f"{path.name}.part")
        self._file: int | None = _locked(path, self._part, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW)
        if path.exists():
            self.close()
            os.close(_locked(path, path, os.O_RDONLY))
            raise ZApiInvalidRequestError(
                f"the journal {str(path)!r} already exists",
                "An earlier probe may not have restored what it changed. Pass the file to --restore, or name another "
                "file with --journal. Nothing was sent.",
            )

    def begin(self, prior: Prior) -> None:
        """Write the state that must be restored.

        :raises Stopped: the file cannot be written; no write was sent
        """
        settings = {name: {"value": one.value, "contacts": one.contacts} for name, one in prior.settings.items()}
        head = {"instance_id": prior.instance_id, "contact": prior.contact, "own": prior.own, "settings": settings}
        self.prior = prior
        self._add_line(self._part, {"journal": VERSION, **head})
        if isinstance(caught(self._put_in_place, OSError), OSError):
            self.remove()
            raise Stopped(_NOT_WRITTEN)

    def write_follows(self, setting: str) -> None:
        """Record that the next write may change a setting.

        :raises Stopped: it cannot be recorded, so the write must not be sent; the other methods raise it too
        """
        if setting not in self.prior.written:
            self._append(written=setting)
            self.prior.written.add(setting)

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

    def remove(self) -> bool:
        """Delete the file once everything was restored, and return whether it could be deleted."""
        return not isinstance(caught(lambda: self.path.unlink(missing_ok=True), OSError), OSError)

    def close(self) -> None:
        """Release the name. A journal that was started stays."""
        if self._file is not None:
            with suppress(OSError):
                if os.path.samestat(os.fstat(self._file), self._part.lstat()):
                    self._part.unlink()
            os.close(self._file)
            self._file = None

    def _put_in_place(self) -> None:
        self._part.rename(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)

    def _append(self, **line: Any) -> None:
        self._add_line(self.path, line)

    def _add_line(self, path: Path, line: Mapping[str, Any]) -> None:
        if isinstance(caught(lambda: _write(path, line), OSError), OSError):
            raise Stopped(_NOT_WRITTEN)


#: The reason why a run ended. A report must not contain an error text of the operating system.
_NOT_WRITTEN = "the journal cannot be written"


@contextmanager
def held(path: Path) -> Iterator[Prior]:
    """Read a journal, and lock it for other processes.

    :raises ZApiInvalidRequestError: it is in use, cannot be read, or is not a journal
    """
    file = _locked(path, path, os.O_RDONLY)
    try:
        yield read_journal(path)
    finally:
        os.close(file)


def _locked(journal: Path, path: Path, flags: int) -> int:
    """Open a file that only its owner can read, and lock it until it is closed. Errors name the journal."""

    def locked() -> int:
        file = os.open(path, flags, 0o600)
        try:
            if flags & os.O_CREAT:
                os.fchmod(file, 0o600)
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.path.samestat(os.fstat(file), path.stat()):
                raise BlockingIOError
            if flags & os.O_CREAT:
                os.ftruncate(file, 0)
        except BaseException:
            os.close(file)
            raise
        return file

    file = caught(locked, OSError)
    if isinstance(file, BlockingIOError):
        raise ZApiInvalidRequestError(
            f"the journal {str(journal)!r} is in use",
            "Another probe or --restore is running. Wait until it ends. Nothing was sent.",
        )
    if isinstance(file, OSError):
        raise _unusable(journal, file)
    return file


def _write(path: Path, line: Mapping[str, Any]) -> None:
    """Append a complete line or nothing, and wait until it is on disk."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW)
    try:
        text = (json.dumps(line) + "\n").encode()
        size = os.fstat(file).st_size
        # A full disk can take a part of a line.
        if os.write(file, text) < len(text):
            os.ftruncate(file, size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
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
