"""Call the endpoints of one Z-API instance."""

from __future__ import annotations

import json as encoding
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from airflow_provider_zapi.catching import caught
from airflow_provider_zapi.client.answers import (
    SUCCESS_FALSE,
    Failure,
    object_without_error,
    success_is_true,
    unexpected,
)
from airflow_provider_zapi.client.moments import moment
from airflow_provider_zapi.client.targets import Credentials
from airflow_provider_zapi.client.transport import Call, Transport
from airflow_provider_zapi.exceptions import ZApiError, ZApiInvalidRequestError
from airflow_provider_zapi.privacy.changes import ContactChange
from airflow_provider_zapi.privacy.difference import ResolvedContact
from airflow_provider_zapi.privacy.phones import hide_phone, is_contact
from airflow_provider_zapi.privacy.settings import PrivacySetting

__all__ = ["AccountState", "InstanceStatus", "ResolvedContact", "ZApiClient"]

#: In bytes. A list of 64,000 excluded contacts, WhatsApp's limit, is under 2 MiB. The rest is a margin.
MAX_LIST_BODY = 8 << 20

#: Changes in one call. Z-API publishes no limit. This is far below what servers commonly refuse.
CHANGES_PER_CALL = 500

#: Z-API's limit for ``phone-exists-batch``.
PHONES_PER_CALL = 50_000

_METHODS = ("GET", "POST", "PUT", "DELETE")
#: A segment of dots only would leave the path of the instance.
_SEGMENT = r"(?!\.+(?:/|$))[A-Za-z0-9_.~@-]+"
_PATH = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*", re.ASCII)
#: A path can contain a phone number, which must not appear in messages.
_LONG_NUMBER = re.compile(r"[0-9]{5,}")


class InstanceStatus(NamedTuple):
    """The answer of ``status`` about an instance.

    :ivar connected: whether its WhatsApp session works; no other field shows this
    :ivar reason: Z-API's reason why it does not work
    """

    connected: bool
    reason: str


class AccountState(NamedTuple):
    """The answer of ``me`` about an instance, without its secrets.

    :ivar connected: whether it has a WhatsApp session; rely on `ZApiClient.status`
    :ivar due: when its subscription ends (UTC)
    :ivar payment_status: Z-API's payment status, such as ``PAID``
    """

    connected: bool
    due: datetime
    payment_status: str

    def days_left(self, now: datetime) -> int:
        """Return the whole days until the subscription ends; negative once it has ended."""
        return (self.due - now).days


