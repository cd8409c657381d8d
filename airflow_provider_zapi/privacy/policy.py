"""A policy: how a number's privacy shall be, as a mapping from settings to wanted values.

In Python, JSON or YAML:

    last_seen:   {visible_to: CONTACT_BLACKLIST, except: ["+55 44 99111-1111", "554422222222"]}
    photo:       CONTACTS
    online:      SAME_LAST_SEEN
    read_receipts: disable

It is parsed once, into frozen objects, and every mistake in it is found in one pass and named by its place. Settings
that are left out are left alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import yaml

from airflow_provider_zapi.exceptions import ZApiInvalidRequestError
from airflow_provider_zapi.privacy.changes import NOTHING_SENT, parse_value
from airflow_provider_zapi.privacy.phones import contact_key, kind, normalize_contact
from airflow_provider_zapi.privacy.settings import CONTACT_BLACKLIST, SETTINGS, PrivacySetting

__all__ = ["MAX_EXCEPTIONS", "Policy", "SettingPolicy", "parse_policy", "policy_schema"]

#: Where WhatsApp's own list of exceptions stops.
MAX_EXCEPTIONS = 64_000

#: More mistakes than this are counted in the message and not told one by one.
MAX_TOLD = 20

_VISIBLE_TO, _EXCEPT = "visible_to", "except"


@dataclass(frozen=True, slots=True)
class SettingPolicy:
    """What a policy wants of one setting.

    :param setting: which
    :param value: one of its values
    :param exceptions: who shall be on its list, each contact once; empty for every value but CONTACT_BLACKLIST
    """

    setting: PrivacySetting
    value: str
    exceptions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """What a policy wants, setting by setting, in the order of the settings table."""

    settings: tuple[SettingPolicy, ...]


def parse_policy(policy: object, parameter: str = "policy") -> Policy:
    """Read a policy.

    :param policy: a mapping, or a text that holds one in JSON or YAML
    :param parameter: the operator's parameter, for messages
    :raises ZApiInvalidRequestError: with all mistakes, each with its place, such as ``last_seen.except[3]``
    """
    mistakes: list[str] = []
    settings = tuple(_settings(policy, mistakes))
    if mistakes:
        told = mistakes[:MAX_TOLD]
        if len(mistakes) > MAX_TOLD:
            told.append(f"and {len(mistakes) - MAX_TOLD} more")
        count = "a mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        raise ZApiInvalidRequestError(f"{parameter} has {count}: {'; '.join(told)}", NOTHING_SENT)
    return Policy(settings)


def _settings(policy: object, mistakes: list[str]) -> Iterator[SettingPolicy]:
    given = _loaded(policy, mistakes) if isinstance(policy, str) else policy
    if mistakes:
        return
    if not isinstance(given, Mapping) or not given:
        found = "an empty mapping" if isinstance(given, Mapping) else kind(given)
        mistakes.append(f"it is {found}, where a mapping from settings to values is due, such as 'photo: CONTACTS'")
        return
    known = {setting.name: setting for setting in SETTINGS}
    for name in given:
        if name not in known:
            close = get_close_matches(str(name).lower(), known, n=1, cutoff=0.5)
            hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
            mistakes.append(f"{str(name)[:40]}: no such setting; {hint}")
    for name, setting in known.items():
        if name in given and (wanted := _setting(setting, given[name], mistakes)):
            yield wanted


def _setting(setting: PrivacySetting, given: object, mistakes: list[str]) -> SettingPolicy | None:
    place = setting.name
    exceptions: object = None
    if isinstance(given, Mapping):
        accepted = (_VISIBLE_TO, _EXCEPT) if setting.list_scope else (_VISIBLE_TO,)
        unknown = [str(key)[:40] for key in given if key not in accepted]
        mistakes += [f"{place}.{key}: no such key; accepted are {', '.join(accepted)}" for key in unknown]
        if _VISIBLE_TO not in given:
            mistakes.append(f"{place}: {_VISIBLE_TO} is missing")
            return None
        exceptions, given, place = given.get(_EXCEPT), given[_VISIBLE_TO], f"{place}.{_VISIBLE_TO}"
    value = _value(setting, given, place, mistakes)
    contacts = () if exceptions is None else _exceptions(setting, exceptions, mistakes)
    if value == CONTACT_BLACKLIST and not exceptions:
        mistakes.append(f"{setting.name}: {value} needs contacts under '{_EXCEPT}'; for all contacts, use CONTACTS")
    if value and value != CONTACT_BLACKLIST and exceptions is not None:
        mistakes.append(f"{setting.name}.{_EXCEPT}: goes with {CONTACT_BLACKLIST} alone, and the value is {value}")
    return SettingPolicy(setting, value, contacts) if value else None


def _value(setting: PrivacySetting, given: object, place: str, mistakes: list[str]) -> str:
    try:
        return parse_value(setting, given, place)
    except ZApiInvalidRequestError as error:
        mistakes.append(f"{error.what.replace(' ', ': ', 1)}. {error.advice.removesuffix(NOTHING_SENT)}".strip())
        return ""


def _exceptions(setting: PrivacySetting, given: object, mistakes: list[str]) -> tuple[str, ...]:
    place = f"{setting.name}.{_EXCEPT}"
    if not isinstance(given, Sequence) or isinstance(given, (str, bytes)):
        mistakes.append(f"{place}: is {kind(given)}, where a list of contacts is due")
        return ()
    if len(given) > MAX_EXCEPTIONS:
        mistakes.append(f"{place}: holds {len(given)} contacts; WhatsApp's list ends at {MAX_EXCEPTIONS}")
        return ()
    contacts: dict[str, str] = {}
    for index, item in enumerate(given):
        try:
            contact = normalize_contact(item)
        except ValueError as error:
            mistakes.append(f"{place}[{index}]: {error}")
        else:
            contacts.setdefault(contact_key(contact), contact)
    return tuple(contacts.values())


def _loaded(text: str, mistakes: list[str]) -> object:
    """Parse JSON or YAML. A YAML scalar stays a text: else `no` is a boolean, and a phone with a 0 in front octal."""
    try:
        return _TextLoader(text).get_single_data()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        mistakes.append(f"{place}{error.problem or 'it is no YAML'}")
    except (yaml.YAMLError, RecursionError):
        mistakes.append("it is neither YAML nor JSON")
    return None


class _TextLoader(getattr(yaml, "CBaseLoader", yaml.BaseLoader)):  # type: ignore[misc]  # one of two, by the machine
    """Makes texts, lists and mappings, and refuses a key that stands twice: the first would be lost in silence."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """Return the mapping of a node whose keys are all different."""
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key is no text", key.start_mark)
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, "a key stands twice", key.start_mark)
            seen.add(key.value)
        return dict(super().construct_mapping(node, deep=deep))


def policy_schema() -> dict[str, Any]:
    """Return the JSON Schema of a policy, for editors: it is made from the settings table."""
    contact = {
        "description": "Country code, area code and number, or an identifier such as 123456789012345@lid",
        "anyOf": [
            {"type": "string", "pattern": r"^[+(). 0-9-]{8,40}$"},
            {"type": "string", "pattern": "^[0-9]+@lid$"},
            {"type": "integer", "minimum": 10_000_000, "maximum": 999_999_999_999_999},
        ],
    }
    exceptions = {"type": "array", "items": contact, "minItems": 1, "maxItems": MAX_EXCEPTIONS}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Privacy policy of a WhatsApp number on Z-API",
        "type": "object",
        "minProperties": 1,
        "additionalProperties": False,
        "properties": {setting.name: _schema_of(setting, exceptions) for setting in SETTINGS},
    }


def _schema_of(setting: PrivacySetting, exceptions: Mapping[str, Any]) -> dict[str, Any]:
    plain = {"enum": [value for value in setting.values if value != CONTACT_BLACKLIST]}
    forms: list[dict[str, Any]] = [plain, _object({_VISIBLE_TO: plain})]
    if setting.list_scope:
        forms.append(_object({_VISIBLE_TO: {"const": CONTACT_BLACKLIST}, _EXCEPT: exceptions}))
    return {"title": setting.title, "anyOf": forms}


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


if __name__ == "__main__":
    print(json.dumps(policy_schema(), indent=2))  # noqa: T201 - `make schema` keeps it
