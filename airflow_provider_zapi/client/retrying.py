"""Decide whether and when to retry a call. `tenacity` runs the loop, and the failure says whether a retry can help."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

import tenacity

from airflow_provider_zapi.client.answers import Again, Failure

__all__ = ["MAX_ATTEMPTS", "with_retries"]

T = TypeVar("T")

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 4
#: The wait before attempt n+1 is random: 0 to FIRST_WAIT * 2**(n-1) seconds, at most LONGEST_WAIT (full jitter).
FIRST_WAIT = 1.0
LONGEST_WAIT = 20.0
#: If the server asks for a longer wait, the call fails, and the error passes the wait on to the task retry.
MAX_RETRY_AFTER = 60.0

_backoff = tenacity.wait_random_exponential(multiplier=FIRST_WAIT, max=LONGEST_WAIT)


def with_retries(
    attempt: Callable[[], T | Failure],
    *,
    endpoint: str,
    idempotent: bool,
    max_attempts: int,
    remaining: Callable[[], float],
    pause: Callable[[float], None],
) -> T | Failure:
    """Repeat an attempt until it succeeds, fails permanently, or has no retry left.

    :param attempt: makes one attempt
    :param endpoint: the name of the endpoint, for the log
    :param idempotent: whether the call may be repeated even if the server may have processed it
    :param max_attempts: the most attempts to make
    :param remaining: returns the seconds that are left for the whole call
    :param pause: waits for a number of seconds
    :return: the result of the last attempt
    """

    def is_worth_another(outcome: object) -> bool:
        return isinstance(outcome, Failure) and (
            outcome.again is Again.ALWAYS or (outcome.again is Again.IF_REPEATABLE and idempotent)
        )

    def is_over(state: tenacity.RetryCallState) -> bool:
        """Return whether no attempt is left, or the next wait is too long."""
        return (
            state.attempt_number >= max_attempts
            or state.upcoming_sleep > MAX_RETRY_AFTER
            or state.upcoming_sleep >= remaining()
        )

    def log_retry(state: tenacity.RetryCallState) -> None:
        failure = _outcome(state)
        log.warning(
            "Z-API call %s: attempt %d of %d failed: %s. Retrying in %.1f s.",
            endpoint,
            state.attempt_number,
            max_attempts,
            getattr(failure, "what", failure),
            state.upcoming_sleep,
        )

    return tenacity.Retrying(
        retry=tenacity.retry_if_result(is_worth_another),
        wait=_wait,
        stop=is_over,
        sleep=pause,
        before_sleep=log_retry,
        retry_error_callback=_outcome,
    )(attempt)


def _outcome(state: tenacity.RetryCallState) -> object:
    return state.outcome.result() if state.outcome else None


def _wait(state: tenacity.RetryCallState) -> float:
    failure = _outcome(state)
    asked = failure.retry_after if isinstance(failure, Failure) else None
    return max(_backoff(state), asked or 0.0)
