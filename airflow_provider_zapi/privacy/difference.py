"""Compare the excluded contacts of a policy with the list that Z-API returned.

It compares contacts, not strings, because WhatsApp may list a contact in a different form from the one that was sent,
such as without Brazil's ninth digit or as an ``@lid``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from airflow_provider_zapi.privacy.changes import ContactChange
from airflow_provider_zapi.privacy.phones import contact_key, split_contacts

__all__ = ["ListChange", "Resolve", "ResolvedContact", "changes_of", "compare"]

_LID_END = "@lid"


class ResolvedContact(NamedTuple):  # every task loads this, and a dataclass takes four times as long to load
    """How WhatsApp registered a phone number.

    :ivar exists: whether the number is on WhatsApp
    :ivar phone: the number in WhatsApp's own form, or None if WhatsApp did not return it
    :ivar lid: the contact's ``<digits>@lid``, or None if WhatsApp did not return it
    """

    exists: bool
    phone: str | None
    lid: str | None


#: A function that returns how WhatsApp registered phones, by phone.
Resolve = Callable[[Iterable[str]], Mapping[str, ResolvedContact]]


class ListChange(NamedTuple):
    """The changes that turn a list into the wanted one.

    :ivar add: wanted contacts that are missing
    :ivar remove: unwanted entries, exactly as they were read, because WhatsApp removes only an exact match
    :ivar kept: number of entries that stay because they are wanted
    :ivar unknown: number of entries that are neither a phone nor an ``@lid``; they stay
    :ivar undecided: number of entries that may be a wanted contact, but WhatsApp did not say; they stay
    :ivar not_on_whatsapp: wanted contacts that are missing because they are not, or no longer, on WhatsApp
    """

    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    kept: int = 0
    unknown: int = 0
    undecided: int = 0
    not_on_whatsapp: tuple[str, ...] = ()

    @property
    def differs(self) -> bool:
        """Return whether the list differs, or may differ, from the wanted one."""
        return bool(self.add or self.remove or self.undecided)

    @property
    def length(self) -> int:
        """Return the number of entries on the list that are a phone or an ``@lid``."""
        return self.kept + len(self.remove) + self.undecided

    @property
    def changes(self) -> tuple[ContactChange, ...]:
        """Return the changes in sending order: additions first, so that no contact ever sees more than it should."""
        return changes_of(self.add, self.remove)


def changes_of(add: Iterable[str], remove: Iterable[str]) -> tuple[ContactChange, ...]:
    """Return the changes that add contacts and remove entries, additions first."""
    return (
        *(ContactChange("add", contact) for contact in add),
        *(ContactChange("remove", entry) for entry in remove),
    )


def compare(
    wanted: Sequence[str], present: Sequence[str], resolve: Resolve, *, ask_about_missing: bool = False
) -> ListChange:
    """Return the changes that turn the list ``present`` into the list ``wanted``.

    :param wanted: contacts as `normalize_contact` returns them
    :param present: the list exactly as it was read
    :param resolve: asks WhatsApp about phones; called only if comparing the strings is not enough
    :param ask_about_missing: ask about missing contacts even if the list is empty, because they were already sent
    """
    known, unknown = split_contacts(present)
    add, remove = _difference(wanted, known, {})
    resolved: Mapping[str, ResolvedContact] = {}
    if (add or remove) and known and any(contact.endswith(_LID_END) for contact in (*wanted, *known)):
        resolved = resolve(contact for contact in (*wanted, *known) if not contact.endswith(_LID_END))
    elif add and (known or ask_about_missing):
        resolved = resolve(contact for contact in add if not contact.endswith(_LID_END))
    if resolved:
        add, remove = _difference(wanted, known, resolved)
    gone = {contact for contact in add if (answer := resolved.get(contact)) and not answer.exists}
    missing = [contact for contact in add if contact not in gone]
    undecided = _undecided(remove, missing, resolved)
    decided = [entry for entry in remove if entry not in undecided]
    return ListChange(
        add=tuple(missing),
        remove=tuple(decided),
        kept=len(known) - len(remove),
        unknown=unknown,
        undecided=len(remove) - len(decided),
        not_on_whatsapp=tuple(contact for contact in add if contact in gone),
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
    """Return the entries that may be one of the missing contacts in a form that cannot be compared."""
    lid_is_missing = any(contact.endswith(_LID_END) for contact in add)
    unresolved_is_missing = any(
        not contact.endswith(_LID_END) and _is_unresolved(resolved.get(contact)) for contact in add
    )
    return {
        entry
        for entry in remove
        if (
            unresolved_is_missing
            if entry.endswith(_LID_END)
            else lid_is_missing and _is_unresolved(resolved.get(entry))
        )
    }


def _is_unresolved(answer: ResolvedContact | None) -> bool:
    # A number that is not on WhatsApp has no @lid, so it cannot be an entry of a list.
    return answer is None or (answer.exists and answer.lid is None)
