"""A policy: a mapping from privacy settings to the values that a number should have.

In Python, JSON or YAML:

    last_seen:   {visible_to: CONTACT_BLACKLIST, except: ["+55 44 99111-1111", "554422222222"]}
    photo:       CONTACTS
    online:      SAME_LAST_SEEN
    read_receipts: disable

A policy is parsed once, into frozen objects. One pass finds every mistake and names its place. Settings that the policy
leaves out are not changed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, NoReturn

import yaml

from airflow_provider_zapi.exceptions import ZApiInvalidRequestError
from airflow_provider_zapi.privacy.changes import NOTHING_SENT, parse_value
from airflow_provider_zapi.privacy.phones import contact_key, kind, normalize_contact
from airflow_provider_zapi.privacy.settings import CONTACT_BLACKLIST, SETTINGS, PrivacySetting
from airflow_provider_zapi.wording import counted

__all__ = ["MAX_EXCLUDED", "Policy", "SettingPolicy", "load_text", "parse_policy", "policy_schema"]

#: The most excluded contacts that WhatsApp stores for one setting.
MAX_EXCLUDED = 64_000

#: The most mistakes that a message lists. It gives only the number of the others.
MAX_LISTED = 20

#: The most characters of a policy. Four full lists, formatted and with comments, need about half of them.
MAX_TEXT = 16_000_000
#: A policy needs three levels: a setting, its mapping and its list. A few more are parsed, so that a message can name
#: the place of a mistake.
MAX_DEPTH = 8

_VISIBLE_TO, _EXCEPT = "visible_to", "except"


@dataclass(frozen=True, slots=True)
class SettingPolicy:
    """The part of a policy for one setting.

    :param setting: the setting
    :param value: its wanted value
    :param excluded: the wanted excluded contacts, each once; empty unless the value is CONTACT_BLACKLIST
    """

    setting: PrivacySetting
    value: str
    excluded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """A parsed policy. Its parts are in the order of the settings table."""

    settings: tuple[SettingPolicy, ...]

    def canonical(self) -> str:
        """Return a string that is equal for equal policies. It holds phones, so use it only for a keyed digest."""
        return json.dumps([(each.setting.name, each.value, sorted(each.excluded)) for each in self.settings])


def parse_policy(policy: object, parameter: str = "policy") -> Policy:
    """Parse a policy.

    :param policy: a mapping, or a string that holds one in JSON or YAML
    :param parameter: the policy's name in messages, such as ``policy 'support.yaml'``
    :raises ZApiInvalidRequestError: the policy has mistakes. The message has one line for each, with its place, such as
        ``last_seen.except[3]``
    """
    mistakes: list[str] = []
    settings = tuple(_settings(policy, mistakes))
    if mistakes:
        different = list(dict.fromkeys(mistakes))
        lines = [f"- {mistake}" for mistake in different[:MAX_LISTED]]
        if len(different) > MAX_LISTED:
            lines.append(f"- and {len(different) - MAX_LISTED} more")
        raise ZApiInvalidRequestError(
            f"{parameter} has {counted(len(different), 'mistake')}",
            "\n".join([NOTHING_SENT, *lines]),
            code="ZAPI-INVALID-POLICY",
        )
    return Policy(settings)


def _settings(policy: object, mistakes: list[str]) -> Iterator[SettingPolicy]:
    given = load_text(policy, mistakes) if isinstance(policy, str) else policy
    if mistakes:
        return
    if not isinstance(given, Mapping) or not given:
        found = "an empty mapping" if isinstance(given, Mapping) else kind(given)
        mistakes.append(f"it is {found}, but must be a mapping from settings to values, such as 'photo: CONTACTS'")
        return
    known = {setting.name: setting for setting in SETTINGS}
    for name in given:
        if name not in known:
            shown = _key(name)
            close = get_close_matches(shown.lower(), known, n=1, cutoff=0.5)
            hint = f"did you mean {close[0]}?" if close else f"the settings are {', '.join(known)}"
            mistakes.append(f"{shown}: unknown setting; {hint}")
    for name, setting in known.items():
        if name in given and (wanted := _setting(setting, given[name], mistakes)):
            yield wanted


def _setting(setting: PrivacySetting, given: object, mistakes: list[str]) -> SettingPolicy | None:
    place = setting.name
    excluded: object = None
    if isinstance(given, Mapping):
        accepted = (_VISIBLE_TO, _EXCEPT) if setting.list_scope else (_VISIBLE_TO,)
        unknown = [_key(key) for key in given if key not in accepted]
        mistakes += [f"{place}.{key}: unknown key; accepted: {', '.join(accepted)}" for key in unknown]
        if _VISIBLE_TO not in given:
            mistakes.append(f"{place}: {_VISIBLE_TO} is missing")
            return None
        excluded, given, place = given.get(_EXCEPT), given[_VISIBLE_TO], f"{place}.{_VISIBLE_TO}"
    value = _value(setting, given, place, mistakes)
    contacts = () if excluded is None else _read_excluded(setting, excluded, mistakes)
    if value == CONTACT_BLACKLIST and not excluded:
        mistakes.append(f"{setting.name}: {value} needs contacts under '{_EXCEPT}'; for all contacts, use CONTACTS")
    if value and value != CONTACT_BLACKLIST and excluded is not None:
        mistakes.append(
            f"{setting.name}.{_EXCEPT}: only {CONTACT_BLACKLIST} has excluded contacts; the value is {value}"
        )
    return SettingPolicy(setting, value, contacts) if value else None


def _value(setting: PrivacySetting, given: object, place: str, mistakes: list[str]) -> str:
    try:
        return parse_value(setting, given, place)
    except ZApiInvalidRequestError as error:
        mistakes.append(f"{error.what.replace(' ', ': ', 1)}. {error.advice.removesuffix(NOTHING_SENT)}".strip())
        return ""


def _read_excluded(setting: PrivacySetting, given: object, mistakes: list[str]) -> tuple[str, ...]:
    place = f"{setting.name}.{_EXCEPT}"
    if not isinstance(given, Sequence) or isinstance(given, (str, bytes)):
        mistakes.append(f"{place}: is {kind(given)}, but must be a list of contacts")
        return ()
    if len(given) > MAX_EXCLUDED:
        mistakes.append(f"{place}: has {len(given)} contacts; WhatsApp accepts at most {MAX_EXCLUDED}")
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


def _key(key: object) -> str:
    """Return a key for a message: shortened, and without control characters."""
    text = key[:40] if isinstance(key, str) else str(key)[:40] if isinstance(key, (int, float)) else kind(key)
    return text if text.isprintable() else ascii(text)


def load_text(text: str, mistakes: list[str]) -> object:
    """Parse JSON or YAML. A YAML scalar stays a string, because otherwise ``no`` would become a boolean.

    The value is built from the parser's events in a loop. Both loaders of PyYAML use recursion instead, and the C
    loader crashes the process if the input is nested deeply enough.

    :param mistakes: the list to which mistakes are added
    """
    if len(text) > MAX_TEXT:
        mistakes.append(f"it is longer than {MAX_TEXT:,} characters")
        return None
    try:
        return _Builder().build(yaml.parse(text, Loader=_Parser))
    except _MistakeError as error:
        mistakes.append(str(error))
    except yaml.MarkedYAMLError as error:
        mistakes.append(f"{_place(error.problem_mark)}{error.problem or 'it is not YAML'}")
    except (yaml.YAMLError, UnicodeError):
        mistakes.append("it is neither valid YAML nor valid JSON")
    return None


_Parser = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


class _MistakeError(Exception):
    """A mistake in the YAML or JSON of a policy, with its place."""


def _place(mark: Any) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""


class _Builder:
    """Build strings, lists and mappings from the events of a YAML parser.

    It refuses a repeated key, because the first value would be lost without notice.
    """

    def __init__(self) -> None:
        self._root: list[Any] = []
        self._open: list[Any] = []
        self._keys: list[str | None] = []
        self._anchors: dict[str, Any] = {}

    def build(self, events: Iterator[Any]) -> Any:
        """Return the value of the document, or None if there is no document.

        :raises _MistakeError: the document cannot be a policy
        """
        for event in events:
            if isinstance(event, yaml.ScalarEvent):
                self._put(event, event.value)
            elif isinstance(event, yaml.CollectionStartEvent):
                value: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
                self._put(event, value)
                self._open.append(value)
                self._keys.append(None)
                if len(self._open) > MAX_DEPTH:
                    self._refuse(event, f"it is nested more than {MAX_DEPTH} levels deep")
            elif isinstance(event, yaml.CollectionEndEvent):
                self._open.pop()
                self._keys.pop()
            elif isinstance(event, yaml.AliasEvent):
                self._put(event, self._aliased(event))
        return self._root[0] if self._root else None

    def _put(self, event: Any, value: Any) -> None:
        if not isinstance(event, yaml.AliasEvent) and event.anchor is not None:
            self._anchors[event.anchor] = value
        if not self._open:
            if self._root:
                self._refuse(event, "a second document begins here, but a policy is one document")
            self._root.append(value)
        elif isinstance(container := self._open[-1], list):
            container.append(value)
        elif (key := self._keys[-1]) is not None:
            container[key] = value
            self._keys[-1] = None
        elif not isinstance(value, str):
            self._refuse(event, "a key is not a string")
        elif value in container:
            self._refuse(event, "the key is repeated")
        else:
            self._keys[-1] = value

    def _aliased(self, event: Any) -> Any:
        if event.anchor not in self._anchors:
            self._refuse(event, f"the alias *{event.anchor[:40]} has no anchor")
        value = self._anchors[event.anchor]
        if any(value is container for container in self._open):
            self._refuse(event, f"the anchor &{event.anchor[:40]} contains itself")
        return value

    def _refuse(self, event: Any, what: str) -> NoReturn:
        raise _MistakeError(f"{_place(event.start_mark)}{what}")


def policy_schema() -> dict[str, Any]:
    """Return the JSON Schema of a policy, for editors. It is generated from the settings table."""
    contact = {
        "description": "Country code, area code and number, or an identifier such as 123456789012345@lid",
        "anyOf": [
            {"type": "string", "pattern": r"^[+(). 0-9-]{8,40}$"},
            {"type": "string", "pattern": "^[0-9]+@lid$"},
            {"type": "integer", "minimum": 10_000_000, "maximum": 999_999_999_999_999},
        ],
    }
    excluded = {"type": "array", "items": contact, "minItems": 1, "maxItems": MAX_EXCLUDED}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Privacy policy of a WhatsApp number on Z-API",
        "type": "object",
        "minProperties": 1,
        "additionalProperties": False,
        "properties": {setting.name: _schema_of(setting, excluded) for setting in SETTINGS},
    }


def _schema_of(setting: PrivacySetting, excluded: Mapping[str, Any]) -> dict[str, Any]:
    plain = {"enum": [value for value in setting.values if value != CONTACT_BLACKLIST]}
    forms: list[dict[str, Any]] = [plain, _object({_VISIBLE_TO: plain})]
    if setting.list_scope:
        forms.append(_object({_VISIBLE_TO: {"const": CONTACT_BLACKLIST}, _EXCEPT: excluded}))
    return {"title": setting.title, "anyOf": forms}


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


if __name__ == "__main__":
    print(json.dumps(policy_schema(), indent=2))  # noqa: T201 - `make schema` writes it to a file