class ZApiClient:
    """A client for one Z-API instance. Close it, or use it as a context manager.

    :param credentials: the instance's address and credentials
    :param transport: sends the calls; by default a `Transport` of these credentials
    """

    def __init__(self, credentials: Credentials, *, transport: Transport | None = None) -> None:
        self._transport = transport or Transport(credentials)
        self._credentials = credentials

    def __enter__(self) -> ZApiClient:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._transport!r})"

    @property
    def instance_id(self) -> str:
        """Return the instance's id."""
        return self._credentials.instance_id

    def keyed_digest(self, purpose: str, data: bytes) -> str:
        """Return a digest of data in hexadecimal, keyed with the instance token.

        :param purpose: what the digest is for; digests of different purposes never match
        """
        return self._credentials.keyed_digest(purpose, data)

    def close(self) -> None:
        """Close the HTTP connection."""
        self._transport.close()

    def cancel(self) -> None:
        """Stop sending. A call that waits ends within a quarter of a second."""
        self._transport.cancel()

    @property
    def cancelled(self) -> bool:
        """Return whether the client has stopped sending."""
        return self._transport.cancelled

    def status(self) -> InstanceStatus:
        """Read whether the instance has a WhatsApp session.

        :raises ZApiError: there is no answer, or the answer is invalid
        """
        status = self._transport.call(_call("GET", "status"), _status)
        return status._replace(reason=self._transport.clean(status.reason))

    def paired_phone(self) -> str:
        """Read which number is paired with the instance. It can change.

        :raises ZApiError: there is no answer, or it does not hold a number
        """
        return self._transport.call(_call("GET", "device"), _phone)

    def account(self) -> AccountState:
        """Read the instance's subscription. The answer also holds the token, so everything else is dropped.

        :raises ZApiError: there is no answer, or one of its fields is invalid
        """
        account = self._transport.call(_call("GET", "me"), _account)
        return account._replace(payment_status=self._transport.clean(account.payment_status))

    def pause(self, seconds: float) -> None:
        """Wait between two calls. A killed task ends the wait early."""
        self._transport.pause(seconds)

    def set_privacy(
        self,
        setting: PrivacySetting,
        value: str,
        changes: Sequence[ContactChange] = (),
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> int:
        """Set a privacy setting and change its excluded contacts.

        More than 500 changes go out in consecutive calls. Every call is idempotent.

        :param value: one of ``setting.values``
        :param changes: what to add and remove, not the whole list
        :param progress: called after each call with the changes done and their total
        :return: the number of calls made
        :raises ZApiError: a call failed; the changes of the calls before it were made
        """
        chunks = [changes[at : at + CHANGES_PER_CALL] for at in range(0, len(changes), CHANGES_PER_CALL)] or [()]
        done = 0
        for chunk in chunks:
            fields: dict[str, Any] = {setting.parameter: value}
            if chunk:
                fields["contactsBlacklist"] = [{"action": change.action, "phone": change.phone} for change in chunk]
            call = _call("POST", setting.endpoint, **{"params" if setting.place == "query" else "json": fields})
            failed = caught(partial(self._transport.call, call, success_is_true), ZApiError)
            if failed is not None:
                raise (
                    failed.after(f"{done} of {len(changes)} changes were made before this, and stay")
                    if done
                    else failed
                )
            done += len(chunk)
            if progress:
                progress(done, len(changes))
        return len(chunks)

    def resolve_contacts(self, phones: Iterable[str]) -> dict[str, ResolvedContact]:
        """Ask WhatsApp how it registered phone numbers: the exact form, and the ``@lid`` if there is one.

        :param phones: contacts as `normalize_contact` returns them; ``@lid`` identifiers are skipped
        :return: WhatsApp's answers by phone; one call asks for at most 50,000 phones
        :raises ZApiError: there is no valid answer
        """
        asked = list(dict.fromkeys(phones))
        resolved: dict[str, ResolvedContact] = {}
        for at in range(0, len(asked), PHONES_PER_CALL):
            call = _call(
                "POST", "phone-exists-batch", json={"phones": asked[at : at + PHONES_PER_CALL]}, max_body=MAX_LIST_BODY
            )
            resolved |= self._transport.call(call, _resolved_contacts)
        return resolved

    def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: Mapping[str, str] | None = None,
        repeatable: bool | None = None,
    ) -> Any:
        """Call any endpoint of Z-API, with the same transport, errors and protection of secrets.

        :param method: ``GET``, ``POST``, ``PUT`` or ``DELETE``
        :param path: the path below the instance's own address, such as ``profile-name``
        :param json: the body
        :param params: the query
        :param repeatable: whether the call is idempotent, so that it is retried after a lost
            answer; by default every method but ``POST``
        :return: the answer's JSON, unchanged; some answers hold secrets (``me`` returns the instance's token)
        :raises ZApiInvalidRequestError: ``method``, ``path`` or ``json`` is invalid; nothing was sent
        :raises ZApiError: there is no answer, or it has ``error`` or ``success: false``
        """
        if method not in _METHODS:
            raise ZApiInvalidRequestError(
                "method is unknown",
                f"Accepted: {', '.join(_METHODS)}. Nothing was sent.",
                code="ZAPI-INVALID-PARAMETER",
            )
        if not _PATH.fullmatch(path):
            raise ZApiInvalidRequestError(
                "path is invalid",
                "Use a relative path such as 'profile-name' or 'phone-exists/5544991111111', with letters, digits and "
                "_ . ~ @ - between single slashes. It must not have '..', a scheme or a query. Nothing was sent.",
                code="ZAPI-INVALID-PARAMETER",
            )
        if not _is_json(json):
            raise ZApiInvalidRequestError(
                "json cannot be sent",
                "Use only values that JSON supports. Nothing was sent.",
                code="ZAPI-INVALID-PARAMETER",
            )
        call = Call(
            method,
            path,
            endpoint=_LONG_NUMBER.sub(lambda match: hide_phone(match[0]), path),
            json=json,
            params=params,
            repeatable=method != "POST" if repeatable is None else repeatable,
            max_body=MAX_LIST_BODY,
        )
        return self._transport.call(call, _anything_done)

    def disallowed_contacts(self, setting: PrivacySetting) -> tuple[str, ...]:
        """Read a setting's excluded contacts exactly as WhatsApp lists them: phones or ``@lid``.

        An entry may be neither. Use `split_contacts` to get the entries that can be shown.

        :raises ZApiInvalidRequestError: the setting has no list
        :raises ZApiError: the answer holds no valid list; a malformed list never counts as empty
        """
        if setting.list_scope is None:
            raise ZApiInvalidRequestError(
                f"{setting.title} has no list of excluded contacts", "Nothing was sent.", code="ZAPI-INVALID-SETTING"
            )
        call = _call("GET", "privacy/disallowed-contacts", params={"type": setting.list_scope}, max_body=MAX_LIST_BODY)
        return self._transport.call(call, _disallowed_contacts)


