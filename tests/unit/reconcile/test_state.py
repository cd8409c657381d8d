"""The document with a number's state: how each run updates it, and how large it can become."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_zapi.privacy.difference import ListChange
from airflow_provider_zapi.privacy.policy import SettingPolicy
from airflow_provider_zapi.privacy.settings import LAST_SEEN, ONLINE, SETTINGS
from airflow_provider_zapi.reconcile.plan import Contacts, PolicyPlan, SettingPlan
from airflow_provider_zapi.reconcile.report import applied_settings
from airflow_provider_zapi.reconcile.rounds import SettingResult
from airflow_provider_zapi.reconcile.state import (
    MAX_BYTES,
    MAX_HISTORY,
    after_apply,
    after_failure,
    after_plan,
    read_state,
)

BEGIN = datetime(2026, 11, 24, 6, tzinfo=UTC)
BY = {"dag_id": "night", "run_id": "run", "task_id": "apply", "map_index": -1}
PHONE = "5544991111111"


def at(minutes: int) -> datetime:
    return BEGIN + timedelta(minutes=minutes)


def listed(change: ListChange | None, value: str = "CONTACT_BLACKLIST") -> SettingPlan:
    return SettingPlan(SettingPolicy(LAST_SEEN, value, (PHONE,) if change else ()), change)


def plan(*settings: SettingPlan) -> PolicyPlan:
    return PolicyPlan(settings, Contacts(lambda phones: {}))


KEPT = plan(listed(ListChange(kept=1)))
MISSING = plan(listed(ListChange(add=(PHONE,))))


def planned(stored: object, found: PolicyPlan, minutes: int = 0, **by: Any) -> dict[str, Any]:
    return after_plan(stored, found, digest="digest", now=at(minutes), by={**BY, **by})


def applied(stored: object, minutes: int = 0, changed: bool = True, **results: SettingResult) -> dict[str, Any]:
    settings = applied_settings(results)
    return after_apply(stored, settings, changed=changed, digest="digest", now=at(minutes), by=BY)


RESULT = SettingResult("CONTACT_BLACKLIST", verified=True, verified_at=at(0), added=1, rounds=1)


@pytest.mark.parametrize("stored", [None, "text", [], {"schema": 2, "settings": {}, "history": []}, {"schema": 1}])
def test_a_document_of_another_schema_is_not_read(stored: object) -> None:
    assert read_state(stored) == {"schema": 1, "settings": {}, "history": []}


def test_a_plan_does_not_claim_values_that_were_not_asserted() -> None:
    entry = planned(None, KEPT)["settings"]["last_seen"]
    assert (entry["wanted"], entry["asserted"], entry["asserted_at"]) == ("CONTACT_BLACKLIST", None, None)
    assert entry["verified_at"] == at(0).isoformat(timespec="seconds")


def test_a_value_is_never_verified() -> None:
    value = plan(SettingPlan(SettingPolicy(ONLINE, "ALL")))
    assert planned(None, value)["settings"]["online"]["verified_at"] is None
    result = SettingResult("ALL", verified=None, rounds=1)
    assert applied(None, online=result)["settings"]["online"]["verified_at"] is None


def test_after_a_plan_the_value_belongs_to_the_task_that_set_it_and_the_list_to_its_reader() -> None:
    state = applied(None, last_seen=RESULT, online=SettingResult("ALL", verified=None, rounds=1))
    both = plan(listed(ListChange(kept=1)), SettingPlan(SettingPolicy(ONLINE, "ALL")))
    settings = planned(state, both, 1, task_id="watch")["settings"]
    assert {name: entry["by"]["task_id"] for name, entry in settings.items()} == {
        "last_seen": "watch",
        "online": "apply",
    }


def test_the_same_finding_in_several_runs_is_one_event() -> None:
    state = applied(None, last_seen=RESULT)
    for minutes in range(1, 4):
        state = planned(state, MISSING, minutes)
    assert [event["outcome"] for event in state["history"]] == ["drift", "changed"]
    assert state["last"]["at"] == at(3).isoformat(timespec="seconds")
    state = planned(state, KEPT, 4)
    state = planned(state, KEPT, 5)
    assert [event["outcome"] for event in state["history"]] == ["as_wanted", "drift", "changed"]


def test_equal_changes_are_separate_events() -> None:
    state = applied(applied(None, last_seen=RESULT), 1, last_seen=RESULT)
    assert [event["outcome"] for event in state["history"]] == ["changed", "changed"]


def test_a_setting_that_left_the_tasks_policy_is_dropped_and_other_tasks_settings_stay() -> None:
    online = plan(SettingPlan(SettingPolicy(ONLINE, "ALL")))
    state = planned(planned(None, online, task_id="another"), KEPT)
    assert state["settings"].keys() == {"online", "last_seen"}
    assert planned(state, online, task_id="another")["settings"].keys() == {"online", "last_seen"}
    assert planned(state, online)["settings"].keys() == {"online"}


def test_the_largest_document_fits_and_keeps_the_newest_events() -> None:
    """Use the longest ids that Airflow allows: 250 characters, each up to six bytes in JSON."""
    longest = dict.fromkeys(("dag_id", "run_id", "task_id"), "é" * 250)
    results = {
        setting.name: SettingResult("CONTACT_BLACKLIST", verified=True, verified_at=at(0), added=64_000)
        for setting in SETTINGS
    }
    state: dict[str, Any] = {}
    for minutes in range(MAX_HISTORY + 9):
        settings = applied_settings(results)
        state = after_apply(
            state, settings, changed=True, digest="d" * 64, now=at(minutes), by={"map_index": 4000, **longest}
        )
    assert state["settings"].keys() == results.keys()
    assert len(json.dumps(state)) <= 2 * MAX_BYTES
    # If the ids have a usual length, all events fit.
    state = {}
    for minutes in range(MAX_HISTORY + 9):
        state = applied(state, minutes, True, **results)
    assert len(json.dumps(state)) <= MAX_BYTES
    assert len(state["history"]) == MAX_HISTORY
    assert state["history"][0]["at"] == at(MAX_HISTORY + 8).isoformat(timespec="seconds")


def test_a_failure_does_not_change_what_was_known() -> None:
    state = applied(None, last_seen=RESULT)
    failed = after_failure(state, "apply", "ZApiNotConnectedError", now=at(1), by=BY)
    assert failed["settings"] == state["settings"]
    assert failed["policy_digest"] == "digest"
    assert failed["last"]["error"] == "ZApiNotConnectedError"


def test_no_document_holds_a_phone() -> None:
    state = after_failure(planned(applied(None, last_seen=RESULT), MISSING), "plan", "ZApiError", now=at(1), by=BY)
    assert PHONE not in json.dumps(state)
