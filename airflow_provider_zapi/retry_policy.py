"""Use the wait that Z-API asked for as the delay of a task retry (Airflow 3.3 and newer)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_provider_zapi.exceptions import ZApiConfigurationError, ZApiTransientError

if TYPE_CHECKING:
    from airflow.sdk import Context, RetryDecision, RetryPolicy
else:
    try:
        from airflow.sdk import RetryDecision, RetryPolicy
    except ImportError:  # before Airflow 3.3
        RetryPolicy = object

__all__ = ["ZApiRetryPolicy"]

#: In seconds. A server that asks for more is wrong, and a task should not wait for years.
LONGEST_DELAY = 86_400.0


class ZApiRetryPolicy(RetryPolicy):
    """Retry the task after the delay that Z-API asked for (``Retry-After``), at most a day.

    If Z-API did not ask for a delay, the task's own parameters apply. The task's ``retries`` limit the number of
    retries. Permanent errors fail the task at once, with or without this policy. For example::

        SetLastSeenPrivacyOperator(..., retries=3, retry_policy=ZApiRetryPolicy())

    :raises ZApiConfigurationError: this Airflow is older than 3.3 and does not have retry policies
    """

    def __init__(self) -> None:
        if RetryPolicy is object:
            raise ZApiConfigurationError(
                "ZApiRetryPolicy needs Airflow 3.3 or newer",
                "Remove retry_policy; the task's retry_delay then sets the delay of a retry.",
                code="ZAPI-CONFIG-AIRFLOW-VERSION",
            )

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        """Return the error's delay, or the task's own decision if the error has no delay."""
        if not isinstance(exception, ZApiTransientError) or exception.retry_after is None:
            return RetryDecision.default()
        seconds = min(exception.retry_after, LONGEST_DELAY)
        return RetryDecision.retry(timedelta(seconds=seconds), f"Z-API asked to wait {seconds:.0f} s")
