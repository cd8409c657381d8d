"""Driving Airflow's connection form in a real browser, for the documentation's pictures and for tests."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from playwright.sync_api import Locator, Page, expect, sync_playwright

from airflow_provider_zapi.connection_form import FIELDS, HOOK_NAME

CHROMIUM = "/usr/bin/chromium"
#: Works as root and without a display, and asks nothing of the Internet.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

STANDARD = "Standard Fields"
EXTRA = "Extra Fields"
_CUSTOM = {field.name for field in FIELDS if field.custom}


@contextmanager
def browser_page(width: int = 1280, height: int = 900, scale: float = 1) -> Iterator[Page]:
    """Open a page in a new Chromium; close both with the block. ``scale``: device pixels per pixel."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        context = browser.new_context(
            viewport={"width": width, "height": height},
            device_scale_factor=scale,
            color_scheme="light",
            locale="en-GB",
            timezone_id="UTC",
            reduced_motion="reduce",
        )
        try:
            yield context.new_page()
        finally:
            browser.close()


class ConnectionForm:
    """Airflow's pages of connections.

    :param page: a browser's page
    :param url: Airflow's address
    """

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url

    @property
    def dialog(self) -> Locator:
        """The form, while it is open."""
        return self.page.locator("[role=dialog]")

    def row(self, conn_id: str) -> Locator:
        """Return the connection's row in the list."""
        return self.page.locator("tr").filter(has=self.page.get_by_text(conn_id, exact=True))

    def add(self, conn_id: str) -> None:
        """Open the list and, on it, the form of a new Z-API connection."""
        self.page.goto(f"{self.url}/connections")
        self.page.get_by_role("button", name="Add Connection").click()
        self.dialog.locator("input[name=connection_id]").fill(conn_id)
        self.dialog.locator("[role=combobox]").first.click()
        self.page.get_by_role("option", name=HOOK_NAME, exact=True).click()
        expect(self.field("login")).to_be_visible()

    def edit(self, conn_id: str) -> None:
        """Open the form of a connection in the list."""
        self.row(conn_id).get_by_label("Edit Connection").click()
        expect(self.dialog.get_by_role("button", name="Save")).to_be_visible()

    def section(self, name: str) -> None:
        """Open a section of the form; Airflow closes the one that was open."""
        button = self.dialog.get_by_role("button", name=name, exact=True)
        if button.get_attribute("aria-expanded") != "true":
            button.click()
        expect(button).to_have_attribute("aria-expanded", "true")

    def field(self, name: str) -> Locator:
        """Return the input of a field, by its name in ``connection_form.FIELDS``."""
        return self.dialog.locator(f"input[name={'element_' if name in _CUSTOM else ''}{name}]")

    def fill(self, values: Mapping[str, str]) -> None:
        """Fill fields, by their names, section by section."""
        for section, custom in ((STANDARD, False), (EXTRA, True)):
            chosen = {name: value for name, value in values.items() if (name in _CUSTOM) is custom}
            if chosen:
                self.section(section)
            for name, value in chosen.items():
                self.field(name).fill(value)
                expect(self.field(name)).to_have_value(value)

    def save(self) -> None:
        """Save and wait until the form is closed."""
        self.dialog.get_by_role("button", name="Save").click()
        expect(self.dialog).to_be_hidden()

    def test(self, conn_id: str) -> str | None:
        """Click the Test button of a connection's row; return None where it turns green, else the red toast's text."""
        button = self.row(conn_id).get_by_label("Test Connection")
        with self.page.expect_response(re.compile("/connections/test$")):
            button.click()
        icon = button.locator("svg")
        expect(icon).to_have_attribute("color", re.compile("green|red"))
        if icon.get_attribute("color") == "green":
            return None
        # The newest is the first one in the document or the last, by the version: the others are dismissed here.
        toast = self.page.locator("[data-scope=toast][data-part=root]").filter(has_text="Test Connection Failed")
        expect(toast).to_have_count(1)
        text = toast.inner_text()
        self.page.reload()
        expect(self.row(conn_id)).to_be_visible()
        return text
