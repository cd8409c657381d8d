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

#: ``list_after_leaving``: what a list reads as while another value is in force, and whether coming back
#: restores it.
AFTER_LEAVING = {
    "kept": ("the list", True),
    "hidden": ("nothing", True),
    "empty": ("nothing", False),
    "stale": ("the list", False),
}


def check_value(setting_name: str, value: object, where: str) -> None:
    """Raise `InvalidInputError` unless ``value`` is one that the setting has."""
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
    """One switch: its name, what it accepts (in words, and as a check), its default, and what it does.

    ``choices`` are the values it can have, where these can be listed.
    """

    name: str
    accepts: str
    check: Callable[[Any], bool]
    default: Any
    doc: str
    choices: tuple[Any, ...] = ()

    def view(self) -> dict[str, Any]:
        """Return what the JSON interface says of it."""
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
        "A removal takes effect only for the exact identifier that a read returns, else for any spelling.",
    ),
    _of(
        "list_as",
        ("phone", "lid", "mixed"),
        "What a list holds and reads back: phones, `@lid` identifiers, or some of each.",
    ),
    _of(
        "ninth_digit",
        ("as_sent", "with", "without", "mixed"),
        "How phones with two spellings (Brazil, Mexico, Argentina) are registered: as first sent, the "
        "longer, the shorter, or some of each.",
    ),
    _of(
        "list_after_leaving",
        tuple(AFTER_LEAVING),
        f"The list while the value is not {BLACKLIST}: `kept` and `stale` read as it was, "
        "`hidden` and `empty` read empty; coming back restores it with `kept` and `hidden` only.",
    ),
    _of(
        "empty_list",
        ("accepted", "refused"),
        f'Whether {BLACKLIST} with an empty list is done, or answered with `{{"success": false}}`.',
    ),
    Switch(
        "conflicts",
        "a count",
        _is_count,
        0,
        'This many of the next privacy writes are not applied and answer `{"success": false}` (a stale version).',
    ),
    Switch(
        "other_writer",
        "a list of writes",
        _are_writes,
        [],
        "Changes that another client makes, one before each of the next privacy writes: "
        '`{"setting": "last_seen", "value": "...", "changes": [{"action": "add", "phone": "..."}]}`.',
    ),
    Switch(
        "read_lag",
        "a count",
        _is_count,
        0,
        "After every write, this many reads of that list still show it as it was before.",
    ),
    Switch(
        "fail_next",
        "a list of answers",
        _are_answers,
        [],
        "Answers given to the next authenticated calls, one each, before anything is applied: "
        '`{"status": 503, "body": {}, "headers": {"Retry-After": "2"}}`; a string as `body` is sent as it is.',
    ),
    Switch(
        "lose_answer",
        "a count",
        _is_count,
        0,
        "This many of the next writes are applied, but their answer is a gateway's 504.",
    ),
    Switch(
        "delay",
        f"seconds, 0 to {MAX_DELAY}",
        _is_seconds,
        0,
        "How long every answer waits after its call was carried out.",
    ),
    Switch(
        "refused_phones",
        "a list of phones",
        _are_phones,
        [],
        'A call that names one of these, in any spelling, answers 400 `{"error": "Invalid phone"}`.',
    ),
    Switch(
        "unregistered_phones",
        "a list of phones",
        _are_phones,
        [],
        "`phone-exists-batch` and `phone-exists` say that these, in any spelling, do not exist.",
    ),
    _of(
        "missing_client_token",
        tuple(MISSING_CLIENT_TOKEN),
        "Which of the two recorded answers a call gets without Client-Token.",
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
        "How GET `phone-exists` answers: a list of one, an object, or one whose `exists` is a string.",
    ),
    _of(
        "content_type",
        ("required", "required_with_body", "optional"),
        "Whether a call other than a GET needs `Content-Type: application/json` (else 415): always, if it has a body, "
        "or never.",
    ),
    Switch(
        "probed",
        "outcomes by the ids of facts",
        is_probed,
        {},
        'What a [probed account](how-z-api-behaves.md) answers, such as `{"unknown_path": "404 empty"}`; `--as-in` '
        "sets it from a report. A write that is answered otherwise than usual changes nothing.",
    ),
)

SWITCH_BY_NAME = {switch.name: switch for switch in SWITCHES}
SWITCH_DEFAULTS = {switch.name: switch.default for switch in SWITCHES}


def check_switches(
    given: object, table: Mapping[str, Switch] = SWITCH_BY_NAME, where: str = "switches"
) -> dict[str, Any]:
    """Return the switches given, or raise `InvalidInputError` for an unknown name or a wrong value.

    :param table: the switches that there are, by their names
    :param where: what the error calls them
    """
    switches = require_names(given, table, where)
    for name, value in switches.items():
        if not table[name].check(value):
            raise InvalidInputError(f"switch {name} must be {table[name].accepts}")
        if isinstance(value, (list, dict)) and json_size(value) > _MAX_BYTES:
            raise InvalidInputError(f"switch {name} must be at most {_MAX_BYTES} bytes")
    return switches
