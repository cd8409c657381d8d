"""Run a real Airflow, an emulator and a browser for all tests, and search everything that they show for secrets.

``--pictures`` also writes the documentation's pictures.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, Request

from airflow_provider_zapi.emulator import Emulator, RunningEmulator, running_emulator
from scripts.rest import request_json
from scripts.standalone import AIRFLOW_2, RunningAirflow
from tests.airflow.conftest import connection
from tests.airflow.real import files
from tests.airflow.support import EXAMPLES, PROJECT
from tests.support import CLIENT_TOKEN, TOKEN, leaks
from tests.ui.browser import Airflow2Form, Airflow3Form, ConnectionForm, chromium, new_page

IMAGES = PROJECT / "docs" / "images"
#: The largest answer that is searched, because larger ones make the pages slow.
MAX_BYTES = 150_000

#: The numbers of the examples: the instance for each connection.
NUMBERS = {"zapi_default": "demo-instance", "zapi_sales": "sales-instance", "zapi_support": "support-instance"}


#: The Test button of Airflow 3.3.2 needs a port.
STANDARD = {"login": "demo-instance", "password": TOKEN, "port": "443"}
Picture = Callable[[str, Page | Locator], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pictures", action="store_true", help="write the documentation's pictures")


def put_numbers(emulator: Emulator) -> None:
    """Create the numbers again, with excluded contacts from before the tests."""
    for at, instance in enumerate(NUMBERS.values()):
        parts = {
            "token": TOKEN,
            "client_token": CLIENT_TOKEN,
            "phone": str(5544999990000 + at),
            "name": instance.partition("-")[0].capitalize(),
            "settings": {"last_seen": {"excluded": ["5544993333333", "5544994444444"]}},
        }
        emulator.put(instance, parts)


@pytest.fixture(scope="session")
def emulator_server() -> Iterator[RunningEmulator]:
    with running_emulator(Emulator()) as running:
        put_numbers(running.emulator)
        yield running


@pytest.fixture
def emulator(emulator_server: RunningEmulator) -> RunningEmulator:
    """Yield the emulator with the numbers in their initial state."""
    put_numbers(emulator_server.emulator)
    return emulator_server


@pytest.fixture(scope="session")
def airflow(emulator_server: RunningEmulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAirflow]:
    """Yield an Airflow that is ready to use. At the end, search its files for secrets."""
    home = tmp_path_factory.mktemp("ui") / "home"
    home.mkdir()
    # Airflow 3's settings disable the login. This disables it in Airflow 2.
    (home / "webserver_config.py").write_text('AUTH_ROLE_PUBLIC = "Admin"\n')
    # The tests type the first number's connection into the form.
    env = {
        f"AIRFLOW_CONN_{conn_id.upper()}": connection(emulator_server.url, instance)
        for conn_id, instance in list(NUMBERS.items())[1:]
    }
    with RunningAirflow(home, EXAMPLES, env) as running:
        if AIRFLOW_2:
            running.wait_for("the webserver", lambda: request_json(running.port, "GET", "/health"), 180)
        else:
            running.wait_until_ready(180)
            for conn_id in NUMBERS:
                running.api("POST", "/pools", {"name": conn_id, "slots": 1})
        yield running
    texts = dict(files(home))
    assert "standalone.log" in texts
    assert {name: found for name, text in texts.items() if (found := leaks(text))} == {}


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


def keep(answers: dict[str, str], request: Request) -> None:
    """Read an answer to a page while the browser still has it."""
    response = request.response()
    if (
        response is not None
        and request.resource_type in ("document", "fetch", "xhr")
        and response.status not in (204, 302, 304)
    ):
        answers[f"{request.method} {request.url}"] = response.text()


@contextlib.contextmanager
def watched_page(browser: Browser) -> Iterator[Page]:
    """Yield a page. At the end, check that its answers and its content have no secret."""
    page = new_page(browser)
    answers: dict[str, str] = {}
    page.context.on("requestfinished", lambda request: keep(answers, request))
    yield page
    shown = {each.url: each.locator("body").inner_text() for each in page.context.pages}
    page.context.close()
    assert answers
    assert {where: found for where, text in (answers | shown).items() if (found := leaks(text))} == {}


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with watched_page(browser) as opened:
        yield opened


def form_on(page: Page, airflow: RunningAirflow) -> ConnectionForm:
    return (Airflow2Form if AIRFLOW_2 else Airflow3Form)(page, airflow.url)


@pytest.fixture
def form(page: Page, airflow: RunningAirflow) -> ConnectionForm:
    return form_on(page, airflow)


@pytest.fixture(scope="session")
def picture(request: pytest.FixtureRequest) -> Picture:
    """Write a picture of a page or a part of it, if ``--pictures`` is given."""

    def take(name: str, what: Page | Locator) -> None:
        if request.config.getoption("--pictures"):
            size = len(what.screenshot(path=IMAGES / f"{name}.png"))
            assert size < MAX_BYTES

    return take


@pytest.fixture(scope="session")
def default_connection_said(
    browser: Browser, airflow: RunningAirflow, emulator_server: RunningEmulator, picture: Picture
) -> str | None:
    """Add the connection of the examples through the form, and return the result of the Test button."""
    with watched_page(browser) as page:
        form = form_on(page, airflow)
        form.add("zapi_default")
        form.fill(STANDARD)
        form.leave_field()
        picture("connection-form", form.whole)
        form.fill(
            {"host": emulator_server.url, "client_token": CLIENT_TOKEN, "phone": "5544999990000", "timeout": "30"}
        )
        form.leave_field()
        picture("connection-form-extra", form.whole)
        return form.save_and_test("zapi_default")
