"""Operators that set a number's privacy: each is a setting, its parameters and one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_zapi.connection_form import DEFAULT_CONN_ID
from airflow_provider_zapi.hooks.zapi import ZApiHook
from airflow_provider_zapi.privacy.changes import ContactChange, parse_changes, parse_value
from airflow_provider_zapi.privacy.settings import CONTACT_BLACKLIST, LAST_SEEN, PrivacySetting

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_zapi.client import ZApiClient

__all__ = ["SetLastSeenPrivacyOperator"]


class SetLastSeenPrivacyOperator(BaseOperator):
    """Set who sees when this WhatsApp number was last online.

    The parameters are checked after rendering and before anything is sent. Setting the same again changes nothing, so
    the task may be retried.

    :param visualization_type: ``ALL``, ``NONE``, ``CONTACTS`` or ``CONTACT_BLACKLIST``: all my contacts except those on
        the list. (templated)
    :param contacts_blacklist: changes of that list, for ``CONTACT_BLACKLIST`` alone: a list of
        ``{"action": "add" | "remove", "phone": "5544991111111"}``, the same as JSON in a text, or the name of a
        ``.json`` file beside the DAG. These are changes: who is on the list already is not sent again. Without it the
        list stays as it is. At most 10,000. (templated)
    :param zapi_conn_id: the Z-API connection. (templated)
    :return: ``{"setting", "value", "added", "removed", "calls"}``: counts, never a phone
    :raises ZApiInvalidRequestError: a parameter cannot be used; nothing was sent
    :raises ZApiError: Z-API did not do it; see `airflow_provider_zapi.exceptions`

    Source: Z-API, ``POST privacy/last-seen``.
    """

    template_fields: Sequence[str] = ("visualization_type", "contacts_blacklist", "zapi_conn_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"contacts_blacklist": "json"}
    template_ext: Sequence[str] = (".json",)
    ui_color = "#d9f2e3"

    setting: ClassVar[PrivacySetting] = LAST_SEEN

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
        # A list that was given and is None after rendering got lost on the way (an earlier task returned nothing).
        self._list_given = contacts_blacklist is not None
        self._client: ZApiClient | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """Check the parameters, send them, and return the counts."""
        value = parse_value(self.setting, self.visualization_type, "visualization_type")
        changes = parse_changes(
            self.setting, value, self.contacts_blacklist, "contacts_blacklist", given=self._list_given
        )
        if value == CONTACT_BLACKLIST and not changes:
            self.log.info("No contacts_blacklist: the type is set and the list of exceptions stays as it is.")
        with ZApiHook(self.zapi_conn_id) as client:
            self._client = client
            try:
                calls = client.set_privacy(self.setting, value, changes, progress=self._log_progress)
            finally:
                # Airflow copies and pickles operators; credentials refuse both.
                self._client = None
        result = {
            "setting": self.setting.name,
            "value": value,
            "added": _count(changes, "add"),
            "removed": _count(changes, "remove"),
            "calls": calls,
        }
        self.log.info(
            "Z-API accepted: %s is %s now; exceptions: %d added, %d removed.",
            self.setting.title,
            value,
            result["added"],
            result["removed"],
        )
        return result

    def on_kill(self) -> None:
        """Send nothing more. Airflow calls it in a signal handler, so it sets a flag and no more."""
        if self._client is not None:
            self._client.cancel()

    def _log_progress(self, done: int, total: int) -> None:
        if total > done or total > CHANGES_SHOWN:
            self.log.info("%d of %d changes are made.", done, total)


#: Below this many changes the last line of the log says enough.
CHANGES_SHOWN = 500


def _count(changes: Sequence[ContactChange], action: str) -> int:
    return sum(change.action == action for change in changes)
