"""When a task is tried again after Z-API said how long to wait (Airflow 3.3 and newer)."""

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

#: Seconds; a server that asks for more is mistaken, and a task that waits for years looks like a lost one.
LONGEST_DELAY = 86_400.0


class ZApiRetryPolicy(RetryPolicy):
    """Try the task again as long after as Z-API asked for (``Retry-After``), at most a day; else as the task says.

    A task's ``retries`` still say how often. Permanent errors fail the task at once, with this policy or without:

        SetLastSeenPrivacyOperator(..., retries=3, retry_policy=ZApiRetryPolicy())

    :raises ZApiConfigurationError: this Airflow is older than 3.3 and has no retry policies
    """

    def __init__(self) -> None:
        if RetryPolicy is object:
            raise ZApiConfigurationError(
                "ZApiRetryPolicy needs Airflow 3.3 or newer",
                "Leave retry_policy out here: the task's retry_delay says when it is tried again.",
                code="ZAPI-CONFIG-AIRFLOW-VERSION",
            )

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        """Return the delay that the error carries, or leave the decision to the task's own parameters."""
        if not isinstance(exception, ZApiTransientError) or exception.retry_after is None:
            return RetryDecision.default()
        seconds = min(exception.retry_after, LONGEST_DELAY)
        return RetryDecision.retry(timedelta(seconds=seconds), f"Z-API asked to wait {seconds:.0f} s")
