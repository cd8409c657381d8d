"""Read back the changes of one list, for tasks that state changes and no whole list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow_provider_zapi.exceptions import ZApiNotVerifiedError
from airflow_provider_zapi.privacy.difference import compare

if TYPE_CHECKING:
    from airflow_provider_zapi.client import ZApiClient
    from airflow_provider_zapi.privacy.changes import ContactChange
    from airflow_provider_zapi.privacy.settings import PrivacySetting

__all__ = ["verify_changes"]


def verify_changes(setting: PrivacySetting, changes: Sequence[ContactChange], client: ZApiClient) -> None:
    """Read a setting's list once, and check that it shows every change.

    :param changes: what was sent; each contact is on the list or not on it, in whatever form WhatsApp lists it
    :raises ZApiNotVerifiedError: a change does not show; the message says how many
    :raises ZApiError: the list could not be read
    """
    present = client.disallowed_contacts(setting)
    added = [change.phone for change in changes if change.action == "add"]
    removed = [change.phone for change in changes if change.action == "remove"]
    missing = compare(added, present, client.resolve_contacts, ask_about_missing=True) if added else None
    left = compare(removed, present, client.resolve_contacts) if removed else None
    absent = len(missing.add) + len(missing.not_on_whatsapp) if missing else 0
    still = left.kept + left.undecided if left else 0
    if not absent and not still:
        return
    gone = len(missing.not_on_whatsapp) if missing else 0
    raise ZApiNotVerifiedError(
        f"The list of {setting.title} does not show {absent} of {len(added)} additions, and still shows {still} of "
        f"{len(removed)} removals",
        "Z-API accepted every change. Reads may lag behind, or somebody else writes to the list; retry later."
        + (f" {gone} of the additions {'is' if gone == 1 else 'are'} not on WhatsApp." if gone else "")
        + (
            " A removal matches only the exact entry that a read of the list returns; a policy, which states the whole "
            "list, finds the entries itself."
            if still
            else ""
        ),
        endpoint=setting.endpoint,
        code="ZAPI-NOT-VERIFIED-CHANGES",
    )
