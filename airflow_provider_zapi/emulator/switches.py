"""The switches of an emulated instance: WhatsApp's rules, and faults on request. One row per switch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_zapi.emulator.checks import InvalidInputError, json_size, require_names
from airflow_provider_zapi.emulator.contacts import is_identifier
from airflow_provider_zapi.emulator.contract import BLACKLIST, MISSING_CLIENT_TOKEN, SETTING_BY_NAME
from airflow_provider_zapi.emulator.headers import can_be_sent
from airflow_provider_zapi.emulator.probed import is_probed

#: The longest wait that ``delay`` accepts, in seconds.
MAX_DELAY = 60
_MAX_COUNT = 1_000_000
#: How many bytes of JSON the value of one switch may have.
_MAX_BYTES = 1024 * 1024

#: For ``list_after_leaving``: what reads of a list show while another value is in force, and whether changing the value
#: back restores the list.
AFTER_LEAVING = {
    "kept": ("the list", True),
    "hidden": ("nothing", True),
    "empty": ("nothing", False),
    "stale": ("the list", False),
}


def check_value(setting_name: str, value: object, where: str) -> None:
    """Check that the setting has this value.

    :raises InvalidInputError: it does not
    """
    values = SETTING_BY_NAME[setting_name].values
    if value not in values:
        raise InvalidInputError(f"{where} must be one of {', '.join(values)}")


def _choice(*choices: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and value in choices


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_COUNT


def _is_seconds(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MAX_DELAY


def _are_phones(value: Any) -> bool:
    return isinstance(value, list) and all(map(is_identifier, value))


def _is_answer(value: Any) -> bool:
    require_names(value, ("status", "body", "headers"), "an answer of fail_next")
    status = value.get("status")
    return isinstance(status, int) and 200 <= status <= 599 and can_be_sent(value.get("headers", {}))


def _are_answers(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_answer, value))


def are_changes(value: Any) -> bool:
    """Return whether this is a list of changes in Z-API's form: ``action`` (add or remove) and ``phone``."""
    return isinstance(value, list) and all(
        isinstance(change, dict) and change.get("action") in ("add", "remove") and isinstance(change.get("phone"), str)
        for change in value
    )


def _is_write(value: Any) -> bool:
    require_names(value, ("setting", "value", "changes"), "a write of other_writer")
    if value.get("setting") not in tuple(SETTING_BY_NAME):
        raise InvalidInputError(f"setting of other_writer must be one of {', '.join(SETTING_BY_NAME)}")
    if "value" in value:
        check_value(value["setting"], value["value"], f"value of other_writer for {value['setting']}")
    changes = value.get("changes", [])
    return are_changes(changes) and all(is_identifier(change["phone"]) for change in changes)


def _are_writes(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_write, value))


@dataclass(frozen=True)
class Switch:
    """One switch: its name, what it accepts (in words and as a check), its default, and what it does.

    ``choices`` are its possible values, if they can be listed.
    """

    name: str
    accepts: str
    check: Callable[[Any], bool]
    default: Any
    doc: str
    choices: tuple[Any, ...] = ()

    def view(self) -> dict[str, Any]:
        """Return the switch as the JSON interface shows it."""
        return {
            "name": self.name,
            "accepts": self.accepts,
            "default": self.default,
            "doc": self.doc,
            "choices": list(self.choices),
        }


def _of(name: str, choices: tuple[str, ...], doc: str) -> Switch:
    accepts = " or ".join(f'"{choice}"' for choice in choices)
    return Switch(name, accepts, _choice(*choices), choices[0], doc, choices)


def _flag(name: str, default: bool, doc: str) -> Switch:
    return Switch(name, "true or false", _is_flag, default, doc, (True, False))


