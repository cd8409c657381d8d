"""Take pictures of a terminal and of a chat on a phone."""

from __future__ import annotations

import subprocess
import sys

import pytest
from playwright.sync_api import Page, expect

from airflow_provider_zapi.emulator import RunningEmulator
from scripts.standalone import AIRFLOW_2
from tests.airflow.conftest import connection
from tests.airflow.support import PROJECT
from tests.support import code_blocks
from tests.ui.conftest import NUMBERS, Picture

pytestmark = pytest.mark.skipif(AIRFLOW_2, reason="the pictures show the newest Airflow")

TERMINAL = """
<style>
  body { margin: 0; background: #fff; }
  figure { margin: 16px; border-radius: 8px; overflow: hidden; background: #1e1e2a; color: #e8e8f0; width: max-content; }
  figcaption { padding: 8px 14px; background: #2c2c3c; font: 13px sans-serif; color: #b9b9c9; }
  pre { margin: 0; padding: 14px 18px; font: 14px/1.5 "DejaVu Sans Mono", monospace; }
</style>
<figure><figcaption>Terminal</figcaption><pre></pre></figure>
"""

CHAT = """
<style>
  body { margin: 0; background: #fff; }
  figure { margin: 16px; width: 340px; border: 1px solid #cfd6dc; border-radius: 18px; overflow: hidden;
    font: 15px/1.4 "Liberation Sans", sans-serif; }
  figcaption { padding: 12px 18px; background: #f2f4f6; border-bottom: 1px solid #dfe4e8; font-weight: bold; }
  div { padding: 18px; background: #fbf9f6; }
  p { margin: 0; padding: 10px 14px; border-radius: 4px 14px 14px; background: #e7f3e4; color: #1b2a1b;
    overflow-wrap: anywhere; }
</style>
<figure><figcaption>+55 44 99999-0000</figcaption><div><p></p></div></figure>
"""


@pytest.fixture
def shown(page: Page, emulator: RunningEmulator) -> Page:
    """Open a page at the emulator, so that its answers are searched for secrets, and return it."""
    page.goto(emulator.url)
    expect(page.get_by_text("live", exact=True)).to_be_visible()
    return page


def test_the_output_of_show_in_a_terminal(shown: Page, emulator: RunningEmulator, picture: Picture) -> None:
    emulator.emulator.instance("demo-instance").patch(
        {"settings": {"last_seen": {"value": "CONTACT_BLACKLIST", "excluded": ["5544991111111"]}}}
    )
    command = ["show", "zapi_default", "--contacts"]
    env = {"AIRFLOW_CONN_ZAPI_DEFAULT": connection(emulator.url, NUMBERS["zapi_default"])}
    code = f"import os; os.environ.update({env!r}); from airflow_provider_zapi.__main__ import main; main({command!r})"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    # The page has the same example.
    [example] = code_blocks((PROJECT / "docs/cli.md").read_text(), "text")
    assert example == f"$ airflow zapi {' '.join(command)}\n{done.stdout}"
    shown.set_content(TERMINAL)
    shown.locator("pre").evaluate("(node, text) => { node.textContent = text; }", example.rstrip())
    picture("show", shown.locator("figure"))


def test_the_message_of_an_alarm_on_a_phone(shown: Page, picture: Picture) -> None:
    # `tests/airflow/test_howto.py` checks that this is the message.
    message = code_blocks((PROJECT / "docs/howto/alarm-on-drift.md").read_text(), "text")[0].strip()
    shown.set_content(CHAT)
    shown.locator("p").evaluate("(node, text) => { node.textContent = text; }", message)
    picture("drift-message", shown.locator("figure"))
