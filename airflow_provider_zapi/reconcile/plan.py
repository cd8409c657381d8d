"""Plan what a policy means for a number now. Sends nothing but reads."""

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

#: Contacts of a list that the first call can carry, so that they are excluded from the first moment on.
FIRST_CALL = 500


class Contacts:
    """What WhatsApp says about phones. Each phone is asked once in a run.

    :param ask: `ZApiClient.resolve_contacts`
    """

    def __init__(self, ask: Callable[[Iterable[str]], Mapping[str, ResolvedContact]]) -> None:
        self._ask = ask
        self._known: dict[str, ResolvedContact | None] = {}

    def resolve(self, phones: Iterable[str]) -> dict[str, ResolvedContact]:
        """Return what WhatsApp says about phones; a phone that it says nothing about is left out."""
        wanted = list(phones)
        if new := [phone for phone in dict.fromkeys(wanted) if phone not in self._known]:
            answers = self._ask(new)
            self._known |= {phone: answers.get(phone) for phone in new}
        return {phone: answer for phone in wanted if (answer := self._known[phone]) is not None}

    def known_missing(self, phones: Iterable[str]) -> set[str]:
        """Return the phones of which WhatsApp said already that they are not registered."""
        return {phone for phone in phones if (answer := self._known.get(phone)) is not None and not answer.exists}


@dataclass(frozen=True, slots=True)
class SettingPlan:
    """What a policy means for one setting now.

    :param wanted: the policy's value and list
    :param change: what turns the list into the wanted one; None if no list is wanted, or if it could not be read
    :param unreadable: why the list could not be read, if it could not
    """

    wanted: SettingPolicy
    change: ListChange | None = None
    unreadable: ZApiError | None = None

    @property
    def listed(self) -> bool:
        """Whether the policy wants a list of this setting."""
        return self.wanted.value == CONTACT_BLACKLIST

    def first_changes(self, change: ListChange) -> tuple[ContactChange, ...]:
        """Return the changes of the first write.

        While another value is in force, the list may read as it was before and not come back so (contract, rule 5).
        So up to 500 wanted contacts are all sent, whatever was read: adding a contact again is harmless (rule 10,
        inferred). Longer lists send only what is missing.
        """
        if len(self.wanted.exceptions) > FIRST_CALL:
            return change.changes
        gone = set(change.not_on_whatsapp)
        return changes_of((contact for contact in self.wanted.exceptions if contact not in gone), change.remove)

    @property
    def exposed(self) -> tuple[str, ...]:
        """The wanted contacts that may see more than they should until the list was read back.

        Empty for lists of up to 500 contacts. Whether these contacts see anything depends on the value in force, which
        cannot be read: they see nothing if it is CONTACT_BLACKLIST already and they are on the list.
        """
        if self.change is None or len(self.wanted.exceptions) <= FIRST_CALL:
            return ()
        hidden = {*self.change.add[:FIRST_CALL], *self.change.not_on_whatsapp}
        return tuple(contact for contact in self.wanted.exceptions if contact not in hidden)


@dataclass(frozen=True, slots=True)
class PolicyPlan:
    """What a policy means for a number now; iterates over its settings.

    :param settings: the settings' plans, in the order of the settings table
    :param contacts: what WhatsApp said about phones, so that applying the plan does not ask again
    """

    settings: tuple[SettingPlan, ...]
    contacts: Contacts = field(repr=False)

    def __iter__(self) -> Iterator[SettingPlan]:
        return iter(self.settings)

    @property
    def drifted(self) -> tuple[str, ...]:
        """The names of the settings whose list is not as the policy says."""
        return tuple(plan.wanted.setting.name for plan in self if plan.change is not None and plan.change.differs)

    def require_readable(self) -> None:
        """Raise the error of a list that could not be read.

        :raises ZApiError: a list could not be read; the message names its endpoint
        """
        for plan in self:
            if plan.unreadable is not None:
                raise plan.unreadable

    def notes(self, set_elsewhere: Collection[str] = ()) -> tuple[str, ...]:
        """Return what a person should know before the plan is applied, as sentences.

        :param set_elsewhere: names of settings that something else sets too, such as another task of the DAG
        """
        return (
            *(_exposure(plan) for plan in self if plan.exposed),
            *consequences({plan.wanted.setting.name: plan.wanted.value for plan in self}, set_elsewhere),
        )


def _exposure(plan: SettingPlan) -> str:
    setting, change = plan.wanted.setting, plan.change
    calls = max(1, -(-len(change.changes) // FIRST_CALL)) if change else 1
    return (
        f"{setting.title}: if another value than {CONTACT_BLACKLIST} is in force now, up to {len(plan.exposed)} of "
        f"{len(plan.wanted.exceptions)} excluded contacts can see it until {calls} "
        f"{'call has' if calls == 1 else 'calls have'} been made and the list has been read back, because one call "
        f"carries {FIRST_CALL} contacts."
    )


def plan_policy(policy: Policy, client: ZApiClient) -> PolicyPlan:
    """Read the lists that a policy is about and work out what to change. Sends nothing but reads.

    A list that cannot be read is kept as `SettingPlan.unreadable` and never taken for an empty one.

    :raises ZApiError: no call of this instance would succeed, such as a refused credential
    """
    contacts = Contacts(client.resolve_contacts)
    return PolicyPlan(tuple(_plan(wanted, client, contacts) for wanted in policy.settings), contacts)


def _plan(wanted: SettingPolicy, client: ZApiClient, contacts: Contacts) -> SettingPlan:
    if wanted.value != CONTACT_BLACKLIST:
        return SettingPlan(wanted)
    try:
        present = client.disallowed_contacts(wanted.setting)
        return SettingPlan(wanted, compare(wanted.exceptions, present, contacts.resolve))
    except ZApiError as error:
        if concerns_all(error, client):
            raise
        return SettingPlan(wanted, unreadable=error)


#: Errors that would meet every call of the instance.
_OF_THE_INSTANCE = (
    ZApiAuthenticationError,
    ZApiConfigurationError,
    ZApiInstanceNotFoundError,
    ZApiNotConnectedError,
    ZApiRateLimitError,
    ZApiSubscriptionError,
)


def concerns_all(error: ZApiError, client: ZApiClient) -> bool:
    """Return whether every other call would fail too, so that the next setting is not worth a try."""
    return client.cancelled or isinstance(error, _OF_THE_INSTANCE)
