"""The state that a run stores with a number's asset, in DAG runs of this process."""

from __future__ import annotations

import json
import re
from typing import Any

import airflow
import pendulum
import pytest
from packaging.version import Version

from airflow_provider_zapi.__main__ import main
from airflow_provider_zapi.emulator import RunningEmulator
from airflow_provider_zapi.operators.policy import PRIVACY_ALIAS, ApplyPrivacyPolicyOperator
from tests.airflow.conftest import connection
from tests.airflow.support import run, states
from tests.support import leaks

AIRFLOW = Version(airflow.__version__)
PHONES = ["5544991111111", "5544992222222"]
POLICY = {"last_seen": {"visible_to": "CONTACT_BLACKLIST", "except": PHONES}, "read_receipts": "disable"}
URI = "zapi://zapi_state/privacy"

assets_exist = pytest.mark.skipif(Version("3.0") > AIRFLOW, reason="on Airflow 2, the operator has no assets")
state_is_kept = pytest.mark.skipif(Version("3.3") > AIRFLOW, reason="the state of an asset needs Airflow 3.3")


def inlets(**given: Any) -> list[str]:
    task = ApplyPrivacyPolicyOperator(task_id="task", policy=POLICY, **given)
    return [getattr(each, "uri", "alias") for each in task.inlets]


@assets_exist
@pytest.mark.parametrize(
    ("conn_id", "expected"),
    [
        ("zapi_sales", ["zapi://zapi_sales/privacy", "alias"]),
        ("sales/eu", ["zapi://sales%2Feu/privacy", "alias"]),
        ("{{ params.conn_id }}", ["alias"]),
        ("<< params.conn_id >>", ["alias"]),
        ("connection.yaml", ["alias"]),
        ("", ["alias"]),
    ],
)
def test_the_asset_of_a_connection_that_is_known_at_parse_time_is_an_inlet(conn_id: str, expected: list[str]) -> None:
    assert inlets(zapi_conn_id=conn_id) == expected


@assets_exist
def test_an_asset_that_the_dag_names_itself_is_an_inlet_once() -> None:
    from airflow.providers.common.compat.sdk import Asset

    own = [Asset("zapi://zapi_sales/privacy"), PRIVACY_ALIAS, Asset("s3://bucket/policy")]
    assert sorted(inlets(zapi_conn_id="zapi_sales", inlets=own)) == [
        "alias",
        "s3://bucket/policy",
        "zapi://zapi_sales/privacy",
    ]


@assets_exist
def test_a_mapped_task_has_the_inlets_that_all_its_instances_share() -> None:
    mapped = ApplyPrivacyPolicyOperator.partial(task_id="task", zapi_conn_id="zapi_sales").expand(policy=[POLICY])
    assert [getattr(each, "uri", "alias") for each in mapped.partial_kwargs["inlets"]] == [
        "zapi://zapi_sales/privacy",
        "alias",
    ]


def kept(uri: str = URI) -> dict[str, Any] | None:
    from airflow.utils.session import create_session
    from sqlalchemy import text

    query = text(
        "SELECT s.value FROM asset_state_store s JOIN asset a ON a.id = s.asset_id WHERE a.uri = :uri AND s.key = :key"
    )
    with create_session() as session:
        value = session.execute(query, {"uri": uri, "key": "zapi_privacy"}).scalar()
    return None if value is None else json.loads(value)


def active(uri: str = URI) -> int:
    from airflow.utils.session import create_session
    from sqlalchemy import text

    with create_session() as session:
        found = session.execute(text("SELECT COUNT(*) FROM asset_active WHERE uri = :uri"), {"uri": uri}).scalar()
    return int(found or 0)