def _call(method: str, path: str, **details: Any) -> Call:
    return Call(method, path, endpoint=path, **details)


def _status(payload: Any) -> InstanceStatus | Failure:
    # This comes before `error`, which healthy answers also have ("You are already connected.").
    if isinstance(payload, dict) and isinstance(payload.get("connected"), bool):
        return InstanceStatus(payload["connected"], str(payload.get("error") or ""))
    checked = object_without_error(payload)
    return checked if isinstance(checked, Failure) else unexpected("'connected' is missing")


def _phone(payload: Any) -> str | Failure:
    checked = object_without_error(payload)
    if isinstance(checked, Failure):
        return checked
    phone = checked.get("phone")
    if not isinstance(phone, str) or not phone:
        return unexpected("'phone' is missing")
    return phone if is_contact(phone) else unexpected("'phone' is not a phone number")


def _account(payload: Any) -> AccountState | Failure:
    checked = object_without_error(payload)
    if isinstance(checked, Failure):
        return checked
    connected, payment, due = checked.get("connected"), checked.get("paymentStatus"), moment(checked.get("due"))
    if not isinstance(connected, bool):
        return unexpected("'connected' is neither true nor false")
    if not isinstance(payment, str) or not payment.strip():
        return unexpected("'paymentStatus' is not a string")
    if due is None:
        return unexpected("'due' is neither milliseconds since 1970 nor an ISO 8601 date")
    return AccountState(connected, due, payment.strip())


def _anything_done(payload: Any) -> Any | Failure:
    if isinstance(payload, list):
        return payload
    checked = object_without_error(payload)
    return SUCCESS_FALSE if not isinstance(checked, Failure) and checked.get("success") is False else checked


def _resolved_contacts(payload: Any) -> dict[str, ResolvedContact] | Failure:
    if not isinstance(payload, list):
        checked = object_without_error(payload)
        return checked if isinstance(checked, Failure) else unexpected("the contacts are not a list")
    resolved = {}
    for item in payload:
        if not isinstance(item, dict) or not isinstance(item.get("inputPhone"), str):
            return unexpected("a contact lacks its 'inputPhone'")
        # Some accounts return 'exists' as a string.
        exists = {"true": True, "false": False}.get(str(item.get("exists")).lower())
        phone, lid = item.get("outputPhone"), item.get("lid")
        if exists is None or not _is_text_or_none(phone) or not _is_text_or_none(lid):
            return unexpected("a contact's 'exists', 'outputPhone' or 'lid' has the wrong type")
        resolved[item["inputPhone"]] = ResolvedContact(exists, phone or None, lid or None)
    return resolved


def _is_json(value: Any) -> bool:
    try:
        encoding.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _is_text_or_none(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _disallowed_contacts(payload: Any) -> tuple[str, ...] | Failure:
    checked = object_without_error(payload)
    if isinstance(checked, Failure):
        return checked
    contacts = checked.get("disallowedContacts")
    if not isinstance(contacts, list):
        return unexpected("'disallowedContacts' is not a list")
    if not all(isinstance(contact, str) and contact for contact in contacts):
        return unexpected("'disallowedContacts' has entries that are not strings")
    return tuple(contacts)
