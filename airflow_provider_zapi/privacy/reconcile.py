"""From how a number is to how a policy wants it: compare, send as little as possible, read back, tell the rest apart.

A list of exceptions can be read, so it is compared and proven. A value cannot: it is always sent, because it may have
drifted, and never said to be known.
"""

from __future__ import annotations

import logging
import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_zapi.exceptions import (
    ZApiConflictError,
    ZApiError,
    ZApiInvalidRequestError,
    ZApiRefusedError,
)
from airflow_provider_zapi.privacy.changes import ContactChange
from airflow_provider_zapi.privacy.phones import contact_key
from airflow_provider_zapi.privacy.policy import Policy, SettingPolicy
from airflow_provider_zapi.privacy.settings import CONTACT_BLACKLIST

if TYPE_CHECKING:
    from airflow_provider_zapi.client import ResolvedContact, ZApiClient

__all__ = ["ListChange", "SettingPlan", "SettingResult", "apply_policy", "compare", "plan_policy"]

log = logging.getLogger(__name__)

#: Rounds of writing and reading before a list that still differs is a conflict.
MAX_ROUNDS = 3
#: Seconds between two rounds, drawn anew: two writers that met once should not meet again.
PAUSE_SECONDS = (2.0, 5.0)
#: Removing more than half of a list of this length or longer is taken for a mistake.
GUARDED_LENGTH = 10

#: Stricter values go out first, so that no moment shows more than both the old and the new policy would.
_OPENNESS = {"NONE": 0, "disable": 0, CONTACT_BLACKLIST: 1, "SAME_LAST_SEEN": 2, "CONTACTS": 3}
_OPENEST = 4

_LID_END = "@lid"
#: What a list is known to hold. Anything else is nobody's contact for all that is known.
_INTERPRETABLE = re.compile(r"[0-9]{8,15}|[0-9]+@lid")

#: Tells how WhatsApp registered phones.
Resolve = Callable[[Iterable[str]], Mapping[str, "ResolvedContact"]]


@dataclass(frozen=True, slots=True)
class ListChange:
    """What makes a list the wanted one.

    :param add: wanted contacts that are not on it
    :param remove: entries that are not wanted, exactly as they were read: WhatsApp matches no other spelling
    :param kept: entries that stay because they are wanted
    :param unknown: entries that are neither a phone nor an ``@lid``; they stay
    :param undecided: entries that may be a wanted contact or not, because WhatsApp did not tell; they stay
    """

    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    kept: int = 0
    unknown: int = 0
    undecided: int = 0

    @property
    def differs(self) -> bool:
        """Whether the list is not, or not surely, the wanted one."""
        return bool(self.add or self.remove or self.undecided)

    @property
    def changes(self) -> tuple[ContactChange, ...]:
        """The changes in the order in which they go out: who is hidden from first, who sees again last."""
        return tuple(ContactChange("add", contact) for contact in self.add) + tuple(
            ContactChange("remove", contact) for contact in self.remove
        )


@dataclass(frozen=True, slots=True)
class SettingPlan:
    """What a policy means for one setting now; ``change`` is None where no list is wanted."""

    wanted: SettingPolicy
    change: ListChange | None


@dataclass(frozen=True, slots=True)
class SettingResult:
    """What became of one setting.

    :param value: the value that was asserted
    :param verified: whether its list was read back as wanted; None where nothing can be read
    :param added: contacts that were added
    :param removed: contacts that were removed
    :param kept: contacts that were on the list already
    :param unknown: entries of the list that nobody can interpret, left alone
    :param rounds: how often it was written
    """

    value: str
    verified: bool | None
    added: int = 0
    removed: int = 0
    kept: int = 0
    unknown: int = 0
    rounds: int = 1


