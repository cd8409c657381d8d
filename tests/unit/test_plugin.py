"""The plugin for the privacy page: Airflow finds it, it costs little, and its script agrees with the package."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from importlib.metadata import entry_points, version
from pathlib import Path

import httpx
import pytest
from packaging.version import Version

import airflow_provider_zapi.plugin
from airflow_provider_zapi.plugin import ZApiPlugin
from airflow_provider_zapi.privacy.settings import SETTINGS
from airflow_provider_zapi.reconcile.state import KEY, SCHEMA

STATIC = Path(airflow_provider_zapi.plugin.__file__).parent / "static"
SCRIPT = (STATIC / "page.js").read_text()
AIRFLOW = Version(version("apache-airflow"))

METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT")

has_a_page = pytest.mark.skipif(Version("3.1") > AIRFLOW, reason="the page needs Airflow 3.1")


def test_airflow_finds_the_plugin() -> None:
    [found] = [each for each in entry_points(group="airflow.plugins") if each.value.startswith("airflow_provider_zapi")]
    assert found.load() is ZApiPlugin


#: Loads plugins as a task's process does. Prints the modules that importing our plugin loads, then whether FastAPI is loaded.
AS_A_TASK = """
import sys
import airflow.providers.common.compat.sdk as sdk

sdk.AirflowPlugin
before = set(sys.modules)
import airflow_provider_zapi.plugin

print(*set(sys.modules) - before)
try:
    from airflow.sdk.plugins_manager import integrate_macros_plugins
except ImportError:  # before Airflow 3.2
    from airflow.plugins_manager import integrate_macros_plugins
before = {"fastapi", "airflow_provider_zapi.plugin.app"} & set(sys.modules)
integrate_macros_plugins()
print(*{"fastapi", "airflow_provider_zapi.plugin.app"} & set(sys.modules) - before)
"""


def test_loading_the_plugin_in_a_task_does_not_import_a_web_framework_or_read_the_page() -> None:
    command = [sys.executable, "-W", "ignore", "-c", AS_A_TASK]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    imported, loaded = done.stdout.splitlines()[-2:]
    assert set(imported.split()) <= {"airflow_provider_zapi", "airflow_provider_zapi.plugin"}
    assert loaded == ""


@has_a_page
def test_the_app_and_the_menu_have_the_same_address() -> None:
    [view] = ZApiPlugin.external_views
    [app] = ZApiPlugin.fastapi_apps
    assert f"/{view['href']}" == f"{app['url_prefix']}/"


@has_a_page
@pytest.mark.parametrize("path", ["", "page.js", "page.css", "page.js/", "/", "docs", "openapi.json", "../page.js"])
def test_every_path_and_method_requires_a_login(path: str) -> None:
    [app] = [each["app"] for each in ZApiPlugin.fastapi_apps]

    async def statuses() -> dict[str, int]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://airflow") as client:
            return {method: (await client.request(method, f"/{path}")).status_code for method in METHODS}

    assert asyncio.run(statuses()) == dict.fromkeys(METHODS, 401)


@pytest.mark.parametrize("wanted", ["True", "False"])
def test_the_page_can_be_disabled(wanted: str) -> None:
    code = (
        "from airflow_provider_zapi.plugin import ZApiPlugin; "
        "print(len(ZApiPlugin.fastapi_apps), len(ZApiPlugin.external_views))"
    )
    env = {"AIRFLOW__ZAPI__PRIVACY_PAGE": wanted, "PYTHONPATH": str(STATIC.parents[2])}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=True,
    )
    there = "1" if wanted == "True" and Version("3.1") <= AIRFLOW else "0"
    assert done.stdout.split()[-2:] == [there, there]


def test_the_script_has_the_settings_the_key_and_the_schema_of_the_package() -> None:
    titles = dict(re.findall(r'^  \["(\w+)", "([^"]+)"\],$', SCRIPT, re.MULTILINE))
    assert titles == {setting.name: setting.title for setting in SETTINGS}
    assert f'const KEY = "{KEY}";' in SCRIPT
    assert f"const SCHEMA = {SCHEMA};" in SCRIPT


@pytest.mark.parametrize(
    "way",
    ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "DOMParser", "eval(", "Function(", "srcdoc"],
)
def test_the_script_does_not_turn_a_string_into_markup(way: str) -> None:
    assert way not in SCRIPT


def test_the_page_has_no_inline_code_and_loads_nothing_from_other_sites() -> None:
    page = (STATIC / "index.html").read_text()
    assert re.findall(r'(?:src|href)="([^"]*)"', page) == ["page.css", "page.js"]
    assert not re.search(r"<style|\son\w+=|\sstyle=|<script>", page)
    assert "url(" not in (STATIC / "page.css").read_text()
