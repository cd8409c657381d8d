"""Use Airflow's connection form in a real browser, with one interface for Airflow 3's dialog and Airflow 2's page."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import ClassVar

from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from airflow_provider_zapi.connection.form import AIRFLOW_2_PLACEHOLDER, CONNECTION_TYPE, FIELDS, HOOK_NAME
from tests.programs import program

#: The path where Debian installs the browser.
CHROMIUM = "/usr/bin/chromium"
#: Options to work as root, without a display and without requests to the Internet.
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
#: The timeout for a page in milliseconds, long enough for a busy machine.
PATIENCE = 30_000
expect.set_options(timeout=PATIENCE)

CUSTOM = {field.name for field in FIELDS if field.custom}


@contextmanager
def chromium() -> Iterator[Browser]:
    executable = program(CHROMIUM)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


def new_page(browser: Browser) -> Page:
    """Open a page that shares no data with other pages, and looks the same on every machine."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 900},
        color_scheme="light",
        locale="en-GB",
        timezone_id="UTC",
        reduced_motion="reduce",
    )
    return context.new_page()


class ConnectionForm(ABC):
    """The form of a connection.

    :param page: a browser's page
    :param url: Airflow's address
    """

    #: The placeholder that a reopened form shows for each stored secret.
    stored_as: ClassVar[Mapping[str, str]]
    #: Locators of a field's label, and of the help text of a field of Extra, relative to the field's input.
    _label: str
    _explanation: str

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url

    @property
    @abstractmethod
    def whole(self) -> Locator:
        """Return the open form."""

    @property
    @abstractmethod
    def conn_id(self) -> Locator:
        """Return the input of the connection's id."""

    @abstractmethod
    def add(self, conn_id: str) -> None:
        """Open the form of a new Z-API connection."""

    @abstractmethod
    def edit(self, conn_id: str) -> None:
        """Open the form of a stored connection."""

    @abstractmethod
    def field(self, name: str) -> Locator:
        """Return the input of a field by its name in the connection form's ``FIELDS``, and make it visible."""

    @abstractmethod
    def save(self) -> None:
        """Save and wait until the form is closed."""

    @abstractmethod
    def expect_no_save(self) -> None:
        """Check that the form cannot be saved and shows the reason."""

    @abstractmethod
    def save_and_test(self, conn_id: str) -> str | None:
        """Save, and click the Test button. Return None if the test succeeds, or else its message."""

    @property
    def save_button(self) -> Locator:
        return self.whole.get_by_role("button", name="Save")

    def described(self, name: str) -> tuple[str, str]:
        """Return a field's label and its help text, which is inside the field, or below it for a field of Extra."""
        explanation = self._explanation if name in CUSTOM else "field.placeholder"
        label, text = self.field(name).evaluate(f"field => [{self._label}.textContent, {explanation}]")
        return label.strip(), text

    def leave_field(self) -> None:
        """Take the cursor out of the form."""
        self.page.locator(":focus").evaluate_all("fields => fields.forEach(field => field.blur())")

    def fill(self, values: Mapping[str, str]) -> None:
        """Fill fields, by their names."""
        for name, value in values.items():
            self.field(name).fill(value)
            expect(self.field(name)).to_have_value(value)


