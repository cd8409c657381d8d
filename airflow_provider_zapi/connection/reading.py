"""Read an Airflow connection into a target. Errors name fields by their labels."""

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

#: In seconds. A longer read timeout would have no effect, because a call ends after this time.
MAX_TIMEOUT = 120.0

#: Airflow's forms and API show these for a stored secret. Saving one loses the secret.
_PLACEHOLDERS = ("***", AIRFLOW_2_PLACEHOLDER)


_EITHER = (
    f"Fill in {LABELS['login']} and {LABELS['password']} for one instance, or {LABELS['partner_token']} for all "
    "instances of an account."
)


@dataclass(frozen=True, slots=True)
class InstanceConnection:
    """A connection to one instance.

    :param target: the instance's address and credentials
    :param expected_phone: the number that must be paired with the instance, if one must
    :param read_timeout: seconds without a byte after which an attempt ends; None for the default
    """

    target: Credentials
    expected_phone: str | None
    read_timeout: float | None


@dataclass(frozen=True, slots=True)
class AccountConnection:
    """A connection to an account.

    :param target: the account's address and credentials
    :param read_timeout: seconds without a byte after which an attempt ends; None for the default
    """

    target: AccountCredentials
    read_timeout: float | None


def read_connection(connection: Any, conn_id: str) -> InstanceConnection | AccountConnection:
    """Read an Airflow connection to one instance or to an account.

    :param connection: Airflow's connection object
    :param conn_id: its id, for messages; the form's Test button uses a copy with another id
    :raises ZApiConfigurationError: a field is invalid; the message names its label, not its value
    """
    if connection.conn_type not in ("", None, CONNECTION_TYPE):
        # Otherwise Z-API would receive another system's password.
        _refuse(
            f"the connection is of type {connection.conn_type!r}",
            f"Use a connection of type {HOOK_NAME}.",
            conn_id,
            "ZAPI-CONFIG-TYPE",
        )
    extra = _extra(connection.extra, conn_id)
    _check_port(connection.port, connection.host, conn_id)
    # An empty field is None or, in a connection test, "".
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
            "ZAPI-CONFIG-FIELDS",
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
            f"{_EITHER} Create a separate connection for each.",
            conn_id,
            "ZAPI-CONFIG-FIELDS",
        )
    if extra.get("phone"):
        _refuse(
            f"{LABELS['phone']} cannot be used together with {LABELS['partner_token']}",
            "An account has many numbers. Leave it empty, and use the parameter 'expected_phone' of the tasks.",
            conn_id,
            "ZAPI-CONFIG-FIELDS",
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
    """Register the secrets with Airflow's masker in all their forms, in case other code prints them."""
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
        _refuse("Extra is not a JSON object", f"It may have {', '.join(known)}.", conn_id, "ZAPI-CONFIG-EXTRA")
    for key in sorted(set(extra).difference(known)):
        log.warning("Connection %r: Extra has the unknown key %r. Known keys: %s.", conn_id, key, ", ".join(known))
    return extra


def _check_port(port: int | None, host: str | None, conn_id: str) -> None:
    # The Test button sends 0, and users type 443 to make it work. Both mean the default port of https.
    if port in (None, 0, 443) or (host or "").rstrip("/").endswith(f":{port}"):
        return
    _refuse(
        f"{LABELS['port']} must be empty, 0, 443 or the port of {LABELS['host']}",
        f"Put the port into {LABELS['host']}, such as http://127.0.0.1:8765.",
        conn_id,
        "ZAPI-CONFIG-PORT",
    )


def _check_placeholders(fields: dict[str, Any], conn_id: str) -> None:
    for name, value in fields.items():
        if isinstance(value, str) and any(placeholder in value for placeholder in _PLACEHOLDERS):
            _refuse(
                f"{LABELS[name]} is the placeholder that Airflow shows instead of a stored secret",
                "Type the secret again, then save or test the connection.",
                conn_id,
                "ZAPI-CONFIG-PLACEHOLDER",
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
            f"{LABELS['timeout']} must be more than 0 and at most {MAX_TIMEOUT:.0f} seconds",
            "If you leave it empty, it is 30.",
            conn_id,
            "ZAPI-CONFIG-TIMEOUT",
        )
    return seconds


def _refuse(what: str, advice: str, conn_id: str, code: str) -> NoReturn:
    raise ZApiConfigurationError(what, advice, conn_id=conn_id, code=code)
