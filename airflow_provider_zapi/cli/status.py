"""Show what Airflow stores about each number: its asset's state after the last runs, or else the last event.

It reads only Airflow's database and does not call Z-API.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from typing import Any
from urllib.parse import unquote, urlsplit

from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_zapi.catching import caught
from airflow_provider_zapi.exceptions import ZApiConfigurationError
from airflow_provider_zapi.reconcile.state import KEY, read_state

__all__ = ["status"]

HEADINGS = ("connection", "setting", "wanted", "state", "list", "asserted", "verified", "by")
NOTHING = "-"


def status(conn_id: str | None, stale_after: float) -> tuple[dict[str, Any], list[tuple[object, ...]], bool, list[str]]:
    """Return what is stored about one or all numbers, as data, rows, whether any list drifted, and notes.

    :param stale_after: hours after which the last result counts as stale
    :raises ZApiConfigurationError: Airflow's database cannot be read, or has nothing about this connection
    """
    if not AIRFLOW_V_3_0_PLUS:
        note = "Airflow 2 does not store the state of a number. Use 'show' or 'plan' to read the number itself."
        return {"numbers": []}, [HEADINGS], False, ["", note]
    found = caught(_read, Exception)
    if isinstance(found, Exception):
        raise ZApiConfigurationError(
            f"Airflow's database cannot be read ({type(found).__name__})",
            "Run this where Airflow's own commands work, such as 'airflow db check'.",
        )
    numbers = {name: number for name, number in found.items() if conn_id in (None, number["conn_id"])}
    if conn_id is not None and not numbers:
        raise ZApiConfigurationError(
            "Nothing is stored about this connection yet",
            "A run of ApplyPrivacyPolicyOperator stores it. Use 'show' or 'plan' to read the number itself.",
            conn_id=conn_id,
        )
    now = datetime.now(UTC)
    for number in numbers.values():
        for setting in number["settings"].values():
            setting["state"] = _state(setting, now - timedelta(hours=stale_after))
    rows: list[tuple[object, ...]] = [HEADINGS]
    for name, number in numbers.items():
        rows += [_row(name, setting, found) for setting, found in number["settings"].items()]
    drifted = any(setting["drift"] for number in numbers.values() for setting in number["settings"].values())
    return {"numbers": list(numbers.values())}, rows, drifted, ["", *_notes(numbers)]


def _read() -> dict[str, dict[str, Any]]:
    """Return what is stored about each number, by connection id, or by connection and instance id."""
    os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "server"  # unlike a task, a server may read the database
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    numbers = {}
    with create_session() as session:
        for asset in session.scalars(
            select(AssetModel).where(AssetModel.uri.startswith("zapi://")).order_by(AssetModel.uri)
        ):
            where = _where(asset.uri)
            name = "/".join(where.values())
            stored = _stored(session, asset.id)
            if (state := read_state(stored)).get("last"):
                numbers[name] = {**where, "source": "state", **state}
                continue
            newest = select(AssetEvent).where(AssetEvent.asset_id == asset.id).order_by(AssetEvent.id.desc()).limit(1)
            event = session.scalar(newest)
            if event is not None:
                numbers[name] = {**where, "source": "event", **_of_event(event)}
    return numbers


def _where(uri: str) -> dict[str, str]:
    """Return the connection in an asset's URI, and the instance if the connection covers a whole account."""
    parts = urlsplit(uri)
    instance = unquote(parts.path.removesuffix("/privacy").removeprefix("/"))
    return {"conn_id": unquote(parts.netloc), **({"instance": instance} if instance else {})}


def _stored(session: Any, asset_id: int) -> Any:
    if find_spec("airflow.models.asset_state_store") is None:  # before Airflow 3.3
        return None
    from airflow.models.asset_state_store import AssetStateStoreModel

    row = session.get(AssetStateStoreModel, (asset_id, KEY))
    return None if row is None else json.loads(row.value)


def _of_event(event: Any) -> dict[str, Any]:
    """Return an event in the form of a state. It shows what a run changed last, but not drift."""
    at = event.timestamp.astimezone(UTC).isoformat(timespec="seconds")
    by = {
        "dag_id": event.source_dag_id,
        "run_id": event.source_run_id,
        "task_id": event.source_task_id,
        "map_index": event.source_map_index,
    }
    extra: Mapping[str, Any] = event.extra or {}
    settings = {
        name.removeprefix("asserted."): {
            "wanted": value,
            "asserted": value,
            "asserted_at": at,
            "verified_at": at if f"{name.removeprefix('asserted.')}.kept" in extra else None,
            "listed": _listed(extra, name.removeprefix("asserted.")),
            "drift": None,
            "by": by,
        }
        for name, value in extra.items()
        if name.startswith("asserted.")
    }
    return {"settings": settings, "last": {"at": at, "mode": "apply", "outcome": "changed", "by": by}, "history": []}


def _listed(extra: Mapping[str, Any], name: str) -> int | None:
    kept = extra.get(f"{name}.kept")
    return None if kept is None else kept + extra.get(f"{name}.added", 0)


def _state(setting: Mapping[str, Any], stale_before: datetime) -> str:
    """Return the most important fact about a setting."""
    if setting.get("drift"):
        return "drift"
    seen = [setting.get(name) for name in ("asserted_at", "checked_at", "verified_at")]
    if not any(seen) or max(datetime.fromisoformat(each) for each in seen if each) < stale_before:
        return "stale"
    if setting.get("asserted") != setting.get("wanted"):
        return "not applied"
    return "verified" if setting.get("verified_at") else "asserted"


def _row(conn_id: str, name: str, setting: Mapping[str, Any]) -> tuple[object, ...]:
    drift = setting.get("drift")
    changes = f" +{drift['missing']} -{drift['extra']}" if drift else ""
    by = setting.get("by") or {}
    where = "/".join(str(by[part]) for part in ("dag_id", "task_id") if by.get(part))
    return (
        _shown(conn_id),
        _shown(name),
        _shown(setting.get("wanted")),
        f"{setting['state']}{changes}",
        NOTHING if setting.get("listed") is None else setting["listed"],
        _shown(setting.get("asserted_at")),
        _shown(setting.get("verified_at")),
        _shown(where),
    )


def _notes(numbers: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for name, number in numbers.items():
        last = number.get("last") or {}
        if last.get("outcome") == "failed":
            yield f"{_shown(name)}: the last run failed at {_shown(last.get('at'))} ({_shown(last.get('error'))})."
        elif last and not number["settings"]:
            yield f"{_shown(name)}: a fleet run at {_shown(last.get('at'))}. It stores no state per number."
    if not numbers:
        yield "Nothing is stored yet. A run of ApplyPrivacyPolicyOperator stores it."
    if any(number["source"] == "event" for number in numbers.values()):
        yield "If no state is stored, the row shows the last change, and drift is not known."
    yield "Values cannot be read back from WhatsApp. 'asserted' is the time when they were last sent."


def _shown(value: object) -> str:
    """Return a string without control characters, for a terminal."""
    text = NOTHING if value in (None, "") else str(value)
    return text if text.isprintable() else ascii(text)
