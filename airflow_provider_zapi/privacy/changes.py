"""Parse the parameters of a privacy task strictly. Anything ambiguous is an error before a call is sent."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, NoReturn, cast, get_args

from airflow_provider_zapi.catching import caught
from airflow_provider_zapi.exceptions import ZApiInvalidRequestError
from airflow_provider_zapi.privacy.phones import contact_key, kind, normalize_contact
from airflow_provider_zapi.privacy.settings import CONTACT_BLACKLIST, SETTINGS, PrivacySetting

__all__ = [
    "MAX_CHANGES",
    "NOTHING_SENT",
    "Action",
    "ContactChange",
    "parse_changes",
    "parse_contact",
    "parse_contacts",
    "parse_setting",
    "parse_value",
    "rendered_none",
]

Action = Literal["add", "remove"]

NOTHING_SENT = "Nothing was sent."

#: The most changes that one task accepts. More are usually a mistake, such as a whole customer table.
MAX_CHANGES = 10_000


class ContactChange(NamedTuple):
    """A contact to add to a setting's excluded contacts, or to remove from them."""

    action: Action
    phone: str


def parse_setting(name: object, parameter: str, *, with_list: bool = False) -> PrivacySetting:
    """Return the setting with this name.

    :param name: the task's parameter after rendering; case and surrounding spaces do not matter
    :param parameter: the name of the operator's parameter, for messages
    :param with_list: accept only settings that have a list of excluded contacts
    :raises ZApiInvalidRequestError: there is no such setting
    """
    known = {setting.name: setting for setting in SETTINGS if setting.list_scope or not with_list}
    accepted = f"Accepted: {', '.join(known)}."
    if not isinstance(name, str):
        _refuse(parameter, f"is {kind(name)}", accepted, "ZAPI-INVALID-SETTING")
    text = name.strip().lower()
    if text not in known:
        _refuse(
            parameter,
            f"is {_shown(text)}" if text else "is an empty string",
            f"{accepted}{_closest(text, known)}",
            "ZAPI-INVALID-SETTING",
        )
    return known[text]


def parse_value(setting: PrivacySetting, value: object, parameter: str) -> str:
    """Return the value of a setting as Z-API spells it.

    :param value: the task's parameter after rendering; case and surrounding spaces do not matter
    :param parameter: the name of the operator's parameter, for messages
    :raises ZApiInvalidRequestError: the setting has no such value
    """
    accepted = ", ".join(setting.values)
    if not isinstance(value, str):
        _refuse(parameter, f"is {kind(value)}", f"Accepted for {setting.title}: {accepted}.", "ZAPI-INVALID-VALUE")
    text = value.strip()
    if problem := rendered_none(text):
        # NONE hides the number from everybody. A template that finds nothing must not do that.
        _refuse(parameter, problem, f"Accepted for {setting.title}: {accepted}.", "ZAPI-INVALID-VALUE")
    spelled = {known.upper(): known for known in setting.values}
    if text.upper() in spelled:
        return spelled[text.upper()]
    _refuse(
        parameter,
        f"is {_shown(text)}" if text else "is an empty string",
        f"Accepted for {setting.title}: {accepted}.{_closest(text, setting.values)}",
        "ZAPI-INVALID-VALUE",
    )


def parse_changes(
    setting: PrivacySetting, value: str, changes: object, parameter: str, *, given: bool = False
) -> tuple[ContactChange, ...]:
    """Return the changes to a setting's excluded contacts, each contact once, in the given order.

    :param value: the value that is sent with the changes, as `parse_value` returns it
    :param changes: the task's parameter after rendering: None, a sequence of
        ``{"action": "add" | "remove", "phone": ...}``, or a string that holds a JSON array of them
    :param parameter: the name of the operator's parameter, for messages
    :param given: whether the DAG passed a list, so that None is an error
    :raises ZApiInvalidRequestError: an item is invalid or contradicts another one, or ``value`` does not take a list
    """
    if changes is None and not given:
        return ()
    items = _items(
        changes,
        parameter,
        'Use a list such as [{"action": "add", "phone": "5544991111111"}], a string with the same list in JSON, '
        "or the name of a .json file beside the DAG.",
    )
    if items and value != CONTACT_BLACKLIST:
        _refuse(
            parameter,
            f"cannot be used with {value}",
            f"Only {CONTACT_BLACKLIST} has excluded contacts. Use that value, or leave the list out.",
            "ZAPI-INVALID-LIST-VALUE",
        )
    if len(items) > MAX_CHANGES:
        _refuse(
            parameter,
            f"holds {len(items)} changes",
            f"One task sends at most {MAX_CHANGES}. For more, write the whole list into a policy "
            "(ApplyPrivacyPolicyOperator), which accepts up to 64,000 contacts.",
            "ZAPI-INVALID-TOO-MANY",
        )
    parsed: dict[tuple[Action, str], ContactChange] = {}
    actions: dict[str, Action] = {}
    for index, item in enumerate(items):
        place = f"{parameter}[{index}]"
        change = _change(item, place)
        contact = contact_key(change.phone)
        earlier = actions.setdefault(contact, change.action)
        if earlier != change.action:
            _refuse(
                place,
                f"would {change.action} a contact that an earlier item would {earlier}",
                "Remove one of them.",
                "ZAPI-INVALID-CONTRADICTION",
            )
        # When adding, two forms of one number are one contact. When removing, both forms are sent, because WhatsApp
        # removes only the exact string on the list (contract, rule 2), and the list may hold either form.
        parsed.setdefault((change.action, contact if change.action == "add" else change.phone), change)
    return tuple(parsed.values())


