"""The page "WhatsApp privacy" while runs of the examples change numbers."""

from __future__ import annotations

import json
import re
from importlib.metadata import version

import pytest
from packaging.version import Version
from playwright.sync_api import FrameLocator, Locator, Page, expect

from airflow_provider_zapi.emulator import RunningEmulator
from airflow_provider_zapi.plugin import ZApiPlugin
from scripts.standalone import AIRFLOW_2, RunningAirflow
from tests.airflow.conftest import connection
from tests.airflow.support import PROJECT
from tests.ui.conftest import Picture

pytestmark = [
    pytest.mark.skipif(AIRFLOW_2 or not ZApiPlugin.external_views, reason="the page needs Airflow 3.1"),
    pytest.mark.usefixtures("default_connection"),
]
KEEPS_STATE = Version(version("apache-airflow")) >= Version("3.3")
DOCUMENTATION = (PROJECT / "docs" / "privacy-page.md").read_text()
#: In milliseconds: the time for a run, and the time until the page reloads its data.
RUN = 120_000


@pytest.fixture(scope="module")
def default_connection(airflow: RunningAirflow, emulator_server: RunningEmulator) -> None:
    """Add the connection of the examples, which other tests create with the form of the newest Airflow."""
    fields = json.loads(connection(emulator_server.url, "demo-instance"))
    if airflow.find("/connections/zapi_default") is None:
        airflow.api(
            "POST", "/connections", {"connection_id": "zapi_default", **fields, "extra": json.dumps(fields["extra"])}
        )


def opened(page: Page, airflow: RunningAirflow) -> FrameLocator:
    """Open the page from Airflow's menu, as a person does."""
    page.goto(f"{airflow.url}/")
    page.get_by_role("button", name="Browse").click()
    page.get_by_role("menuitem", name="WhatsApp privacy").click()
    page.wait_for_url("**/plugin/whatsapp-privacy**")
    return page.frame_locator("iframe[title='WhatsApp privacy']")


def number(frame: FrameLocator, conn_id: str) -> Locator:
    return frame.locator("details.number").filter(has=frame.locator(".name", has_text=conn_id))


def unfold(card: Locator) -> None:
    if card.get_attribute("open") is None:
        card.locator("summary").click()


def setting(card: Locator, name: str) -> Locator:
    return card.locator("table.settings tr").filter(has_text=name)


def test_the_page_shows_a_change_and_marks_drift_in_red(
    page: Page, airflow: RunningAirflow, emulator: RunningEmulator, picture: Picture
) -> None:
    airflow.wait_for_dag("zapi_apply_policy")
    airflow.run_dag("zapi_apply_policy", RUN / 1000)
    frame = opened(page, airflow)
    for conn_id in ("zapi_default", "zapi_sales", "zapi_support"):
        expect(number(frame, conn_id).locator("summary")).to_contain_text("as wanted")
    card = number(frame, "zapi_default")
    expect(card).to_have_class("number good")
    unfold(card)
    last_seen = setting(card, "last seen")
    expect(last_seen).to_contain_text("CONTACT_BLACKLIST")
    expect(last_seen).to_contain_text("verified")
    expect(setting(card, "read receipts")).to_contain_text("asserted")
    if not KEEPS_STATE:
        expect(frame.get_by_role("alert")).to_contain_text("stores state with assets")
        return

    # Change the list by hand, with the command in the documentation. Then run the task that watches for drift.
    by_hand = re.search(r"PATCH \S+/instances/([a-z-]+) .*?-d '(.*?)'", DOCUMENTATION, re.DOTALL)
    assert by_hand
    emulator.emulator.instance(by_hand[1]).patch(json.loads(by_hand[2]))
    airflow.start_run("zapi_watch_policy")
    expect(card).to_have_class("number bad", timeout=RUN)
    expect(card.locator("summary")).to_contain_text("last seen: 1 missing, 1 too many")
    expect(frame.locator("details.number").first).to_contain_text("zapi_default")
    expect(last_seen).to_contain_text("drift: 1 missing, 1 too many")
    expect(frame.get_by_role("button", name="1 drift")).to_be_visible()
    page.set_viewport_size({"width": 1280, "height": 700})
    picture("privacy-page", page)
    page.emulate_media(color_scheme="dark")
    page.evaluate("document.documentElement.className = 'dark'")
    expect(frame.locator("html")).to_have_attribute("data-theme", "dark")
    picture("privacy-page-dark", page)
    page.evaluate("document.documentElement.className = 'light'")

    frame.get_by_role("button", name=re.compile("as wanted")).click()
    expect(frame.locator("details.number")).to_have_count(2)
    frame.get_by_role("button", name=re.compile("as wanted")).click()
    frame.get_by_label("Find").fill("sales")
    expect(frame.locator("details.number")).to_have_count(1)
    frame.get_by_label("Find").fill("")

    # After the policy is applied again, the list is as wanted. The history has both events.
    airflow.run_dag("zapi_apply_policy", RUN / 1000)
    frame.get_by_role("button", name="Refresh").click()
    expect(card).to_have_class("number good", timeout=RUN)
    expect(card.locator("ul.history li").nth(0)).to_contain_text("last seen +1 \u22121")
    expect(card.locator("ul.history li").nth(1)).to_contain_text("drift")
    card.locator("ul.history li").nth(1).get_by_role("link", name="task watch").click()
    page.wait_for_url(re.compile(r"/dags/zapi_watch_policy/runs/[^/]+/tasks/watch"))
    assert page.frames == [page.main_frame]


def test_the_page_can_be_used_by_keyboard_and_fits_a_phone(
    page: Page, airflow: RunningAirflow, emulator: RunningEmulator, picture: Picture
) -> None:
    airflow.wait_for_dag("zapi_apply_policy")
    airflow.run_dag("zapi_apply_policy", RUN / 1000)
    page.goto(f"{airflow.url}/")  # which logs in
    expect(page.get_by_role("button", name="Browse")).to_be_visible()
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(f"{airflow.url}/zapi-privacy/")
    card = page.locator("details.number").first
    expect(card).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Refresh")).to_be_focused()
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.localName") == "summary":
            break
    page.keyboard.press("Enter")
    expect(card.locator("table.settings")).to_be_visible()
    page.keyboard.press("Tab")
    expect(card.get_by_role("link").first).to_be_focused()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    picture("privacy-page-narrow", page)


def test_the_assets_page_shows_the_number_its_events_and_the_task_that_sets_it(
    page: Page, airflow: RunningAirflow
) -> None:
    airflow.wait_for_dag("zapi_apply_policy")
    airflow.run_dag("zapi_apply_policy", RUN / 1000)
    [asset] = airflow.api("GET", "/assets?uri_pattern=zapi://zapi_default/privacy")["assets"]
    assert "zapi_apply_policy" in str(asset)
    page.goto(f"{airflow.url}/")
    # The start page shows events of assets too.
    page.get_by_role("link", name="Assets", exact=True).click()
    page.wait_for_url("**/assets")
    page.get_by_role("link", name="zapi://zapi_default/privacy").first.click()
    page.wait_for_url(f"**/assets/{asset['id']}")
    expect(page.get_by_text(re.compile("[1-9][0-9]* Asset Event")).first).to_be_visible()
    source = page.get_by_text("Source:").first.locator("xpath=..")
    expect(source.get_by_role("link", name="zapi_apply_policy")).to_be_visible()
