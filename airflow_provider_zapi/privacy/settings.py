"""The privacy settings of a number, one row each: all that they differ in.

The client, the operators and the documentation read this table. The emulator does not, so that a mistake here meets an
answer that disagrees, as it would at Z-API.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["CONTACT_BLACKLIST", "LAST_SEEN", "SETTINGS", "PrivacySetting"]

#: The value that has a list of exceptions: everybody among the contacts, except those on it.
CONTACT_BLACKLIST = "CONTACT_BLACKLIST"


@dataclass(frozen=True, slots=True)
class PrivacySetting:
    """One setting.

    :param name: its name in results, messages and policies
    :param title: its name in a sentence
    :param endpoint: the path that sets it
    :param parameter: Z-API's name of the value
    :param values: what the value may be
    :param place: where the value travels
    :param list_scope: Z-API's name of its list of exceptions; None where it has none
    """

    name: str
    title: str
    endpoint: str
    parameter: str
    values: tuple[str, ...]
    place: Literal["body", "query"] = "body"
    list_scope: str | None = None


LAST_SEEN = PrivacySetting(
    name="last_seen",
    title="last seen",
    endpoint="privacy/last-seen",
    parameter="visualizationType",
    values=("ALL", "NONE", "CONTACTS", CONTACT_BLACKLIST),
    list_scope="lastSeen",
)

SETTINGS: tuple[PrivacySetting, ...] = (LAST_SEEN,)
