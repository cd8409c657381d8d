"""Share how long all sensors of this provider tolerate errors."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import BaseSensorOperator

from airflow_provider_zapi.operators.base import ZApiOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_zapi.client import ZApiClient

__all__ = ["ZApiSensor"]

#: Five minutes without Z-API, with Airflow's default poke_interval of one minute.
MAX_CONSECUTIVE_ERRORS = 5


class ZApiSensor(ZApiOperator, BaseSensorOperator):
    """Wait for a state of one Z-API instance.

    A permanent error (credentials, subscription, unknown instance) fails the task. A transient error does not.

    :param max_consecutive_errors: after this many transient errors in a row, the task fails with the last one. It has
        no effect with ``mode="reschedule"``, where every read is a new process that does not know the number of errors.
        There, only ``timeout`` ends the wait
    """

    ui_color = "#e6f7ec"
    #: A sensor reads again.
    retry_calls: ClassVar[bool] = False
    #: Only a connected instance can say which number is paired.
    check_phone: ClassVar[bool] = True

    def __init__(self, *, max_consecutive_errors: int = MAX_CONSECUTIVE_ERRORS, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if isinstance(max_consecutive_errors, bool) or max_consecutive_errors < 1:
            raise ValueError("max_consecutive_errors is a number of errors from 1 on")
        self.max_consecutive_errors = max_consecutive_errors
        self._errors = 0

    @abstractmethod
    def look(self, client: ZApiClient) -> bool:
        """Read whether the wait is over."""

    def poke(self, context: Context) -> bool:
        """Read once. A transient error counts as "not yet", until there are too many."""
        from airflow_provider_zapi.exceptions import ZApiTransientError

        try:
            with self.client(check_phone=self.check_phone) as client:
                found = self.look(client)
        except ZApiTransientError as error:
            self._errors += 1
            if self._killed or (self._errors >= self.max_consecutive_errors and not self.reschedule):
                raise
            self.log.warning("%s The sensor looks again in %g s.", error, self.poke_interval)
            return False
        self._errors = 0
        return found
