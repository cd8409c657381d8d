"""Check which headers an answer can have."""

import re

__all__ = ["can_be_sent"]

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}")
_VALUE = re.compile(r"(?:[!-~\x80-\xff](?:[ \t!-~\x80-\xff]{0,4000}[!-~\x80-\xff])?)?")
#: The server sets these headers according to the body.
_FRAMING = {"connection", "content-length", "transfer-encoding"}


def can_be_sent(headers: object) -> bool:
    """Return whether HTTP can send these headers, and they do not contradict the body's length."""
    return (
        isinstance(headers, dict)
        and len(headers) <= 100
        and all(
            isinstance(name, str)
            and isinstance(value, str)
            and _NAME.fullmatch(name)
            and _VALUE.fullmatch(value)
            and name.lower() not in _FRAMING
            for name, value in headers.items()
        )
    )
