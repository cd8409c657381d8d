"""The hook that turns an Airflow connection into a client of a Z-API instance or account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_zapi.catching import caught
from airflow_provider_zapi.connection.form import (
    CONNECTION_TYPE,
    DEFAULT_CONN_ID,
    HOOK_NAME,
    LABELS,
    ui_field_behaviour,
)
from airflow_provider_zapi.exceptions import ZApiConfigurationError, ZApiError

if TYPE_CHECKING:
    from airflow_provider_zapi.client import ZApiAccountClient, ZApiClient

__all__ = ["ZApiHook"]


class ZApiHook(BaseHook):
    """Manage a Z-API connection: its credentials, its ``Client-Token`` and one HTTP session.

    :param zapi_conn_id: the Airflow connection, of type ``zapi``
    :param retry: whether to retry a failed call before its error is raised; disable for callers that poll
    :param instance: the id or the exact name of an instance, for a connection with a whole account
    """

    conn_name_attr = "zapi_conn_id"
    default_conn_name = DEFAULT_CONN_ID
    conn_type = CONNECTION_TYPE
    hook_name = HOOK_NAME

    def __init__(self, zapi_conn_id: str = DEFAULT_CONN_ID, *, retry: bool = True, instance: str | None = None) -> None:
        super().__init__()
        self.zapi_conn_id = zapi_conn_id
        self.retry = retry
        self.instance = instance
        #: The id of the instance picked from an account, or None if the connection has one instance.
        self.picked: str | None = None
        self._client: ZApiClient | None = None
        self._account: ZApiAccountClient | None = None
        self._cancelled = False
        self._expected_phone: str | None = None
        self._connection_read = False

    def __repr__(self) -> str:
        return f"{type(self).__name__}(zapi_conn_id={self.zapi_conn_id!r})"

    def __enter__(self) -> ZApiClient:
        return self.get_conn()

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        # A client holds credentials and a socket, so it isn't pickled. An unpickled hook looks up the connection again.
        return {**self.__dict__, "_client": None, "_account": None}

    def get_conn(self) -> ZApiClient:
        """Return the client of the connection's instance. All calls of a task share it.

        If the connection covers a whole account, the hook looks up ``instance`` in that account.

        :raises ZApiConfigurationError: a field of the connection cannot be used, or ``instance`` is missing; nothing
            was sent
        :raises ZApiInvalidRequestError: ``instance`` is unknown or ambiguous; nothing was sent to any instance
        :raises ZApiError: the account's instances could not be read
        """
        if self._client is None:
            self._client = self.client_of(self.get_connection(self.zapi_conn_id))
        return self._client

    def get_account(self) -> ZApiAccountClient:
        """Return the client of the connection's account. Close it, or use it as a context manager.

        :raises ZApiConfigurationError: a field of the connection cannot be used, or it has one instance only
        """
        return self.account_of(self.get_connection(self.zapi_conn_id))

    def account_of(self, connection: Any) -> ZApiAccountClient:
        """Return the account's client for a connection that the caller has already looked up.

        :param connection: Airflow's connection object; do not keep it in a variable, which tracebacks show
        :raises ZApiConfigurationError: a field of the connection cannot be used, or it has one instance only
        """
        from airflow_provider_zapi.client import ZApiAccountClient

        made = self._new_or_refusal(connection)
        del connection
        if isinstance(made, ZApiError):
            raise made.with_traceback(None)
        if not isinstance(made, ZApiAccountClient):
            made.close()
            raise ZApiConfigurationError(
                "The connection has one instance, but this needs a whole account",
                f"Use a connection with the account's {LABELS['partner_token']}. Nothing was sent.",
                conn_id=self.zapi_conn_id,
            )
        return made

    def cancel(self) -> None:
        """Stop sending. This is safe in a signal handler: it sets flags without a lock."""
        self._cancelled = True
        for client in (self._account, self._client):
            if client is not None:
                client.cancel()

    @property
    def expected_phone(self) -> str | None:
        """Return the number that must be paired with the instance, from the connection's extra ``phone``."""
        if not self._connection_read:
            self.get_conn()
        return self._expected_phone

    def close(self) -> None:
        """Close the client's connection. The next ``get_conn`` makes a new client."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def test_connection(self) -> tuple[bool, str]:
        """Test the connection. Read the instance's status and, if the connection expects a phone, its phone.

        For an account, read the number of instances. The test changes nothing.

        :return: whether the credentials work and the expected phone is connected, and a message for the user
        """
        from airflow_provider_zapi.client import ZApiAccountClient
        from airflow_provider_zapi.connection.phone import require_phone
        from airflow_provider_zapi.wording import counted

        try:
            made = self._opened()
            if isinstance(made, ZApiAccountClient) and self.instance is None:
                with made:
                    found = counted(made.count(), "instance")
                return True, f"Z-API accepts the integrator token, and the account has {found}."
            with self._picked_from(made, mask=True) if isinstance(made, ZApiAccountClient) else made as client:
                status = client.status()
                instance, expected = client.instance_id, self.expected_phone
                if status.connected and expected is not None:
                    require_phone(client, expected, self.zapi_conn_id)
        except ZApiError as error:
            # The form's Test button uses a copy with a made-up id, which would not help the reader.
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
        """Return how the form shows Airflow's own fields, for Airflow 2.11 to 3.1."""
        return {key.replace("-", "_"): value for key, value in ui_field_behaviour().items()}

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the form fields that are stored in Extra, for Airflow 2.11 to 3.1."""
        from airflow_provider_zapi.connection.widgets import connection_form_widgets

        return connection_form_widgets()

    def client_of(self, connection: Any) -> ZApiClient:
        """Return a new client for a connection that the caller has already looked up.

        :param connection: Airflow's connection object; do not keep it in a variable, which tracebacks show
        :raises ZApiError: see ``get_conn``
        """
        made = self.client_or_refusal(connection)
        # Airflow 3.0 prints the local variables of each frame in `dags test`, and error reporting sends them. This
        # frame and those below hold credentials.
        del connection
        if isinstance(made, ZApiError):
            raise made.with_traceback(None)
        return made

    def client_or_refusal(self, connection: Any, *, mask: bool = True) -> ZApiClient | ZApiError:
        """Return the client or its error. The traceback of an error raised in a thread would show the arguments.

        :param connection: Airflow's connection object; do not keep it in a variable, which tracebacks show
        :param mask: whether to register the secrets in all their forms with Airflow's masker. This blocks on the
            supervisor, so a trigger must not do it
        """
        return caught(lambda: self._new_client(connection, mask), ZApiError)

    def _opened(self) -> ZApiClient | ZApiAccountClient:
        """Look up the connection, and return the client of its instance or account."""
        made = self._new_or_refusal(self.get_connection(self.zapi_conn_id))
        if isinstance(made, ZApiError):
            raise made.with_traceback(None)
        return made

    def _new_or_refusal(self, connection: Any) -> ZApiClient | ZApiAccountClient | ZApiError:
        return caught(lambda: self._new(connection, mask=True), ZApiError)

    def _new_client(self, connection: Any, mask: bool) -> ZApiClient:
        from airflow_provider_zapi.client import ZApiClient

        made = self._new(connection, mask)
        return made if isinstance(made, ZApiClient) else self._picked_from(made, mask)

    def _new(self, connection: Any, mask: bool) -> ZApiClient | ZApiAccountClient:
        # These imports are not at the top, because every DAG parse imports this module, but few make a client.
        from airflow_provider_zapi.client import Transport, ZApiAccountClient, ZApiClient
        from airflow_provider_zapi.connection.picking import check_instance
        from airflow_provider_zapi.connection.reading import AccountConnection, read_connection
        from airflow_provider_zapi.connection.reading import mask as tell_masker
        from airflow_provider_zapi.metrics import count_call

        read = read_connection(connection, self.zapi_conn_id)
        self._connection_read = True
        options: dict[str, Any] = {"observe": count_call} | ({} if self.retry else {"max_attempts": 1})
        if read.read_timeout is not None:
            options["read_timeout"] = read.read_timeout
        if mask:
            tell_masker(read.target)
        if isinstance(read, AccountConnection):
            return ZApiAccountClient(read.target, **options)
        if self.instance is not None:
            check_instance(self.instance, read.target.instance_id, self.zapi_conn_id)
        self._expected_phone = read.expected_phone
        return ZApiClient(read.target, transport=Transport(read.target, **options))

    def _picked_from(self, account: ZApiAccountClient, mask: bool) -> ZApiClient:
        """Return the client of the instance that ``instance`` names, and close the account's."""
        from airflow_provider_zapi.connection.picking import pick_instance
        from airflow_provider_zapi.connection.reading import mask as tell_masker

        self._account = account
        try:
            with account:
                if self._cancelled:  # before the client was set, so cancel() could not reach it
                    account.cancel()
                picked = pick_instance(account, self.instance, self.zapi_conn_id)
                client = account.client_for(picked)
        finally:
            self._account = None
        if mask:
            tell_masker(picked.credentials())
        self.picked = picked.id
        self.log.info("Connection %s: the instance is %s (%s).", self.zapi_conn_id, picked.id, picked.name)
        return client
