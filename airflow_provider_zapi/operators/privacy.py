"""The operators that set a number's privacy. Each takes the parameters of one setting.

They check their parameters after rendering and before they send anything. An invalid parameter raises
`ZApiInvalidRequestError`. If Z-API does not apply the change, they raise another `ZApiError`. The operators are
idempotent, so a task can be retried. The result is ``{"setting", "value", "sent_add", "sent_remove", "calls"}``. It
counts what was sent and holds no phone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_zapi.connection.form import DEFAULT_CONN_ID
from airflow_provider_zapi.operators.base import ZApiOperator, settings_of_other_tasks
from airflow_provider_zapi.privacy.settings import (
    CONTACT_BLACKLIST,
    DESCRIPTION,
    GROUP_ADD,
    LAST_SEEN,
    MESSAGES_DURATION,
    ONLINE,
    PHOTO,
    READ_RECEIPTS,
    PrivacySetting,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_zapi.client import ZApiClient
    from airflow_provider_zapi.privacy.changes import ContactChange

__all__ = [
    "GetDisallowedContactsOperator",
    "SetDescriptionPrivacyOperator",
    "SetGroupAddPrivacyOperator",
    "SetLastSeenPrivacyOperator",
    "SetMessagesDurationOperator",
    "SetOnlinePrivacyOperator",
    "SetProfilePhotoPrivacyOperator",
    "SetReadReceiptsOperator",
]


class SettingOperator(ZApiOperator):
    """The base class of operators that set one setting. A subclass names the setting and takes the parameters."""

    setting: ClassVar[PrivacySetting]
    #: The name of the parameter that holds the value.
    value_parameter: ClassVar[str]

    def execute(self, context: Context) -> dict[str, Any]:
        """Check the parameters, send them, and return the counts."""
        from airflow_provider_zapi.privacy.changes import parse_value

        value = parse_value(self.setting, getattr(self, self.value_parameter), self.value_parameter)
        changes = self.changes(value)
        self.warn_about_pool()
        with self.client() as client:
            calls = client.set_privacy(self.setting, value, changes, progress=self._log_progress)
            verified = self.read_back(client, changes)
        additions = sum(change.action == "add" for change in changes)
        removals = len(changes) - additions
        self._log_success(value, additions, removals)
        self._log_consequences(value, context)
        return {
            "setting": self.setting.name,
            "value": value,
            "sent_add": additions,
            "sent_remove": removals,
            "calls": calls,
            **verified,
        }

    def changes(self, value: str) -> Sequence[ContactChange]:
        """Return the checked changes to the setting's list, or nothing if it has no list."""
        return ()

    def _log_success(self, value: str, additions: int, removals: int) -> None:
        from airflow_provider_zapi.wording import counted

        sent = f", with {counted(additions, 'addition')} and {counted(removals, 'removal')} of excluded contacts"
        self.log.info(
            "Z-API accepted for connection %s: %s is set to %s%s.",
            self.zapi_conn_id,
            self.setting.title,
            value,
            sent if additions or removals else "",
        )

    def _log_progress(self, done: int, total: int) -> None:
        if done < total:
            self.log.info("%d of %d changes were sent.", done, total)

    def read_back(self, client: ZApiClient, changes: Sequence[ContactChange]) -> dict[str, Any]:
        """Read the list back and return the result's ``verified``. Only lists can be read back, not values."""
        return {}

    def _log_consequences(self, value: str, context: Context) -> None:
        from airflow_provider_zapi.privacy.consequences import consequences

        for sentence in consequences({self.setting.name: value}, settings_of_other_tasks(self, context)):
            self.log.info("%s", sentence)


