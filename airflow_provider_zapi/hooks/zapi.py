"""The hook: an Airflow connection in, a client of its Z-API instance out."""

from __future__ import annotations

import importlib
import json
import math
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_zapi.connection_form import (
    AIRFLOW_2_PLACEHOLDER,
    CONNECTION_TYPE,
    DEFAULT_CONN_ID,
    FIELDS,
    HOOK_NAME,
    LABELS,
    ui_field_behaviour,
)
from airflow_provider_zapi.exceptions import ZApiConfigurationError, ZApiError

if TYPE_CHECKING:
    from airflow_provider_zapi.client import ZApiClient

__all__ = ["ZApiHook"]

#: A read timeout beyond the total of a call could never be reached.
MAX_TIMEOUT = 120.0


class ZApiHook(BaseHook):
    """Manages a Z-API connection: its credentials, its ``Client-Token`` and one kept HTTP session.

    :param zapi_conn_id: the Airflow connection, of type ``zapi``
    :param retry: whether a failed call is tried again before its error is raised; who looks again anyway needs none
    """

    conn_name_attr = "zapi_conn_id"
    default_conn_name = DEFAULT_CONN_ID
    conn_type = CONNECTION_TYPE
    hook_name = HOOK_NAME

    def __init__(self, zapi_conn_id: str = DEFAULT_CONN_ID, *, retry: bool = True) -> None:
        super().__init__()
        self.zapi_conn_id = zapi_conn_id
        self.retry = retry
        self._client: ZApiClient | None = None
        self._expected_phone: str | None = None
        self._connection_read = False

    def __repr__(self) -> str:
        return f"{type(self).__name__}(zapi_conn_id={self.zapi_conn_id!r})"

    def __enter__(self) -> ZApiClient:
        return self.get_conn()

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        # A client holds credentials and a socket; whoever unpickles the hook looks the connection up again.
        return {**self.__dict__, "_client": None}

    def get_conn(self) -> ZApiClient:
        """Return the client of the connection's instance: one look-up and one client for all calls of a task.

        :raises ZApiConfigurationError: a field of the connection cannot be used; nothing was sent
        """
        if self._client is None:
            self._client = self.client_of(self.get_connection(self.zapi_conn_id))
        return self._client

    @property
    def expected_phone(self) -> str | None:
        """The number that has to be paired with the instance, as the connection's extra ``phone`` says."""
        if not self._connection_read:
            self.get_conn()
        return self._expected_phone

    def close(self) -> None:
        """Close the client's kept connection; the next ``get_conn`` makes a new client."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def test_connection(self) -> tuple[bool, str]:
        """Try the connection: read the instance's status and, if one is expected, its phone. Nothing is changed.

        :return: whether the credentials are good, the phone is connected and the expected one, and what to do if not
        """
        from airflow_provider_zapi.connection.phone import require_phone

        try:
            with self as client:
                status = client.status()
                instance, expected = client.instance_id, self.expected_phone
                if status.connected and expected is not None:
                    require_phone(client, expected, self.zapi_conn_id)
        except ZApiError as error:
            # The form's Test button tries a copy under a made-up id, which would tell nobody anything.
            return False, str(error.without_connection())
        if status.connected:
            phone = " with the expected phone" if expected is not None else ""
            return True, f"Z-API accepts the credentials, and instance {instance} is connected to WhatsApp{phone}."
        return False, (
            f"Z-API accepts the credentials, but the phone of instance {instance} is not connected to WhatsApp"
            f"{f': {status.reason}' if status.reason else '.'}"
        )

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return the behaviour of the form's standard fields, for Airflow 2.11 to 3.1."""
        return {key.replace("-", "_"): value for key, value in ui_field_behaviour().items()}

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the form's fields that are kept in Extra, for Airflow 2.11 to 3.1."""
        from flask_appbuilder.fieldwidgets import BS3PasswordFieldWidget, BS3TextFieldWidget
        from wtforms import PasswordField, StringField
        from wtforms.validators import Optional

        def secret_widget(field: Any, **attributes: Any) -> Any:
            # Airflow 2.11 deletes a stored extra whose field comes back empty, and keeps it for this text.
            stored = field.data and not field.raw_data
            value = AIRFLOW_2_PLACEHOLDER if stored else ""
            return BS3PasswordFieldWidget(hide_value=False)(field, **attributes, value=value)

        return {
            field.name: (PasswordField if field.secret else StringField)(
                field.label,
                description=field.help,
                validators=[Optional()],
                widget=secret_widget if field.secret else BS3TextFieldWidget(),
            )
            for field in FIELDS
            if field.custom
        }

    def client_of(self, connection: Any, *, mask: bool = True) -> ZApiClient:
        """Return a new client for a connection that was looked up already, such as by a trigger in its own way.

        :param connection: Airflow's connection object; a caller should keep it in no variable, which tracebacks show
        :param mask: tell Airflow's masker the secrets in their other forms too; it is a blocking call to the
            supervisor, which is not allowed in a trigger
        :raises ZApiConfigurationError: a field of the connection cannot be used; nothing was sent
        """
        made = self.client_or_refusal(connection, mask=mask)
        # Airflow 3.0 prints the local variables of each frame in `dags test`, and error reporting sends them: this one
        # and those below hold credentials.
        del connection
        if isinstance(made, ZApiConfigurationError):
            raise made.with_traceback(None)
        return made

    def client_or_refusal(self, connection: Any, *, mask: bool = True) -> ZApiClient | ZApiConfigurationError:
        """Do as `client_of` does, but return the error: one raised in a thread shows the arguments in its traceback."""
        try:
            return self._new_client(connection, mask)
        except ZApiConfigurationError as error:
            return error

    def _new_client(self, connection: Any, mask: bool) -> ZApiClient:
        # Here and not at the top: every parse of a DAG file imports this module, and few parses make a client.
        from airflow_provider_zapi.client import Credentials, Transport, ZApiClient
        from airflow_provider_zapi.client.credentials import DEFAULT_BASE_URL
        from airflow_provider_zapi.client.redaction import encodings
        from airflow_provider_zapi.client.transport import MAX_ATTEMPTS, READ_SECONDS
        from airflow_provider_zapi.connection.phone import expected_phone

        if connection.conn_type not in ("", None, CONNECTION_TYPE):
            # Another system's password would go to Z-API.
            self._refuse(
                f"the connection is of type {connection.conn_type!r}",
                f"Give the id of a connection of type {HOOK_NAME}.",
            )
        extra = self._extra(connection)
        self._check_port(connection.port, connection.host)
        # An absent field arrives as None or, in a connection test, as "".
        credentials = Credentials(
            instance_id=connection.login or "",
            instance_token=connection.password or "",
            client_token=extra.get("client_token") or None,
            base_url=connection.host or DEFAULT_BASE_URL,
            conn_id=self.zapi_conn_id,
        )
        self._expected_phone, self._connection_read = expected_phone(extra.get("phone"), self.zapi_conn_id), True
        for secret in filter(None, credentials.secrets if mask else ()):
            for form in set(encodings(secret)):
                _mask_secret(form)
        transport = Transport(
            credentials,
            read_timeout=self._timeout(extra.get("timeout")) or READ_SECONDS,
            max_attempts=MAX_ATTEMPTS if self.retry else 1,
        )
        return ZApiClient(credentials, transport=transport)

    def _extra(self, connection: Any) -> dict[str, Any]:
        known = sorted(field.name for field in FIELDS if field.custom)
        extra = _json(connection.extra or "{}")
        if not isinstance(extra, dict):
            self._refuse("Extra is not a JSON object", f"It may hold {', '.join(known)}.")
        for key in sorted(set(extra).difference(known)):
            self.log.warning(
                "Connection %r: Extra holds %r, which is not used. Used are %s.",
                self.zapi_conn_id,
                key,
                ", ".join(known),
            )
        return extra

    def _check_port(self, port: int | None, host: str | None) -> None:
        # 0 comes from the Test button, 443 is typed to make it work; both say nothing that https does not.
        if port in (None, 0, 443) or (host or "").rstrip("/").endswith(f":{port}"):
            return
        self._refuse(
            f"{LABELS['port']} must be empty, 0, 443 or the port of {LABELS['host']}",
            f"Write the port into {LABELS['host']}, as in http://127.0.0.1:8765.",
        )

    def _timeout(self, value: Any) -> float | None:
        if value in (None, ""):
            return None
        try:
            seconds = float(value) if not isinstance(value, bool) else math.nan
        except (TypeError, ValueError, OverflowError):
            seconds = math.nan
        if not 0 < seconds <= MAX_TIMEOUT:
            self._refuse(
                f"{LABELS['timeout']} must be a number of seconds above 0 and up to {MAX_TIMEOUT:.0f}",
                "Leave it empty for 30.",
            )
        return seconds

    def _refuse(self, what: str, advice: str) -> NoReturn:
        raise ZApiConfigurationError(what, advice, conn_id=self.zapi_conn_id)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _mask_secret(secret: str) -> None:
    """Tell Airflow's masker too, so that it hides what other code of the same task may print."""
    try:
        masker = importlib.import_module("airflow.sdk.log")
    except ImportError:  # Airflow 2
        masker = importlib.import_module("airflow.utils.log.secrets_masker")
    masker.mask_secret(secret)
