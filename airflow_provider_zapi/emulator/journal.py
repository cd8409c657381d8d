"""Record received requests without secrets, and find those that match a description."""

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

#: In bytes. Only the length of a longer body is recorded, so that the record of requests stays small.
REMEMBERED_BODY = 64 * 1024
#: The maximum length of a recorded path. Longer paths are cut.
_REMEMBERED_PATH = 2_000
_TOKEN = re.compile(r"(/token/+)[^/]+")
#: The shortest header value that is hidden. Hiding shorter values would remove ordinary words.
_SHORTEST_SECRET = 6
#: The beginning of a recorded path: everything up to and including the token.
_BELOW = re.compile(r"/instances/[^/]+/token/+\*\*\*/")

#: The names that a description of requests may have.
MATCHED_BY = ("path", "method", "instance", "status", "query", "body")


def hide_secrets(path: str, secrets: Iterable[str]) -> str:
    """Return a request's path without the instance token and without control characters."""
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
    """Return the recorded form of a body, and its size in bytes.

    :return: the JSON value, the text if it is not JSON, or the length if it is too long
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
    """Return a checked description of requests.

    :raises InvalidInputError: the description is invalid
    """
    pattern = require_names(given, (*MATCHED_BY, *also), "a description of requests")
    for name, kind in (("path", str), ("method", str), ("instance", str), ("query", dict), ("body", dict)):
        if name in pattern and not isinstance(pattern[name], kind):
            raise InvalidInputError(f"{name} must be {'a string' if kind is str else 'a JSON object'}")
    status = pattern.get("status", 200)
    if isinstance(status, bool) or not isinstance(status, int):
        raise InvalidInputError("status must be an integer")
    if is_deeper_than(pattern, 32):
        raise InvalidInputError("a description of requests must be nested at most 32 levels deep")
    return pattern


def matching(requests: Iterable[Mapping[str, Any]], pattern: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the recorded requests that match a description.

    The method and the instance must be equal. The path is the whole path, or the path below the instance's address. The
    query and the body must have the given names and values, and may have more. The name ``value`` stands for the
    privacy setting's parameter.
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
