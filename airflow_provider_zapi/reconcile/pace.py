"""Slow down or stop the calls of an account's numbers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from airflow_provider_zapi.client.answers import Failure
from airflow_provider_zapi.client.retrying import MAX_RETRY_AFTER
from airflow_provider_zapi.exceptions import (
    ZApiAuthenticationError,
    ZApiConfigurationError,
    ZApiRateLimitError,
    ZApiSubscriptionError,
)

__all__ = ["MAX_CONCURRENCY", "AccountPace"]

#: The most threads of one run. More would not be faster, because each call also takes processor time.
MAX_CONCURRENCY = 32
#: Seconds to wait after a 429 without ``Retry-After``.
_WAIT = 1.0
#: Seconds after which a waiting call checks again whether another one has ended.
_LOOK = 0.05
#: A payment that the account owes, in contrast to the lapsed subscription of one instance.
_PAYMENT_REQUIRED = 402


class AccountPace:
    """The pace of all calls of an account's numbers.

    A refusal that affects the whole account (Client-Token, address, payment, proxy) stops everything. A 429 makes every
    thread wait as long as Z-API asked, and then halves the number of calls that may be in progress, including those of
    numbers that are being handled. Each full round without another 429 adds one call.

    :param most: the most instances that are handled at the same time
    :param clock: seconds, monotonic, the same clock as that of the transports
    """

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = most
        #: The refusal that affects the whole account, if there was one.
        self.refusal: Failure | None = None
        self._most = most
        self._clock = clock
        self._lock = threading.Lock()
        self._stopped = False
        self._not_before = self._slowed = float("-inf")
        self._calm = 0
        self._under_way = 0

    @property
    def stopped(self) -> bool:
        """Return whether sending has stopped."""
        return self._stopped

    def stop(self) -> None:
        """Stop sending. This is safe in a signal handler: it sets a flag without a lock."""
        self._stopped = True

    def begin(self) -> float:
        """Count a call as in progress and return 0, or return the seconds after which to ask again."""
        with self._lock:
            wait = self._not_before - self._clock()
            if wait > 0:
                return wait
            if self._under_way >= self.limit:
                return _LOOK
            self._under_way += 1
            return 0.0

    def ended(self) -> None:
        """Record that a call is no longer in progress."""
        with self._lock:
            self._under_way -= 1

    def failed(self, failure: Failure, sent: float) -> None:
        """Record a failed attempt and the time when it was sent."""
        if _concerns_the_account(failure):
            self.refusal = self.refusal or failure
            self._stopped = True
        elif failure.error is ZApiRateLimitError:
            self._slow_down(failure.retry_after or _WAIT, sent)
            if (failure.retry_after or 0) > MAX_RETRY_AFTER:
                # This is too long to hold a worker slot, so the task retry waits instead.
                self.refusal = self.refusal or failure
                self._stopped = True

    def finished(self) -> None:
        """Record that a number was finished."""
        with self._lock:
            self._calm += 1
            if self._calm >= self.limit and self.limit < self._most:
                self.limit += 1
                self._calm = 0

    def _slow_down(self, seconds: float, sent: float) -> None:
        with self._lock:
            now = self._clock()
            self._not_before = max(self._not_before, now + seconds)
            # Calls that were already in progress get the same 429. It does not mean that half is still too many.
            if sent >= self._slowed:
                self.limit = max(1, self.limit // 2)
                self._slowed = now
            self._calm = 0


def _concerns_the_account(failure: Failure) -> bool:
    return issubclass(failure.error, (ZApiAuthenticationError, ZApiConfigurationError)) or (
        issubclass(failure.error, ZApiSubscriptionError) and failure.status == _PAYMENT_REQUIRED
    )
