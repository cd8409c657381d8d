"""Check the number that is paired with an instance. An instance can be paired with any phone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_zapi.catching import caught
from airflow_provider_zapi.connection.form import LABELS
from airflow_provider_zapi.exceptions import ZApiConfigurationError
from airflow_provider_zapi.privacy.phones import hide_phone, normalize_contact, same_contact

if TYPE_CHECKING:
    from airflow_provider_zapi.client import ZApiClient

__all__ = ["expected_phone", "require_phone"]


def expected_phone(value: object, conn_id: str | None) -> str | None:
    """Return the expected phone of a connection, or None if the connection does not have one.

    :param value: the extra ``phone``; the form stores an empty field as null or ``""``
    :raises ZApiConfigurationError: the value is not a phone number
    """
    if value is None or value == "":
        return None
    phone = caught(lambda: normalize_contact(value), ValueError)
    if isinstance(phone, ValueError):
        raise ZApiConfigurationError(
            f"{LABELS['phone']} (extra 'phone') cannot be used: {phone}",
            "Leave it empty to accept any number. Nothing was sent.",
            conn_id=conn_id,
            code="ZAPI-CONFIG-PHONE",
        )
    return phone


def require_phone(client: ZApiClient, expected: str, conn_id: str | None) -> None:
    """Check that the instance is paired with the expected number, in any of its forms.

    :param expected: the number, as `normalize_contact` returns it
    :raises ZApiConfigurationError: another number is paired
    """
    paired = client.paired_phone()
    if not same_contact(paired, expected):
        raise ZApiConfigurationError(
            f"The instance is paired with {hide_phone(paired)}, but {hide_phone(expected)} is expected",
            f"Nothing was changed. Pair the expected phone in the Z-API panel, or correct {LABELS['phone']} (or the "
            "parameter 'expected_phone').",
            conn_id=conn_id,
            code="ZAPI-CONFIG-OTHER-PHONE",
        )
