"""The calls of the probe, one per row. Names in braces stand for phones, which are not in the rows or the listing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from airflow_provider_zapi.privacy.phones import hide_phone, is_contact
from airflow_provider_zapi.privacy.settings import (
    CONTACT_BLACKLIST,
    GROUP_ADD,
    MESSAGES_DURATION,
    SETTINGS,
    PrivacySetting,
)

__all__ = [
    "CHANGES",
    "CONTACT_BATCH",
    "READS",
    "REFUSALS",
    "REFUSED_READS",
    "Request",
    "Write",
    "filled",
    "list_read",
    "other_value",
    "setting_request",
    "write_request",
]

#: The name of the unknown value and the unknown path. Nobody else uses it, so the account's log shows who called.
UNKNOWN_VALUE, UNKNOWN_PATH = "PROBE_UNKNOWN", "probe-of-an-unknown-path"
#: Not a phone.
BAD_PHONE = "0"

#: The names that stand for phones in the rows and in a listing.
OWN, CONTACT, OTHER_FORM, ENTRY, LID = "{own}", "{contact}", "{other form}", "{entry}", "{lid}"

PHONES = (OWN, CONTACT, OTHER_FORM, ENTRY, LID)

ClientToken = Literal["own", "wrong", "none"]


_TOLD_TOKENS: Mapping[str, list[str]] = {"own": [], "wrong": ["a made-up Client-Token"], "none": ["no Client-Token"]}


@dataclass(frozen=True)
class Request:
    """One request.

    :param probe: its id in the report
    :param sent_as: the Client-Token to send: the connection's, a made-up one, or none
    """

    probe: str
    method: str
    path: str
    params: Mapping[str, str] | None = None
    json: Any = field(default=None, repr=False)
    content_type: bool = True
    sent_as: ClientToken = "own"

    def lacks(self, phones: Mapping[str, str]) -> bool:
        """Return whether the request has a name in braces for which there is no phone."""
        return any(name in f"{self.path} {self.json}" and name not in phones for name in PHONES)

    def line(self) -> str:
        """Return the request on one line, for a listing. A phone appears as its name in braces."""
        given = {**(self.params or {}), **(self.json or {})}
        words = [self.method, self.path, ", ".join(f"{name}={_told(value)}" for name, value in given.items())]
        notes = [] if self.content_type else ["no Content-Type"]
        notes += _TOLD_TOKENS[self.sent_as]
        return " ".join(filter(None, [*words, f"({', '.join(notes)})" if notes else ""]))


@dataclass(frozen=True)
class Write:
    """One privacy write.

    :param probe: its id, in the report and among the facts
    :param value: the value to set; ``{other}`` is the strictest value except CONTACT_BLACKLIST
    :param changes: pairs of action and phone; with None, ``contactsBlacklist`` is not sent
    :param setting: the setting to write; None for the setting that is probed
    :param risk: what happens if it is not refused (level 1), or what it does (level 2)
    :param needs_list: send it only if the user stated that the setting's value is CONTACT_BLACKLIST, because Z-API may
        accept it and set this value
    """

    probe: str
    value: str
    risk: str
    changes: tuple[tuple[str, str], ...] | None = None
    setting: PrivacySetting | None = None
    content_type: bool = True
    needs_list: bool = False


def list_read(setting: PrivacySetting, probe: str = "") -> Request:
    """Return the request that reads a setting's list."""
    return Request(
        probe or f"list_{setting.name}", "GET", "privacy/disallowed-contacts", {"type": str(setting.list_scope)}
    )


def write_request(write: Write, probed: PrivacySetting) -> Request:
    """Return the request for a write to the probed setting."""
    setting = write.setting or probed
    value = other_value(setting) if write.value == "{other}" else write.value
    changes = None if write.changes is None else [{"action": each[0], "phone": each[1]} for each in write.changes]
    return setting_request(write.probe, setting, value, changes, content_type=write.content_type)


def setting_request(
    probe: str,
    setting: PrivacySetting,
    value: str,
    changes: list[dict[str, str]] | None = None,
    *,
    content_type: bool = True,
) -> Request:
    """Return the request that sets a setting. If ``changes`` is None, ``contactsBlacklist`` is not sent."""
    if setting.place == "query":
        params = {setting.parameter: value}
        return Request(probe, "POST", setting.endpoint, params, content_type=content_type)
    body = {setting.parameter: value, **({} if changes is None else {"contactsBlacklist": changes})}
    return Request(probe, "POST", setting.endpoint, json=body, content_type=content_type)


def other_value(setting: PrivacySetting) -> str:
    """Return the strictest value except CONTACT_BLACKLIST, so that little is shown while it is tried."""
    return next(value for value in setting.values if value != CONTACT_BLACKLIST)


def filled(value: Any, phones: Mapping[str, str]) -> Any:
    """Return part of a request with phones instead of the names in braces."""
    if isinstance(value, str):
        for name, phone in phones.items():
            value = value.replace(name, phone)
        return value
    if isinstance(value, Mapping):
        return {key: filled(inner, phones) for key, inner in value.items()}
    return [filled(inner, phones) for inner in value] if isinstance(value, list) else value


