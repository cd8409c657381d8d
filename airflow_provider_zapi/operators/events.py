"""Publish and read the events of assets whose name is known only at run time, on Airflow 3."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS, AIRFLOW_V_3_2_PLUS

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import AssetAlias, Context

__all__ = ["last_events", "publish", "with_alias"]

#: How many of the newest events (of all connections) are searched for a connection's last event. If its last event is
#: older, the task publishes a new one even if nothing changed.
_NEWEST_EVENTS = 1_000


def with_alias(kwargs: dict[str, Any], alias: AssetAlias) -> dict[str, Any]:
    """Return an operator's arguments with the inlet and outlet that its events need on Airflow 3."""
    if not AIRFLOW_V_3_0_PLUS:
        return kwargs
    given = {name: _as_list(kwargs.get(name)) for name in ("inlets", "outlets")}
    return kwargs | {name: [*(one for one in them if one != alias), alias] for name, them in given.items()}


def publish(context: Context, alias: AssetAlias, asset: Any, extra: Mapping[str, Any]) -> None:
    """Update an asset when the task succeeds.

    :param extra: must be flat, because Airflow 3.0 puts the values of an alias's event into a set
    """
    events = context.get("outlet_events") if AIRFLOW_V_3_0_PLUS else None
    if events is not None:
        events[alias].add(asset, extra=dict(extra))


def last_events(context: Context, alias: AssetAlias, of: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the extras of the last events, newest first. Before Airflow 3, yield nothing.

    :param of: whose events: ``conn_id``, and ``instance`` if the connection covers a whole account
    """
    inlets: Any = context.get("inlet_events") if AIRFLOW_V_3_0_PLUS else None
    if inlets is None:
        return
    events = inlets[alias]
    # Older versions can only return all events, oldest first.
    newest_first = events.ascending(False).limit(_NEWEST_EVENTS) if AIRFLOW_V_3_2_PLUS else reversed(events)
    for event in newest_first:
        if {name: event.extra[name] for name in ("conn_id", "instance") if name in event.extra} == of:
            yield event.extra


def _as_list(given: Any) -> list[Any]:
    return [] if given is None else list(given) if isinstance(given, (list, tuple, set)) else [given]
