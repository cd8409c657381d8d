"""The table of privacy settings. Each row holds everything that is specific to one setting.

The client, the operators and the documentation use this table. The emulator does not, so that it answers a mistake in
this table with an error, as Z-API would.
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

#: The value with a list of excluded contacts: visible to all contacts except those on the list.
CONTACT_BLACKLIST = "CONTACT_BLACKLIST"


class PrivacySetting(NamedTuple):  # every DAG parse loads this, and a dataclass takes four times as long to load
    """One privacy setting.

    :param name: its name in results, messages and policies
    :param title: its name in a sentence
    :param endpoint: the path of the call that sets it
    :param parameter: Z-API's name for the value
    :param values: the accepted values, from the strictest (shows least) to the most open
    :param place: where the request carries the value
    :param list_scope: Z-API's name for the list of excluded contacts; None if the setting has no list
    :param consequences: the side effects of values, which WhatsApp does not mention when a value is set
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
        """Return how open a value of this setting is, from 0 (strictest) to 1 (most open)."""
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
    # Unlike its siblings, this setting has a different parameter name and does not accept NONE.
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
    # With "disable", messages never disappear, so it is the most open value.
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
