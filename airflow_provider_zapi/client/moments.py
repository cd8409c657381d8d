"""Parse the dates in Z-API's answers."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

__all__ = ["moment"]

#: The years 2010 to 2200 in milliseconds. No number of seconds in these years is in this range.
_MILLISECONDS = range(1_262_304_000_000, 7_258_118_400_000)
_ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ]|$)", re.ASCII)


def moment(value: Any) -> datetime | None:
    """Return the date in ``due``, or None. Its form is not documented, so only two unambiguous forms are accepted."""
    if isinstance(value, int) and not isinstance(value, bool):
        # Seconds instead of milliseconds would be a date in January 1970.
        return datetime.fromtimestamp(value / 1000, UTC) if value in _MILLISECONDS else None
    if not isinstance(value, str) or not _ISO_DATE.match(value):
        return None
    try:
        read = datetime.fromisoformat(value)
        # A date without a time, or a time without a zone, is read as UTC. The error is less than a day.
        return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # OverflowError: the time zone moves the date past year 1 or 9999
        return None
