"""A plan is approved, and another one rejected, on Airflow's page: only the approved one changes the number."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from airflow_provider_zapi.emulator import RunningEmulator
from scripts.standalone import AIRFLOW_2, RunningAirflow
from tests.airflow.test_examples import needs_approvals
from tests.ui.conftest import NUMBERS, Picture

pytestmark = [
    pytest.mark.skipif(AIRFLOW_2, reason="of Airflow 2 the form alone is looked at"),
    needs_approvals,
    pytest.mark.usefixtures("default_connection_said"),
]

DAG_ID = "zapi_approve"
#: Seconds: a run of several tasks on a machine that does something else too.
PATIENCE = 240


def settings(emulator: RunningEmulator) -> dict[str, Any]:
    return dict(emulator.emulator.instance(NUMBERS["zapi_default"]).view()["settings"])


def asked(airflow: RunningAirflow, emulator: RunningEmulator) -> tuple[str, str]:
    """Start a run, and return its path in the REST API and the link of the message that asks for its approval."""
    emulator.emulator.clear_requests()
    airflow.wait_for_dag(DAG_ID)
    run = airflow.start_run(DAG_ID)

    def link() -> str | None:
        bodies = [str(each["body"]) for each in emulator.emulator.requests if each["path"].endswith("send-text")]
        found = [re.search(r"http://127\.0\.0\.1:[0-9]+/dags/[^\s\"']+", body) for body in bodies]
        return next((each[0] for each in found if each), None)

    return run, airflow.wait_for("the message with the link", link, PATIENCE)


def end_of(airflow: RunningAirflow, run: str) -> dict[str, str]:
    """Wait until a run has succeeded, and return the states of its tasks."""
    return {task["task_id"]: task["state"] for task in airflow.wait_for_run(run, PATIENCE)}


def answer(page: Page, link: str, option: str) -> None:
    page.goto(link)
    page.get_by_role("button", name=option, exact=True).click()


def test_probe(page: Page, airflow: RunningAirflow, emulator: RunningEmulator) -> None:
    run, link = asked(airflow, emulator)
    print(link)
    page.set_viewport_size({"width": 1100, "height": 800})
    page.goto(link)
    expect(page.get_by_text("Change the privacy of zapi_default?").first).to_be_visible()
    page.wait_for_timeout(1000)
    page.screenshot(path="/tmp/approve.png")
    for b in page.get_by_role("button").all():
        print(b.inner_text(), b.get_attribute("aria-label"))
    print(page.locator("body").inner_text())
