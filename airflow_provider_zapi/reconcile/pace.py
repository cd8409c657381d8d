"""How fast the calls of an account's numbers go out, and whether any go out at all."""

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

#: Threads of one run. More would not be faster: each call costs processor time too.
MAX_CONCURRENCY = 32
#: Seconds to wait after a 429 that does not say how long.
_WAIT = 1.0
#: Seconds after which a call asks again whether another one has ended.
_LOOK = 0.05
#: What an account is asked to pay, in contrast to the lapsed subscription of one instance.
_PAYMENT_REQUIRED = 402


class AccountPace:
    """The pace of all calls of an account's numbers: how many at once, not before when, or not at all any more.

    A refusal that concerns the account (Client-Token, address, payment, proxy) stops everything. A 429 makes every
    thread wait as long as Z-API asked. Afterwards, half as many calls as before may be under way, including those of
    numbers that are being handled. Each full round without another 429 lets one more in.

    :param most: how many numbers are handled at once
    :param clock: seconds, monotonic, the same as that of the transports
    """

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = most
        #: The refusal that concerns the account, once there was one.
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
        """Whether nothing more is sent."""
        return self._stopped

    def stop(self) -> None:
        """Send nothing more, from now on. Safe in a signal handler: it sets a flag and takes no lock."""
        self._stopped = True

    def begin(self) -> float:
        """Count a call as under way and return 0, or return the seconds after which to ask again."""
        with self._lock:
            wait = self._not_before - self._clock()
            if wait > 0:
                return wait
            if self._under_way >= self.limit:
                return _LOOK
            self._under_way += 1
            return 0.0

    def ended(self) -> None:
        """Take notice of a call that is no longer under way."""
        with self._lock:
            self._under_way -= 1

    def failed(self, failure: Failure, sent: float) -> None:
        """Take notice of an attempt that failed; ``sent`` is when it was sent."""
        if _concerns_the_account(failure):
            self.refusal = self.refusal or failure
            self._stopped = True
        elif failure.error is ZApiRateLimitError:
            self._slow_down(failure.retry_after or _WAIT, sent)
            if (failure.retry_after or 0) > MAX_RETRY_AFTER:
                # Too long to hold a worker: the task's retry waits instead.
                self.refusal = self.refusal or failure
                self._stopped = True

    def finished(self) -> None:
        """Take notice of a number that was finished."""
        with self._lock:
            self._calm += 1
            if self._calm >= self.limit and self.limit < self._most:
                self.limit += 1
                self._calm = 0

    def _slow_down(self, seconds: float, sent: float) -> None:
        with self._lock:
            now = self._clock()
            self._not_before = max(self._not_before, now + seconds)
            # Calls that were on their way already say the same thing, and not that half is still too many.
            if sent >= self._slowed:
                self.limit = max(1, self.limit // 2)
                self._slowed = now
            self._calm = 0


def _concerns_the_account(failure: Failure) -> bool:
    return issubclass(failure.error, (ZApiAuthenticationError, ZApiConfigurationError)) or (
        issubclass(failure.error, ZApiSubscriptionError) and failure.status == _PAYMENT_REQUIRED
    )
