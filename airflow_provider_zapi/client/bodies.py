"""Parse a body as strict JSON, without repeated keys."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

__all__ = ["NotJson", "parse_body"]


@dataclass(frozen=True, slots=True)
class NotJson:
    """The reason why a body is not JSON."""

    why: str


def parse_body(body: bytes) -> Any:
    """Parse JSON strictly, because ambiguous JSON proves nothing."""
    if not body.strip():
        return NotJson("it is empty")
    try:
        return json.loads(body.decode("utf-8-sig"), parse_constant=_refuse, object_pairs_hook=_unique)
    except RecursionError:
        return NotJson("its JSON is nested too deeply")
    except ValueError:
        return NotJson("it is not JSON")


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key is repeated")
    return result
