"""How the emulator reads what it is given: one error, and the two checks that every JSON object needs."""

import json
from collections.abc import Iterable
from typing import Any


class InvalidInputError(ValueError):
    """What was given cannot be used; the text says why and what is accepted."""


def _refuse_constant(name: str) -> None:
    # Python reads NaN and Infinity, which no JSON has and which could not be answered back.
    raise InvalidInputError(f"the body must be JSON: {name} is none")


def json_object(body: bytes) -> dict[str, Any]:
    """Return a body as a JSON object, else raise `InvalidInputError`."""
    try:
        given = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f"the body must be JSON: {error}") from None
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
        raise InvalidInputError(f"{where} does not know {', '.join(unknown)}; accepted: {', '.join(names)}")
    return given
