"""Describe an answer without its content: which keys it has, and which kinds of values.

This uses an allow-list instead of redaction. A key appears by name only if Z-API's documentation names it, and a value
never appears. So nothing that a server echoes can get into a description.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_provider_zapi.privacy.phones import is_contact

__all__ = ["by_length", "compact", "shape"]

_DOCUMENTED = (
    "about autoReadMessage callRejectAuto callRejectMessage connected connectedCallbackUrl content "
    "created deliveryCallbackUrl device device_model disallowedContacts disconnectedCallbackUrl due error "
    "exists id imgUrl initialDataCallbackUrl inputPhone isBusiness lid message messageId "
    "messageStatusCallbackUrl middleware name originalDevice outputPhone page pageSize paymentStatus "
    "phone phoneConnected presenceChatCallbackUrl receiveCallbackSentByMe receivedCallbackUrl "
    "receivedAndDeliveryCallbackUrl sessionId sessionName smartphoneConnected success tenant token total "
    "totalPage value whatsappConnected zaapId "
)
#: Keys that Z-API's documentation names.
KNOWN_KEYS = frozenset(_DOCUMENTED.split())
#: The most levels, keys and different entries of an answer that are described.
_DEEPEST, _MOST_KEYS, _MOST_KINDS = 6, 60, 8
#: The count shown for a longer list, because the number of excluded contacts is private.
_MANY = "several"


def by_length(text: str) -> str:
    """Describe an unknown string by its length."""
    return f"text({len(text)})"


def shape(value: Any, name: Callable[[str], str] = by_length, depth: int = 0) -> Any:
    """Return the shape of a parsed JSON value: an object's keys, a list's different entries, and the kinds of values.

    :param name: describes a string or an unknown key
    """
    if depth > _DEEPEST:
        return "deeper"
    if isinstance(value, dict):
        keys = list(value)[:_MOST_KEYS]
        described = {key if key in KNOWN_KEYS else f"?{name(key)}": shape(value[key], name, depth + 1) for key in keys}
        return {"object": described, **({"more_keys": True} if len(value) > len(keys) else {})}
    if isinstance(value, list):
        kinds: list[Any] = []
        for entry in value:
            kind = shape(entry, by_length, depth + 1)
            if kind not in kinds:
                kinds.append(kind)
            if len(kinds) == _MOST_KINDS:
                break
        return {"list": str(len(value)) if len(value) < 2 else _MANY, "of": kinds}
    if isinstance(value, str):
        return _kind_of_text(value) or name(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else "number"


def compact(value: Any, name: Callable[[str], str] = by_length) -> str:
    """Return the shape of a parsed JSON value on one line, for a message."""
    return _line(shape(value, name))[:_LONGEST_LINE]


_LONGEST_LINE = 500


def _line(described: Any) -> str:
    if not isinstance(described, dict):
        return str(described)
    if "object" in described:
        pairs = [f"{key}: {_line(inner)}" for key, inner in described["object"].items()]
        return "{" + ", ".join([*pairs, *(["..."] if "more_keys" in described else [])]) + "}"
    return f"[{described['list']}" + (": " + " | ".join(map(_line, described["of"])) if described["of"] else "") + "]"


def _kind_of_text(text: str) -> str | None:
    if is_contact(text):
        return "lid" if text.endswith("@lid") else "phone"
    return None
