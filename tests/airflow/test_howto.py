"""The DAGs of the how-tos run unchanged, and do what their pages say."""

from __future__ import annotations

import json
import re
import runpy
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_zapi.emulator import RunningEmulator
from tests.airflow.conftest import NUMBERS
from tests.airflow.support import PROJECT, dag_bag, results, run, states
from tests.support import code_blocks

#: `test_own_project.py` runs this one in a separate process, because its code is a whole project.
OWN_PROJECT = "test-your-own-dag"
PAGES = {page.stem: page.read_text() for page in (PROJECT / "docs" / "howto").glob("*.md") if page.stem != OWN_PROJECT}
LISTS = ("last_seen", "photo", "description", "group_add")
FIRST, SECOND, THIRD = "5544991111111", "5544992222222", "5544993333333"


@pytest.fixture(scope="session")
def folder(airflow_home: Path) -> Path:
    """Write the how-tos' files as a user would: a file for each DAG, and its other files under their own names."""
    folder = airflow_home / "howto"
    for page, text in PAGES.items():
        for number, code in enumerate(code_blocks(text, "python")):
            (folder / f"{page}-{number}.py").write_text(code)
        for code in code_blocks(text, "yaml"):
            (folder / code.splitlines()[0].removeprefix("# ")).write_text(code)
    return folder


@pytest.fixture(scope="session")
def howto(airflow_db: None, folder: Path) -> dict[str, Any]:
    bag = dag_bag(folder)
    assert not bag.import_errors
    return dict(bag.dags)


def settings(zapi: RunningEmulator, number: str) -> dict[str, Any]:
    view: dict[str, Any] = zapi.emulator.instance(NUMBERS[number]).view()["settings"]
    return view


def test_every_dag_of_a_how_to_has_a_run(howto: dict[str, Any]) -> None:
    assert set(howto) == {
        "hide_after_hours",
        "block_everywhere",
        "watch_support",
        "restore_support",
        "zapi_check",
        "all_numbers",
        "all_numbers_in_shards",
    }


# Hide after hours


@pytest.mark.parametrize(
    ("moment", "last_seen"),
    [
        ("2026-11-20 07:59", "NONE"),
        ("2026-11-20 08:00", "CONTACTS"),
        ("2026-11-20 17:59", "CONTACTS"),
        ("2026-11-20 18:00", "NONE"),
        ("2026-11-21 12:00", "NONE"),
        ("2026-11-23 12:00", "CONTACTS"),
        ("2026-12-25 12:00", "NONE"),
    ],
)
def test_the_time_of_day_decides_who_sees_the_number(folder: Path, moment: str, last_seen: str) -> None:
    policy_at = runpy.run_path(str(folder / "hide-after-hours-0.py"))["policy_at"]
    assert policy_at(datetime.fromisoformat(moment)) == {"last_seen": last_seen, "online": "SAME_LAST_SEEN"}


def test_the_number_has_the_value_for_the_time_of_day(
    zapi: RunningEmulator, pools: None, howto: dict[str, Any]
) -> None:
    dag_run = run(howto["hide_after_hours"])
    assert set(states(dag_run).values()) == {"success"}
    wanted = results(dag_run, "wanted")[-1]
    found = settings(zapi, "zapi_default")
    assert {name: found[name]["value"] for name in wanted} == wanted


# Block an ex-employee everywhere


def test_one_phone_is_added_to_four_lists_of_every_number(
    zapi: RunningEmulator, pools: None, howto: dict[str, Any]
) -> None:
    for instance in NUMBERS.values():
        zapi.emulator.instance(instance).patch({"settings": {"photo": {"excluded": [THIRD]}}})
    [command] = [block for block in code_blocks(PAGES["block-an-ex-employee"], "bash") if "dags trigger" in block]
    found = re.search(r"--conf '(.*)'", command)
    assert found
    conf = json.loads(found[1])
    dag_run = run(howto["block_everywhere"], conf)
    assert set(states(dag_run).values()) == {"success"}
    assert len(states(dag_run)) == 9 * len(NUMBERS)
    for number in NUMBERS:
        after = settings(zapi, number)
        assert {after[name]["value"] for name in LISTS} == {"CONTACT_BLACKLIST"}
        assert {name: sorted(after[name]["excluded"]) for name in LISTS} == {
            name: [FIRST, THIRD] if name == "photo" else [FIRST] for name in LISTS
        }
        for name in LISTS:
            assert FIRST not in str(results(dag_run, f"{number}.block_{name}"))


# Alarm on drift

POLICY_LIST = [FIRST, SECOND]


@pytest.mark.parametrize(("found", "told"), [(POLICY_LIST, False), ([FIRST, THIRD], True)])
def test_another_number_reports_drift_and_nothing_is_changed(
    zapi: RunningEmulator, pools: None, howto: dict[str, Any], found: list[str], told: bool
) -> None:
    watched, teller = (zapi.emulator.instance(NUMBERS[number]) for number in ("zapi_support", "zapi_default"))
    watched.patch({"settings": {"last_seen": {"value": "CONTACT_BLACKLIST", "excluded": found}}})
    versions = watched.view()["versions"]
    assert states(run(howto["watch_support"])) == {"watch": "failed" if told else "success"}
    message = code_blocks(PAGES["alarm-on-drift"], "text")[0].strip()
    if version("apache-airflow").startswith(
        ("3.0.", "3.1.", "3.2.")
    ):  # its dag.test() does not pass the exception to the callback
        message = "watch_support: failed; see its log"
    assert [sent["message"] for sent in teller.view()["messages"]] == [message] * told
    assert watched.view()["versions"] == versions


def test_the_nightly_run_corrects_the_list(zapi: RunningEmulator, pools: None, howto: dict[str, Any]) -> None:
    zapi.emulator.instance(NUMBERS["zapi_support"]).patch(
        {"settings": {"last_seen": {"value": "CONTACT_BLACKLIST", "excluded": [FIRST, THIRD]}}}
    )
    assert states(run(howto["restore_support"])) == {"restore": "success"}
    after = settings(zapi, "zapi_support")
    assert sorted(after["last_seen"]["excluded"]) == POLICY_LIST
    assert [after[name]["value"] for name in ("photo", "online")] == ["CONTACTS", "SAME_LAST_SEEN"]


# Run on MWAA, Composer or Astronomer


def test_the_first_run_only_reads(zapi: RunningEmulator, howto: dict[str, Any]) -> None:
    assert states(run(howto["zapi_check"])) == {"check": "success"}
    assert {request["method"] for request in zapi.emulator.requests} == {"GET"}


def test_both_forms_of_the_connection_are_the_same_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.models.connection import Connection

    page = PAGES["managed-airflow"]
    [as_json] = code_blocks(page, "json")
    [uri] = [block.strip() for block in code_blocks(page, "text") if block.startswith("zapi://")]
    made = [Connection.from_json(as_json, conn_id="zapi_docs"), Connection(conn_id="zapi_docs", uri=uri)]
    facts = [(each.conn_type, each.login, each.password, each.extra_dejson) for each in made]
    assert facts[0] == facts[1]
    assert facts[0][-1] == {"client_token": "your/account+security=token%"}


# Many numbers


@pytest.mark.parametrize("dag_id", ["all_numbers", "all_numbers_in_shards"])
def test_every_number_of_the_account_is_set(account: RunningEmulator, howto: dict[str, Any], dag_id: str) -> None:
    assert set(states(run(howto[dag_id])).values()) == {"success"}
    assert sum(bool(each.history) for each in account.emulator.instances.values()) == 90