class VisibilityOperator(SettingOperator):
    """The base class of operators that set who sees something."""

    template_fields: Sequence[str] = ("visualization_type", "instance", "zapi_conn_id")
    value_parameter = "visualization_type"

    def __init__(
        self,
        *,
        visualization_type: str | XComArg,
        instance: str | XComArg | None = None,
        zapi_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.visualization_type = visualization_type
        if instance is not None:
            self.instance = instance
        self.zapi_conn_id = zapi_conn_id


class VisibilityWithListOperator(SettingOperator):
    """The base class of operators that set who sees something, with a list of excluded contacts."""

    template_fields: Sequence[str] = ("visualization_type", "contacts_blacklist", "instance", "zapi_conn_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"contacts_blacklist": "json"}
    template_ext: Sequence[str] = (".json",)
    value_parameter = "visualization_type"
    #: Whether the DAG passed a list. If it did and the list is None after rendering, an earlier task returned nothing.
    _list_given: bool = False

    def __init__(
        self,
        *,
        visualization_type: str | XComArg,
        contacts_blacklist: Sequence[Mapping[str, Any]] | str | XComArg | None = None,
        verify: bool = False,
        instance: str | XComArg | None = None,
        zapi_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.visualization_type = visualization_type
        self.contacts_blacklist = contacts_blacklist
        self.verify = verify
        if instance is not None:
            self.instance = instance
        self.zapi_conn_id = zapi_conn_id
        if contacts_blacklist is not None:
            self._list_given = True

    def changes(self, value: str) -> Sequence[ContactChange]:
        """Return the checked changes to the setting's list."""
        from airflow_provider_zapi.privacy.changes import parse_changes

        changes = parse_changes(
            self.setting, value, self.contacts_blacklist, "contacts_blacklist", given=self._list_given
        )
        if value == CONTACT_BLACKLIST and not changes:
            self.log.info(
                "No contacts_blacklist was given, so only the value is set. The list of excluded contacts is unchanged."
            )
        return changes

    def read_back(self, client: ZApiClient, changes: Sequence[ContactChange]) -> dict[str, Any]:
        """Read the list once and compare it with the changes that were sent.

        :raises ZApiNotVerifiedError: the list does not show every change
        """
        if not self.verify:
            return {}
        from airflow_provider_zapi.reconcile import verify_changes

        if not changes:
            return {"verified": None}
        verify_changes(self.setting, changes, client)
        return {"verified": True}


class ValueOperator(SettingOperator):
    """The base class of operators that set a value other than an audience."""

    template_fields: Sequence[str] = ("value", "instance", "zapi_conn_id")
    value_parameter = "value"

    def __init__(
        self,
        *,
        value: str | XComArg,
        instance: str | XComArg | None = None,
        zapi_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.value = value
        if instance is not None:
            self.instance = instance
        self.zapi_conn_id = zapi_conn_id


class SetLastSeenPrivacyOperator(VisibilityWithListOperator):
    """Set who sees when this WhatsApp number was last online.

    Source: Z-API, ``POST privacy/last-seen``.

    :param visualization_type: ``ALL``, ``NONE``, ``CONTACTS`` or ``CONTACT_BLACKLIST`` (all contacts except those
        on the list). (templated)
    :param contacts_blacklist: changes to that list, for ``CONTACT_BLACKLIST`` only: a list of
        ``{"action": "add" | "remove", "phone": "5544991111111"}``, the same list as a JSON string, or the name of a
        ``.json`` file beside the DAG. Send only the changes, not the contacts that are already on the list. Without
        this parameter, the list does not change. At most 10,000. (templated)
    :param verify: read the list once after the last call. If it does not show every change, the task fails with
        `ZApiNotVerifiedError` and can be retried. The result has ``verified``
    :param instance: the ID or exact name of the instance, if the connection covers a whole account. (templated)
    :param zapi_conn_id: the Z-API connection. (templated)
    """

    setting = LAST_SEEN


class SetProfilePhotoPrivacyOperator(VisibilityWithListOperator):
    """Set who sees this WhatsApp number's profile photo.

    Source: Z-API, ``POST privacy/photo``.

    :param visualization_type: ``ALL``, ``NONE``, ``CONTACTS`` or ``CONTACT_BLACKLIST``. (templated)
    :param contacts_blacklist: changes to the photo's own list, as in `SetLastSeenPrivacyOperator`. (templated)
    :param verify: read the list back, as in `SetLastSeenPrivacyOperator`
    :param instance: the ID or exact name of the instance, if the connection covers a whole account. (templated)
    :param zapi_conn_id: the Z-API connection. (templated)
    """

    setting = PHOTO


class SetDescriptionPrivacyOperator(VisibilityWithListOperator):
    """Set who sees this WhatsApp number's description ("about").

    Source: Z-API, ``POST privacy/description``.

    :param visualization_type: ``ALL``, ``NONE``, ``CONTACTS`` or ``CONTACT_BLACKLIST``. (templated)
    :param contacts_blacklist: changes to the description's own list, as in `SetLastSeenPrivacyOperator`. (templated)
    :param verify: read the list back, as in `SetLastSeenPrivacyOperator`
    :param instance: the ID or exact name of the instance, if the connection covers a whole account. (templated)
    :param zapi_conn_id: the Z-API connection. (templated)
    """

    setting = DESCRIPTION


class SetGroupAddPrivacyOperator(VisibilityWithListOperator):
    """Set who may add this WhatsApp number to groups.

    Source: Z-API, ``POST privacy/group-add``.

    :param visualization_type: ``ALL``, ``CONTACTS`` or ``CONTACT_BLACKLIST``; Z-API has no ``NONE`` here. (templated)
    :param contacts_blacklist: changes to this setting's own list, as in `SetLastSeenPrivacyOperator`. (templated)
    :param verify: read the list back, as in `SetLastSeenPrivacyOperator`
    :param instance: the ID or exact name of the instance, if the connection covers a whole account. (templated)
    :param zapi_conn_id: the Z-API connection. (templated)
    """

    setting = GROUP_ADD


class SetOnlinePrivacyOperator(VisibilityOperator):
    """Set who sees that this WhatsApp number is online.

    Source: Z-API, ``POST privacy/online``.

    :param visualization_type: ``ALL``, or ``SAME_LAST_SEEN`` (the people who see last seen). (templated)
    :param instance: the ID or exact name of the instance, if the connection covers a whole account. (templated)
    :param zapi_conn_id: the Z-API connection. (templated)
    """

    setting = ONLINE


class SetReadReceiptsOperator(ValueOperator):
    """Set whether people see that this WhatsApp number read their messages.

    Source: Z-API, ``POST privacy/read-receipts``.

    :param value: ``enable`` or ``disable``. (templated)
    :param instance: the ID or exact name of the instance, if the connection covers a whole account. (templated)
    :param zapi_conn_id: the Z-API connection. (templated)
    """

    setting = READ_RECEIPTS


class SetMessagesDurationOperator(ValueOperator):
    """Set how long messages last in new one-to-one chats of this WhatsApp number.

    Source: Z-API, ``POST privacy/messages-duration``.

    :param value: ``days90``, ``days7``, ``hours24`` or ``disable``. (templated)
    :param instance: the ID or exact name of the instance, if the connection covers a whole account. (templated)
    :param zapi_conn_id: the Z-API connection. (templated)
    """

    setting = MESSAGES_DURATION


class GetDisallowedContactsOperator(ZApiOperator):
    """Read a setting's list of excluded contacts and return it to later tasks.

    No other result of this provider holds phone numbers. Airflow keeps it in its database and shows it in the task's
    XCom. With ``as_count``, the result is only the number of contacts.

    Source: Z-API, ``GET privacy/disallowed-contacts``. While the value is not CONTACT_BLACKLIST, the list may be
    empty or stale (inferred).

    :param setting: ``last_seen``, ``photo``, ``description`` or ``group_add``. (templated)
    :param as_count: return only the number of contacts
    :param instance: the ID or exact name of the instance, if the connection covers a whole account. (templated)
    :param zapi_conn_id: the Z-API connection. (templated)
    """

    template_fields: Sequence[str] = ("setting", "instance", "zapi_conn_id")

    def __init__(
        self,
        *,
        setting: str | XComArg,
        as_count: bool = False,
        instance: str | XComArg | None = None,
        zapi_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.setting = setting
        self.as_count = as_count
        if instance is not None:
            self.instance = instance
        self.zapi_conn_id = zapi_conn_id

    def execute(self, context: Context) -> list[str] | int:
        """Read the list.

        :return: the contacts exactly as WhatsApp lists them (phones or ``@lid`` identifiers), or their number. Other
            entries are left out of both, and a warning logs how many there are
        """
        from airflow_provider_zapi.privacy.changes import parse_setting
        from airflow_provider_zapi.privacy.phones import split_contacts

        setting = parse_setting(self.setting, "setting", with_list=True)
        with self.client() as client:
            contacts, unknown = split_contacts(client.disallowed_contacts(setting))
        self.log.info("The list of %s holds %d contacts.", setting.title, len(contacts))
        if unknown:
            self.log.warning(
                "The list of %s also holds entries that are neither a phone nor an @lid. They are left out: %d.",
                setting.title,
                unknown,
            )
        return len(contacts) if self.as_count else list(contacts)
