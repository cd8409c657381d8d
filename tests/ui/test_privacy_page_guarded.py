"""The page "WhatsApp privacy" requires a login, also below a path, and hostile strings on it are harmless."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, Request, expect

from airflow_provider_zapi.plugin import URL_PREFIX, ZApiPlugin
from scripts.standalone import AIRFLOW_2
from tests.ui.served import PATH, Server, served

pytestmark = pytest.mark.skipif(AIRFLOW_2 or not ZApiPlugin.external_views, reason="the page needs Airflow 3.1")

HOSTILE = 1_000
#: Attacks that would work if the page used the string as markup, a script or an address.
ATTACKS = (
    "<img src=x onerror=window.parent.hit=window.hit=1>",
    "<script>window.hit=1</script>",
    "</script><svg onload=window.hit=1>",
    '"><iframe srcdoc="<script>parent.hit=1</script>">',
    "' onmouseover='window.hit=1' autofocus onfocus='window.hit=1",
    "javascript:window.hit=1",
    "data:text/html,<script>parent.hit=1</script>",
    "//evil.example/x",
    "https://evil.example/",
    "../../../api/v2/variables",
    "..",
    "%2e%2e%2f%2e%2e%2f",
    "__proto__",
    "constructor",
    "hasOwnProperty",
    "{{ 7*7 }}${7*7}#{7*7}",
    "\u202edrowssap\u202c",
    "a\u0000b\u0007c",
    "\U0001f4a9" * 40,
    "x" * 5_000,
    "%",
    "%ff",
    "\\",
    "<style>*{display:none}</style>",
    "<base href=//evil.example/>",
    "<meta http-equiv=refresh content='0;url=//evil.example/'>",
)


def hostile(draw: random.Random) -> Any:
    """Return a hostile value: a string made of attacks, or a value that is not a string."""
    if draw.random() < 0.1:
        return draw.choice([None, 7, -1, True, [], {}, ["<b>"], {"__proto__": {"label": "x"}}, 1e308])
    return "".join(draw.choice(ATTACKS) for _ in range(draw.randint(1, 3)))


def document(draw: random.Random) -> dict[str, Any]:
    """Return a state in which every value, and some keys, are hostile."""

    def text() -> Any:
        return hostile(draw)

    def by() -> dict[str, Any]:
        return {"dag_id": text(), "run_id": text(), "task_id": text(), "map_index": text()}

    entry = {
        name: text() for name in ("wanted", "asserted", "asserted_at", "verified_at", "checked_at", "listed", "drift")
    }
    settings = {str(text()): {**entry, "by": by()}, "last_seen": {**entry, "drift": {"missing": text()}, "by": by()}}
    event = {"at": text(), "mode": text(), "by": by()}
    history = [
        {**event, "outcome": "failed", "error": text()},
        {**event, "outcome": "drift", "drift": {str(text()): {"missing": 1, "extra": text()}}},
        {**event, "outcome": "changed", "lists": {str(text()): text()}, "values": [text(), text()]},
        text(),
    ]
    last = {**event, "outcome": "failed", "error": text()}
    return {"schema": 1, "settings": settings, "last": last, "history": history, "policy_digest": text()}


def numbers() -> list[dict[str, Any]]:
    """Return numbers with more than 1,000 hostile strings, and one ordinary number."""
    draw = random.Random(20261124)
    made: list[dict[str, Any]] = []
    strings = 0
    while strings < 12 * HOSTILE:
        state = document(draw)
        strings += sum(json.dumps(state).count(json.dumps(attack)[1:-1]) for attack in ATTACKS)
        asserted = {f"asserted.{hostile(draw)}": hostile(draw) for _ in range(20)}
        conn_id = "".join(draw.choice(ATTACKS) for _ in range(2))[:150]
        event: dict[str, Any] = {"extra": {"conn_id": conn_id, "asserted.last_seen": str(hostile(draw)), **asserted}}
        # Events are shown only to users who may see their DAG, so the events use the name of an existing DAG.
        event |= {"source_dag_id": "night", "source_run_id": str(hostile(draw)), "source_task_id": str(hostile(draw))}
        made.append(
            {
                "uri": f"zapi://{quote(f'{len(made)}{conn_id}', safe='')}/privacy",
                "active": len(made) % 5 > 0,
                "state": state if len(made) % 7 else None,
                "events": [event],
            }
        )
    by = {"source_dag_id": "night", "source_run_id": "run 1", "source_task_id": "apply"}
    plain = {"extra": {"conn_id": "zapi_plain", "asserted.last_seen": "NONE"}, **by}
    fleet = {"extra": {"conn_id": "zapi_account", "outcome.asserted": 90, "outcome.not_connected": 8}, **by}
    long_ago = "2026-01-01T06:00:00+00:00"
    old = {
        "schema": 1,
        "settings": {"photo": {"wanted": "NONE", "asserted": "NONE", "asserted_at": long_ago, "drift": None}},
        "last": {"at": long_ago, "mode": "apply", "outcome": "unchanged"},
        "history": [],
    }
    return [
        *made,
        {"uri": "zapi://zapi_plain/privacy", "active": True, "state": None, "events": [plain]},
        {"uri": "zapi://zapi_stale/privacy", "active": True, "state": old, "events": []},
        {"uri": "zapi://zapi_account/privacy", "active": False, "state": None, "events": [fleet]},
    ]


NUMBERS = numbers()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home: Path = tmp_path_factory.mktemp("guarded") / "home"
    home.mkdir()
    with served(home, NUMBERS) as running:
        yield running


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    """Yield a viewer's page. Fail if it opens a dialog, sends a request to another site, or has a script error."""
    context = server.visit(browser, "vera")
    opened = context.new_page()
    found: list[str] = []
    own = (server.origin, f"blob:{server.origin}")  # Airflow creates its own blobs

    def on_dialog(dialog: Dialog) -> None:
        found.append(dialog.message)
        dialog.dismiss()

    def on_console(message: ConsoleMessage) -> None:
        if message.type == "error":
            found.append(message.text)

    def on_request(request: Request) -> None:
        if not request.url.startswith(own):
            found.append(request.url)

    opened.on("dialog", on_dialog)
    opened.on("pageerror", lambda error: found.append(str(error)))
    opened.on("console", on_console)
    context.on("request", on_request)
    yield opened
    context.close()
    assert found == []


