"""The moments that Z-API's answers name."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

__all__ = ["moment"]

#: Moments from 2010 to 2200, which no number of seconds of these years is taken for.
_MILLISECONDS = range(1_262_304_000_000, 7_258_118_400_000)
_ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ]|$)", re.ASCII)


def moment(value: Any) -> datetime | None:
    """Return the moment that ``due`` names; its form is not published, so all but two unmistakable ones are refused."""
    if isinstance(value, int) and not isinstance(value, bool):
        # Seconds in place of milliseconds would be a date in January 1970.
        return datetime.fromtimestamp(value / 1000, UTC) if value in _MILLISECONDS else None
    if not isinstance(value, str) or not _ISO_DATE.match(value):
        return None
    try:
        read = datetime.fromisoformat(value)
        # A date without a time, or a time without a zone, is read as UTC: wrong by less than a day.
        return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # the latter at the ends of the calendar, which a zone can lead out of
        return None
