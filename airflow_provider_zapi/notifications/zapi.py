"""The notifier that sends a WhatsApp message about a task or a DAG run."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseNotifier

from airflow_provider_zapi.catching import caught
from airflow_provider_zapi.connection.form import DEFAULT_CONN_ID
from airflow_provider_zapi.exceptions import ZApiError, ZApiInvalidRequestError
from airflow_provider_zapi.hooks.zapi import ZApiHook
from airflow_provider_zapi.privacy.changes import NOTHING_SENT, parse_contact, rendered_none
from airflow_provider_zapi.privacy.phones import hide_phone, kind
from airflow_provider_zapi.rendering import is_plain

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from jinja2 import Environment

    from airflow_provider_zapi.client import ZApiClient

__all__ = ["ZApiNotifier"]

#: A group's id in the forms of Z-API and of WhatsApp. Older ids contain the founder's phone and a timestamp.
_GROUP = re.compile(r"[0-9]{5,32}(-[0-9]{5,20})?(-group|@g\.us)")


class ZApiNotifier(BaseNotifier):
    """Send a WhatsApp message, for example as ``on_failure_callback``.

    Sending a message is not idempotent. It is retried only if Z-API has certainly not sent it (refused connection,
    429). After a lost answer, the error says that the message may have been sent.

    Source: Z-API, ``POST send-text``.

    :param phone: the recipient: country code, area code and number, an ``@lid``, or a group's id
        such as ``120363019502650977-group`` or ``120363019502650977@g.us``. (templated)
    :param message: the text of the message. (templated)
    :param instance: the ID or exact name of the instance, if the connection covers a whole account. (templated)
    :param zapi_conn_id: the Z-API connection of the number that sends it. (templated)
    """

    template_fields: Sequence[str] = ("phone", "message", "instance", "zapi_conn_id")

    def __init__(
        self,
        *,
        phone: str,
        message: str,
        instance: str | None = None,
        zapi_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.phone = phone
        self.message = message
        self.instance = instance
        self.zapi_conn_id = zapi_conn_id

    def render_template(
        self,
        content: Any,
        context: Context,
        jinja_env: Environment | None = None,
        seen_oids: set[int] | None = None,
    ) -> Any:
        """Return a string without Jinja unchanged, and render everything else as Airflow does."""
        if is_plain(content, self, jinja_env):
            return content
        return super().render_template(content, context, jinja_env, seen_oids)

    def notify(self, context: Context) -> None:
        """Send the message.

        :raises ZApiInvalidRequestError: the phone or message is invalid; nothing was sent
        :raises ZApiError: the message was not sent, or it may have been sent (``perhaps_done``)
        """
        body = self._body()
        with ZApiHook(self.zapi_conn_id, instance=self.instance) as client:
            self._send(client, body)

    async def async_notify(self, context: Context) -> None:
        """Send the message without blocking the event loop, on Airflow 3.1 and newer.

        :raises ZApiError: see ``notify``
        """
        from airflow.providers.common.compat.connection import get_async_connection

        body = self._body()
        hook = ZApiHook(self.zapi_conn_id, instance=self.instance)
        # Tracebacks show variables and arguments, so no frame that raises may hold the connection.
        made = await asyncio.to_thread(
            hook.client_or_refusal, await get_async_connection(self.zapi_conn_id), mask=False
        )
        if isinstance(made, ZApiError):
            raise made.with_traceback(None)
        with made as client:
            await asyncio.to_thread(self._send, client, body)

    def _body(self) -> dict[str, str]:
        group = self.phone.strip() if isinstance(self.phone, str) else ""
        phone = group if _GROUP.fullmatch(group) else parse_contact(self.phone, "phone")
        if not isinstance(self.message, str):
            raise ZApiInvalidRequestError(
                f"message is {kind(self.message)}, but must be a string", NOTHING_SENT, code="ZAPI-INVALID-MESSAGE"
            )
        if problem := "is empty" if not self.message.strip() else rendered_none(self.message):
            raise ZApiInvalidRequestError(f"message {problem}", NOTHING_SENT, code="ZAPI-INVALID-MESSAGE")
        return {"phone": phone, "message": self.message}

    def _send(self, client: ZApiClient, body: dict[str, str]) -> None:
        answer = caught(lambda: client.request("POST", "send-text", json=body, repeatable=False), ZApiError)
        if isinstance(answer, ZApiError):
            raise (
                answer.after("The message may have been sent, so it is not retried") if answer.perhaps_done else answer
            )
        self.log.info("Z-API accepted a message of connection %s to %s.", self.zapi_conn_id, hide_phone(body["phone"]))
