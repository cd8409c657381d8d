"""Airflow's pages and the emulator's page show the run of an example."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from airflow_provider_zapi.emulator import RunningEmulator
from airflow_provider_zapi.links import ZApiPanelLink
from airflow_provider_zapi.panel import INSTANCES_PAGE
from scripts.standalone import AIRFLOW_2, RunningAirflow
from tests.ui.conftest import Picture, watched_page

pytestmark = [
    pytest.mark.skipif(AIRFLOW_2, reason="on Airflow 2, only the form is tested"),
    pytest.mark.usefixtures("default_connection_said"),
]

#: The timeout for a run of several tasks in milliseconds, long enough for a busy machine.
RUN = 240_000


def trigger(page: Page, airflow: RunningAirflow, dag_id: str) -> str:
    """Trigger a DAG on its page, wait until the run has succeeded there, and return the address of the run."""
    airflow.wait_for_dag(dag_id)
    page.goto(f"{airflow.url}/dags/{dag_id}")
    page.get_by_role("button", name="Trigger").click()
    page.get_by_role("dialog").get_by_role("button", name="Trigger").click()
    page.wait_for_url("**/runs/*")
    expect(page.get_by_text("Success", exact=True).first).to_be_visible(timeout=RUN)
    return page.url


@pytest.fixture(scope="module")
def run(browser: Browser, airflow: RunningAirflow, default_connection_said: str | None) -> str:
    """Return the address of an example's run."""
    with watched_page(browser) as page:
        return trigger(page, airflow, "zapi_hide_last_seen")


@pytest.fixture
def task_page(page: Page, run: str) -> Page:
    """Open the page of the run's task from the page of the run, and return it."""
    page.goto(run)
    address = f"{urlsplit(run).path}/tasks/hide_last_seen"
    page.locator(f"a[href='{address}']").filter(has_text="hide_last_seen").click()
    page.wait_for_url(f"**{address}")
    return page


def open_tab(page: Page, name: str) -> None:
    page.get_by_role("link", name=name, exact=True).click()


def test_the_log_of_a_task_says_what_it_did(task_page: Page) -> None:
    expect(
        task_page.get_by_text("Z-API accepted for connection zapi_default: last seen is set to NONE")
    ).to_be_visible()


def test_the_log_of_a_policy_shows_its_plan(
    page: Page, airflow: RunningAirflow, emulator: RunningEmulator, picture: Picture
) -> None:
    airflow.wait_for_dag("zapi_apply_policy")
    tasks = airflow.run_dag("zapi_apply_policy", RUN / 1000)
    page.set_viewport_size({"width": 1100, "height": 560})
    run_id = tasks[0]["dag_run_id"]
    page.goto(f"{airflow.url}/dags/zapi_apply_policy/runs/{run_id}/tasks/apply_to_zapi_default")
    expect(page.get_by_text("last_seen      CONTACT_BLACKLIST  +2 -2 =0")).to_be_visible()
    picture("plan-log", page)


def test_the_rendered_fields_of_a_task_hold_a_connection_id_and_no_secret(task_page: Page) -> None:
    open_tab(task_page, "Rendered Templates")
    for name, value in {"visualization_type": "NONE", "zapi_conn_id": "zapi_default"}.items():
        expect(task_page.locator("tr").filter(has_text=name)).to_contain_text(value)


def test_the_result_of_a_task_is_counts(task_page: Page) -> None:
    open_tab(task_page, "Storage")
    open_tab(task_page, "XCom")
    task_page.get_by_role("button", name=re.compile("^Expand")).click()
    expect(task_page.locator("tr").filter(has_text="return_value")).to_contain_text(re.compile(r'"calls":\s1'))


def test_the_link_of_a_task_leads_to_the_panel(task_page: Page) -> None:
    def panel(route: Route) -> None:
        route.fulfill(body="The panel", content_type="text/plain")

    task_page.context.route(INSTANCES_PAGE, panel)
    open_tab(task_page, "Details")
    with task_page.context.expect_page() as opened:
        task_page.get_by_role("link", name=ZApiPanelLink.name).click()
    expect(opened.value).to_have_url(INSTANCES_PAGE)
    expect(opened.value.locator("body")).to_have_text("The panel")


def test_the_emulators_page_follows_a_run_without_a_reload(
    page: Page, airflow: RunningAirflow, emulator: RunningEmulator, picture: Picture
) -> None:
    watching = page.context.new_page()
    watching.set_viewport_size({"width": 820, "height": 600})
    watching.goto(emulator.url)
    expect(watching.get_by_text("live", exact=True)).to_be_visible()
    card = watching.locator("section.card").filter(has=watching.get_by_role("heading", name="Demo", exact=True))
    last_seen = card.locator(".setting").filter(has=watching.get_by_text("Last seen", exact=True))
    expect(last_seen).to_contain_text("Everyone")
    watching.evaluate("window.notLoadedAgain = true")

    trigger(page, airflow, "zapi_several_numbers")

    expect(last_seen).to_contain_text("My contacts except")
    expect(last_seen).to_contain_text("5544991111111")
    expect(card.get_by_text("by a call").first).to_be_visible()
    assert watching.evaluate("window.notLoadedAgain")
    box = card.bounding_box()
    assert box is not None
    watching.set_viewport_size({"width": 820, "height": round(box["y"] + box["height"]) + 16})
    picture("emulator", watching)


@pytest.mark.parametrize(
    ("dag_id", "name", "height"),
    [("zapi_several_numbers", "dag-graph", 560), ("zapi_wait_check_apply_tell", "chain", 420)],
)
def test_the_graph_of_an_example_shows_that_each_task_succeeded(
    page: Page,
    airflow: RunningAirflow,
    emulator: RunningEmulator,
    picture: Picture,
    dag_id: str,
    name: str,
    height: int,
) -> None:
    airflow.wait_for_dag(dag_id)
    tasks = airflow.run_dag(dag_id, RUN / 1000)
    page.set_viewport_size({"width": 1000, "height": height})
    page.goto(f"{airflow.url}/dags/{dag_id}/runs/{tasks[0]['dag_run_id']}")
    page.locator("[aria-label^='Show Graph']").click()
    page.get_by_label("Collapse Details Panel").click()
    nodes = page.locator(".react-flow__node")
    expect(nodes).to_have_count(len({task["task_id"] for task in tasks}))
    for node in nodes.all():
        expect(node).to_contain_text("success")
    page.mouse.move(0, 0)  # away from the graph, which shows a tooltip for a task under the pointer
    page.add_style_tag(content=".react-flow__minimap { display: none }")  # it would cover a task
    # The graph moves into place. It has arrived if it did not move for half a second.
    page.wait_for_function(
        """() => {
            const before = window.graphAt;
            window.graphAt = document.querySelector('.react-flow__viewport').style.transform;
            return window.graphAt === before;
        }""",
        polling=500,
    )
    picture(name, page)
