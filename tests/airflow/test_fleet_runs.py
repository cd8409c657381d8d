"""A fleet task in real runs has a result even if it fails, updates its asset, and skips finished numbers on a retry."""

from __future__ import annotations

import json
from collections import Counter
from importlib.metadata import version
from typing import Any

import pytest

from airflow_provider_zapi.emulator import RunningEmulator
from tests.airflow.support import results, run, states
from tests.support import leaks

MAJOR, MINOR = map(int, version("apache-airflow").split(".")[:2])


def refuse(account: RunningEmulator, name: str) -> None:
    answer = {"status": 404, "body": {"error": "Instance not found"}}
    account.emulator.instance(name).patch({"switches": {"fail_next": [answer]}})


def stored() -> str:
    """Return all values of the task state store, as one string."""
    from airflow.utils.session import create_session
    from sqlalchemy import text

    with create_session() as session:
        return " ".join(str(value) for (value,) in session.execute(text("SELECT value FROM task_state_store")).all())


def events() -> list[dict[str, Any]]:
    from airflow.utils.session import create_session
    from sqlalchemy import text

    query = text("SELECT extra FROM asset_event ORDER BY id")
    with create_session() as session:
        rows = [json.loads(extra) if isinstance(extra, str) else extra for (extra,) in session.execute(query).all()]
    return [row for row in rows if row.get("conn_id") == "zapi_account"]


@pytest.mark.skipif(MAJOR < 3, reason="asset events need Airflow 3")
def test_a_run_updates_the_asset_once_with_counts_only(account: RunningEmulator, dags: dict[str, Any]) -> None:
    before = len(events())
    assert states(run(dags["zapi_test_fleet"])) == {"apply": "success"}
    (event,) = events()[before:]
    assert event == {
        "conn_id": "zapi_account",
        "instances": 100,
        "selected": 100,
        "outcome.asserted": 90,
        "outcome.not_connected": 8,
        "outcome.lapsed": 2,
    }


@pytest.mark.skipif(MAJOR < 3, reason="asset events need Airflow 3")
def test_shards_update_the_asset_once_together(account: RunningEmulator, dags: dict[str, Any]) -> None:
    before = len(events())
    dag_run = run(dags["zapi_test_shards"])
    assert set(states(dag_run).values()) == {"success"}
    selected = [results(dag_run, "apply")[index]["selected"] for index in range(3)]
    (event,) = events()[before:]
    assert sum(selected) == event["instances"] == 100
    assert (event["selected"], event["shards"]) == (selected[0], 3)


@pytest.mark.skipif(MAJOR < 3, reason="asset events need Airflow 3")
def test_an_account_that_lost_most_of_its_instances_is_not_changed(
    account: RunningEmulator, dags: dict[str, Any]
) -> None:
    assert states(run(dags["zapi_test_fleet"])) == {"apply": "success"}
    for name in sorted(account.emulator.instances)[40:]:
        account.emulator.delete(name)
    account.emulator.clear_requests()
    assert states(run(dags["zapi_test_fleet"])) == {"apply": "failed"}
    assert all(request["path"] == "/instances" for request in account.emulator.requests)


def test_a_task_that_fails_keeps_its_result(account: RunningEmulator, dags: dict[str, Any]) -> None:
    refuse(account, "number-0050")
    dag_run = run(dags["zapi_test_fleet"])
    assert states(dag_run) == {"apply": "failed"}
    result = results(dag_run, "apply")[-1]
    assert result["outcomes"]["refused"] == 1
    assert not leaks(json.dumps(result))


@pytest.mark.skipif((MAJOR, MINOR) < (3, 3), reason="the task state store needs Airflow 3.3")
def test_finished_numbers_are_stored_as_digests_for_the_retry_and_deleted_after_a_success(
    account: RunningEmulator, dags: dict[str, Any]
) -> None:
    refuse(account, "number-0050")
    run(dags["zapi_test_fleet"])
    kept = stored()
    assert len(kept) >= 89 * 16
    assert "number-" not in kept
    assert not leaks(kept)
    run(dags["zapi_test_fleet"])
    assert stored() == ""


@pytest.mark.parametrize("number", ["number-0004", "number-0090"])
def test_a_task_retry_skips_what_an_earlier_try_finished(
    account: RunningEmulator, dags: dict[str, Any], number: str
) -> None:
    # The wait is too long for a worker, so the run stops here and the task is retried.
    busy = {"status": 429, "body": {}, "headers": {"Retry-After": "600"}}
    account.emulator.instance(number).patch({"switches": {"fail_next": [busy]}})
    dag_run = run(dags["zapi_test_fleet_retry"])
    assert states(dag_run) == {"apply": "success"}
    assert results(dag_run, "apply")[-1]["outcomes"]["asserted"] == 90
    called = Counter(request["instance"] for request in account.emulator.requests if request["instance"])
    assert len(called) == 90
    if (MAJOR, MINOR) >= (3, 3):
        # The calls that were in progress when the run stopped are sent again.
        assert called.total() <= 90 + 4
    else:
        assert called["number-0001"] == 2
