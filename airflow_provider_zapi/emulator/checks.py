"""Check the emulator's input: strict JSON, known names, and one error class."""

import json
import math
from collections.abc import Iterable
from typing import Any

#: The deepest JSON that is accepted. Python's limit depends on the caller's stack, so without this limit, a body that
#: was read in one place could fail to be written in another.
MAX_DEPTH = 64
#: The most lists and objects in JSON. It is far more than any call needs. Millions of empty ones fit into a body, and
#: each takes about 60 bytes of memory.
_MAX_PARTS = 500_000


class InvalidInputError(ValueError):
    """The input is invalid. The message says why, and what is accepted."""


def _refuse_constant(name: str) -> None:
    # Python reads NaN and Infinity, which are not valid JSON, and strict parsers refuse them.
    raise InvalidInputError(f"the body must be JSON, which does not allow {name}")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise InvalidInputError("the body must be JSON with numbers that fit a double")
    return number


def is_deeper_than(value: Any, depth: int) -> bool:
    """Return whether lists and objects are nested deeper than ``depth``, without recursion."""
    level = [value]
    for _ in range(depth + 1):
        level = [
            inner
            for one in level
            if isinstance(one, (dict, list))
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return False
    return True


def parse_json(body: bytes, max_parts: int | None = _MAX_PARTS) -> Any:
    """Return the value of a strict JSON body.

    :param max_parts: the most lists and objects that it may have; None for no limit
    :raises InvalidInputError: it is not JSON, has a number that JSON or a double cannot hold, or is nested too deeply
    """
    if max_parts is not None and body.count(b"[") + body.count(b"{") > max_parts:
        raise InvalidInputError(f"the body must be JSON with at most {max_parts} lists and objects")
    try:
        given = json.loads(body, parse_constant=_refuse_constant, parse_float=_finite)
    except InvalidInputError:
        raise
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f"the body must be JSON: {error}") from None
    if is_deeper_than(given, MAX_DEPTH):
        raise InvalidInputError(f"the body must be nested at most {MAX_DEPTH} levels deep")
    return given


def json_size(value: Any) -> int:
    """Return how many bytes a value is as JSON."""
    return len(json.dumps(value))


def json_object(body: bytes, max_parts: int | None = _MAX_PARTS) -> dict[str, Any]:
    """Return a body as a JSON object.

    :raises InvalidInputError: it is not a JSON object
    """
    given = parse_json(body, max_parts)
    if not isinstance(given, dict):
        raise InvalidInputError("the body must be a JSON object")
    return given


def require_names(given: object, accepted: Iterable[str], where: str) -> dict[str, Any]:
    """Return ``given`` if it is an object with accepted names only.

    :raises InvalidInputError: it is not; the message has the accepted names
    """
    if not isinstance(given, dict):
        raise InvalidInputError(f"{where} must be a JSON object")
    names = list(accepted)
    unknown = sorted(given.keys() - set(names))
    if unknown:
        raise InvalidInputError(
            f"{where} has unknown names: {', '.join(unknown)}; accepted: {', '.join(names) if names else 'none'}"
        )
    return given
