"""How the emulator reads what it is given: one error, strict JSON, and the check of names."""

import json
import math
from collections.abc import Iterable
from typing import Any

#: The deepest JSON that is accepted. Python's own limit depends on the caller's stack, so a body that could be read in
#: one place could not be written back in another.
MAX_DEPTH = 64


class InvalidInputError(ValueError):
    """The input is invalid; the message says why and what is accepted."""


def _refuse_constant(name: str) -> None:
    # Python reads NaN and Infinity, which JSON does not have and which no strict reader accepts back.
    raise InvalidInputError(f"the body must be JSON, which has no {name}")


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


def parse_json(body: bytes) -> Any:
    """Return the value of a strict JSON body.

    :raises InvalidInputError: it is not JSON, holds a number that JSON or a double does not have, or is nested too deep
    """
    try:
        given = json.loads(body, parse_constant=_refuse_constant, parse_float=_finite)
    except InvalidInputError:
        raise
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f"the body must be JSON: {error}") from None
    if is_deeper_than(given, MAX_DEPTH):
        raise InvalidInputError(f"the body must be nested at most {MAX_DEPTH} deep")
    return given


def json_size(value: Any) -> int:
    """Return how many bytes a value is as JSON."""
    return len(json.dumps(value))


def json_object(body: bytes) -> dict[str, Any]:
    """Return a body as a JSON object, else raise `InvalidInputError`."""
    given = parse_json(body)
    if not isinstance(given, dict):
        raise InvalidInputError("the body must be a JSON object")
    return given


def require_names(given: object, accepted: Iterable[str], where: str) -> dict[str, Any]:
    """Return ``given`` if it is an object of accepted names, else raise `InvalidInputError` naming them."""
    if not isinstance(given, dict):
        raise InvalidInputError(f"{where} must be a JSON object")
    names = list(accepted)
    unknown = sorted(given.keys() - set(names))
    if unknown:
        raise InvalidInputError(
            f"{where} does not know {', '.join(unknown)}; accepted: {', '.join(names) if names else 'none'}"
        )
    return given
