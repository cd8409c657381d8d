"""Read an Airflow connection into a target, and say in the form's own words what cannot be used."""

from __future__ import annotations

import importlib
import json
import logging
import math
from dataclasses import dataclass
from typing import Any, NoReturn

from airflow_provider_zapi.client.redaction import encodings
from airflow_provider_zapi.client.targets import DEFAULT_BASE_URL, AccountCredentials, Credentials, Target
from airflow_provider_zapi.connection.form import (
    AIRFLOW_2_PLACEHOLDER,
    CONNECTION_TYPE,
    FIELDS,
    HOOK_NAME,
    LABELS,
)
from airflow_provider_zapi.connection.phone import expected_phone
from airflow_provider_zapi.exceptions import ZApiConfigurationError

__all__ = ["AccountConnection", "InstanceConnection", "mask", "read_connection"]

log = logging.getLogger(__name__)

#: A read timeout beyond the total of a call could never be reached.
MAX_TIMEOUT = 120.0

#: Airflow's forms and API show these in place of a stored secret; saved back as a value, it is lost.
_PLACEHOLDERS = ("***", AIRFLOW_2_PLACEHOLDER)


_EITHER = (
    f"Fill in {LABELS['login']} and {LABELS['password']} for one instance, or {LABELS['partner_token']} for all "
    "instances of an account."
)


@dataclass(frozen=True, slots=True)
class InstanceConnection:
    """What a connection says about one instance.

    :param target: whom to call
    :param expected_phone: the number that must be paired with the instance, if one must
    :param read_timeout: seconds without a byte after which an attempt is given up; None for the default
    """

    target: Credentials
    expected_phone: str | None
    read_timeout: float | None


@dataclass(frozen=True, slots=True)
class AccountConnection:
    """What a connection says about an account.

    :param target: whom to call
    :param read_timeout: seconds without a byte after which an attempt is given up; None for the default
    """

    target: AccountCredentials
    read_timeout: float | None


def read_connection(connection: Any, conn_id: str) -> InstanceConnection | AccountConnection:
    """Read an Airflow connection: of one instance, or of an account.

    :param connection: Airflow's connection object
    :param conn_id: its id, for messages: the form's Test button tries a copy under another one
    :raises ZApiConfigurationError: a field cannot be used; the message names it as the form does, and shows no value
    """
    if connection.conn_type not in ("", None, CONNECTION_TYPE):
        # Another system's password would go to Z-API.
        _refuse(
            f"the connection is of type {connection.conn_type!r}",
            f"Give the id of a connection of type {HOOK_NAME}.",
            conn_id,
        )
    extra = _extra(connection.extra, conn_id)
    _check_port(connection.port, connection.host, conn_id)
    # An absent field arrives as None or, in a connection test, as "".
    fields: dict[str, Any] = {
        "login": connection.login or "",
        "password": connection.password or "",
        "client_token": extra.get("client_token") or None,
        "partner_token": extra.get("partner_token") or None,
    }
    _check_placeholders(fields, conn_id)
    if fields["partner_token"] is not None:
        return _account(fields, extra, connection.host, conn_id)
    if not fields["login"] and not fields["password"]:
        _refuse(
            f"{LABELS['login']}, {LABELS['password']} and {LABELS['partner_token']} are empty",
            _EITHER,
            conn_id,
        )
    return InstanceConnection(
        Credentials(
            instance_id=fields["login"],
            instance_token=fields["password"],
            client_token=fields["client_token"],
            base_url=connection.host or DEFAULT_BASE_URL,
            conn_id=conn_id,
        ),
        expected_phone(extra.get("phone"), conn_id),
        _timeout(extra.get("timeout"), conn_id),
    )


def _account(fields: dict[str, Any], extra: dict[str, Any], host: str | None, conn_id: str) -> AccountConnection:
    given = [LABELS[name] for name in ("login", "password") if fields[name]]
    if given:
        _refuse(
            f"{LABELS['partner_token']} cannot be used together with {' and '.join(given)}",
            f"{_EITHER} Make one connection for each.",
            conn_id,
        )
    if extra.get("phone"):
        _refuse(
            f"{LABELS['phone']} cannot be used together with {LABELS['partner_token']}",
            "An account has many numbers. Leave it empty, and give the tasks 'expected_phone'.",
            conn_id,
        )
    return AccountConnection(
        AccountCredentials(
            partner_token=fields["partner_token"],
            client_token=fields["client_token"],
            base_url=host or DEFAULT_BASE_URL,
            conn_id=conn_id,
        ),
        _timeout(extra.get("timeout"), conn_id),
    )


def mask(target: Target) -> None:
    """Tell Airflow's masker the secrets in all their forms, so that it hides what other code of a task may print."""
    try:
        masker = importlib.import_module("airflow.sdk.log")
    except ImportError:  # Airflow 2
        masker = importlib.import_module("airflow.utils.log.secrets_masker")
    for secret in filter(None, target.secrets):
        for form in set(encodings(secret)):
            masker.mask_secret(form)


def _extra(text: str | None, conn_id: str) -> dict[str, Any]:
    known = sorted(field.name for field in FIELDS if field.custom)
    try:
        extra = json.loads(text or "{}")
    except (ValueError, RecursionError):
        extra = None
    if not isinstance(extra, dict):
        _refuse("Extra is not a JSON object", f"It may hold {', '.join(known)}.", conn_id)
    for key in sorted(set(extra).difference(known)):
        log.warning("Connection %r: Extra holds %r, which is not used. Used are %s.", conn_id, key, ", ".join(known))
    return extra


def _check_port(port: int | None, host: str | None, conn_id: str) -> None:
    # 0 comes from the Test button, 443 is typed to make it work; both say nothing that https does not.
    if port in (None, 0, 443) or (host or "").rstrip("/").endswith(f":{port}"):
        return
    _refuse(
        f"{LABELS['port']} must be empty, 0, 443 or the port of {LABELS['host']}",
        f"Write the port into {LABELS['host']}, as in http://127.0.0.1:8765.",
        conn_id,
    )


def _check_placeholders(fields: dict[str, Any], conn_id: str) -> None:
    for name, value in fields.items():
        if isinstance(value, str) and any(placeholder in value for placeholder in _PLACEHOLDERS):
            _refuse(
                f"{LABELS[name]} holds the placeholder that Airflow shows in place of a stored secret",
                "Type the secret itself again, then save or test the connection.",
                conn_id,
            )


def _timeout(value: Any, conn_id: str) -> float | None:
    if value in (None, ""):
        return None
    try:
        seconds = float(value) if not isinstance(value, bool) else math.nan
    except (TypeError, ValueError, OverflowError):
        seconds = math.nan
    if not 0 < seconds <= MAX_TIMEOUT:
        _refuse(
            f"{LABELS['timeout']} must be a number of seconds above 0 and up to {MAX_TIMEOUT:.0f}",
            "Leave it empty for 30.",
            conn_id,
        )
    return seconds


def _refuse(what: str, advice: str, conn_id: str) -> NoReturn:
    raise ZApiConfigurationError(what, advice, conn_id=conn_id)