SWITCHES = (
    _flag(
        "exact_removal",
        True,
        "If true, a removal works only with the exact identifier that a read returns. If false, with any spelling.",
    ),
    _of(
        "list_as",
        ("phone", "lid", "mixed"),
        "What a list contains: phones, `@lid` identifiers, or some of each.",
    ),
    _of(
        "ninth_digit",
        ("as_sent", "with", "without", "mixed"),
        "How phones with two spellings (Brazil, Mexico, Argentina) are registered: as first sent, in the "
        "longer or the shorter spelling, or some of each.",
    ),
    _of(
        "list_after_leaving",
        tuple(AFTER_LEAVING),
        f"What a list shows while the value is not {BLACKLIST}: with `kept` and `stale` the old list, "
        "with `hidden` and `empty` nothing. Only `kept` and `hidden` restore the list afterwards.",
    ),
    _of(
        "empty_list",
        ("accepted", "refused"),
        f'Whether {BLACKLIST} with an empty list is accepted, or answered with `{{"success": false}}`.',
    ),
    Switch(
        "conflicts",
        "a count",
        _is_count,
        0,
        'This many of the next privacy writes are not applied, and answer `{"success": false}` (stale version).',
    ),
    Switch(
        "other_writer",
        "a list of writes",
        _are_writes,
        [],
        "Changes that another client makes, one before each of the next privacy writes, such as "
        '`{"setting": "last_seen", "value": "...", "changes": [{"action": "add", "phone": "..."}]}`.',
    ),
    Switch(
        "read_lag",
        "a count",
        _is_count,
        0,
        "After every write, this many reads of that list still show the old list.",
    ),
    Switch(
        "fail_next",
        "a list of answers",
        _are_answers,
        [],
        "Answers to the next authenticated calls, one for each, before anything is applied, such as "
        '`{"status": 503, "body": {}, "headers": {"Retry-After": "2"}}`. A string as `body` is sent unchanged.',
    ),
    Switch(
        "lose_answer",
        "a count",
        _is_count,
        0,
        "This many of the next writes are applied, but answered with a gateway's 504.",
    ),
    Switch(
        "delay",
        f"seconds, 0 to {MAX_DELAY}",
        _is_seconds,
        0,
        "How long each answer is delayed after the call was carried out.",
    ),
    Switch(
        "refused_phones",
        "a list of phones",
        _are_phones,
        [],
        'A call with one of these phones, in any spelling, answers 400 `{"error": "Invalid phone"}`.',
    ),
    Switch(
        "unregistered_phones",
        "a list of phones",
        _are_phones,
        [],
        "`phone-exists-batch` and `phone-exists` say that these phones, in any spelling, do not exist.",
    ),
    _of(
        "missing_client_token",
        tuple(MISSING_CLIENT_TOKEN),
        "Which of the two recorded answers a call without Client-Token gets.",
    ),
    _flag(
        "address_allowed",
        True,
        "Whether the caller's address is on the account's list.",
    ),
    _of(
        "session_down_error",
        ("You are not connected.", "You need to restore the session."),
        "What `status` says in `error` while the session is disconnected.",
    ),
    _of(
        "phone_exists_answer",
        ("list", "object", "object_with_text"),
        "How GET `phone-exists` answers: a list with one object, an object, or an object whose `exists` is a string.",
    ),
    _of(
        "content_type",
        ("required", "required_with_body", "optional"),
        "When a call other than GET needs `Content-Type: application/json` (otherwise 415): always, if it has a body, "
        "or never.",
    ),
    Switch(
        "probed",
        "outcomes by the ids of facts",
        is_probed,
        {},
        'What a [probed account](how-z-api-behaves.md) answers, such as `{"unknown_path": "404 empty"}`. `--as-in` '
        "sets it from a report. A write with an unusual answer changes nothing.",
    ),
)

SWITCH_BY_NAME = {switch.name: switch for switch in SWITCHES}
SWITCH_DEFAULTS = {switch.name: switch.default for switch in SWITCHES}


def check_switches(
    given: object, table: Mapping[str, Switch] = SWITCH_BY_NAME, where: str = "switches"
) -> dict[str, Any]:
    """Return the checked switches.

    :param table: the known switches, by name
    :param where: the owner of the switches, for messages
    :raises InvalidInputError: a name is unknown, or a value is invalid
    """
    switches = require_names(given, table, where)
    for name, value in switches.items():
        if not table[name].check(value):
            raise InvalidInputError(f"switch {name} must be {table[name].accepts}")
        if isinstance(value, (list, dict)) and json_size(value) > _MAX_BYTES:
            raise InvalidInputError(f"switch {name} must be at most {_MAX_BYTES} bytes")
    return switches