def compare(wanted: Sequence[str], present: Sequence[str], resolve: Resolve) -> ListChange:
    """Work out what makes the list ``present`` the list ``wanted``, by contact and not by spelling.

    :param wanted: contacts as `normalize_contact` returns them
    :param present: the list exactly as it was read
    :param resolve: asks WhatsApp about phones; called only where the spelling leaves something open
    """
    known = [entry for entry in present if _INTERPRETABLE.fullmatch(entry)]
    unknown = len(present) - len(known)
    add, remove = _difference(wanted, known, {})
    resolved: Mapping[str, ResolvedContact] = {}
    if (add or remove) and known and any(contact.endswith(_LID_END) for contact in (*wanted, *known)):
        resolved = resolve(contact for contact in (*wanted, *known) if not contact.endswith(_LID_END))
    elif add and known:
        resolved = resolve(add)
    if resolved:
        add, remove = _difference(wanted, known, resolved)
    undecided = _undecided(remove, add, resolved)
    decided = [entry for entry in remove if entry not in undecided]
    return ListChange(
        add=tuple(add),
        remove=tuple(decided),
        kept=len(known) - len(remove),
        unknown=unknown,
        undecided=len(remove) - len(decided),
    )


def _difference(
    wanted: Sequence[str], present: Sequence[str], resolved: Mapping[str, ResolvedContact]
) -> tuple[list[str], list[str]]:
    wanted_forms = {form for contact in wanted for form in _forms(contact, resolved)}
    present_forms = {form for entry in present for form in _forms(entry, resolved)}
    return (
        [contact for contact in wanted if present_forms.isdisjoint(_forms(contact, resolved))],
        [entry for entry in present if wanted_forms.isdisjoint(_forms(entry, resolved))],
    )


def _forms(contact: str, resolved: Mapping[str, ResolvedContact]) -> list[str]:
    forms = [contact_key(contact)]
    if answer := resolved.get(contact):
        forms += [form for form in (answer.lid, answer.phone and contact_key(answer.phone)) if form]
    return forms


def _undecided(remove: Sequence[str], add: Sequence[str], resolved: Mapping[str, ResolvedContact]) -> set[str]:
    """Return the entries that may be one of the contacts that seem to be missing, in a form that was not compared."""
    lid_is_missing = any(contact.endswith(_LID_END) for contact in add)
    untold_is_missing = any(not contact.endswith(_LID_END) and _untold(resolved.get(contact)) for contact in add)
    return {
        entry
        for entry in remove
        if (untold_is_missing if entry.endswith(_LID_END) else lid_is_missing and _untold(resolved.get(entry)))
    }


def _untold(answer: ResolvedContact | None) -> bool:
    # A number that is not on WhatsApp has no @lid, and can be no entry of a list.
    return answer is None or (answer.exists and answer.lid is None)


def plan_policy(policy: Policy, client: ZApiClient) -> tuple[SettingPlan, ...]:
    """Read the lists that a policy is about and work out what to change. Sends nothing but reads.

    :raises ZApiError: a list could not be read; a malformed one is never taken for an empty one
    """
    return tuple(
        SettingPlan(wanted, _read_change(wanted, client) if wanted.value == CONTACT_BLACKLIST else None)
        for wanted in policy.settings
    )


def apply_policy(
    plans: Sequence[SettingPlan],
    client: ZApiClient,
    *,
    allow_mass_removal: bool = False,
    uniform: Callable[[float, float], float] = random.uniform,
) -> dict[str, SettingResult]:
    """Make a number what a policy wants, and prove the lists.

    :param plans: as `plan_policy` returned them a moment ago
    :param allow_mass_removal: let more than half of a list of 10 or more contacts be removed
    :param uniform: draws the seconds between two rounds
    :return: what became of each setting, by its name
    :raises ZApiInvalidRequestError: too much would be removed; nothing was sent
    :raises ZApiConflictError: a list still differs after three rounds
    :raises ZApiError: a call failed; the message says which settings were done before and which were not
    """
    for plan in plans:
        _check_removals(plan.wanted, plan.change, allow_mass_removal)
    ordered = sorted(plans, key=lambda plan: _OPENNESS.get(plan.wanted.value, _OPENEST))
    results: dict[str, SettingResult] = {}
    for plan in ordered:
        failed: ZApiError | None = None
        try:
            results[plan.wanted.setting.name] = _Application(plan, client, allow_mass_removal, uniform).run()
        except ZApiError as error:
            failed = error
        if failed is not None:
            names = [plan.wanted.setting.name for plan in ordered]
            raise failed.after(
                f"Done before: {', '.join(names[: len(results)]) or 'nothing'}. "
                f"Not done: {', '.join(names[len(results) :])}; another run finishes it"
            )
    return {plan.wanted.setting.name: results[plan.wanted.setting.name] for plan in plans}


