"""The base class of the sensors. It decides how many errors a sensor tolerates."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import BaseSensorOperator

from airflow_provider_zapi.operators.base import ZApiOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_zapi.client import ZApiClient

__all__ = ["ZApiSensor"]

#: With Airflow's default poke_interval of one minute, a sensor tolerates five minutes without Z-API.
MAX_CONSECUTIVE_ERRORS = 5


class ZApiSensor(ZApiOperator, BaseSensorOperator):
    """The base class of sensors that wait for a state of one Z-API instance.

    A permanent error (credentials, subscription, unknown instance) fails the task. A transient error does not.

    :param max_consecutive_errors: after this many transient errors in a row, the task fails with the last one. It has
        no effect with ``mode="reschedule"``, where every read is a new process that can't know about earlier errors.
        In that mode, only ``timeout`` ends the wait
    """

    ui_color = "#e6f7ec"
    #: A sensor reads again after ``poke_interval``, so a failed call needs no HTTP retry.
    retry_calls: ClassVar[bool] = False
    #: Whether to check the paired number. Z-API reports it only while the instance is connected.
    check_phone: ClassVar[bool] = True

    def __init__(self, *, max_consecutive_errors: int = MAX_CONSECUTIVE_ERRORS, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if isinstance(max_consecutive_errors, bool) or max_consecutive_errors < 1:
            raise ValueError("max_consecutive_errors must be 1 or more")
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
            self.log.warning("%s The sensor reads again in %g s.", error, self.poke_interval)
            return False
        self._errors = 0
        return found
