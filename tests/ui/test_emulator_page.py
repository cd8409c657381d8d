"""The emulator's page in a browser shows the right data, and its controls do what their labels say."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from airflow_provider_zapi.emulator import Emulator, RunningEmulator, fleet_emulator, running_emulator
from tests.support import CLIENT_TOKEN, TOKEN
from tests.ui.conftest import put_numbers, watched_page

HOSTILE = "<img src=x onerror=document.title='broken'><script>document.title='broken'</script>"


@pytest.fixture
def running() -> Iterator[RunningEmulator]:
    emulator = Emulator()
    put_numbers(emulator)
    with running_emulator(emulator) as started:
        yield started


@pytest.fixture
def opened(running: RunningEmulator, browser: Browser) -> Iterator[Page]:
    with watched_page(browser) as page:
        page.goto(running.url)
        expect(page.get_by_text("live", exact=True)).to_be_visible()
        yield page


def call(running: RunningEmulator, method: str, path: str, body: object = None) -> requests.Response:
    url = f"{running.url}/instances/demo-instance/token/{TOKEN}/{path}"
    return requests.request(method, url, json=body, headers={"Client-Token": CLIENT_TOKEN}, timeout=10)


def test_a_fault_can_be_set_seen_and_removed_with_the_keyboard(opened: Page, running: RunningEmulator) -> None:
    opened.get_by_role("button", name="Set a fault").press("Enter")
    opened.get_by_label("Status (200 to 599)").fill("429")
    expect(opened.get_by_label("Seconds")).to_be_hidden()
    opened.get_by_label("Path after the token").fill("privacy/*")
    opened.get_by_label("How many calls").fill("2")
    opened.get_by_role("button", name="Set the fault").press("Enter")
    expect(opened.get_by_text("status 429: privacy/*, 2 left")).to_be_visible()
    assert call(running, "POST", "privacy/photo", {"visualizationType": "NONE"}).status_code == 429
    expect(opened.get_by_text("status 429: privacy/*, 1 left")).to_be_visible()
    expect(opened.get_by_text("fault: status")).to_be_visible()
    opened.get_by_role("button", name="Remove").press("Enter")
    expect(opened.get_by_text("status 429: privacy/*")).to_be_hidden()
    assert call(running, "POST", "privacy/photo", {"visualizationType": "NONE"}).ok


def test_an_invalid_fault_shows_an_explanation(opened: Page) -> None:
    opened.get_by_role("button", name="Set a fault").click()
    opened.get_by_label("What happens").select_option("delay")
    opened.get_by_label("Seconds").fill("1")
    opened.get_by_label("Seconds").evaluate("node => { node.max = 100; node.value = 99; }")
    opened.get_by_role("button", name="Set the fault").click()
    expect(opened.get_by_role("alert")).to_have_text("seconds of a fault must be seconds from 0 to 60")


def test_a_switch_can_be_changed_and_a_reset_restores_everything(opened: Page, running: RunningEmulator) -> None:
    demo = opened.locator(".card", has_text="demo-instance").first
    demo.get_by_role("button", name="Switches").click()
    opened.get_by_label("list_as").select_option("lid")
    opened.get_by_label("conflicts").fill("many")
    opened.get_by_label("conflicts").blur()
    expect(opened.get_by_role("alert")).to_have_text("conflicts must be JSON: a count")
    expect(demo.get_by_text("list_as: lid")).to_be_visible()
    opened.get_by_role("button", name="Close").press("Enter")
    expect(demo.get_by_role("button", name="Switches")).to_be_focused()
    running.emulator.instance("demo-instance").patch({"switches": {"probed": {"unknown_path": "404 empty"}}})
    expect(demo.get_by_text("probed: 1")).to_be_visible()
    assert running.emulator.instance("demo-instance").switches["list_as"] == "lid"
    opened.get_by_role("button", name="Reset").click()
    opened.get_by_role("dialog").get_by_role("button", name="Reset").click()
    expect(demo.get_by_text("list_as: lid")).to_be_hidden()


def test_requests_and_messages_are_shown_on_demand_and_as_text(opened: Page, running: RunningEmulator) -> None:
    body = {"phone": "5544991111111", "message": HOSTILE, HOSTILE: f"{TOKEN} {CLIENT_TOKEN}"}
    assert call(running, "POST", "send-text", body).ok
    call(running, "POST", "send-image")
    expect(opened.get_by_text("not emulated")).to_be_visible()
    opened.get_by_role("button", name="send-text").click()
    expect(opened.get_by_role("dialog")).to_contain_text('"phone": "5544991111111"')
    expect(opened.get_by_role("dialog")).to_contain_text("onerror")
    opened.keyboard.press("Escape")
    opened.get_by_role("button", name="Messages (1)").click()
    expect(opened.get_by_role("dialog")).to_contain_text(HOSTILE)
    opened.keyboard.press("Escape")
    assert call(running, "POST", "send-text", {"phone": "5544991111111", "message": "long " * 1_000}).ok
    opened.get_by_role("button", name="Messages (2)").click()
    expect(opened.get_by_role("heading", name="Messages sent by")).to_be_in_viewport()
    expect(opened.get_by_role("button", name="Close")).to_be_in_viewport()
    assert opened.title() == "Z-API emulator"


def test_the_page_shows_whether_its_data_is_current(opened: Page, running: RunningEmulator) -> None:
    opened.route("**/_emulator/instances?*", lambda route: route.fulfill(status=200, body="not JSON"))
    assert call(running, "GET", "status").ok
    expect(opened.get_by_text("not reachable")).to_be_visible()
    opened.unroute("**/_emulator/instances?*")
    assert call(running, "GET", "status").ok
    expect(opened.get_by_text("live", exact=True)).to_be_visible()


def test_many_numbers_come_in_pages_that_fit_a_phone(browser: Browser) -> None:
    with running_emulator(fleet_emulator(1_000)) as running, watched_page(browser) as page:
        page.set_viewport_size({"width": 390, "height": 844})
        page.goto(running.url)
        expect(page.get_by_text("1000 numbers, page 1 of 84")).to_be_visible()
        page.get_by_role("button", name="Next").press("Enter")
        expect(page.get_by_text("number-0013", exact=True)).to_be_visible()
        page.get_by_label("Search the numbers").fill("number-0500")
        expect(page.get_by_text("1 number", exact=True)).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
