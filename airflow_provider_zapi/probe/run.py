"""Run the levels of the probe in order, and always restore the earlier state at the end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from airflow_provider_zapi.privacy.phones import is_contact, same_contact
from airflow_provider_zapi.privacy.settings import CONTACT_BLACKLIST, LAST_SEEN, SETTINGS, PrivacySetting
from airflow_provider_zapi.probe.changes import Changes
from airflow_provider_zapi.probe.evidence import Seen
from airflow_provider_zapi.probe.findings import (
    answered,
    cannot_be_probed,
    contacts_of,
    findings_of_reads,
    requires_client_token,
)
from airflow_provider_zapi.probe.journal import Before, Journal, Prior
from airflow_provider_zapi.probe.restore import restore
from airflow_provider_zapi.probe.steps import (
    CHANGES,
    CONTACT,
    CONTACT_BATCH,
    OWN,
    READS,
    REFUSALS,
    REFUSED_READS,
    Request,
    list_read,
    setting_request,
    write_request,
)
from airflow_provider_zapi.probe.wire import Stopped, Wire

__all__ = ["Plan", "Result", "planned", "probe", "restored_from"]

_LISTS = tuple(setting for setting in SETTINGS if setting.list_scope)
_COMPLETE = "complete"


@dataclass(frozen=True)
class Plan:
    """The levels and the input of a run.

    :param refusals: whether level 1 runs
    :param writes: whether level 2 runs
    :param current: the current values of settings, by name, as far as the user stated them
    :param contact: the sacrificial contact of level 2
    """

    refusals: bool = False
    writes: bool = False
    current: Mapping[str, str] = field(default_factory=dict)
    contact: str | None = None

    @property
    def levels(self) -> list[int]:
        """Return the levels that run."""
        return [0, *([1] if self.refusals else []), *([2] if self.writes else [])]

    @property
    def probed(self) -> PrivacySetting:
        """Return the setting to probe: the first setting with a list whose value is stated, or else last seen."""
        return next((setting for setting in _LISTS if setting.name in self.current), LAST_SEEN)


@dataclass
class Result:
    """The result of a run.

    :param found: the outcome of each fact that was settled
    :param ended: ``complete``, or the reason why the run ended early
    :param problems: a description of each setting that could not be restored, by setting
    :param journal: the journal, which is kept if there are such problems
    :param undeleted: the journal that is no longer needed and could not be deleted
    """

    found: dict[str, str] = field(default_factory=dict)
    ended: str = _COMPLETE
    problems: dict[str, str] = field(default_factory=dict)
    journal: Path | None = None
    undeleted: Path | None = None
    #: Whether anything had to be restored.
    wrote: bool = False


def planned(plan: Plan) -> list[tuple[int, Request, str]]:
    """Return each request that a plan may send, with its level and what it does or could do."""
    rows = [(0, request, "") for request in READS]
    probed = plan.probed
    if plan.refusals:
        rows += [
            (1, write_request(each, probed), f"if it is not refused: {each.risk}")
            for each in REFUSALS
            if not each.needs_list or plan.current.get(probed.name) == CONTACT_BLACKLIST
        ]
        rows += [(1, list_read(setting, "list_after_refusals"), "") for setting in _LISTS]
        rows += [(1, request, "") for request in REFUSED_READS]
    if plan.writes:
        rows += [(2, CONTACT_BATCH, "looks up the names of the contact")]
        rows += [(2, write_request(each, probed), each.risk) for each in CHANGES.values()]
        rows += [(2, list_read(probed, "list_after_write"), "after each write")]
        removal = [{"action": "remove", "phone": CONTACT}]
        rows += [(2, setting_request("restore_write", probed, CONTACT_BLACKLIST, removal), "restores the list")]
    if plan.refusals or plan.writes:
        rows += [
            (plan.levels[-1], setting_request("restore_write", setting, value), "restores the value if it was changed")
            for setting in SETTINGS
            if (value := plan.current.get(setting.name)) is not None
        ]
    return rows


def probe(plan: Plan, wire: Wire, journal_path: Path) -> Result:
    """Run the levels of a plan, and restore what they changed.

    :param journal_path: where the journal is written; it is deleted once everything is restored
    :raises ZApiInvalidRequestError: the journal exists already, is in use, or cannot be written; nothing was sent
    """
    result = Result()
    journal = Journal(journal_path) if plan.refusals or plan.writes else None
    with _signals_interrupt():
        try:
            answers, phones = _read_all(wire, result)
            if journal is not None:
                _write_all(plan, wire, journal, answers, phones, result)
        except Stopped as stopped:
            result.ended = str(stopped)
        except KeyboardInterrupt:
            result.ended = "interrupted"
        finally:
            wire.close()
            if journal is not None:
                journal.close()
    return result


def restored_from(prior: Prior, wire: Wire) -> dict[str, str]:
    """Restore the state in a journal. Return a description of each failure, by setting."""
    with _undisturbed():
        return restore(prior, wire)


def _read_all(wire: Wire, result: Result) -> tuple[dict[str, Seen], dict[str, str]]:
    answers: dict[str, Seen] = {}
    phones: dict[str, str] = {}
    try:
        for request in READS:
            if request.lacks(phones) or (request.sent_as != "own" and not wire.has_client_token):
                continue
            answers[request.probe] = seen = wire.send(request, phones)
            if request.probe == "status" and (reason := cannot_be_probed(seen)):
                raise Stopped(reason)
            if request.probe == "device" and is_contact(own := str(seen.object.get("phone"))):
                phones[OWN] = own
    finally:
        result.found |= findings_of_reads(answers, wire.is_instance_token)
    return answers, phones


def _write_all(
    plan: Plan,
    wire: Wire,
    journal: Journal,
    answers: Mapping[str, Seen],
    phones: dict[str, str],
    result: Result,
) -> None:
    if answers["status"].object.get("connected") is not True:
        raise Stopped("the instance is not connected, so nothing was written")
    if OWN not in phones:
        raise Stopped("the paired phone cannot be read, so nothing was written")
    if plan.contact is not None and same_contact(plan.contact, phones[OWN]):
        raise Stopped("the contact is the number itself, so nothing was written")
    lists = {setting.name: contacts_of(answers[f"list_{setting.name}"]) for setting in _LISTS}
    if lists[plan.probed.name] is None:
        raise Stopped("the list cannot be read, or holds something other than contacts, so nothing was written")
    # Level 2 writes one setting, so without level 1 the journal needs no other list.
    written = SETTINGS if plan.refusals else (plan.probed,)
    settings = {s.name: Before(plan.current.get(s.name), lists.get(s.name)) for s in written}
    journal.begin(Prior(wire.instance_id, plan.contact, settings, phones[OWN]))
    try:
        if plan.refusals:
            _refusals(plan, wire, journal, phones, result)
            _refused_reads(wire, requires_client_token(answers), phones, result)
            if plan.writes and plan.probed.name in journal.prior.written:
                # The next level must start from the original state.
                result.problems |= restore(journal.prior, wire)
                journal.nothing_written(plan.probed.name)
        if plan.writes and plan.contact is not None and plan.probed.name not in result.problems:
            changes = Changes(wire, journal, plan.probed, plan.contact, phones)
            try:
                changes.run()
            finally:
                latest = {seen.probe: seen for seen in wire.seen if seen.probe in CHANGES}
                result.found |= changes.found | answered(latest)
    except Stopped as stopped:
        result.ended = str(stopped)
    except KeyboardInterrupt:
        result.ended = "interrupted"
    finally:
        wire.close()
        result.wrote = wire.writes > 0
        _put_back(journal, wire, result)


def _refusals(plan: Plan, wire: Wire, journal: Journal, phones: Mapping[str, str], result: Result) -> None:
    """Send the writes that should be refused."""
    prior = journal.prior
    for write in REFUSALS:
        setting = write.setting or plan.probed
        if write.needs_list and prior.settings[setting.name].value != CONTACT_BLACKLIST:
            continue
        changed_before = setting.name in prior.written
        journal.write_follows(setting.name)
        seen = wire.send(write_request(write, plan.probed), phones, writes=True)
        result.found |= answered({write.probe: seen})
        if seen.refused and not changed_before:
            journal.nothing_written(setting.name)
    after = {setting.name: contacts_of(wire.send(list_read(setting, "list_after_refusals"), {})) for setting in _LISTS}
    differ = [name for name, contacts in after.items() if contacts != prior.settings[name].contacts]
    result.found["lists_after_refusals"] = "changed" if differ else "unchanged"
    for name in differ:
        journal.write_follows(name)


def _refused_reads(wire: Wire, token_required: bool, phones: Mapping[str, str], result: Result) -> None:
    for request in REFUSED_READS:
        if request.sent_as == "own" or token_required:
            result.found |= answered({request.probe: wire.send(request, phones)})


def _put_back(journal: Journal, wire: Wire, result: Result) -> None:
    with _undisturbed():
        result.problems |= restore(journal.prior, wire)
    # Another try cannot restore a value that nobody stated.
    if any(journal.prior.settings[name].value is not None for name in result.problems):
        result.journal = journal.path
    elif not journal.remove():
        result.undeleted = journal.path


@contextmanager
def _signals_interrupt() -> Iterator[None]:
    """Handle SIGTERM and the end of the terminal like Ctrl-C, so that everything is restored."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    with _handled(interrupt, signal.SIGTERM, signal.SIGHUP):
        yield


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Ignore Ctrl-C and SIGTERM for the few seconds of restoring, so that it is not left half done."""
    with _handled(signal.SIG_IGN, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        yield


@contextmanager
def _handled(handler: object, *numbers: signal.Signals) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread gets signals
        return
    before = {number: signal.signal(number, handler) for number in numbers}  # type: ignore[arg-type]
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
