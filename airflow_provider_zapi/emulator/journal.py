"""The record of the requests received, without secrets: what is kept of one, and which of them match a description."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from airflow_provider_zapi.emulator.checks import (
    InvalidInputError,
    is_deeper_than,
    json_size,
    parse_json,
    require_names,
)
from airflow_provider_zapi.emulator.contract import SETTING_BY_PATH

__all__ = ["MATCHED_BY", "REMEMBERED_BODY", "check_pattern", "hide_secrets", "matching", "path_of", "remembered"]

#: A longer body is remembered by its length only, so that the record of requests stays small.
REMEMBERED_BODY = 64 * 1024
#: A longer path is cut.
_REMEMBERED_PATH = 2_000
_TOKEN = re.compile(r"(/token/+)[^/]+")
#: Shorter values of a header would hide ordinary words.
_SHORTEST_SECRET = 6
#: Where the path below the instance's address begins in a recorded path.
_BELOW = re.compile(r"/instances/[^/]+/token/+\*\*\*/")

#: What a description of requests may name.
MATCHED_BY = ("path", "method", "instance", "status", "query", "body")


def hide_secrets(path: str, secrets: Iterable[str]) -> str:
    """Return a request's path without the instance token, and with nothing that could move a cursor."""
    hidden = without_secrets(_TOKEN.sub(r"\1***", path), secrets)
    return "".join(character if character.isprintable() else "?" for character in hidden)[:_REMEMBERED_PATH]


def without_secrets(value: Any, secrets: Iterable[str]) -> Any:
    """Return a JSON value with each of these secrets replaced in its strings and names."""
    hidden = [secret for secret in secrets if len(secret) >= _SHORTEST_SECRET]
    if not hidden:
        return value
    pattern = re.compile("|".join(map(re.escape, sorted(hidden, key=len, reverse=True))))

    def clean(one: Any) -> Any:
        if isinstance(one, str):
            return pattern.sub("***", one)
        if isinstance(one, dict):
            return {clean(name): clean(inner) for name, inner in one.items()}
        return [clean(inner) for inner in one] if isinstance(one, list) else one

    return clean(value)


def remembered(body: bytes, secrets: Iterable[str]) -> tuple[Any, int]:
    """Return what the record keeps of a body, and how many bytes that is.

    :return: the JSON value, or the text where it is not JSON, or the length where it is too long
    """
    if not body:
        return None, 0
    if len(body) > REMEMBERED_BODY:
        return f"({len(body)} bytes)", 32
    try:
        value = parse_json(body)
    except InvalidInputError:
        value = body.decode("utf-8", "replace")
    value = without_secrets(value, secrets)
    return value, json_size(value)


def path_of(request: Mapping[str, Any]) -> str:
    """Return the path of a recorded request below the instance's address, such as ``privacy/last-seen``."""
    return _BELOW.sub("", str(request["path"]), count=1)


def check_pattern(given: object, also: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return a description of requests, or raise `InvalidInputError` for what it cannot hold."""
    pattern = require_names(given, (*MATCHED_BY, *also), "a description of requests")
    for name, kind in (("path", str), ("method", str), ("instance", str), ("query", dict), ("body", dict)):
        if name in pattern and not isinstance(pattern[name], kind):
            raise InvalidInputError(f"{name} must be {'a string' if kind is str else 'a JSON object'}")
    status = pattern.get("status", 200)
    if isinstance(status, bool) or not isinstance(status, int):
        raise InvalidInputError("status must be an integer")
    if is_deeper_than(pattern, 32):
        raise InvalidInputError("a description of requests must be nested at most 32 deep")
    return pattern


def matching(requests: Iterable[Mapping[str, Any]], pattern: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the recorded requests that match a description.

    Method and instance must be equal. The path is the one below the instance's address, or the whole one. Query and
    body must hold what is given, and may hold more; the name ``value`` stands for a privacy setting's own parameter.
    """
    return [request for request in requests if _matches(request, pattern)]


def _matches(request: Mapping[str, Any], pattern: Mapping[str, Any]) -> bool:
    if "path" in pattern and pattern["path"] not in (request["path"], path_of(request)):
        return False
    if "method" in pattern and pattern["method"].upper() != request["method"]:
        return False
    if any(name in pattern and pattern[name] != request[name] for name in ("instance", "status")):
        return False
    setting = SETTING_BY_PATH.get(path_of(request))
    for name in ("query", "body"):
        carried = request[name] if isinstance(request[name], dict) else {}
        for parameter, value in pattern.get(name, {}).items():
            if parameter == "value" and setting is not None:
                parameter = setting.parameter
            if parameter not in carried or carried[parameter] != value:
                return False
    return True
