"""The asset that represents a number's privacy.

Its URI is ``zapi://<connection id>/privacy``, or ``zapi://<connection id>/<instance id>/privacy`` if the connection has
a whole account.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from urllib.parse import SplitResult

__all__ = ["privacy_uri", "sanitize_uri"]


def privacy_uri(conn_id: str, instance_id: str | None = None) -> str:
    """Return the URI of the asset that is updated when the privacy of a number changes.

    :param conn_id: the number's connection
    :param instance_id: the instance, if the connection covers a whole account
    """
    of_account = "" if instance_id is None else f"/{quote(instance_id, safe='')}"
    return f"zapi://{quote(conn_id, safe='')}{of_account}/privacy"


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """Check a ``zapi://`` URI. Airflow requires this function for each URI scheme of a provider.

    :raises ValueError: the URI is neither ``zapi://<connection id>/privacy`` nor
        ``zapi://<connection id>/<instance id>/privacy``
    """
    instance, _, _ = uri.path.removeprefix("/").rpartition("/")
    wanted = f"/{instance}/privacy" if instance else "/privacy"
    if not uri.netloc or uri.path != wanted or "/" in instance or uri.query or uri.fragment:
        raise ValueError("a zapi:// URI must be zapi://<connection id>[/<instance id>]/privacy")
    return uri
