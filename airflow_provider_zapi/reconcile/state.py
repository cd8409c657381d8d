"""The state of a number's privacy, in a small JSON document that is kept from run to run.

It holds values, counts, times and task names, but never a phone. Each run that reads or writes the number makes a new
document from the last one. A document of another schema is replaced.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from airflow_provider_zapi.reconcile.plan import PolicyPlan
from airflow_provider_zapi.reconcile.report import planned_settings

__all__ = ["KEY", "MAX_BYTES", "MAX_HISTORY", "SCHEMA", "after_apply", "after_failure", "after_plan", "read_state"]

#: The key under which the document is stored with the number's asset.
KEY = "zapi_privacy"
#: The version of the document's schema. A reader that supports another version reports this instead of guessing.
SCHEMA = 1
#: The most bytes of a document: half of what Airflow accepts by default. If it is longer, old events are dropped.
MAX_BYTES = 32_768
#: The most events that are kept: changes, drift and failures. A run that finds nothing new is not an event.
MAX_HISTORY = 40

State = dict[str, Any]


def read_state(stored: object) -> State:
    """Return the stored document, or an empty one if there is none or it has another schema."""
    if isinstance(stored, Mapping) and stored.get("schema") == SCHEMA:
        settings, history = stored.get("settings"), stored.get("history")
        if isinstance(settings, Mapping) and isinstance(history, list):
            return {**stored, "settings": dict(settings), "history": list(history)}
    return {"schema": SCHEMA, "settings": {}, "history": []}


def after_plan(stored: object, plan: PolicyPlan, *, digest: str, now: datetime, by: Mapping[str, Any]) -> State:
    """Return the document after a plan. It has new drift, but the same asserted and verified values.

    :param stored: the last document, as it was read
    :param digest: identifies the policy without revealing its content
    :param by: the DAG, run, task and map index that planned
    """
    state, at = read_state(stored), _text(now)
    entries = {}
    for name, found in planned_settings(plan).items():
        before = state["settings"].get(name, {})
        drifted = found["verified"] is False
        entries[name] = {
            "wanted": found["value"],
            "asserted": before.get("asserted"),
            "asserted_at": before.get("asserted_at"),
            # A plan that finds a list as wanted has read it, so the list is verified.
            "verified_at": at if found["verified"] else before.get("verified_at"),
            "checked_at": at if found["verified"] is not None else None,
            "listed": None if found["verified"] is None else found["kept"] + found["removed"],
            "drift": {"missing": found["added"], "extra": found["removed"], "undecided": _undecided(plan, name)}
            if drifted
            else None,
            "unknown": found["unknown"],
            "not_on_whatsapp": found["not_on_whatsapp"],
            # The task that set a value stays the same. A list belongs to the run that read it last.
            "by": before["by"] if found["verified"] is None and "by" in before else dict(by),
        }
    drifted_now = {name: entry["drift"] for name, entry in entries.items() if entry["drift"]}
    event = {"mode": "plan", "outcome": "drift" if drifted_now else "as_wanted", "drift": drifted_now}
    return _bounded(_with(state, entries, digest, event, at, by))


def after_apply(
    stored: object,
    settings: Mapping[str, Mapping[str, Any]],
    *,
    changed: bool,
    digest: str,
    now: datetime,
    by: Mapping[str, Any],
) -> State:
    """Return the document after a policy was applied.

    :param settings: the results, as `applied_settings` returns them
    :param changed: whether a list changed, or a value differs from the one asserted last
    """
    state, at = read_state(stored), _text(now)
    entries = {
        name: {
            "wanted": result["value"],
            "asserted": result["value"],
            "asserted_at": at,
            "verified_at": result["verified_at"],
            "checked_at": result["verified_at"],
            "listed": None if result["verified"] is None else result["kept"] + result["added"],
            "drift": None,
            "unknown": result["unknown"],
            "not_on_whatsapp": result["not_on_whatsapp"],
            "by": dict(by),
        }
        for name, result in settings.items()
    }
    counts = {
        name: {count: result[count] for count in ("added", "removed")}
        for name, result in settings.items()
        if result["added"] or result["removed"]
    }
    values = [name for name, entry in entries.items() if entry["asserted"] != _asserted(state, name)]
    event = {"mode": "apply", "outcome": "changed" if changed else "unchanged", "lists": counts, "values": values}
    return _bounded(_with(state, entries, digest, event, at, by))


def after_failure(stored: object, mode: str, error: str, *, now: datetime, by: Mapping[str, Any]) -> State:
    """Return the document after a failed run. It keeps everything that was known.

    :param error: the name of the error's class; its message is only in the task's log
    """
    state = read_state(stored)
    event = {"mode": mode, "outcome": "failed", "error": error}
    return _bounded(_with(state, {}, None, event, _text(now), by))


def _with(
    state: State, entries: Mapping[str, Any], digest: str | None, event: State, at: str, by: Mapping[str, Any]
) -> State:
    task = (by.get("dag_id"), by.get("task_id"))
    # A setting that is no longer in this task's policy no longer belongs to this task.
    kept = {
        name: entry
        for name, entry in state["settings"].items()
        if not entries or (entry.get("by", {}).get("dag_id"), entry.get("by", {}).get("task_id")) != task
    }
    newest = state["history"][0] if state["history"] else {}
    is_news = event["outcome"] not in ("unchanged", "as_wanted") or newest.get("outcome") in ("drift", "failed")
    repeated = all(newest.get(key) == value for key, value in event.items()) and event["outcome"] != "changed"
    history = [{"at": at, **event, "by": dict(by)}] if is_news and not repeated else []
    return {
        "schema": SCHEMA,
        "settings": {**kept, **entries},
        "policy_digest": digest if digest is not None else state.get("policy_digest"),
        "last": {"at": at, **{key: event[key] for key in ("mode", "outcome", "error") if key in event}, "by": dict(by)},
        "history": [*history, *state["history"]][:MAX_HISTORY],
    }


def _bounded(state: State) -> State:
    while state["history"] and len(json.dumps(state)) > MAX_BYTES:
        state["history"].pop()
    return state


def _asserted(state: State, name: str) -> object:
    return state["settings"].get(name, {}).get("asserted")


def _undecided(plan: PolicyPlan, name: str) -> int:
    return next((each.change.undecided for each in plan if each.wanted.setting.name == name and each.change), 0)


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
