"""The hook: an Airflow connection in, a client of its Z-API instance out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_zapi.catching import caught
from airflow_provider_zapi.connection.form import CONNECTION_TYPE, DEFAULT_CONN_ID, HOOK_NAME, ui_field_behaviour
from airflow_provider_zapi.exceptions import ZApiConfigurationError, ZApiError

if TYPE_CHECKING:
    from airflow_provider_zapi.client import ZApiClient

__all__ = ["ZApiHook"]


class ZApiHook(BaseHook):
    """Manages a Z-API connection: its credentials, its ``Client-Token`` and one kept HTTP session.

    :param zapi_conn_id: the Airflow connection, of type ``zapi``
    :param retry: whether a failed call is tried again before its error is raised; disable for callers that poll
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
        from airflow_provider_zapi.connection.widgets import connection_form_widgets

        return connection_form_widgets()

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
        return caught(lambda: self._new_client(connection, mask), ZApiConfigurationError)

    def _new_client(self, connection: Any, mask: bool) -> ZApiClient:
        # Here and not at the top: every parse of a DAG file imports this module, and few parses make a client.
        from airflow_provider_zapi.client import Transport, ZApiClient
        from airflow_provider_zapi.connection.reading import mask as tell_masker
        from airflow_provider_zapi.connection.reading import read_connection
        from airflow_provider_zapi.metrics import count_call

        read = read_connection(connection, self.zapi_conn_id)
        self._expected_phone, self._connection_read = read.expected_phone, True
        if mask:
            tell_masker(read.target)
        options: dict[str, Any] = {"observe": count_call} | ({} if self.retry else {"max_attempts": 1})
        if read.read_timeout is not None:
            options["read_timeout"] = read.read_timeout
        return ZApiClient(read.target, transport=Transport(read.target, **options))
