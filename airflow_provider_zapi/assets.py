"""The asset that stands for a number's privacy: ``zapi://<connection id>/privacy``."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from urllib.parse import SplitResult

__all__ = ["privacy_uri", "sanitize_uri"]


def privacy_uri(conn_id: str) -> str:
    """Return the URI of the asset that is updated when the privacy of a connection's number changes."""
    return f"zapi://{quote(conn_id, safe='')}/privacy"


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """Check a ``zapi://`` URI, as Airflow asks a provider to.

    :raises ValueError: it is not ``zapi://<connection id>/privacy``
    """
    if not uri.netloc or uri.path != "/privacy" or uri.query or uri.fragment:
        raise ValueError("a zapi:// URI must be zapi://<connection id>/privacy")
    return uri
