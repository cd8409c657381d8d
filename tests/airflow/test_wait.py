"""The deferrable sensor and the notifier in DAG runs of this process."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_zapi.emulator import RunningEmulator
from tests.airflow.support import run, states, without_airflows_own
from tests.support import leaks

DOWN = {"status": 200, "body": {"connected": False, "error": "You are not connected."}}
LAPSED = {"status": 400, "body": {"error": "To continue sending a message, you must subscribe to this instance again"}}

RUNS = [
    ("connected later", [DOWN, DOWN], "success", []),
    ("lapsed later", [DOWN, LAPSED], "failed", [("5544991111111", "wait failed")]),
]


@pytest.mark.parametrize(("answers", "state", "messages"), [row[1:] for row in RUNS], ids=[row[0] for row in RUNS])
def test_a_deferred_wait_ends_and_a_failure_is_reported(
    zapi: RunningEmulator,
    dags: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    answers: list[dict[str, Any]],
    state: str,
    messages: list[tuple[str, str]],
) -> None:
    zapi.emulator.instance("instance-1").patch({"switches": {"fail_next": answers}})
    assert states(run(dags["zapi_test_wait"])) == {"wait": state}
    sent = zapi.emulator.instance("instance-2").view()["messages"]
    assert [(each["phone"], each["message"]) for each in sent] == messages
    assert not leaks(without_airflows_own(caplog.text + "".join(capfd.readouterr())))
