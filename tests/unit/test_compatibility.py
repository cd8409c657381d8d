"""The compatibility page agrees with the code for the installed Airflow. The matrix runs this on every version."""

from __future__ import annotations

import ast
import importlib
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib.metadata import metadata, version
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import BaseNotifier, TaskDeferred
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_1_PLUS

from airflow_provider_zapi.connection.form import FIELDS
from airflow_provider_zapi.emulator import running_emulator
from airflow_provider_zapi.exceptions import ZApiConfigurationError
from airflow_provider_zapi.get_provider_info import get_provider_info
from airflow_provider_zapi.operators.policy import ApplyPrivacyPolicyOperator
from airflow_provider_zapi.plugin import ZApiPlugin
from airflow_provider_zapi.retry_policy import ZApiRetryPolicy
from airflow_provider_zapi.sensors.instance import ZApiInstanceConnectedSensor
from scripts import constraints
from tests.airflow.support import SUPPORTED
from tests.unit.test_docs import PROJECT, section, table

PAGE = (PROJECT / "docs" / "compatibility.md").read_text()
PACKAGE = PROJECT / "airflow_provider_zapi"
PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]

#: The version, such as `2.11`, which is also the heading of a column on the page.
HERE = ".".join(version("apache-airflow").split(".")[:2])
COLUMNS = PAGE.partition("| feature | ")[2].partition(" |\n")[0].split(" | ")
ROWS = {feature: cells for feature, *cells in table(PAGE, "feature")}


def cell(feature: str) -> str:
    """Return the page's cell for the installed Airflow, in the row whose name contains this string."""
    [found] = [cells for name, cells in ROWS.items() if feature in name]
    return found[COLUMNS.index(HERE)]


#: Prints what Airflow finds. It runs in a separate process, because Airflow caches this and other tests import the hook.
ASK_AIRFLOW = """
import importlib, json, sys
from airflow.providers_manager import ProvidersManager
from airflow.cli.cli_parser import airflow_commands

try:
    service = importlib.import_module("airflow.api_fastapi.core_api.services.ui.connections").HookMetaService
except ImportError:  # Airflow 2
    fields = [name.removeprefix("extra__zapi__") for name in ProvidersManager().connection_form_widgets]
else:
    [fields] = [found.extra_fields or {} for found in service.hook_meta_data() if found.connection_type == "zapi"]
json.dump({"fields": list(fields), "commands": [command.name for command in airflow_commands]}, sys.stdout)
"""


@pytest.fixture(scope="module")
def found_by_airflow() -> dict[str, list[str]]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ASK_AIRFLOW], stdout=subprocess.PIPE, text=True, check=True
    )
    found: dict[str, list[str]] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_the_page_has_a_column_for_each_supported_airflow() -> None:
    assert sorted(COLUMNS) == sorted(name.rpartition(".")[0] for name in SUPPORTED)


def test_the_pythons_are_those_that_airflow_and_this_package_support() -> None:
    def named(classifiers: list[str]) -> set[str]:
        return {each.rpartition(" ")[2] for each in classifiers if re.fullmatch(r".* Python :: 3\.\d+", each)}

    airflows = named(metadata("apache-airflow").get_all("Classifier") or [])
    ours = named(PYPROJECT["classifiers"])
    assert cell("Python").split(", ") == sorted(airflows & ours)
    [set_up] = [each for each in constraints.SUPPORTED if each.version == version("apache-airflow")]
    assert set(set_up.runs_on) == airflows & ours


def test_the_form_has_the_fields_where_the_page_says_so(found_by_airflow: dict[str, list[str]]) -> None:
    ours = {field.name for field in FIELDS if field.custom}
    there = ours <= set(found_by_airflow["fields"])
    expected = {"yes": True, "with the FAB provider": find_spec("flask_appbuilder") is not None}
    assert there is expected[cell("fields of a Z-API connection")]


def test_airflow_reads_the_fields_where_the_page_says_so() -> None:
    schema = json.loads(files_of_airflow("provider.yaml.schema.json"))
    keys = schema["properties"]["connection-types"]["items"]["properties"]
    assert cell("where Airflow reads these fields") == ("provider info" if "conn-fields" in keys else "hook")


def files_of_airflow(name: str) -> str:
    return files("airflow").joinpath(name).read_text()


def has_command_line(found: dict[str, list[str]]) -> bool:
    return "zapi" in found["commands"]


def has_asset_events(found: dict[str, list[str]]) -> bool:
    return bool(ApplyPrivacyPolicyOperator(task_id="probe", policy={}).outlets)


