"""The calls of one Z-API instance that this provider makes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from airflow_provider_zapi.client.answers import Failure, object_without_error, success_is_true, unexpected
from airflow_provider_zapi.client.credentials import Credentials
from airflow_provider_zapi.client.transport import Call, Transport
from airflow_provider_zapi.exceptions import ZApiError, ZApiInvalidRequestError
from airflow_provider_zapi.privacy.changes import ContactChange
from airflow_provider_zapi.privacy.settings import PrivacySetting

__all__ = ["InstanceStatus", "ZApiClient"]

#: A list of 64,000 exceptions, WhatsApp's own limit, is under 2 MiB; the rest is room.
MAX_LIST_BODY = 8 << 20

#: Changes that travel in one call. Z-API publishes no limit; this stays far from what servers commonly refuse.
CHANGES_PER_CALL = 500


@dataclass(frozen=True, slots=True)
class InstanceStatus:
    """What ``status`` says of an instance.

    :param connected: whether its WhatsApp session works; the only field of the answer that tells
    :param reason: why not, in Z-API's words
    """

    connected: bool
    reason: str


class ZApiClient:
    """Calls one Z-API instance. Holds one kept connection: close it, or use it as a context manager.

    :param credentials: whose instance
    :param transport: sends the calls; by default a `Transport` of these credentials
    """

    def __init__(self, credentials: Credentials, *, transport: Transport | None = None) -> None:
        self._transport = transport or Transport(credentials)
        self._instance_id = credentials.instance_id

    def __enter__(self) -> ZApiClient:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._transport!r})"

    @property
    def instance_id(self) -> str:
        """The instance's id; its token is never handed out."""
        return self._instance_id

    def close(self) -> None:
        """Close the kept connection."""
        self._transport.close()

    def cancel(self) -> None:
        """Send nothing more, from now on; a call that waits ends within a quarter of a second."""
        self._transport.cancel()

    def status(self) -> InstanceStatus:
        """Read whether the instance has a WhatsApp session.

        :raises ZApiError: there is no answer, or not this one
        """
        status = self._transport.call(_call("GET", "status"), _status)
        return replace(status, reason=self._transport.clean(status.reason))

    def set_privacy(
        self,
        setting: PrivacySetting,
        value: str,
        changes: Sequence[ContactChange] = (),
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> int:
        """Set a privacy setting and change its list of exceptions.

        More than 500 changes go out in consecutive calls. Each call sets a state, so all of them may be repeated.

        :param value: one of ``setting.values``
        :param changes: what to add to the list and to remove from it, not the whole list
        :param progress: called after each call with the changes done and the changes in all
        :return: the number of calls made
        :raises ZApiError: a call was refused or had no answer; the calls before it stay in force
        """
        chunks = [changes[at : at + CHANGES_PER_CALL] for at in range(0, len(changes), CHANGES_PER_CALL)] or [()]
        done = 0
        for chunk in chunks:
            fields: dict[str, Any] = {setting.parameter: value}
            if chunk:
                fields["contactsBlacklist"] = [{"action": change.action, "phone": change.phone} for change in chunk]
            call = _call("POST", setting.endpoint, **{"params" if setting.place == "query" else "json": fields})
            failed: ZApiError | None = None
            try:
                self._transport.call(call, success_is_true)
            except ZApiError as error:
                failed = error
            if failed is not None:
                raise (failed.after(f"{done} of {len(changes)} changes were made before, and stay") if done else failed)
            done += len(chunk)
            if progress:
                progress(done, len(changes))
        return len(chunks)

    def disallowed_contacts(self, setting: PrivacySetting) -> tuple[str, ...]:
        """Read a setting's list of exceptions, each exactly as WhatsApp holds it: a phone or an ``@lid``.

        :raises ZApiInvalidRequestError: the setting has no list
        :raises ZApiError: there is no list in the answer; a malformed one is never taken for an empty one
        """
        if setting.list_scope is None:
            raise ZApiInvalidRequestError(f"{setting.title} has no list of exceptions", "Nothing was sent.")
        call = _call("GET", "privacy/disallowed-contacts", params={"type": setting.list_scope}, max_body=MAX_LIST_BODY)
        return self._transport.call(call, _disallowed_contacts)


def _call(method: str, path: str, **details: Any) -> Call:
    return Call(method, path, endpoint=path, **details)


def _status(payload: Any) -> InstanceStatus | Failure:
    # Before `error`: a healthy answer carries one ("You are already connected.").
    if isinstance(payload, dict) and isinstance(payload.get("connected"), bool):
        return InstanceStatus(payload["connected"], str(payload.get("error") or ""))
    checked = object_without_error(payload)
    return checked if isinstance(checked, Failure) else unexpected("'connected' is missing")


def _disallowed_contacts(payload: Any) -> tuple[str, ...] | Failure:
    checked = object_without_error(payload)
    if isinstance(checked, Failure):
        return checked
    contacts = checked.get("disallowedContacts")
    if not isinstance(contacts, list):
        return unexpected("'disallowedContacts' is no list")
    if not all(isinstance(contact, str) and contact for contact in contacts):
        return unexpected("'disallowedContacts' holds something else than texts")
    return tuple(contacts)
