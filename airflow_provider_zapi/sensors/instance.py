"""The sensor that waits until an instance is connected."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, cast

from airflow.providers.common.compat.sdk import conf

from airflow_provider_zapi.connection.form import DEFAULT_CONN_ID
from airflow_provider_zapi.sensors.base import ZApiSensor

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_zapi.client import ZApiClient

__all__ = ["ZApiInstanceConnectedSensor"]


class ZApiInstanceConnectedSensor(ZApiSensor):
    """Wait until the instance has a WhatsApp session: ``status`` says ``connected: true``.

    It reads once. With ``deferrable``, it then waits in the triggerer and frees the worker slot. It reads again every
    ``poke_interval`` seconds (in the triggerer, at least 2). After ``timeout`` seconds, the task fails and is not
    retried. It also takes the parameters of `ZApiSensor`.

    Airflow's ``soft_fail=True`` also skips the task after a permanent error, such as a refused credential.

    Source: Z-API, ``GET status``.

    :param deferrable: wait in the triggerer; the default is Airflow's ``operators.default_deferrable``
    :param instance: the ID or exact name of the instance, if the connection covers a whole account. (templated)
    :param zapi_conn_id: the Z-API connection. (templated)
    """

    check_phone: ClassVar[bool] = False

    def __init__(
        self,
        *,
        deferrable: bool | None = None,
        instance: str | None = None,
        zapi_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if instance is not None:
            self.instance = instance
        self.zapi_conn_id = zapi_conn_id
        if deferrable is None:
            deferrable = conf.getboolean("operators", "default_deferrable", fallback=False)
        self.deferrable = deferrable
        self._event: dict[str, Any] | None = None
        self._resumed = False

    def poke(self, context: Context) -> bool:
        """Read once. If the sensor is deferrable, wait in the triggerer.

        ``execute`` is not overridden, so ``soft_fail`` works the same in every mode.
        """
        from airflow_provider_zapi.triggers.instance import InstanceConnectedTrigger, error_of

        if self._resumed:
            if error := error_of(self._event):
                raise error
            return True
        connected = super().poke(context)
        if not connected and self.deferrable:
            self.defer(
                trigger=InstanceConnectedTrigger(
                    self.zapi_conn_id,
                    self.poke_interval,
                    self.max_consecutive_errors,
                    self._errors,
                    # Use the id if it is known. The name may change during the wait.
                    self._picked or cast("str | None", self.instance),
                ),
                method_name="execute_complete",
                timeout=timedelta(seconds=self.timeout),
            )
        return connected

    def look(self, client: ZApiClient) -> bool:
        """Return whether the instance is connected."""
        from airflow_provider_zapi.triggers.instance import is_connected

        connected = is_connected(client)
        self.log.info(
            "Connection %s: instance %s is %s.",
            self.zapi_conn_id,
            client.instance_id,
            "connected" if connected else "not connected",
        )
        return connected

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> Any:
        """Succeed or fail according to the trigger's event."""
        self._event, self._resumed = event, True
        return self.execute(context)
