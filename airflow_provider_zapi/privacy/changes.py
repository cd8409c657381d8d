"""The parameters of a privacy task, read strictly: what is ambiguous is an error before anything is sent."""

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

#: More changes than this in one task are refused: it is the size of a mistake, such as a whole customer table.
MAX_CHANGES = 10_000


class ContactChange(NamedTuple):
    """A contact to add to, or to remove from, a setting's list of exceptions."""

    action: Action
    phone: str


def parse_setting(name: object, parameter: str, *, with_list: bool = False) -> PrivacySetting:
    """Return the setting of a name.

    :param name: what the task was given, after rendering; case and surrounding spaces do not matter
    :param parameter: the operator's parameter, for messages
    :param with_list: whether it has to have a list of exceptions
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

    :param value: what the task was given, after rendering; case and surrounding spaces do not matter
    :param parameter: the operator's parameter, for messages
    :raises ZApiInvalidRequestError: the setting has no such value
    """
    accepted = ", ".join(setting.values)
    if not isinstance(value, str):
        _refuse(parameter, f"is {kind(value)}", f"Accepted for {setting.title}: {accepted}.", "ZAPI-INVALID-VALUE")
    text = value.strip()
    if problem := rendered_none(text):
        # NONE hides the number from everybody: too much for a template that found nothing.
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
    """Return the changes of a setting's list: each contact once, in the order given.

    :param value: the setting's value that is sent with them, as `parse_value` returns it
    :param changes: what the task was given, after rendering: None, a sequence of
        ``{"action": "add" | "remove", "phone": ...}``, or a text that holds a JSON array of them
    :param parameter: the operator's parameter, for messages
    :param given: whether there has to be a list, so that None is an error
    :raises ZApiInvalidRequestError: an item cannot be understood, contradicts another, or does not go with ``value``
    """
    if changes is None and not given:
        return ()
    items = _items(
        changes,
        parameter,
        'Accepted is a list such as [{"action": "add", "phone": "5544991111111"}], the same as JSON in a text, '
        "or the name of a .json file beside the DAG.",
    )
    if items and value != CONTACT_BLACKLIST:
        _refuse(
            parameter,
            f"is given with {value}",
            f"Excluded contacts go with {CONTACT_BLACKLIST} only: use that value, or leave the list out.",
            "ZAPI-INVALID-LIST-VALUE",
        )
    if len(items) > MAX_CHANGES:
        _refuse(
            parameter,
            f"holds {len(items)} changes",
            f"One task sends at most {MAX_CHANGES}. For more, state the whole list in a policy "
            "(ApplyPrivacyPolicyOperator), which takes up to 64,000 contacts.",
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
                "Keep one.",
                "ZAPI-INVALID-CONTRADICTION",
            )
        # Two forms of one number are one contact to add. A removal matches only the exact string on the list
        # (contract, rule 2), and which form that is cannot be known: both are sent.
        parsed.setdefault((change.action, contact if change.action == "add" else change.phone), change)
    return tuple(parsed.values())


def parse_contacts(contacts: object, parameter: str) -> tuple[str, ...]:
    """Return contacts as Z-API takes them, each once.

    :param contacts: what the task was given, after rendering: a sequence, or a text that holds a JSON array
    :param parameter: the operator's parameter, for messages
    :raises ZApiInvalidRequestError: an item is no contact
    """
    items = _items(contacts, parameter, 'Accepted is a list such as ["5544991111111"], or the same as JSON in a text.')
    parsed = [parse_contact(item, f"{parameter}[{index}]") for index, item in enumerate(items)]
    return tuple({contact_key(contact): contact for contact in parsed}.values())


def parse_contact(contact: object, place: str) -> str:
    """Return a contact as Z-API takes it.

    :param place: where it stands, for messages
    :raises ZApiInvalidRequestError: it is none; the message shows nothing of it
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
    """Return the problem of a string that is what a template makes of a value that is missing, or ``""``."""
    return "is the string 'None': a template that finds nothing renders as 'None'" if text.strip() == "None" else ""


class _RepeatedKeyError(Exception):
    """A JSON object holds a key twice: which of the two is meant cannot be known."""


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _RepeatedKeyError
    return found


def _parsed(text: str) -> tuple[object, str]:
    """Return what JSON a string holds, and the problem with it."""
    try:
        return json.loads(text, object_pairs_hook=_unique), ""
    except _RepeatedKeyError:
        return None, "holds an item with the same key twice"
    except (ValueError, RecursionError):
        return None, ""


def _change(item: object, place: str) -> ContactChange:
    accepted = 'Accepted is {"action": "add" or "remove", "phone": "5544991111111"}.'
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
    """Return a word of the user's for a message: cut, and hidden where it may be a phone number."""
    if sum(character.isdigit() for character in text) >= 5:
        return "a string with digits"
    return repr(text if len(text) <= 40 else f"{text[:40]}...")


def _closest(word: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches  # of a mistake alone

    spelled = {name.lower(): name for name in known}
    word = word.lower()
    # The same letters in another order first: 90days is days90, which looks less like it than days7 does.
    same = [name for name in spelled if sorted(name) == sorted(word)]
    matches = same or get_close_matches(word, spelled, n=1, cutoff=0.5)
    return f" Did you mean {spelled[matches[0]]}?" if matches else ""


def _refuse(place: str, what: str, advice: str, code: str) -> NoReturn:
    raise ZApiInvalidRequestError(f"{place} {what}", f"{advice} {NOTHING_SENT}".strip(), code=code)
