"""`SetLastSeenPrivacyOperator` in a DAG run of this process, against the emulator over loopback."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_zapi.emulator import RunningEmulator
from tests.airflow.conftest import connection
from tests.airflow.support import folded, results, run, states, without_airflows_own
from tests.support import leaks

ADD = {"action": "add", "phone": "+55 44 99111-1111"}


def last_seen(zapi: RunningEmulator, instance: str = "instance-1") -> tuple[str, list[str]]:
    state = zapi.emulator.instance(instance).view()["settings"]["last_seen"]
    return state["value"], state["excluded"]


@pytest.mark.parametrize("dag_id", ["zapi_test_text", "zapi_test_native"])
@pytest.mark.parametrize(
    "changes", [[ADD], '[{"action": "add", "phone": "5544991111111"}]'], ids=["a list", "JSON in a string"]
)
def test_templates_can_render_the_type_and_the_list(
    zapi: RunningEmulator, dags: dict[str, Any], dag_id: str, changes: Any
) -> None:
    dag_run = run(dags[dag_id], {"value": " contact_blacklist", "changes": changes})
    assert states(dag_run) == {"set": "success"}
    assert last_seen(zapi) == ("CONTACT_BLACKLIST", ["5544991111111"])
    assert results(dag_run, "set") == {
        -1: {"setting": "last_seen", "value": "CONTACT_BLACKLIST", "sent_add": 1, "sent_remove": 0, "calls": 1}
    }


@pytest.mark.parametrize("dag_id", ["zapi_test_items_text", "zapi_test_items_native"])
def test_a_phone_may_be_templated_inside_the_list(zapi: RunningEmulator, dags: dict[str, Any], dag_id: str) -> None:
    dag_run = run(dags[dag_id], {"phone": "5544992222222"})
    assert states(dag_run) == {"set": "success"}
    assert last_seen(zapi) == ("CONTACT_BLACKLIST", ["5544992222222"])


def test_the_list_can_be_a_json_file_beside_the_dag(zapi: RunningEmulator, dags: dict[str, Any]) -> None:
    zapi.emulator.instance("instance-1").patch({"settings": {"last_seen": {"excluded": ["5544992222222"]}}})
    dag_run = run(dags["zapi_test_file"])
    assert states(dag_run) == {"set": "success"}
    assert last_seen(zapi) == ("CONTACT_BLACKLIST", ["5544991111111"])
    assert results(dag_run, "set")[-1] == {
        "setting": "last_seen",
        "value": "CONTACT_BLACKLIST",
        "sent_add": 1,
        "sent_remove": 1,
        "calls": 1,
    }


def test_a_mapped_task_sets_several_numbers(zapi: RunningEmulator, dags: dict[str, Any]) -> None:
    dag_run = run(dags["zapi_test_mapped"])
    assert states(dag_run) == {"set": "success"}
    assert [last_seen(zapi, f"instance-{number}")[0] for number in (1, 2, 3)] == ["CONTACTS", "CONTACTS", "ALL"]
    assert len(results(dag_run, "set")) == 2


def test_results_of_earlier_tasks_can_be_parameters(zapi: RunningEmulator, dags: dict[str, Any]) -> None:
    dag_run = run(dags["zapi_test_xcom"])
    assert set(states(dag_run).values()) == {"success"}
    assert last_seen(zapi) == ("CONTACT_BLACKLIST", ["5544991111111"])


#: The problem, the state of the instance or connection, and a part of the log.
FAILURES: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("wrong Client-Token", {}, {"extra": {"client_token": "canary/wrong+token"}}, "Z-API refused the Client-Token"),
    ("no Client-Token", {}, {"extra": {}}, "Z-API requires a Client-Token, but received none"),
    ("wrong instance", {}, {"login": "nobody"}, "Z-API does not have an instance with this ID and token"),
    ("wrong token", {}, {"password": "another-token"}, "Z-API does not have an instance with this ID and token"),
    ("stopped server", {}, {"host": "http://127.0.0.1:9"}, "the connection was refused: no server listens"),
    ("lapsed subscription", {"subscription": "lapsed"}, {}, "the subscription of this instance lapsed"),
    ("disconnected", {"connected": False}, {}, "the instance has no WhatsApp session"),
    ("placeholder", {}, {"password": "***"}, "Instance token is the placeholder"),
]


@pytest.mark.parametrize(("state", "fields", "text"), [row[1:] for row in FAILURES], ids=[row[0] for row in FAILURES])
def test_a_failed_task_logs_the_reason(
    zapi: RunningEmulator,
    dags: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    state: dict[str, Any],
    fields: dict[str, Any],
    text: str,
) -> None:
    zapi.emulator.instance("instance-1").patch(state)
    monkeypatch.setenv("AIRFLOW_CONN_ZAPI_DEFAULT", connection(zapi.url, **{"instance": "instance-1", **fields}))
    dag_run = run(dags["zapi_test_plain"])
    assert states(dag_run) == {"set": "failed"}
    assert last_seen(zapi) == ("ALL", [])
    log = caplog.text + "".join(capfd.readouterr())
    assert text in folded(log)
    assert not leaks(without_airflows_own(log))


#: Bad parameters. Nothing is sent for any of them.
BAD_PARAMETERS: list[tuple[dict[str, Any], str]] = [
    ({"value": "NOBODY"}, "visualization_type is 'NOBODY'"),
    ({"value": ""}, "visualization_type is an empty string"),
    # Native rendering turns these into None and an integer.
    ({"changes": "None"}, "contacts_blacklist is "),
    ({"changes": "5544991111111"}, "contacts_blacklist is a"),
    ({"value": "ALL", "changes": [ADD]}, "contacts_blacklist cannot be used with ALL"),
    ({"changes": [{"action": "add", "phone": "12"}]}, "contacts_blacklist[0].phone cannot be used: it has 2 digits"),
    ({"changes": [{"action": "drop", "phone": "5544991111111"}]}, "contacts_blacklist[0].action is 'drop'"),
    ({"changes": [ADD, {**ADD, "action": "remove"}]}, "contacts_blacklist[1] would remove a contact"),
]


@pytest.mark.parametrize("dag_id", ["zapi_test_text", "zapi_test_native"])
@pytest.mark.parametrize(("conf", "text"), BAD_PARAMETERS, ids=[row[1] for row in BAD_PARAMETERS])
def test_a_bad_parameter_fails_the_task_and_sends_nothing(
    zapi: RunningEmulator,
    dags: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    dag_id: str,
    conf: dict[str, Any],
    text: str,
) -> None:
    # Set all variables every time, because a DAG keeps the values of an earlier run in this process.
    dag_run = run(dags[dag_id], {"value": "CONTACT_BLACKLIST", "changes": [], **conf})
    assert states(dag_run) == {"set": "failed"}
    assert text in folded(caplog.text + "".join(capfd.readouterr()))
    assert not zapi.emulator.requests


def test_a_list_that_an_earlier_task_did_not_return_is_an_error(zapi: RunningEmulator, dags: dict[str, Any]) -> None:
    dag_run = run(dags["zapi_test_xcom_none"])
    assert states(dag_run)["set"] == "failed"
    assert not zapi.emulator.requests
