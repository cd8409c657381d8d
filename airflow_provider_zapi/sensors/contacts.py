"""The sensor that waits until a list has, or does not have, some excluded contacts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_zapi.connection.form import DEFAULT_CONN_ID
from airflow_provider_zapi.sensors.base import ZApiSensor

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_zapi.client import ZApiClient
    from airflow_provider_zapi.privacy.settings import PrivacySetting

__all__ = ["DisallowedContactsSensor"]


class DisallowedContactsSensor(ZApiSensor):
    """Wait until a setting's excluded contacts include some contacts and not others.

    It also finds a contact that WhatsApp lists by ``@lid`` or without the ninth digit. It waits in a worker slot, or
    without one if ``mode="reschedule"``. It is not deferrable, because Airflow stores a trigger's arguments in its
    database, and these would be phone numbers.
    It also takes the parameters of `ZApiSensor`.

    Source: Z-API, ``GET privacy/disallowed-contacts``. While the value is not CONTACT_BLACKLIST, the list may be
    empty or stale (inferred).

    :param setting: ``last_seen``, ``photo``, ``description`` or ``group_add``. (templated)
    :param present: contacts that must be on the list, as a list or a JSON array in a string. (templated)
    :param absent: contacts that must not be on it. (templated)
    :param instance: the ID or exact name of the instance, if the connection covers a whole account. (templated)
    :param zapi_conn_id: the Z-API connection. (templated)
    :raises ZApiInvalidRequestError: a parameter cannot be used; nothing was sent
    """

    template_fields: Sequence[str] = ("setting", "present", "absent", "instance", "zapi_conn_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"present": "json", "absent": "json"}

    def __init__(
        self,
        *,
        setting: str | XComArg,
        present: Sequence[str | int] | str | XComArg = (),
        absent: Sequence[str | int] | str | XComArg = (),
        instance: str | XComArg | None = None,
        zapi_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.setting = setting
        self.present = present
        self.absent = absent
        if instance is not None:
            self.instance = instance
        self.zapi_conn_id = zapi_conn_id
        self._wanted: tuple[PrivacySetting, tuple[str, ...], tuple[str, ...]] | None = None

    def execute(self, context: Context) -> Any:
        """Check the parameters, then wait."""
        from airflow_provider_zapi.exceptions import ZApiInvalidRequestError
        from airflow_provider_zapi.privacy.changes import NOTHING_SENT, parse_contacts, parse_setting
        from airflow_provider_zapi.privacy.phones import contact_key

        setting = parse_setting(self.setting, "setting", with_list=True)
        present, absent = parse_contacts(self.present, "present"), parse_contacts(self.absent, "absent")
        if not present and not absent:
            raise ZApiInvalidRequestError(
                "present and absent are both empty", f"Name a contact. {NOTHING_SENT}", code="ZAPI-INVALID-LIST"
            )
        if {contact_key(contact) for contact in present} & {contact_key(contact) for contact in absent}:
            raise ZApiInvalidRequestError(
                "present and absent name the same contact", NOTHING_SENT, code="ZAPI-INVALID-CONTRADICTION"
            )
        self._wanted = setting, present, absent
        return super().execute(context)

    def look(self, client: ZApiClient) -> bool:
        """Read the list and compare it."""
        from airflow_provider_zapi.privacy.difference import ListChange, compare

        if self._wanted is None:
            raise RuntimeError("execute() checks the parameters first")
        setting, present, absent = self._wanted
        listed = client.disallowed_contacts(setting)
        wanted = compare(present, listed, client.resolve_contacts) if present else ListChange()
        missing = len(wanted.add) + len(wanted.not_on_whatsapp)
        change = compare(absent, listed, client.resolve_contacts) if absent else None
        # WhatsApp did not say who an undecided entry is. It may be one of these contacts, so it counts as present.
        there = change.kept + change.undecided if change else 0
        self.log.info(
            "Connection %s: the list of %s lacks %d of %d contacts, and holds %d of %d that it should not.",
            self.zapi_conn_id,
            setting.title,
            missing,
            len(present),
            there,
            len(absent),
        )
        return not missing and not there
