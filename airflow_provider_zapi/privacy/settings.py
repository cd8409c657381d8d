"""The privacy settings of a number, one row each: all that they differ in.

The client, the operators and the documentation read this table. The emulator does not, so that a mistake here meets an
answer that disagrees, as it would at Z-API.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

__all__ = [
    "CONTACT_BLACKLIST",
    "DESCRIPTION",
    "GROUP_ADD",
    "LAST_SEEN",
    "MESSAGES_DURATION",
    "ONLINE",
    "PHOTO",
    "READ_RECEIPTS",
    "SETTINGS",
    "PrivacySetting",
]

#: The value that has a list of exceptions: everybody among the contacts, except those on it.
CONTACT_BLACKLIST = "CONTACT_BLACKLIST"


class PrivacySetting(NamedTuple):  # made in a quarter of a dataclass's time, at each parse of a DAG file
    """One setting.

    :param name: its name in results, messages and policies
    :param title: its name in a sentence
    :param endpoint: the path that sets it
    :param parameter: Z-API's name of the value
    :param values: what the value may be, from the strictest (shows least) to the most open
    :param place: where the value travels
    :param list_scope: Z-API's name of its list of exceptions; None where it has none
    :param consequences: what a value does besides, which WhatsApp says nowhere at that moment
    """

    name: str
    title: str
    endpoint: str
    parameter: str
    values: tuple[str, ...]
    place: Literal["body", "query"] = "body"
    list_scope: str | None = None
    consequences: Mapping[str, str] = MappingProxyType({})

    def openness(self, value: str) -> float:
        """Return how open a value is among this setting's: from 0, the strictest, to 1, the most open."""
        return self.values.index(value) / (len(self.values) - 1)


LAST_SEEN = PrivacySetting(
    name="last_seen",
    title="last seen",
    endpoint="privacy/last-seen",
    parameter="visualizationType",
    values=("NONE", CONTACT_BLACKLIST, "CONTACTS", "ALL"),
    list_scope="lastSeen",
    consequences={"NONE": "This number no longer sees when other people were last seen."},
)

PHOTO = PrivacySetting(
    name="photo",
    title="profile photo",
    endpoint="privacy/photo",
    parameter="visualizationType",
    values=("NONE", CONTACT_BLACKLIST, "CONTACTS", "ALL"),
    list_scope="photo",
)

DESCRIPTION = PrivacySetting(
    name="description",
    title="description",
    endpoint="privacy/description",
    parameter="visualizationType",
    values=("NONE", CONTACT_BLACKLIST, "CONTACTS", "ALL"),
    list_scope="description",
)

GROUP_ADD = PrivacySetting(
    name="group_add",
    title="who may add to groups",
    endpoint="privacy/group-add",
    # Not like its siblings, and there is no NONE.
    parameter="type",
    values=(CONTACT_BLACKLIST, "CONTACTS", "ALL"),
    list_scope="groupAdd",
)

ONLINE = PrivacySetting(
    name="online",
    title="online",
    endpoint="privacy/online",
    parameter="visualizationType",
    values=("SAME_LAST_SEEN", "ALL"),
    consequences={
        "SAME_LAST_SEEN": "This number can no longer see the online status of anyone it hides last seen from."
    },
)

READ_RECEIPTS = PrivacySetting(
    name="read_receipts",
    title="read receipts",
    endpoint="privacy/read-receipts",
    parameter="value",
    values=("disable", "enable"),
    place="query",
    consequences={"disable": "This number no longer sees whether other people read its messages, except in groups."},
)

MESSAGES_DURATION = PrivacySetting(
    name="messages_duration",
    title="default message duration",
    endpoint="privacy/messages-duration",
    parameter="value",
    # With "disable", messages stay for good, which shows the most.
    values=("hours24", "days7", "days90", "disable"),
    place="query",
)

SETTINGS: tuple[PrivacySetting, ...] = (
    LAST_SEEN,
    PHOTO,
    DESCRIPTION,
    GROUP_ADD,
    ONLINE,
    READ_RECEIPTS,
    MESSAGES_DURATION,
)
