"""`ApplyPrivacyPolicyOperator` in DAG runs of this process, against the emulator over loopback."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import airflow
import pytest
from packaging.version import Version

from airflow_provider_zapi.emulator import RunningEmulator
from tests.airflow.conftest import connection
from tests.airflow.support import folded, results, run, states, without_airflows_own
from tests.support import leaks

PARAMS = {"policy": "", "mode": "apply", "phone": "", "conn_id": "zapi_default"}
POLICY = {"last_seen": {"visible_to": "CONTACT_BLACKLIST", "except": ["5544991111111"]}, "read_receipts": "disable"}

AIRFLOW_2 = Version(airflow.__version__) < Version("3.0")

assets_exist = pytest.mark.skipif(AIRFLOW_2, reason="asset events under an alias need Airflow 3")


def settings(zapi: RunningEmulator) -> dict[str, Any]:
    return dict(zapi.emulator.instance("instance-1").view()["settings"])


def calls(zapi: RunningEmulator) -> list[str]:
    return [f"{request['method']} {request['path'].split('/token/***/')[1]}" for request in zapi.emulator.requests]


def events(conn_id: str = "zapi_default") -> list[dict[str, Any]]:
    """Return the extras of all events of the asset, oldest first."""
    from airflow.utils.session import create_session
    from sqlalchemy import text

    query = text("SELECT e.extra FROM asset_event e JOIN asset a ON a.id = e.asset_id WHERE a.uri = :uri ORDER BY e.id")
    with create_session() as session:
        rows = session.execute(query, {"uri": f"zapi://{conn_id}/privacy"}).all()
    return [json.loads(extra) if isinstance(extra, str) else extra for (extra,) in rows]


@pytest.mark.parametrize("dag_id", ["zapi_test_policy_text", "zapi_test_policy_native"])
def test_a_policy_is_applied_and_its_list_verified(zapi: RunningEmulator, dags: dict[str, Any], dag_id: str) -> None:
    dag_run = run(dags[dag_id], {**PARAMS, "policy": json.dumps(POLICY)})
    assert states(dag_run) == {"apply": "success"}
    assert settings(zapi)["last_seen"] == {"value": "CONTACT_BLACKLIST", "excluded": ["5544991111111"]}
    assert settings(zapi)["read_receipts"] == {"value": "disable"}
    result = results(dag_run, "apply")[-1]
    verified_at = datetime.fromisoformat(result["settings"]["last_seen"].pop("verified_at"))
    assert verified_at.utcoffset() == timedelta(0)
    assert result["settings"] == {
        "last_seen": {
            "value": "CONTACT_BLACKLIST",
            "verified": True,
            "added": 1,
            "removed": 0,
            "kept": 0,
            "unknown": 0,
            "not_on_whatsapp": 0,
            "rounds": 1,
        },
        "read_receipts": {
            "value": "disable",
            "verified": None,
            "verified_at": None,
            "added": 0,
            "removed": 0,
            "kept": 0,
            "unknown": 0,
            "not_on_whatsapp": 0,
            "rounds": 1,
        },
    }


def test_stricter_settings_are_sent_first_and_a_met_policy_removes_nothing(
    zapi: RunningEmulator, dags: dict[str, Any]
) -> None:
    policy = json.dumps({"photo": "ALL", **POLICY})
    run(dags["zapi_test_policy_text"], {**PARAMS, "policy": policy})
    zapi.emulator.clear_requests()
    dag_run = run(dags["zapi_test_policy_text"], {**PARAMS, "policy": policy})
    assert calls(zapi) == [
        "GET privacy/disallowed-contacts",
        "POST privacy/read-receipts",
        "POST privacy/last-seen",
        "GET privacy/disallowed-contacts",
        "POST privacy/photo",
        # The list is read once more, because something was written since the last read.
        "GET privacy/disallowed-contacts",
    ]
    assert not any("remove" in str(request["body"]) for request in zapi.emulator.requests)
    assert results(dag_run, "apply")[-1]["settings"]["last_seen"]["kept"] == 1


def test_a_plan_reads_and_sends_nothing(
    zapi: RunningEmulator, dags: dict[str, Any], capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    zapi.emulator.instance("instance-1").patch({"settings": {"last_seen": {"excluded": ["5544993333333"]}}})
    before = settings(zapi)
    dag_run = run(dags["zapi_test_policy_text"], {**PARAMS, "policy": json.dumps(POLICY), "mode": "plan"})
    assert states(dag_run) == {"apply": "success"}
    assert settings(zapi) == before
    assert set(calls(zapi)) == {"GET privacy/disallowed-contacts", "POST phone-exists-batch"}
    result = results(dag_run, "apply")[-1]
    assert (result["mode"], result["changed"]) == ("plan", False)
    assert result["settings"]["last_seen"]["verified"] is False
    log = "".join(capfd.readouterr()) or caplog.text
    assert "\nsetting        wanted             list\nlast_seen      CONTACT_BLACKLIST  +1 -1 =0\n" in log
    assert "read_receipts  disable            cannot be read" in log
    assert "5544993333333" not in log
    assert not leaks(without_airflows_own(log))


def test_drift_fails_the_task_that_watches_for_it(zapi: RunningEmulator, dags: dict[str, Any]) -> None:
    assert states(run(dags["zapi_test_policy_drift"])) == {"apply": "failed"}
    assert states(run(dags["zapi_test_policy_file"])) == {"apply": "success"}
    zapi.emulator.clear_requests()
    assert states(run(dags["zapi_test_policy_drift"])) == {"apply": "success"}
    assert calls(zapi) == ["GET privacy/disallowed-contacts"]


#: The case, the parameters, the state of the number, and a part of the log. Nothing is written.
REFUSED: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("mistakes", {"policy": json.dumps({"photos": "ALL", "online": "NONE"})}, {}, "photos: unknown setting; did you mean photo?"),
    ("mode", {"policy": json.dumps(POLICY), "mode": "aply"}, {}, "mode must be 'apply' or 'plan'"),
    ("phone", {"policy": json.dumps(POLICY), "phone": "+55 44 98888-7777"}, {}, "The instance is paired with ***0000, but ***7777 is expected"),
    ("no phone", {"policy": json.dumps(POLICY), "phone": "12"}, {}, "expected_phone cannot be used: it has 2 digits"),
    ("a phone that a template left empty", {"policy": json.dumps(POLICY), "phone": ""}, {}, "expected_phone cannot be used: it is empty"),
    ("a phone that a template did not find", {"policy": json.dumps(POLICY), "phone": "None"}, {}, "expected_phone cannot be used: it has characters other than"),
    (
        "mass removal",
        {"policy": json.dumps(POLICY)},
        {"settings": {"last_seen": {"excluded": [f"554499333333{digit}" for digit in range(10)]}}},
        "would remove 10 of 10 contacts",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("conf", "state", "text"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_must_not_be_applied_writes_nothing(
    zapi: RunningEmulator,
    dags: dict[str, Any],
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    conf: dict[str, Any],
    state: dict[str, Any],
    text: str,
) -> None:
    zapi.emulator.instance("instance-1").patch(state)
    before = settings(zapi)
    dag = dags["zapi_test_policy_phone" if "phone" in conf else "zapi_test_policy_text"]
    assert states(run(dag, {**PARAMS, **conf})) == {"apply": "failed"}
    assert settings(zapi) == before
    assert text in folded(caplog.text + "".join(capfd.readouterr()))


def test_a_mass_removal_can_be_allowed(zapi: RunningEmulator, dags: dict[str, Any]) -> None:
    crowd = {"settings": {"last_seen": {"excluded": [f"554499333333{digit}" for digit in range(10)]}}}
    zapi.emulator.instance("instance-1").patch(crowd)
    assert states(run(dags["zapi_test_policy_mass"])) == {"apply": "success"}
    assert settings(zapi)["last_seen"]["excluded"] == ["5544991111111", "5544992222222"]


@pytest.mark.parametrize("phone", ["5544999990000", "+55 44 9999-0000"])
def test_the_paired_number_is_recognised_in_any_form(
    zapi: RunningEmulator, dags: dict[str, Any], monkeypatch: pytest.MonkeyPatch, phone: str
) -> None:
    extra = {"client_token": "canary/client+token=50%", "phone": phone}
    monkeypatch.setenv("AIRFLOW_CONN_ZAPI_DEFAULT", connection(zapi.url, "instance-1", extra=extra))
    assert states(run(dags["zapi_test_plain"])) == {"set": "success"}
    assert calls(zapi) == ["GET device", "POST privacy/last-seen"]


def test_another_number_under_the_connection_fails_every_task(
    zapi: RunningEmulator, dags: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = {"client_token": "canary/client+token=50%", "phone": "5544988887777"}
    monkeypatch.setenv("AIRFLOW_CONN_ZAPI_DEFAULT", connection(zapi.url, "instance-1", extra=extra))
    assert states(run(dags["zapi_test_plain"])) == {"set": "failed"}
    assert calls(zapi) == ["GET device"]


def test_the_other_settings_are_applied_after_one_fails(
    zapi: RunningEmulator, dags: dict[str, Any], capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    good, lapsed = {"status": 200, "body": {"success": True}}, {"status": 400, "body": {"error": "Invalid phone"}}
    zapi.emulator.instance("instance-1").patch({"switches": {"fail_next": [good, lapsed]}})
    policy = json.dumps({"photo": "NONE", "description": "CONTACTS", "online": "ALL"})
    assert states(run(dags["zapi_test_policy_text"], {**PARAMS, "policy": policy})) == {"apply": "failed"}
    log = caplog.text + "".join(capfd.readouterr())
    assert "Failed: description. Done: photo, online. A retry sends everything again, which is safe." in folded(log)
    assert settings(zapi)["online"] == {"value": "ALL"}


@assets_exist
def test_the_asset_is_updated_only_if_something_changed(
    zapi: RunningEmulator, dags: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Use a separate connection, because the events of other tests belong to other assets.
    monkeypatch.setenv("AIRFLOW_CONN_ZAPI_ASSETS", connection(zapi.url, "instance-3"))
    dag = dags["zapi_test_policy_text"]
    conf = {**PARAMS, "policy": json.dumps(POLICY), "conn_id": "zapi_assets"}
    told = []
    steps: tuple[Callable[[], object], ...] = (
        lambda: None,
        lambda: None,
        lambda: zapi.emulator.instance("instance-3").patch({"settings": {"last_seen": {"excluded": []}}}),
        lambda: conf.update(policy=json.dumps({**POLICY, "read_receipts": "enable"})),
        lambda: None,
    )
    for step in steps:
        step()
        dag_run = run(dag, conf)
        assert states(dag_run) == {"apply": "success"}
        told.append((results(dag_run, "apply")[-1]["changed"], len(events("zapi_assets"))))
    assert told == [(True, 1), (False, 1), (True, 2), (True, 3), (False, 3)]
    last = events("zapi_assets")[-1]
    assert last == {
        "conn_id": "zapi_assets",
        "asserted.last_seen": "CONTACT_BLACKLIST",
        "asserted.read_receipts": "enable",
        "last_seen.added": 0,
        "last_seen.removed": 0,
        "last_seen.kept": 1,
    }
    assert "5544991111111" not in json.dumps(events("zapi_assets"))


def test_a_policy_is_applied_to_each_number_of_a_mapped_task(
    zapi: RunningEmulator, dags: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = {"zapi_mapped_1": "instance-1", "zapi_mapped_2": "instance-2"}
    for conn_id, instance in numbers.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", connection(zapi.url, instance))
    told = []
    for _ in range(2):
        dag_run = run(dags["zapi_test_policy_mapped"])
        assert states(dag_run) == {"apply": "success"}
        told.append({index: result["changed"] for index, result in results(dag_run, "apply").items()})
    # On Airflow 3, a run knows from events what the last run asserted for the same number.
    assert told == [{0: True, 1: True}, dict.fromkeys((0, 1), AIRFLOW_2)]


def planned(dags: dict[str, Any], policy: dict[str, Any]) -> dict[str, Any]:
    """Run a plan, and return its result."""
    conf = {**PARAMS, "policy": json.dumps(policy), "mode": "plan"}
    return dict(results(run(dags["zapi_test_policy_text"], conf), "apply")[-1])


def change_list(zapi: RunningEmulator, *excluded: str) -> None:
    zapi.emulator.instance("instance-1").patch({"settings": {"last_seen": {"excluded": list(excluded)}}})


WRITES = ("POST privacy/last-seen", "POST privacy/read-receipts")


@pytest.mark.parametrize("way", ["text", "native"])
def test_an_approved_plan_is_applied(zapi: RunningEmulator, dags: dict[str, Any], way: str) -> None:
    dag_run = run(dags[f"zapi_test_binding_{way}"], {"policy": json.dumps(POLICY), "mode": "apply"})
    assert states(dag_run) == {"plan": "success", "apply": "success"}
    assert settings(zapi)["last_seen"] == {"value": "CONTACT_BLACKLIST", "excluded": ["5544991111111"]}
    assert results(dag_run, "plan")[-1]["digest"].startswith("plan1-add1-remove0-")


@pytest.mark.parametrize("mode", ["apply", "plan"])
def test_a_plan_that_changed_since_is_refused_before_anything_is_sent(
    zapi: RunningEmulator,
    dags: dict[str, Any],
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    mode: str,
) -> None:
    plan = planned(dags, POLICY)
    change_list(zapi, "5544993333333")
    before = settings(zapi)
    zapi.emulator.clear_requests()
    conf = {"policy": json.dumps(POLICY), "plan": plan["digest"], "mode": mode}
    dag_run = run(dags["zapi_test_binding_given"], conf)
    assert states(dag_run) == {"plan": "success", "apply": "failed"}
    assert settings(zapi) == before
    assert not set(WRITES) & set(calls(zapi))
    log = folded(caplog.text + "".join(capfd.readouterr()))
    assert "the approved one would add 1 contact and remove 0, and this one would add 1 contact and remove 1" in log
    assert "5544993333333" not in log
    change_list(zapi)
    assert states(run(dags["zapi_test_binding_given"], conf))["apply"] == "success"


@pytest.mark.parametrize(
    ("way", "plan"),
    [
        ("missing_text", ""),
        ("missing_native", ""),
        ("none", ""),
        ("given", ""),
        ("given", "None"),
        ("given", "plan1-add1-remove0-"),
    ],
)
def test_a_missing_approval_is_an_error(
    zapi: RunningEmulator,
    dags: dict[str, Any],
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    way: str,
    plan: str,
) -> None:
    conf = {"policy": json.dumps(POLICY), "plan": plan, "mode": "apply"}
    assert states(run(dags[f"zapi_test_binding_{way}"], conf)) == {"plan": "success", "apply": "failed"}
    assert not set(WRITES) & set(calls(zapi))
    assert "Use the 'digest' that mode='plan' returns" in folded(caplog.text + "".join(capfd.readouterr()))


@pytest.mark.parametrize("plans", [[None], ["None"], [""]])
def test_a_missing_approval_is_an_error_for_a_mapped_task(
    zapi: RunningEmulator, dags: dict[str, Any], plans: list[Any]
) -> None:
    assert states(run(dags["zapi_test_binding_mapped"], {"plans": plans}))["apply"] == "failed"
    assert calls(zapi) == []


def test_the_result_of_a_plan_has_a_summary_for_the_approver(zapi: RunningEmulator, dags: dict[str, Any]) -> None:
    change_list(zapi, "5544993333333")
    plan = planned(dags, {**POLICY, "last_seen": "NONE"})
    assert "| last seen | `NONE` |  |  |  |  |" in plan["summary"]
    assert "still shows 'online' while it is in use" in plan["summary"]
    assert plan["summary"].endswith(f"Digest: `{plan['digest']}`\n")
    plan = planned(dags, POLICY)
    assert "| last seen | `CONTACT_BLACKLIST` | 1 | 1 | 0 | 0 |" in plan["summary"]
    assert not any(phone in json.dumps(plan) for phone in ("5544991111111", "5544993333333"))
    assert not leaks(json.dumps(plan))


def test_a_note_is_shown_even_if_the_same_policy_is_applied_later(zapi: RunningEmulator, dags: dict[str, Any]) -> None:
    dag_run = run(dags["zapi_test_binding_file"])
    assert states(dag_run) == {"plan": "success", "apply": "success"}
    assert "still shows 'online' while it is in use" in results(dag_run, "plan")[-1]["summary"]
