"""Verify the changes to one list, for tasks that send changes instead of a whole list."""

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

    :param changes: the changes that were sent; WhatsApp may list a contact in any of its forms
    :raises ZApiNotVerifiedError: the list does not show every change; the message has the number of missing ones
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
        "Z-API accepted every change. Reads may lag behind, or somebody else changes the list. Retry later."
        + (f" {gone} of the additions {'is' if gone == 1 else 'are'} not on WhatsApp." if gone else "")
        + (
            " WhatsApp removes a contact only in the exact form that the list shows. A policy contains the whole list "
            "and finds the exact form itself."
            if still
            else ""
        ),
        endpoint=setting.endpoint,
        code="ZAPI-NOT-VERIFIED-CHANGES",
    )
