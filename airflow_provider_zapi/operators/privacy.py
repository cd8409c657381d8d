"""Operators that set a number's privacy: each is a setting, its parameters and one call.

They share one behaviour. Parameters are checked after rendering and before anything is sent: one that cannot be used
raises `ZApiInvalidRequestError`. What Z-API did not do raises another `ZApiError`. Setting the same again changes
nothing, so that a task may be retried. The result is ``{"setting", "value", "added", "removed", "calls"}``: counts,
never a phone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_zapi.connection_form import DEFAULT_CONN_ID
from airflow_provider_zapi.operators.base import ZApiOperator
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
    """Sets the value of one setting; a subclass names the setting and takes the parameters."""

    setting: ClassVar[PrivacySetting]
    #: The operator's own name of the value.
    value_parameter: ClassVar[str]

    def execute(self, context: Context) -> dict[str, Any]:
        """Check the parameters, send them, and return the counts."""
        from airflow_provider_zapi.privacy.changes import parse_value

        value = parse_value(self.setting, getattr(self, self.value_parameter), self.value_parameter)
        changes = self.changes(value)
        with self.client() as client:
            calls = client.set_privacy(self.setting, value, changes, progress=self._log_progress)
        added = sum(change.action == "add" for change in changes)
        removed = len(changes) - added
        self.log.info(
            "Z-API accepted: %s is %s now; exceptions: %d added, %d removed.",
            self.setting.title,
            value,
            added,
            removed,
        )
        self._log_consequences(value, context)
        return {"setting": self.setting.name, "value": value, "added": added, "removed": removed, "calls": calls}

    def changes(self, value: str) -> Sequence[ContactChange]:
        """Return the checked changes of the setting's list; a setting without one has none."""
        return ()

    def _log_progress(self, done: int, total: int) -> None:
        if done < total:
            self.log.info("%d of %d changes are made.", done, total)

    def _log_consequences(self, value: str, context: Context) -> None:
        if value in self.setting.consequences:
            self.log.info("%s", self.setting.consequences[value])
        if self.setting is LAST_SEEN and value == "NONE" and not _sets_online(context):
            self.log.info(
                "The number still shows 'online' while it is in use. To hide that too, set online to SAME_LAST_SEEN "
                "(SetOnlinePrivacyOperator)."
            )


def _sets_online(context: Context) -> bool:
    """Whether a task of the same DAG sets online."""
    dag = context.get("dag")
    return dag is not None and any(task.task_type == SetOnlinePrivacyOperator.__name__ for task in dag.tasks)


