"""Store what a task found and did with its number's asset, on Airflow 3.3 and newer.

The record matters less than the run. If it cannot be written, the task logs a warning and continues.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import Asset

from airflow_provider_zapi.assets import privacy_uri
from airflow_provider_zapi.catching import caught
from airflow_provider_zapi.exceptions import ZApiError
from airflow_provider_zapi.metrics import count
from airflow_provider_zapi.reconcile.state import KEY, after_apply, after_failure, after_plan

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_zapi.reconcile import PolicyPlan

__all__ = ["StateRecord"]

log = logging.getLogger(__name__)


class StateRecord:
    """The state of one number, stored by one task run.

    Nothing is stored before Airflow 3.3, or while the number's asset is not active. An asset is active once a task
    names it as an inlet, outlet or schedule.

    :param context: the task's context, which limits the assets whose state the task may write
    :param mode: ``plan`` or ``apply``
    :param instance: returns the id of the instance if the connection covers a whole account, once the task has found it
    """

    def __init__(
        self, context: Context, conn_id: str, mode: str, instance: Callable[[], str | None] = lambda: None
    ) -> None:
        self._stores: Any = context.get("asset_state_store")
        self._conn_id, self._instance = conn_id, instance
        self._mode = mode
        self._by = _by(context)
        self._done = False
        #: The digest that identifies the policy, set once the policy is known.
        self.digest = ""

    @contextmanager
    def failures(self) -> Iterator[None]:
        """Store the name of an error that leaves the block, unless its cause is already stored."""
        try:
            yield
        except ZApiError as error:
            if not self._done:
                self._keep(partial(after_failure, mode=self._mode, error=type(error).__name__, **self._now()))
            raise

    def planned(self, plan: PolicyPlan) -> None:
        """Store what a plan found. A list that could not be read raises an error, which is stored instead."""
        if all(each.unreadable is None for each in plan):
            count("zapi.drift", len(plan.drifted))
            self._keep(partial(after_plan, plan=plan, digest=self.digest, **self._now()))

    def applied(self, settings: Mapping[str, Mapping[str, Any]], *, changed: bool) -> None:
        """Store what was applied, even if nothing changed, because no event has the time of the last check."""
        count("zapi.verified", sum(result["verified"] is True for result in settings.values()))
        self._keep(partial(after_apply, settings=settings, changed=changed, digest=self.digest, **self._now()))

    def _now(self) -> dict[str, Any]:
        return {"now": datetime.now(UTC), "by": self._by}

    def _keep(self, new: Callable[[Any], dict[str, Any]]) -> None:
        self._done = True
        store = self._store()
        if store is None:
            return
        failed = caught(lambda: store.set(KEY, new(store.get(KEY))), Exception)
        if isinstance(failed, Exception):
            log.warning(
                "The state of this number was not stored with its asset (%s). The task is not affected.",
                type(failed).__name__,
            )

    def _store(self) -> Any:
        """Return the store of the asset's state, or None if this Airflow has none or the asset is not active."""
        if self._stores is None:
            return None
        found = caught(lambda: self._stores[Asset(privacy_uri(self._conn_id, self._instance()))], Exception)
        return None if isinstance(found, Exception) else found


def _by(context: Context) -> dict[str, Any]:
    instance: Any = context.get("ti")
    return {name: getattr(instance, name, None) for name in ("dag_id", "run_id", "task_id", "map_index")}