def parse_contacts(contacts: object, parameter: str) -> tuple[str, ...]:
    """Return contacts in the form that Z-API accepts, each once.

    :param contacts: the task's parameter after rendering: a sequence, or a string that holds a JSON array
    :param parameter: the name of the operator's parameter, for messages
    :raises ZApiInvalidRequestError: an item is not a contact
    """
    items = _items(contacts, parameter, 'Use a list such as ["5544991111111"], or a string with the same list in JSON.')
    parsed = [parse_contact(item, f"{parameter}[{index}]") for index, item in enumerate(items)]
    return tuple({contact_key(contact): contact for contact in parsed}.values())


def parse_contact(contact: object, place: str) -> str:
    """Return a contact in the form that Z-API accepts.

    :param place: where the contact was given, for messages
    :raises ZApiInvalidRequestError: the contact is invalid; the message does not include it
    """
    normal = caught(lambda: normalize_contact(contact), ValueError)
    if isinstance(normal, ValueError):
        _refuse(place, f"cannot be used: {normal}", "", "ZAPI-INVALID-CONTACT")
    return normal


def _items(changes: object, parameter: str, accepted: str) -> Sequence[object]:
    if isinstance(changes, str):
        if problem := rendered_none(changes):
            _refuse(parameter, problem, accepted, "ZAPI-INVALID-LIST")
        parsed, problem = _parsed(changes)
        if problem or not isinstance(parsed, list):
            _refuse(
                parameter,
                problem or ("is a string that is not a JSON array" if changes.strip() else "is an empty string"),
                accepted,
                "ZAPI-INVALID-LIST",
            )
        return parsed
    if not isinstance(changes, Sequence) or isinstance(changes, (bytes, bytearray)):
        _refuse(parameter, f"is {kind(changes)}", accepted, "ZAPI-INVALID-LIST")
    return changes


def rendered_none(text: str) -> str:
    """Return a problem if this string is a template's rendering of a missing value, or ``""``."""
    return "is the string 'None': a template that finds nothing renders as 'None'" if text.strip() == "None" else ""


class _RepeatedKeyError(Exception):
    """A JSON object has the same key twice, so its meaning is ambiguous."""


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _RepeatedKeyError
    return found


def _parsed(text: str) -> tuple[object, str]:
    """Return the value of a JSON string, and the problem with the string or ``""``."""
    try:
        return json.loads(text, object_pairs_hook=_unique), ""
    except _RepeatedKeyError:
        return None, "holds an item with the same key twice"
    except (ValueError, RecursionError):
        return None, ""


def _change(item: object, place: str) -> ContactChange:
    accepted = 'Use {"action": "add" or "remove", "phone": "5544991111111"}.'
    if not isinstance(item, Mapping):
        _refuse(place, f"is {kind(item)}", accepted, "ZAPI-INVALID-LIST")
    known = ("action", "phone")
    for key in item:
        if key not in known:
            _refuse(
                place,
                f"holds the unknown key {_shown(str(key))}",
                f"{accepted}{_closest(str(key), known)}",
                "ZAPI-INVALID-LIST",
            )
    for key in known:
        if key not in item:
            _refuse(place, f"lacks '{key}'", accepted, "ZAPI-INVALID-LIST")
    action = item["action"]
    spelled = action.strip().lower() if isinstance(action, str) else ""
    actions = get_args(Action)
    if spelled not in actions:
        found = _shown(action) if isinstance(action, str) else kind(action)
        _refuse(
            f"{place}.action", f"is {found}", f"Accepted: add, remove.{_closest(spelled, actions)}", "ZAPI-INVALID-LIST"
        )
    return ContactChange(cast(Action, spelled), parse_contact(item["phone"], f"{place}.phone"))


def _shown(text: str) -> str:
    """Return a word from the user for a message. It is shortened, and hidden if it may be a phone number."""
    if sum(character.isdigit() for character in text) >= 5:
        return "a string with digits"
    return repr(text if len(text) <= 40 else f"{text[:40]}...")


def _closest(word: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches  # imported only when there is a mistake

    spelled = {name.lower(): name for name in known}
    word = word.lower()
    # Prefer the same letters in another order: 90days means days90, but difflib finds days7 more similar.
    same = [name for name in spelled if sorted(name) == sorted(word)]
    matches = same or get_close_matches(word, spelled, n=1, cutoff=0.5)
    return f" Did you mean {spelled[matches[0]]}?" if matches else ""


def _refuse(place: str, what: str, advice: str, code: str) -> NoReturn:
    raise ZApiInvalidRequestError(f"{place} {what}", f"{advice} {NOTHING_SENT}".strip(), code=code)
