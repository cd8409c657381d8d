"""The Airflow asset for a number's privacy: ``zapi://<connection id>/privacy``."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from urllib.parse import SplitResult

__all__ = ["privacy_uri", "sanitize_uri"]


def privacy_uri(conn_id: str) -> str:
    """Return the URI of a connection's asset. Tasks that change the privacy of its number update the asset."""
    return f"zapi://{quote(conn_id, safe='')}/privacy"


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """Check a ``zapi://`` URI. Airflow requires this function of a provider.

    :raises ValueError: the URI is not ``zapi://<connection id>/privacy``
    """
    if not uri.netloc or uri.path != "/privacy" or uri.query or uri.fragment:
        raise ValueError("a zapi:// URI must be zapi://<connection id>/privacy")
    return uri
