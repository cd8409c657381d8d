"""After one plan is approved and another is rejected on Airflow's page, only the approved one changes the number."""

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
    pytest.mark.skipif(AIRFLOW_2, reason="on Airflow 2, only the form is tested"),
    needs_approvals,
    pytest.mark.usefixtures("default_connection_said"),
]

DAG_ID = "zapi_approve"
#: The timeout for a run of several tasks in seconds, long enough for a busy machine.
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


def answer(page: Page, option: str) -> None:
    with page.expect_response(lambda response: "hitlDetails" in response.url and response.request.method == "PATCH"):
        page.get_by_role("button", name=option, exact=True).click()


def open_question(page: Page, link: str) -> None:
    page.set_viewport_size({"width": 1100, "height": 700})
    page.goto(link)
    expect(page.get_by_text("Change the privacy of zapi_default?").first).to_be_visible()
    expect(page.locator("tr").filter(has_text="CONTACT_BLACKLIST")).to_contain_text(
        re.compile(r"last seen\D+2\D*2\D*0\D*0")
    )


def test_an_approved_plan_changes_the_number_and_a_rejected_one_does_not(
    page: Page, airflow: RunningAirflow, emulator: RunningEmulator, picture: Picture
) -> None:
    before = settings(emulator)
    run, link = asked(airflow, emulator)
    open_question(page, link)
    answer(page, "Reject")
    assert end_of(airflow, run) == {"plan": "success", "approve": "success", "apply": "skipped"}
    assert settings(emulator) == before

    run, link = asked(airflow, emulator)
    open_question(page, link)
    expect(page.get_by_text(re.compile("plan1-add2-remove2-[0-9a-f]{64}"))).to_be_visible()
    assert not any(phone in page.locator("body").inner_text() for phone in before["last_seen"]["excluded"])
    page.mouse.move(0, 0)
    picture("approval", page)
    assert settings(emulator) == before
    answer(page, "Approve")
    assert end_of(airflow, run) == {"plan": "success", "approve": "success", "apply": "success"}
    assert settings(emulator)["last_seen"] == {
        "value": "CONTACT_BLACKLIST",
        "excluded": ["5544991111111", "5544992222222"],
    }


def test_a_number_that_changed_after_the_plan_is_not_changed(
    page: Page, airflow: RunningAirflow, emulator: RunningEmulator
) -> None:
    run, link = asked(airflow, emulator)
    open_question(page, link)
    last_seen = {"excluded": ["5544993333333"]}
    emulator.emulator.instance(NUMBERS["zapi_default"]).patch({"settings": {"last_seen": last_seen}})
    changed = settings(emulator)
    answer(page, "Approve")

    def end() -> dict[str, str] | None:
        done = airflow.api("GET", run)["state"] in ("failed", "success")
        return {task["task_id"]: task["state"] for task in airflow.task_instances(run)} if done else None

    # Fail immediately, because a retry would have the same result.
    assert airflow.wait_for("the end of the run", end, PATIENCE)["apply"] == "failed"
    [apply] = [task for task in airflow.task_instances(run) if task["task_id"] == "apply"]
    assert apply["try_number"] == 1
    assert "The plan is not the one that was approved" in airflow.task_log(run, apply)
    assert settings(emulator) == changed
