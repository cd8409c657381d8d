"""Compare a policy with a number as it is now. A plan sends only reads."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_zapi.exceptions import (
    ZApiAuthenticationError,
    ZApiConfigurationError,
    ZApiError,
    ZApiInstanceNotFoundError,
    ZApiNotConnectedError,
    ZApiRateLimitError,
    ZApiSubscriptionError,
)
from airflow_provider_zapi.privacy.changes import ContactChange
from airflow_provider_zapi.privacy.consequences import consequences
from airflow_provider_zapi.privacy.difference import ListChange, ResolvedContact, changes_of, compare
from airflow_provider_zapi.privacy.policy import Policy, SettingPolicy
from airflow_provider_zapi.privacy.settings import CONTACT_BLACKLIST

if TYPE_CHECKING:
    from airflow_provider_zapi.client import ZApiClient

__all__ = ["FIRST_CALL", "Contacts", "PolicyPlan", "SettingPlan", "concerns_all", "plan_policy"]

#: The most contacts that one call can have. The first call excludes all contacts of a list up to this length.
FIRST_CALL = 500


class Contacts:
    """A cache of WhatsApp's answers about phones. A run asks about each phone once.

    :param ask: `ZApiClient.resolve_contacts`
    """

    def __init__(self, ask: Callable[[Iterable[str]], Mapping[str, ResolvedContact]]) -> None:
        self._ask = ask
        self._known: dict[str, ResolvedContact | None] = {}

    def resolve(self, phones: Iterable[str]) -> dict[str, ResolvedContact]:
        """Return WhatsApp's answers, by phone. A phone without an answer is left out."""
        wanted = list(phones)
        if new := [phone for phone in dict.fromkeys(wanted) if phone not in self._known]:
            answers = self._ask(new)
            self._known |= {phone: answers.get(phone) for phone in new}
        return {phone: answer for phone in wanted if (answer := self._known[phone]) is not None}

    def known_missing(self, phones: Iterable[str]) -> set[str]:
        """Return the phones that are not registered, as far as WhatsApp was already asked."""
        return {phone for phone in phones if (answer := self._known.get(phone)) is not None and not answer.exists}


@dataclass(frozen=True, slots=True)
class SettingPlan:
    """The plan for one setting.

    :param wanted: the value and the excluded contacts that the policy wants
    :param change: the changes to the list; None if the policy wants no list, or if the list could not be read
    :param unreadable: the error of reading the list, if it could not be read
    """

    wanted: SettingPolicy
    change: ListChange | None = None
    unreadable: ZApiError | None = None

    @property
    def listed(self) -> bool:
        """Return whether the policy wants a list of excluded contacts for this setting."""
        return self.wanted.value == CONTACT_BLACKLIST

    def first_changes(self, change: ListChange) -> tuple[ContactChange, ...]:
        """Return the changes of the first write.

        While another value is in force, a read may show an old list, and WhatsApp may not restore that list (contract,
        rule 5). So all wanted contacts are sent, even those that the list shows, if there are at most 500. Adding a
        contact twice is harmless (rule 10, inferred). For longer lists, only the missing contacts are sent.
        """
        if len(self.wanted.excluded) > FIRST_CALL:
            return change.changes
        gone = set(change.not_on_whatsapp)
        return changes_of((contact for contact in self.wanted.excluded if contact not in gone), change.remove)

    @property
    def exposed(self) -> tuple[str, ...]:
        """Return the wanted contacts that may see more than they should until the list has been read back.

        There are none for lists of up to 500 contacts. Whether these contacts see anything depends on the value in
        force, which cannot be read. If it is already CONTACT_BLACKLIST and they are on the list, they see nothing.
        """
        if self.change is None or len(self.wanted.excluded) <= FIRST_CALL:
            return ()
        hidden = {*self.change.add[:FIRST_CALL], *self.change.not_on_whatsapp}
        return tuple(contact for contact in self.wanted.excluded if contact not in hidden)


@dataclass(frozen=True, slots=True)
class PolicyPlan:
    """The plan for a number. Iterating over it yields the plans of its settings.

    :param settings: the plans of the settings, in the order of the settings table
    :param contacts: WhatsApp's answers about phones, so that applying the plan does not ask again
    """

    settings: tuple[SettingPlan, ...]
    contacts: Contacts = field(repr=False)

    def __iter__(self) -> Iterator[SettingPlan]:
        return iter(self.settings)

    @property
    def drifted(self) -> tuple[str, ...]:
        """Return the names of the settings whose list differs from the policy."""
        return tuple(plan.wanted.setting.name for plan in self if plan.change is not None and plan.change.differs)

    def require_readable(self) -> None:
        """Raise an error if a list could not be read.

        :raises ZApiError: a list could not be read; the message names its endpoint
        """
        for plan in self:
            if plan.unreadable is not None:
                raise plan.unreadable

    def notes(self, set_elsewhere: Collection[str] = ()) -> tuple[str, ...]:
        """Return notes for a person who is about to apply the plan, as sentences.

        :param set_elsewhere: the names of settings that are also set elsewhere, such as by another task of the DAG
        """
        return (
            *(_exposure(plan) for plan in self if plan.exposed),
            *consequences({plan.wanted.setting.name: plan.wanted.value for plan in self}, set_elsewhere),
        )


def _exposure(plan: SettingPlan) -> str:
    setting, change = plan.wanted.setting, plan.change
    calls = max(1, -(-len(change.changes) // FIRST_CALL)) if change else 1
    return (
        f"{setting.title}: if the value in force now is not {CONTACT_BLACKLIST}, up to {len(plan.exposed)} of "
        f"{len(plan.wanted.excluded)} excluded contacts can see it until {calls} "
        f"{'call has' if calls == 1 else 'calls have'} been made and the list has been read back, because one call "
        f"carries {FIRST_CALL} contacts."
    )


def plan_policy(policy: Policy, client: ZApiClient) -> PolicyPlan:
    """Read the lists of a policy's settings, and return the changes to make. This sends only reads.

    If a list cannot be read, the error is stored as `SettingPlan.unreadable`. The list never counts as empty.

    :raises ZApiError: every call to this instance would fail, for example because of a refused credential
    """
    contacts = Contacts(client.resolve_contacts)
    return PolicyPlan(tuple(_plan(wanted, client, contacts) for wanted in policy.settings), contacts)


def _plan(wanted: SettingPolicy, client: ZApiClient, contacts: Contacts) -> SettingPlan:
    if wanted.value != CONTACT_BLACKLIST:
        return SettingPlan(wanted)
    try:
        present = client.disallowed_contacts(wanted.setting)
        return SettingPlan(wanted, compare(wanted.excluded, present, contacts.resolve))
    except ZApiError as error:
        if concerns_all(error, client):
            raise
        return SettingPlan(wanted, unreadable=error)


#: The errors that every call to the instance would raise.
_OF_THE_INSTANCE = (
    ZApiAuthenticationError,
    ZApiConfigurationError,
    ZApiInstanceNotFoundError,
    ZApiNotConnectedError,
    ZApiRateLimitError,
    ZApiSubscriptionError,
)


def concerns_all(error: ZApiError, client: ZApiClient) -> bool:
    """Return whether every other call would fail too, so that trying the next setting is useless."""
    return client.cancelled or isinstance(error, _OF_THE_INSTANCE)
