"""Z-API's Retry-After becomes the delay of the task retry, if Airflow supports that."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import Any

import airflow
import pytest

from airflow_provider_zapi import exceptions as errors
from airflow_provider_zapi.retry_policy import ZApiRetryPolicy
from tests.airflow.conftest import connection
from tests.airflow.support import run
from tests.faults import FaultServer, answer

HAS_POLICIES = tuple(map(int, airflow.__version__.split(".")[:2])) >= (3, 3)

needs_policies = pytest.mark.skipif(not HAS_POLICIES, reason="retry policies need Airflow 3.3")


@pytest.mark.skipif(HAS_POLICIES, reason="this Airflow has retry policies")
def test_an_airflow_without_retry_policies_is_an_error_that_names_the_needed_version() -> None:
    with pytest.raises(errors.ZApiConfigurationError, match=r"needs Airflow 3\.3 or newer.*retry_delay"):
        ZApiRetryPolicy()


#: An error, and the delay that it requests. With None, the task decides.
DELAYS: list[tuple[BaseException, timedelta | None]] = [
    (errors.ZApiRateLimitError("x", retry_after=90), timedelta(seconds=90)),
    (errors.ZApiUnreachableError("x", retry_after=0.5), timedelta(seconds=0.5)),
    (errors.ZApiUnreachableError("x", retry_after=86_400), timedelta(days=1)),
    # Some servers send a date in the year 9999 for "never".
    (errors.ZApiUnreachableError("x", retry_after=2.5e11), timedelta(days=1)),
    (errors.ZApiRefusedError("x"), None),
    (errors.ZApiAuthenticationError("x", retry_after=90), None),
    (ValueError("x"), None),
]


@needs_policies
@pytest.mark.parametrize(("error", "delay"), DELAYS)
def test_the_delay_is_the_one_in_the_error(error: BaseException, delay: timedelta | None) -> None:
    decision = ZApiRetryPolicy().evaluate(error, 1, 3)
    assert decision.retry_delay == delay
    assert decision.action.value == ("retry" if delay else "default")
    assert decision.reason == (f"Z-API asked to wait {delay.total_seconds():.0f} s" if delay else None)


@needs_policies
@pytest.mark.parametrize("seconds", [None, 61])
def test_airflow_schedules_the_task_retry_after_the_delay_that_z_api_asked_for(
    dags: dict[str, Any], monkeypatch: pytest.MonkeyPatch, seconds: int | None
) -> None:
    planned: list[Any] = []
    ended = threading.Event()

    def end_after_the_first_try() -> None:
        from airflow.utils.session import create_session
        from sqlalchemy import text

        # Keep this until the end, because `dag.test()` writes the state of the try again after Airflow's API has stored it.
        while not ended.wait(0.1):
            with create_session() as session:
                rows = session.execute(
                    text(
                        "SELECT retry_delay_override, retry_reason FROM task_instance "
                        "WHERE dag_id = 'zapi_test_retry_policy' AND state = 'up_for_retry'"
                    )
                ).all()
                planned[:] = planned or rows
                if rows:
                    session.execute(
                        text("UPDATE task_instance SET state = 'failed' WHERE dag_id = 'zapi_test_retry_policy'")
                    )

    # The requested delay is too long for an HTTP retry, so there is one request and the error carries the delay. The
    # other case is a refusal without a delay.
    headers = (("Retry-After", str(seconds)),) if seconds else ()
    status, body = (429, b"{}") if seconds else (200, b'{"success": false}')
    with FaultServer(answer(status, body, headers)) as server:
        monkeypatch.setenv("AIRFLOW_CONN_ZAPI_DEFAULT", connection(server.url, "instance-1"))
        watcher = threading.Thread(target=end_after_the_first_try)
        watcher.start()
        started = time.monotonic()
        try:
            run(dags["zapi_test_retry_policy"])
        finally:
            ended.set()
            watcher.join()
        assert time.monotonic() - started < 60
        assert len(server.requests) == 1
    assert [tuple(row) for row in planned] == [(seconds, f"Z-API asked to wait {seconds} s" if seconds else None)]