@dataclass
class _Application:
    """One setting being applied: rounds of writing and reading, until it is as wanted."""

    plan: SettingPlan
    client: ZApiClient
    allow_mass_removal: bool
    uniform: Callable[[float, float], float]
    done: set[ContactChange] = field(default_factory=set)

    def run(self) -> SettingResult:
        wanted, change = self.plan.wanted, self.plan.change
        refused: ZApiRefusedError | None = None
        for number in range(1, MAX_ROUNDS + 1):
            if number > 1:
                self.client.pause(self.uniform(*PAUSE_SECONDS))
                change = self._read()
                if refused is None and change is not None and not change.differs:
                    return self._result(change, number - 1)
            refused = self._write(change)
            # Also where nothing was to change: a list read while another type was in force may have been stale.
            change = self._read()
            if refused is None and (change is None or not change.differs):
                return self._result(change, number)
        if refused is not None:
            raise refused
        differing = len(change.changes) + change.undecided if change else 0
        raise ZApiConflictError(
            f"The list of {wanted.setting.title} still differs from the policy in {differing} contacts "
            f"after {MAX_ROUNDS} rounds",
            "Somebody else writes to it, or WhatsApp does not tell who an entry is. Give all tasks of the number its "
            "pool of one slot, and look who else changes it.",
            endpoint=wanted.setting.endpoint,
        )

    def _write(self, change: ListChange | None) -> ZApiRefusedError | None:
        changes = change.changes if change else ()
        wanted = self.plan.wanted

        def progress(done: int, total: int) -> None:
            self.done.update(changes[:done])
            if total > done:
                log.info("%s: %d of %d changes are made.", wanted.setting.title, done, total)

        try:
            self.client.set_privacy(wanted.setting, wanted.value, changes, progress=progress)
        except ZApiRefusedError as error:
            # Perhaps a stale version: the next round reads again.
            return error
        return None

    def _read(self) -> ListChange | None:
        if self.plan.change is None:
            return None
        change = _read_change(self.plan.wanted, self.client)
        _check_removals(self.plan.wanted, change, self.allow_mass_removal)
        return change

    def _result(self, change: ListChange | None, rounds: int) -> SettingResult:
        value = self.plan.wanted.value
        if change is None:
            return SettingResult(value, verified=None, rounds=rounds)
        added = sum(done.action == "add" for done in self.done)
        return SettingResult(
            value,
            verified=True,
            added=added,
            removed=len(self.done) - added,
            kept=max(change.kept - added, 0),
            unknown=change.unknown,
            rounds=rounds,
        )


def _read_change(wanted: SettingPolicy, client: ZApiClient) -> ListChange:
    present = client.disallowed_contacts(wanted.setting)
    return compare(wanted.exceptions, present, client.resolve_contacts)


def _check_removals(wanted: SettingPolicy, change: ListChange | None, allowed: bool) -> None:
    if change is None or allowed:
        return
    length = change.kept + len(change.remove) + change.undecided
    if length >= GUARDED_LENGTH and len(change.remove) * 2 > length:
        raise ZApiInvalidRequestError(
            f"{wanted.setting.name}.except would remove {len(change.remove)} of {length} contacts from the list",
            "If the policy is right, set allow_mass_removal=True: a wrong file would open the number to all of them.",
        )