def has_retry_policy(found: dict[str, list[str]]) -> bool:
    try:
        ZApiRetryPolicy()
    except ZApiConfigurationError:
        return False
    return True


def has_awaited_notifier(found: dict[str, list[str]]) -> bool:
    return hasattr(BaseNotifier, "async_notify")


def has_approvals(found: dict[str, list[str]]) -> bool:
    return AIRFLOW_V_3_1_PLUS and bool(
        importlib.import_module("airflow.providers.standard.operators.hitl").ApprovalOperator
    )


def has_page(found: dict[str, list[str]]) -> bool:
    return bool(ZApiPlugin.external_views and ZApiPlugin.fastapi_apps)


def has_kept_state(found: dict[str, list[str]]) -> bool:
    return find_spec("airflow.models.asset_state_store") is not None


def has_deferrable_wait(found: dict[str, list[str]]) -> bool:
    with running_emulator() as running, pytest.MonkeyPatch.context() as environment:
        running.emulator.put("instance-1", {"token": "demo-token", "client_token": None, "phone": "5544999990000"})
        running.emulator.instance("instance-1").patch({"connected": False})
        fields = {"conn_type": "zapi", "login": "instance-1", "password": "demo-token", "host": running.url}
        environment.setenv("AIRFLOW_CONN_ZAPI_PROBE", json.dumps(fields))
        task = ZApiInstanceConnectedSensor(task_id="probe", deferrable=True, zapi_conn_id="zapi_probe")
        try:
            task.poke({})
        except TaskDeferred:
            return True
    return False


#: A part of a row's name, and a function that asks the code about that feature.
FEATURES: list[tuple[str, Callable[[dict[str, list[str]]], bool]]] = [
    ("deferrable wait", has_deferrable_wait),
    ("asset events", has_asset_events),
    ("notifier](notifier.md), asynchronous", has_awaited_notifier),
    ("approvals](howto", has_approvals),
    ("`airflow zapi`", has_command_line),
    ("`ZApiRetryPolicy`", has_retry_policy),
    ("WhatsApp privacy", has_page),
    ("kept with its asset", has_kept_state),
]


@pytest.mark.parametrize(("feature", "has"), FEATURES, ids=[row[0] for row in FEATURES])
def test_the_code_answers_as_the_page_says(
    found_by_airflow: dict[str, list[str]], feature: str, has: Callable[[dict[str, list[str]]], bool]
) -> None:
    assert has(found_by_airflow) is {"yes": True, "no": False}[cell(feature)]


def test_every_operator_and_sensor_can_be_imported_where_the_page_says_so() -> None:
    assert cell("all operators") == "yes"
    info: dict[str, Any] = get_provider_info()
    for kind in ("operators", "sensors", "triggers", "hooks"):
        for integration in info[kind]:
            assert all(importlib.import_module(module).__all__ for module in integration["python-modules"])


#: Each module that checks what is installed, and its row on the page. None means that users do not notice it.
CHECKS = {
    "emulator/__init__.py": None,  # checks for the packages of its own extra
    "connection/reading.py": None,  # checks where Airflow has its masker
    "cli/status.py": "kept with its asset",
    "plugin/__init__.py": "WhatsApp privacy",
    "operators/events.py": "asset events",
    "operators/policy.py": "asset events",
    "retry_policy.py": "`ZApiRetryPolicy`",
}


def asks_what_is_installed(module: Path) -> bool:
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.ExceptHandler) and node.type:
            caught = {each.id for each in ast.walk(node.type) if isinstance(each, ast.Name)}
            if caught & {"ImportError", "ModuleNotFoundError"}:
                return True
        if isinstance(node, ast.Name) and node.id.startswith("AIRFLOW_V_"):
            return True
    return False


def test_each_check_of_the_code_has_its_row() -> None:
    assert {str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py") if asks_what_is_installed(path)} == set(
        CHECKS
    )
    assert {feature for feature in CHECKS.values() if feature} <= {feature for feature, _ in FEATURES}


def test_each_row_of_the_page_is_tested() -> None:
    asked = ("Python", "all operators", "fields of a", "where Airflow reads", *(feature for feature, _ in FEATURES))
    assert [row for row in ROWS if not any(part in row for part in asked)] == []


def test_the_page_has_the_oldest_packages() -> None:
    rows = table(section(PAGE, "Packages"), "package")
    assert [(name.strip("`"), oldest) for name, oldest in rows] == [
        tuple(each.split(">=")) for each in PYPROJECT["dependencies"]
    ]