@pytest.fixture
def number(zapi: RunningEmulator, airflow_db: None, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a separate number without any stored state."""
    from airflow.utils.session import create_session
    from sqlalchemy import text

    monkeypatch.setenv("AIRFLOW_CONN_ZAPI_STATE", connection(zapi.url, "instance-3"))
    with create_session() as session:
        for table in ("asset_state_store", "asset_event"):
            delete = f"DELETE FROM {table} WHERE asset_id IN (SELECT id FROM asset WHERE uri = :uri)"  # noqa: S608
            session.execute(text(delete), {"uri": URI})
    return zapi.emulator.instance("instance-3")


CONF = {"policy": json.dumps(POLICY), "mode": "", "phone": "", "conn_id": ""}
BY = {"dag_id": "zapi_test_state_apply", "task_id": "apply", "map_index": -1}


@state_is_kept
def test_what_a_run_applied_and_verified_is_stored_even_if_nothing_changed(number: Any, dags: dict[str, Any]) -> None:
    dag_run = run(dags["zapi_test_state_apply"], CONF)
    assert states(dag_run) == {"apply": "success"}
    assert active() == 1
    first = kept()
    assert first is not None
    assert first["schema"] == 1
    assert first["last"]["outcome"] == "changed"
    assert first["last"]["by"] == {**BY, "run_id": dag_run.run_id}
    last_seen = first["settings"]["last_seen"]
    assert {name: last_seen[name] for name in ("wanted", "asserted", "listed", "drift")} == {
        "wanted": "CONTACT_BLACKLIST",
        "asserted": "CONTACT_BLACKLIST",
        "listed": 2,
        "drift": None,
    }
    assert last_seen["verified_at"]
    assert last_seen["asserted_at"]
    assert first["settings"]["read_receipts"]["verified_at"] is None
    assert [event["outcome"] for event in first["history"]] == ["changed"]
    assert first["history"][0]["lists"] == {"last_seen": {"added": 2, "removed": 0}}
    again = run(dags["zapi_test_state_apply"], CONF)
    second = kept()
    assert second is not None
    assert (second["last"]["outcome"], second["last"]["by"]["run_id"]) == ("unchanged", again.run_id)
    assert second["policy_digest"] == first["policy_digest"]
    assert second["history"] == first["history"]
    assert not any(phone in json.dumps(second) for phone in PHONES)
    assert not leaks(json.dumps(second))


@state_is_kept
def test_a_plan_stores_the_drift_and_a_failure_stores_the_name_of_its_error(number: Any, dags: dict[str, Any]) -> None:
    run(dags["zapi_test_state_apply"], CONF)
    before = kept()
    assert before is not None
    number.patch({"settings": {"last_seen": {"excluded": [PHONES[0], "5544993333333"]}}})
    # The task fails because of the drift. The state records a drift and not a failure.
    assert states(run(dags["zapi_test_state_plan"], CONF)) == {"plan": "failed"}
    drifted = kept()
    assert drifted is not None
    entry = drifted["settings"]["last_seen"]
    assert entry["drift"] == {"missing": 1, "extra": 1, "undecided": 0}
    assert entry["asserted_at"] == before["settings"]["last_seen"]["asserted_at"]
    assert entry["verified_at"] == before["settings"]["last_seen"]["verified_at"]
    assert entry["by"]["dag_id"] == "zapi_test_state_plan"
    assert [event["outcome"] for event in drifted["history"]] == ["drift", "changed"]
    number.patch({"connected": False})
    run(dags["zapi_test_state_plan"], CONF)
    failed = kept()
    assert failed is not None
    assert (failed["last"]["outcome"], failed["last"]["error"]) == ("failed", "ZApiNotConnectedError")
    assert failed["settings"] == drifted["settings"]


@state_is_kept
def test_the_state_survives_a_cleanup_of_the_database(number: Any, dags: dict[str, Any]) -> None:
    from airflow.models.asset import AssetEvent
    from airflow.utils.db_cleanup import config_dict, run_cleanup
    from airflow.utils.session import create_session
    from sqlalchemy import func, select

    run(dags["zapi_test_state_apply"], CONF)
    before = kept()
    assert before is not None
    # Clean all tables except those of the DAGs, which the other tests need.
    tables = sorted(config_dict.keys() - {"dag", "dag_version"})
    run_cleanup(clean_before_timestamp=pendulum.now("UTC"), table_names=tables, skip_archive=True, confirm=False)
    with create_session() as session:
        assert session.scalar(select(func.count()).select_from(AssetEvent)) == 0
    assert kept() == before


@state_is_kept
def test_no_state_is_stored_for_a_connection_that_is_known_only_at_run_time(
    zapi: RunningEmulator, dags: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ZAPI_ALIAS", connection(zapi.url, "instance-3"))
    conf = {**CONF, "mode": "apply", "conn_id": "zapi_alias"}
    assert states(run(dags["zapi_test_policy_text"], conf)) == {"apply": "success"}
    uri = "zapi://zapi_alias/privacy"
    assert (active(uri), kept(uri)) == (0, None)


@state_is_kept
def test_each_number_of_a_mapped_task_has_its_own_state_if_the_dag_names_the_assets(
    zapi: RunningEmulator, dags: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for at, conn_id in enumerate(("zapi_kept_1", "zapi_kept_2")):
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", connection(zapi.url, f"instance-{at + 1}"))
    run(dags["zapi_test_state_mapped"])
    found = [kept(f"zapi://zapi_kept_{number}/privacy") for number in (1, 2)]
    assert [each and each["last"]["by"]["map_index"] for each in found] == [0, 1]


@state_is_kept
def test_each_number_of_an_account_has_its_own_state(
    account: RunningEmulator, dags: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    run(dags["zapi_test_state_account"])
    uris = [f"zapi://zapi_account/number-{number}/privacy" for number in ("0002", "0004", "0017")]
    last = [(kept(uri) or {}).get("last", {}) for uri in uris]
    assert [(each.get("outcome"), each.get("error")) for each in last] == [
        ("changed", None),
        ("changed", None),
        ("failed", "ZApiNotConnectedError"),
    ]
    code, printed = status(capsys, "zapi_account")
    assert code == 0
    assert re.findall(r"^(\S+) +photo +NONE", printed, re.MULTILINE) == [
        "zapi_account/number-0002",
        "zapi_account/number-0004",
    ]
    assert "zapi_account/number-0017: the last run failed" in printed


@assets_exist
def test_a_fleet_run_is_reported_and_its_account_is_not_shown_as_a_number(
    account: RunningEmulator, dags: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    run(dags["zapi_test_fleet"])
    code, printed = status(capsys, "zapi_account")
    assert code == 0
    assert re.search(r"zapi_account: a fleet run at .* stores no state per number", printed)


# The command line


def status(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    capsys.readouterr()
    code = main(["status", *words])
    return code, "".join(capsys.readouterr())


@state_is_kept
def test_the_command_line_shows_a_drift_and_its_end(
    number: Any, dags: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    run(dags["zapi_test_state_apply"], CONF)
    code, printed = status(capsys, "zapi_state")
    assert code == 0
    assert re.search(r"last_seen +CONTACT_BLACKLIST +verified +2 ", printed)
    assert re.search(r"read_receipts +disable +asserted +- ", printed)
    number.patch({"settings": {"last_seen": {"excluded": [PHONES[0]]}}})
    run(dags["zapi_test_state_plan"], CONF)
    code, printed = status(capsys, "zapi_state")
    assert code == 1
    assert re.search(r"last_seen +CONTACT_BLACKLIST +drift \+1 -0 .*zapi_test_state_plan/plan", printed)
    assert re.search(r"read_receipts +disable +stale ", status(capsys, "zapi_state", "--stale-after", "-1")[1])
    run(dags["zapi_test_state_apply"], CONF)
    code, printed = status(capsys, "-o", "json")
    [found] = [each for each in json.loads(printed)["numbers"] if each["conn_id"] == "zapi_state"]
    assert found["settings"]["last_seen"]["drift"] is None
    assert [event["outcome"] for event in found["history"]] == ["changed", "drift", "changed"]
    assert not any(phone in printed for phone in PHONES)


@assets_exist
def test_the_command_line_shows_the_last_event_if_no_state_is_stored(
    zapi: RunningEmulator, dags: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ZAPI_EVENT", connection(zapi.url, "instance-3"))
    run(dags["zapi_test_policy_text"], {**CONF, "mode": "apply", "conn_id": "zapi_event"})
    code, printed = status(capsys, "zapi_event")
    assert code == 0
    assert re.search(r"last_seen +CONTACT_BLACKLIST +verified +2 .*zapi_test_policy_text/apply", printed)
    assert "drift is not known" in printed


def test_the_command_line_says_if_nothing_is_stored(airflow_db: None, capsys: pytest.CaptureFixture[str]) -> None:
    code, printed = status(capsys, "zapi_nobody")
    if Version("3.0") > AIRFLOW:
        assert (code, "Airflow 2 does not store the state" in printed) == (0, True)
    else:
        assert (code, "Nothing is stored about this connection yet" in printed) == (3, True)