class VisibilityOperator(SettingOperator):
    """Sets who sees something."""

    template_fields: Sequence[str] = ("visualization_type", "zapi_conn_id")
    value_parameter = "visualization_type"

    def __init__(
        self, *, visualization_type: str | XComArg, zapi_conn_id: str = DEFAULT_CONN_ID, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.visualization_type = visualization_type
        self.zapi_conn_id = zapi_conn_id


class VisibilityWithListOperator(SettingOperator):
    """Sets who sees something, with a list of exceptions."""

    template_fields: Sequence[str] = ("visualization_type", "contacts_blacklist", "zapi_conn_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"contacts_blacklist": "json"}
    template_ext: Sequence[str] = (".json",)
    value_parameter = "visualization_type"
    #: A list that was given and is None after rendering got lost on the way (an earlier task returned nothing).
    _list_given: bool = False

    def __init__(
        self,
        *,
        visualization_type: str | XComArg,
        contacts_blacklist: Sequence[Mapping[str, Any]] | str | XComArg | None = None,
        zapi_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.visualization_type = visualization_type
        self.contacts_blacklist = contacts_blacklist
        self.zapi_conn_id = zapi_conn_id
        if contacts_blacklist is not None:
            self._list_given = True

    def changes(self, value: str) -> Sequence[ContactChange]:
        """Return the checked changes of the setting's list."""
        from airflow_provider_zapi.privacy.changes import parse_changes

        changes = parse_changes(
            self.setting, value, self.contacts_blacklist, "contacts_blacklist", given=self._list_given
        )
        if value == CONTACT_BLACKLIST and not changes:
            self.log.info("No contacts_blacklist: the type is set and the list of exceptions stays as it is.")
        return changes


class ValueOperator(SettingOperator):
    """Sets something that is no question of who."""

    template_fields: Sequence[str] = ("value", "zapi_conn_id")
    value_parameter = "value"

    def __init__(self, *, value: str | XComArg, zapi_conn_id: str = DEFAULT_CONN_ID, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.value = value
        self.zapi_conn_id = zapi_conn_id


class SetLastSeenPrivacyOperator(VisibilityWithListOperator):
    """Set who sees when this WhatsApp number was last online.

    Source: Z-API, ``POST privacy/last-seen``.

    :param visualization_type: ``ALL``, ``NONE``, ``CONTACTS`` or ``CONTACT_BLACKLIST``: all contacts except those on
        the list. (templated)
    :param contacts_blacklist: changes of that list, for ``CONTACT_BLACKLIST`` alone: a list of
        ``{"action": "add" | "remove", "phone": "5544991111111"}``, the same as JSON in a text, or the name of a
        ``.json`` file beside the DAG. These are changes: who is on the list already is not sent again. Without it the
        list stays as it is. At most 10,000. (templated)
    :param zapi_conn_id: the Z-API connection. (templated)
    """

    setting = LAST_SEEN


class SetProfilePhotoPrivacyOperator(VisibilityWithListOperator):
    """Set who sees this WhatsApp number's profile photo.

    Source: Z-API, ``POST privacy/photo``.

    :param visualization_type: ``ALL``, ``NONE``, ``CONTACTS`` or ``CONTACT_BLACKLIST``. (templated)
    :param contacts_blacklist: changes of the photo's own list, as in `SetLastSeenPrivacyOperator`. (templated)
    :param zapi_conn_id: the Z-API connection. (templated)
    """

    setting = PHOTO


class SetDescriptionPrivacyOperator(VisibilityWithListOperator):
    """Set who sees this WhatsApp number's description ("about").

    Source: Z-API, ``POST privacy/description``.

    :param visualization_type: ``ALL``, ``NONE``, ``CONTACTS`` or ``CONTACT_BLACKLIST``. (templated)
    :param contacts_blacklist: changes of the description's own list, as in `SetLastSeenPrivacyOperator`. (templated)
    :param zapi_conn_id: the Z-API connection. (templated)
    """

    setting = DESCRIPTION


class SetGroupAddPrivacyOperator(VisibilityWithListOperator):
    """Set who may add this WhatsApp number to groups.

    Source: Z-API, ``POST privacy/group-add``.

    :param visualization_type: ``ALL``, ``CONTACTS`` or ``CONTACT_BLACKLIST``; Z-API has no ``NONE`` here. (templated)
    :param contacts_blacklist: changes of this setting's own list, as in `SetLastSeenPrivacyOperator`. (templated)
    :param zapi_conn_id: the Z-API connection. (templated)
    """

    setting = GROUP_ADD


class SetOnlinePrivacyOperator(VisibilityOperator):
    """Set who sees that this WhatsApp number is online.

    Source: Z-API, ``POST privacy/online``.

    :param visualization_type: ``ALL``, or ``SAME_LAST_SEEN``: whoever sees last seen. (templated)
    :param zapi_conn_id: the Z-API connection. (templated)
    """

    setting = ONLINE


class SetReadReceiptsOperator(ValueOperator):
    """Set whether people see that this WhatsApp number read their messages.

    Source: Z-API, ``POST privacy/read-receipts``.

    :param value: ``enable`` or ``disable``. (templated)
    :param zapi_conn_id: the Z-API connection. (templated)
    """

    setting = READ_RECEIPTS


class SetMessagesDurationOperator(ValueOperator):
    """Set after how long messages disappear in new one-to-one chats of this WhatsApp number.

    Source: Z-API, ``POST privacy/messages-duration``.

    :param value: ``days90``, ``days7``, ``hours24`` or ``disable``. (templated)
    :param zapi_conn_id: the Z-API connection. (templated)
    """

    setting = MESSAGES_DURATION


class GetDisallowedContactsOperator(ZApiOperator):
    """Read a setting's list of exceptions, for the tasks after this one.

    This is the one result of this provider that holds phone numbers: Airflow keeps it in its database and shows it in
    the task's XCom. With ``as_count`` it is their number alone.

    Source: Z-API, ``GET privacy/disallowed-contacts``. While another type than CONTACT_BLACKLIST is in force, the list
    may read empty or stale (inferred).

    :param setting: ``last_seen``, ``photo``, ``description`` or ``group_add``. (templated)
    :param as_count: return how many there are, in place of who
    :param zapi_conn_id: the Z-API connection. (templated)
    """

    template_fields: Sequence[str] = ("setting", "zapi_conn_id")

    def __init__(
        self,
        *,
        setting: str | XComArg,
        as_count: bool = False,
        zapi_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.setting = setting
        self.as_count = as_count
        self.zapi_conn_id = zapi_conn_id

    def execute(self, context: Context) -> list[str] | int:
        """Read the list.

        :return: the contacts exactly as WhatsApp lists them, phones or ``@lid`` identifiers; or their number. An entry
            that is neither is left out of both, and a warning says how many there are
        """
        from airflow_provider_zapi.privacy.changes import parse_setting
        from airflow_provider_zapi.privacy.phones import split_contacts

        setting = parse_setting(self.setting, "setting", with_list=True)
        with self.client() as client:
            contacts, unknown = split_contacts(client.disallowed_contacts(setting))
        self.log.info("The list of %s holds %d contacts.", setting.title, len(contacts))
        if unknown:
            self.log.warning(
                "The list of %s also holds entries that are neither a phone nor an @lid, which are left out: %d.",
                setting.title,
                unknown,
            )
        return len(contacts) if self.as_count else list(contacts)
