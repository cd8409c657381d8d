"""JSON Schemas of the JSON interface's bodies, generated from the tables that check them."""

from collections.abc import Iterable
from typing import Any

from airflow_provider_zapi.emulator.contract import SETTINGS
from airflow_provider_zapi.emulator.faults import FAULTS, MAX_SECONDS
from airflow_provider_zapi.emulator.partner import ACCOUNT_SWITCHES
from airflow_provider_zapi.emulator.switches import SWITCHES, Switch

__all__ = ["ACCOUNT", "FAULT", "INSTANCE", "NEW_INSTANCE", "PATTERN"]

_STRING = {"type": "string"}
_OBJECT = {"type": "object"}
_FLAG = {"type": "boolean"}
_IDENTIFIERS = {"type": "array", "items": {"type": "string", "pattern": "^[0-9]{8,15}$"}}


def _setting(values: tuple[str, ...], has_list: bool) -> dict[str, Any]:
    properties: dict[str, Any] = {"value": {"enum": list(values)}}
    if has_list:
        properties["excluded"] = _IDENTIFIERS
    return {**_OBJECT, "properties": properties, "additionalProperties": False}


def _switches(switches: Iterable[Switch]) -> dict[str, Any]:
    def schema(switch: Switch) -> dict[str, Any]:
        if switch.choices:
            return {"enum": list(switch.choices)}
        kinds: dict[type, dict[str, Any]] = {list: {"type": "array"}, str: _STRING}
        return kinds.get(type(switch.default), {"type": "number", "minimum": 0})

    return {
        **_OBJECT,
        "properties": {switch.name: schema(switch) for switch in switches},
        "additionalProperties": False,
    }


#: The switches of an account.
ACCOUNT = _switches(ACCOUNT_SWITCHES)

#: The parts of an instance.
INSTANCE: dict[str, Any] = {
    **_OBJECT,
    "properties": {
        "token": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,200}$"},
        "client_token": {"type": ["string", "null"], "pattern": "^[!-~]{1,200}$"},
        "phone": {"type": "string", "pattern": "^[0-9]{8,15}$"},
        "name": {"type": "string", "maxLength": 200},
        "profile_name": {"type": ["string", "null"], "maxLength": 200},
        "connected": _FLAG,
        "smartphone_connected": _FLAG,
        "subscription": {"enum": ["active", "lapsed"]},
        "settings": {
            **_OBJECT,
            "properties": {setting.name: _setting(setting.values, setting.scope is not None) for setting in SETTINGS},
            "additionalProperties": False,
        },
        "switches": _switches(SWITCHES),
    },
    "additionalProperties": False,
}

NEW_INSTANCE = {**INSTANCE, "required": ["token", "client_token", "phone"]}

#: A description of requests, and their expected number.
PATTERN: dict[str, Any] = {
    **_OBJECT,
    "properties": {
        "path": _STRING,
        "method": _STRING,
        "instance": _STRING,
        "status": {"type": "integer"},
        "query": _OBJECT,
        "body": _OBJECT,
        "times": {"type": "integer", "minimum": 0},
    },
    "additionalProperties": False,
}

FAULT: dict[str, Any] = {
    **_OBJECT,
    "properties": {
        "fault": {"enum": [kind.name for kind in FAULTS]},
        "path": _STRING,
        "method": _STRING,
        "instance": _STRING,
        "times": {"type": ["integer", "null"], "minimum": 1},
        "probability": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
        "seed": {"type": "integer", "minimum": 0},
        "status": {"type": "integer", "minimum": 200, "maximum": 599},
        "body": {},
        "headers": {**_OBJECT, "additionalProperties": _STRING},
        "seconds": {"type": "number", "minimum": 0, "maximum": MAX_SECONDS},
    },
    "required": ["fault"],
    "additionalProperties": False,
}
