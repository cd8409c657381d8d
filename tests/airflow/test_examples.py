"""The example DAGs follow good practice, and run unchanged."""

from __future__ import annotations

import warnings
from datetime import timedelta
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import pytest
from packaging.version import Version

from airflow_provider_zapi.emulator import RunningEmulator
from tests.airflow.conftest import NUMBERS
from tests.airflow.support import EXAMPLES, dag_bag, results, run, states

#: The contact on every number's list before a run. Two of the examples remove it.
BEFORE = "5544993333333"
FIRST, SECOND = "5544991111111", "5544992222222"

#: For each example: the value of last seen and the excluded contacts of each number that it changes, after its run.
AFTER: dict[str, dict[str, tuple[str, list[str]]]] = {
    "zapi_hide_last_seen": {"zapi_default": ("NONE", [BEFORE])},
    "zapi_show_last_seen": {"zapi_default": ("CONTACTS", [BEFORE])},
    "zapi_excluded_from_file": {"zapi_default": ("CONTACT_BLACKLIST", [FIRST, SECOND])},
    "zapi_block_one_contact": {"zapi_default": ("CONTACT_BLACKLIST", [FIRST, BEFORE])},
    "zapi_all_settings": {"zapi_default": ("CONTACT_BLACKLIST", [FIRST, BEFORE])},
    "zapi_apply_policy": {number: ("CONTACT_BLACKLIST", [FIRST, SECOND]) for number in NUMBERS},
    "zapi_hidden_for_a_campaign": {"zapi_default": ("CONTACT_BLACKLIST", [FIRST, SECOND])},
    "zapi_wait_check_apply_tell": {"zapi_default": ("CONTACT_BLACKLIST", [FIRST])},
    "zapi_watch_policy": {"zapi_default": ("ALL", [FIRST, SECOND])},
    "zapi_several_numbers": {number: ("CONTACT_BLACKLIST", [FIRST, SECOND]) for number in NUMBERS},
    "zapi_approve": {"zapi_default": ("CONTACT_BLACKLIST", [FIRST, SECOND])},
}

#: Examples that need a person's approval. `tests/ui` approves and rejects in a browser.
BY_HAND = {"zapi_approve": "approve"}


def standard_provider() -> Version:
    try:
        return Version(version("apache-airflow-providers-standard"))
    except PackageNotFoundError:  # on Airflow 2
        return Version("0")


def has_approvals() -> bool:
    """Return whether the installed Airflow can wait for an approval with a timeout."""
    return Version(version("apache-airflow")) >= Version("3.1") and standard_provider() >= Version("1.13")


needs_approvals = pytest.mark.skipif(
    not has_approvals(),
    reason="approvals need Airflow 3.1 and apache-airflow-providers-standard 1.13, which added response_timeout",
)
CASES = [pytest.param(dag_id, marks=[needs_approvals] if dag_id in BY_HAND else []) for dag_id in AFTER]

#: Examples whose list is already as wanted.
START = {"zapi_watch_policy": [FIRST, SECOND]}


#: Examples that use a whole account.
FLEET = ("zapi_fleet", "zapi_fleet_shards")


@pytest.fixture(scope="session")
def examples(airflow_db: None) -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bag = dag_bag(EXAMPLES)
    assert not bag.import_errors
    assert not getattr(bag, "captured_warnings", {})
    return dict(bag.dags)


def test_every_example_has_a_run(examples: dict[str, Any]) -> None:
    assert set(examples) == {*AFTER, *FLEET} - (set() if has_approvals() else set(BY_HAND))


@pytest.mark.parametrize("dag_id", [*CASES, *FLEET])
def test_an_example_describes_itself_and_survives_a_failure(examples: dict[str, Any], dag_id: str) -> None:
    dag = examples[dag_id]
    assert {"zapi", "example"} <= set(dag.tags)
    assert dag.description
    assert "###" in dag.doc_md
    assert not dag.catchup
    for task in dag.tasks:
        details = getattr(task, "partial_kwargs", None) or vars(task)
        # A message that may have been sent is not retried, and a phone may be off for hours.
        assert (details["retries"] > 0) is (task.task_id not in ("tell_team", "approve"))
        longest = timedelta(hours=6) if task.task_id == "wait_for_phone" else timedelta(minutes=10)
        assert timedelta() < details["execution_timeout"] <= longest
        # Each number has a pool with one slot and the name of its connection.
        assert details["pool"] == details.get("zapi_conn_id", "zapi_default")


@pytest.mark.parametrize("dag_id", CASES)
def test_an_example_runs_unchanged(zapi: RunningEmulator, pools: None, examples: dict[str, Any], dag_id: str) -> None:
    for instance in NUMBERS.values():
        zapi.emulator.instance(instance).patch({"settings": {"last_seen": {"excluded": START.get(dag_id, [BEFORE])}}})
    by_hand: dict[str, Any] = {"mark_success_pattern": BY_HAND[dag_id]} if dag_id in BY_HAND else {}
    dag_run = run(examples[dag_id], **by_hand)
    assert set(states(dag_run).values()) == {"success"}
    found = {}
    for number in AFTER[dag_id]:
        state = zapi.emulator.instance(NUMBERS[number]).view()["settings"]["last_seen"]
        found[number] = (state["value"], sorted(state["excluded"]))
    assert found == AFTER[dag_id]


@pytest.mark.parametrize("dag_id", FLEET)
def test_an_example_changes_all_numbers_of_an_account(
    account: RunningEmulator, examples: dict[str, Any], dag_id: str
) -> None:
    dag_run = run(examples[dag_id])
    assert set(states(dag_run).values()) == {"success"}
    outcomes = [result["outcomes"] for result in results(dag_run, "apply").values()]
    assert sum(each.get("asserted", 0) for each in outcomes) == 90
    numbers = [each for each in account.emulator.instances.values() if each.history]
    assert {(each.name.startswith("Store "), each.records["last_seen"].value) for each in numbers} == {
        (True, "CONTACTS"),
        (False, "NONE"),
    }
    assert {len(each.history) for each in numbers} == {2}
