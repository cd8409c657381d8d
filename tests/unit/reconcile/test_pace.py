"""The pace of an account's calls: what halves it, what stops the calls, and what raises the pace again."""

from __future__ import annotations

import pytest

from airflow_provider_zapi.client.answers import Failure
from airflow_provider_zapi.exceptions import (
    ZApiAuthenticationError,
    ZApiConfigurationError,
    ZApiError,
    ZApiInstanceNotFoundError,
    ZApiNotConnectedError,
    ZApiRateLimitError,
    ZApiRefusedError,
    ZApiSubscriptionError,
    ZApiUnreachableError,
)
from airflow_provider_zapi.reconcile.pace import AccountPace
from tests.support import Clock


def failure(error: type[ZApiError], status: int | None = 400, retry_after: float | None = None) -> Failure:
    return Failure(error, "what", "advice", status=status, retry_after=retry_after)


def test_too_many_calls_halve_the_concurrency_once_and_every_thread_waits() -> None:
    clock = Clock()
    pace = AccountPace(8, clock)
    clock.now = 1001.0
    for sent in (1000.2, 1000.4, 1000.9):
        pace.failed(failure(ZApiRateLimitError, 429, 7), max(sent, 1000.0))
    assert pace.limit == 4
    assert pace.begin() == pytest.approx(7)
    clock.now += 8
    assert pace.begin() == 0
    pace.failed(failure(ZApiRateLimitError, 429), clock.now)
    assert pace.limit == 2
    assert pace.begin() == pytest.approx(1)


def test_after_a_429_half_as_many_calls_are_in_progress_even_for_numbers_that_started_before() -> None:
    clock = Clock()
    pace = AccountPace(4, clock)
    assert [pace.begin() for _ in range(4)] == [0] * 4
    clock.now += 1
    for _ in range(4):
        pace.failed(failure(ZApiRateLimitError, 429), 1000.0)
        pace.ended()
    clock.now += 2
    assert [pace.begin() > 0 for _ in range(4)] == [False, False, True, True]
    pace.ended()
    assert pace.begin() == 0
    assert pace.begin() > 0


def test_the_concurrency_never_falls_below_one() -> None:
    clock = Clock()
    pace = AccountPace(3, clock)
    for _ in range(4):
        pace.failed(failure(ZApiRateLimitError, 429), clock.now)
        clock.now += 10
    assert pace.limit == 1
    assert not pace.stopped


def test_without_429_the_concurrency_rises_by_one_up_to_the_limit() -> None:
    pace = AccountPace(4, Clock())
    pace.failed(failure(ZApiRateLimitError, 429), 1000.0)
    seen = []
    for _ in range(12):
        pace.finished()
        seen.append(pace.limit)
    assert seen == [2, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4]


@pytest.mark.parametrize(
    ("error", "status", "stops"),
    [
        (ZApiAuthenticationError, 403, True),
        (ZApiConfigurationError, None, True),
        (ZApiSubscriptionError, 402, True),
        (ZApiSubscriptionError, 400, False),
        (ZApiInstanceNotFoundError, 404, False),
        (ZApiNotConnectedError, 400, False),
        (ZApiRefusedError, 200, False),
        (ZApiUnreachableError, 503, False),
    ],
)
def test_only_a_refusal_that_affects_the_account_stops_everything(
    error: type[ZApiError], status: int | None, stops: bool
) -> None:
    pace = AccountPace(8, Clock())
    pace.failed(failure(error, status), 1000.0)
    assert pace.stopped is stops
    assert (pace.refusal is not None) is stops


def test_a_wait_that_is_too_long_for_a_worker_stops_the_run_and_is_reported() -> None:
    pace = AccountPace(8, Clock())
    pace.failed(failure(ZApiRateLimitError, 429, 600), 1000.0)
    assert pace.stopped
    assert pace.refusal is not None
    assert pace.refusal.retry_after == 600