def _told(value: Any) -> str:
    if isinstance(value, list):
        shown = [_told(inner) for inner in value[:_SHOWN]]
        return "[" + ", ".join([*shown, *([f"{len(value) - _SHOWN} more"] if len(value) > _SHOWN else [])]) + "]"
    if isinstance(value, Mapping):
        return f"{value['action']} {_told(value['phone'])}"
    return hide_phone(str(value)) if is_contact(str(value)) else str(value)


#: The most entries of a list that a listing shows.
_SHOWN = 3


_WITHOUT_CONTENT_TYPE: tuple[tuple[str, ClientToken], ...] = (
    ("body_without_content_type", "own"),
    ("content_type_without_client_token", "none"),
)

#: Level 0. At most 20 calls.
READS: tuple[Request, ...] = (
    Request("status", "GET", "status"),
    Request("device", "GET", "device"),
    Request("me", "GET", "me"),
    *(list_read(setting) for setting in SETTINGS if setting.list_scope),
    Request("list_scope_unknown", "GET", "privacy/disallowed-contacts", {"type": "probe"}),
    Request("unknown_path", "GET", UNKNOWN_PATH),
    Request("wrong_method", "PUT", "status"),
    Request("value_read", "GET", "privacy/last-seen"),
    Request("read_without_content_type", "GET", "status", content_type=False),
    Request("client_token_wrong", "GET", "status", sent_as="wrong"),
    Request("client_token_missing", "GET", "status", sent_as="none"),
    Request("unknown_path_without_client_token", "GET", UNKNOWN_PATH, sent_as="none"),
    Request("wrong_method_without_client_token", "PUT", "status", sent_as="none"),
    Request("phone_exists", "GET", f"phone-exists/{OWN}"),
    Request("phone_exists_bad", "GET", f"phone-exists/{BAD_PHONE}"),
    Request("batch", "POST", "phone-exists-batch", json={"phones": [OWN]}),
    Request("status_again", "GET", "status"),
)

#: Level 1: the writes that should be refused.
REFUSALS: tuple[Write, ...] = (
    Write("value_unknown_body", UNKNOWN_VALUE, "the setting has a value that nobody chose"),
    Write(
        "value_unknown_query", UNKNOWN_VALUE, "new chats get a duration that nobody chose", setting=MESSAGES_DURATION
    ),
    Write(
        "write_without_content_type",
        UNKNOWN_VALUE,
        "new chats get a duration that nobody chose; its value should be refused too",
        setting=MESSAGES_DURATION,
        content_type=False,
    ),
    Write("group_add_none", "NONE", "nobody can add this number to a group", setting=GROUP_ADD),
    Write(
        "list_beside_other_value", "{other}", "the setting has its strictest value; no list changes", (("remove", OWN),)
    ),
    Write("bad_phone", CONTACT_BLACKLIST, "the setting has the value CONTACT_BLACKLIST", (("add", BAD_PHONE),)),
    Write(
        "action_unknown",
        CONTACT_BLACKLIST,
        "the setting has the value CONTACT_BLACKLIST; your own number may be on its list",
        (("probe", OWN),),
    ),
    Write(
        "empty_list",
        CONTACT_BLACKLIST,
        "the setting has the value CONTACT_BLACKLIST, and its list may be empty",
        (),
        needs_list=True,
    ),
)

#: Level 1: more calls that should be refused. They only read, so they cannot change anything.
REFUSED_READS: tuple[Request, ...] = tuple(
    Request(probe, "POST", "phone-exists-batch", json={"phones": [OWN]}, content_type=False, sent_as=sent_as)
    for probe, sent_as in _WITHOUT_CONTENT_TYPE
)

#: Level 2: how Z-API names the contact.
CONTACT_BATCH = Request("contact_batch", "POST", "phone-exists-batch", json={"phones": [CONTACT]})

#: Level 2: what changes one setting and one contact. Not all of them are sent, and some are sent again.
CHANGES: Mapping[str, Write] = {
    write.probe: write
    for write in (
        Write("enter", CONTACT_BLACKLIST, "puts the list in force, without a change", (("remove", OWN),)),
        Write("add", CONTACT_BLACKLIST, "adds the contact", (("add", CONTACT),)),
        Write("add_again", CONTACT_BLACKLIST, "adds it once more", (("add", CONTACT),)),
        Write("remove_other_form", CONTACT_BLACKLIST, "removes it by another form", (("remove", OTHER_FORM),)),
        Write("add_back", CONTACT_BLACKLIST, "adds it again if it is gone", (("add", CONTACT),)),
        Write("remove", CONTACT_BLACKLIST, "removes it as the list names it", (("remove", ENTRY),)),
        Write("remove_absent", CONTACT_BLACKLIST, "removes it once more", (("remove", ENTRY),)),
        Write("lid_as_phone", CONTACT_BLACKLIST, "adds it by its @lid", (("add", LID),)),
        Write("remove_lid", CONTACT_BLACKLIST, "removes it", (("remove", ENTRY),)),
        Write(
            "bad_phone_among_good",
            CONTACT_BLACKLIST,
            "adds it together with an invalid phone",
            (("add", CONTACT), ("add", BAD_PHONE)),
        ),
        Write("blacklist_without_list", CONTACT_BLACKLIST, "sends the value only"),
        Write("value_set", "{other}", "sets the strictest other value"),
        Write("value_again", "{other}", "sets it once more"),
        Write("return", CONTACT_BLACKLIST, "puts the list in force again"),
    )
}