class Airflow3Form(ConnectionForm):
    """The dialog over the list of connections."""

    stored_as: ClassVar = {"password": "***", "client_token": "***"}
    # The labels of Extra's fields refer to inputs that do not exist.
    _label = "field.closest('[data-scope=field][data-part=root]').querySelector('label')"
    _explanation = "document.getElementById(field.getAttribute('aria-describedby')).textContent"

    @property
    def whole(self) -> Locator:
        return self.page.locator("[role=dialog]")

    @property
    def conn_id(self) -> Locator:
        return self.whole.locator("input[name=connection_id]")

    def add(self, conn_id: str) -> None:
        self.page.goto(f"{self.url}/connections")
        self.page.get_by_role("button", name="Add Connection").click()
        self.conn_id.fill(conn_id)
        self.whole.get_by_role("combobox").first.click()
        self.page.get_by_role("option", name=HOOK_NAME, exact=True).click()
        expect(self.field("login")).to_be_visible()

    def edit(self, conn_id: str) -> None:
        self.page.goto(f"{self.url}/connections")
        self._row(conn_id).get_by_label("Edit Connection").click()
        expect(self.save_button).to_be_visible()

    def field(self, name: str) -> Locator:
        self.section(EXTRA if name in CUSTOM else STANDARD)
        return self.whole.locator(f"input[name={'element_' if name in CUSTOM else ''}{name}]")

    def section(self, name: str) -> None:
        """Open a section of the form. Airflow closes the section that was open."""
        button = self.whole.get_by_role("button", name=name, exact=True)
        if button.get_attribute("aria-expanded") != "true":
            button.click()
        expect(button).to_have_attribute("aria-expanded", "true")

    def save(self) -> None:
        self.save_button.click()
        expect(self.whole).to_be_hidden()

    def expect_no_save(self) -> None:
        expect(self.save_button).to_be_disabled()
        expect(self.whole).to_contain_text("Connection ID is required")

    def save_and_test(self, conn_id: str) -> str | None:
        self.save()
        button = self._row(conn_id).get_by_label("Test Connection")
        with self.page.expect_response(re.compile("/connections/test$")):
            button.click()
        icon = button.locator("svg")
        expect(icon).to_have_attribute("color", re.compile("green|red"))
        if icon.get_attribute("color") == "green":
            return None
        toast = self.page.locator("[data-scope=toast][data-part=root]").filter(has_text="Test Connection Failed")
        expect(toast).to_have_count(1)
        expect(toast).to_have_attribute("data-type", "error")
        return toast.inner_text()

    def _row(self, conn_id: str) -> Locator:
        return self.page.locator("tr").filter(has=self.page.get_by_text(conn_id, exact=True))


class Airflow2Form(ConnectionForm):
    """A page of Flask-AppBuilder. Its Test button, next to Save, tests the values as typed."""

    stored_as: ClassVar = {"password": "", "client_token": AIRFLOW_2_PLACEHOLDER}
    _label = "field.labels[0]"
    _explanation = "field.closest('tr').querySelector('.help-block').textContent"

    @property
    def whole(self) -> Locator:
        return self.page.locator("form#model_form")

    @property
    def conn_id(self) -> Locator:
        return self.page.locator("#conn_id")

    def add(self, conn_id: str) -> None:
        # Open the list first, because saving leads back to it.
        self._open_list(conn_id)
        self.page.goto(f"{self.url}/connection/add")
        self.conn_id.fill(conn_id)
        # A script hides the page's list and draws another one over it.
        self.page.locator("#conn_type").select_option(CONNECTION_TYPE, force=True)
        self._wait_for_script()

    def edit(self, conn_id: str) -> None:
        self._open_list(conn_id)
        row = self.page.locator("tr").filter(has=self.page.get_by_text(conn_id, exact=True))
        row.locator("a[href*='/connection/edit/']").click()
        self._wait_for_script()

    def field(self, name: str) -> Locator:
        return self.page.locator(f"#{f'extra__{CONNECTION_TYPE}__' if name in CUSTOM else ''}{name}")

    def save(self) -> None:
        self.save_button.click()
        expect(self.page.locator(".alert").filter(has_text=re.compile("(Added|Changed) Row"))).to_be_visible()

    def expect_no_save(self) -> None:
        self.save_button.click()
        expect(self.page).to_have_url(f"{self.url}/connection/add")
        assert self.conn_id.evaluate("field => field.validationMessage")

    def save_and_test(self, conn_id: str) -> str | None:
        said = self.test()
        self.save()
        return said

    def test(self) -> str | None:
        """Click the Test button. Return None if the test succeeds, or else its message."""
        with self.page.expect_response(re.compile("/connections/test$")) as response:
            self.page.locator("#test-connection").click()
        answer = response.value.json()
        expect(self.page.locator(".alert").filter(has_text=answer["message"])).to_be_visible()
        return None if answer["status"] else str(answer["message"])

    def _open_list(self, conn_id: str) -> None:
        self.page.goto(f"{self.url}/connection/list/?_flt_3_conn_id={conn_id}")

    def _wait_for_script(self) -> None:
        # Until the script has run, the page shows the fields of every type, with Airflow's own names.
        expect(self.page.locator("#schema")).to_be_hidden()