def test_only_users_who_may_see_assets_get_the_page(server: Server) -> None:
    page = URL_PREFIX.strip("/")
    files = [f"{page}/", f"{page}/page.js", f"{page}/page.css"]
    others = [f"{page}/{path}" for path in ("page.js/", "static/page.js", "docs", "redoc", "openapi.json")]
    for method in ("GET", "HEAD", "OPTIONS", "POST"):
        assert [server.get(path, method=method).status_code for path in files + others] == [401] * 8
    assert [server.get(path, "vera").status_code for path in files + others] == [200] * 3 + [404] * 5
    assert [server.get(files[1], "vera", method=method).status_code for method in ("HEAD", "POST")] == [200, 405]


def test_the_page_may_load_only_its_own_script_and_style(server: Server) -> None:
    policy = server.get(f"{URL_PREFIX.strip('/')}/", "vera").headers["Content-Security-Policy"]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert (rules["default-src"], rules["script-src"], rules["style-src"]) == ("'none'", "'self'", "'self'")


def test_a_viewer_sees_the_page_in_airflow_below_a_path(page: Page, server: Server) -> None:
    page.goto(f"{server.url}plugin/whatsapp-privacy")
    frame = page.frame_locator("iframe[title='WhatsApp privacy']")
    plain = frame.locator("details.number").filter(has_text="zapi_plain")
    plain.locator("summary").click()
    expect(plain.locator("table.settings")).to_contain_text("NONE")
    plain.locator("table.settings").get_by_role("link", name="night").click()
    page.wait_for_url(f"{server.url}dags/night")
    assert page.frames == [page.main_frame]


@pytest.mark.skipif(not find_spec("airflow.models.asset_state_store"), reason="stored state needs Airflow 3.3")
def test_a_number_with_an_old_result_is_amber(page: Page, server: Server) -> None:
    page.goto(f"{server.url}{URL_PREFIX.strip('/')}/")
    page.get_by_label("Find").fill("zapi_stale")
    expect(page.locator("details.number")).to_have_class("number late")
    expect(page.locator("details.number")).to_contain_text("stale")


def test_an_account_shows_how_its_last_fleet_run_ended(page: Page, server: Server) -> None:
    page.goto(f"{server.url}{URL_PREFIX.strip('/')}/")
    page.get_by_label("Find").fill("zapi_account")
    account = page.locator("details.number")
    expect(account).to_have_count(1)
    account.locator("summary").click()
    expect(account.locator("ul.history")).to_contain_text("90 asserted, 8 not connected")
    expect(account).to_contain_text("does not store the state of each number")


def test_a_thousand_hostile_strings_do_nothing(page: Page, server: Server) -> None:
    page.goto(f"{server.url}{URL_PREFIX.strip('/')}/")
    numbers = page.locator("details.number")
    expect(numbers).to_have_count(len(NUMBERS))
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    expect(page.locator("details.number > .body")).to_have_count(len(NUMBERS))
    page.wait_for_load_state("networkidle")
    # All of it is there to read, as text and cut to a length.
    shown = page.evaluate("[...document.querySelectorAll('main bdi, main .badge')].map(each => each.textContent)")
    assert len({each for each in shown if any(attack in each for attack in ATTACKS)}) >= HOSTILE
    assert max(map(len, shown)) <= 400
    assert any(each.startswith("<img src=x onerror=") for each in shown)
    made = page.evaluate("[...new Set([...document.body.querySelectorAll('*')].map(each => each.localName))].sort()")
    assert not {"img", "svg", "iframe", "base", "meta", "style"}.intersection(made)
    assert page.evaluate("document.querySelectorAll('body script').length") == 0
    attributes = page.evaluate(
        "[...new Set([...document.querySelectorAll('main *')].flatMap(each => each.getAttributeNames()))].sort()"
    )
    assert set(attributes) <= {"class", "data-label", "datetime", "href", "open", "scope", "title"}
    links = page.evaluate("[...document.querySelectorAll('main a')].map(each => each.href)")
    assert len(links) > 100
    assert all(link.startswith(f"{server.origin}{PATH}/dags/") for link in links)
    for link in page.locator("main bdi").filter(visible=True).all()[:50]:
        link.hover()
    assert page.evaluate("[window.hit, window.parent.hit, ({}).label]") == [None, None, None]
