"""What a plan and a run say of each setting: values, counts and times, never a phone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from airflow_provider_zapi.privacy.difference import ListChange
from airflow_provider_zapi.reconcile.plan import PolicyPlan, SettingPlan
from airflow_provider_zapi.reconcile.rounds import SettingResult

__all__ = ["applied_settings", "planned_settings"]


def planned_settings(plan: PolicyPlan) -> dict[str, dict[str, Any]]:
    """Return what a plan would change, in the form of a run's results, by the settings' names."""
    return applied_settings({each.wanted.setting.name: _planned(each) for each in plan})


def applied_settings(results: Mapping[str, SettingResult]) -> dict[str, dict[str, Any]]:
    """Return results as plain values that JSON can hold, by the settings' names."""
    return {
        name: {
            **asdict(result),
            "verified_at": result.verified_at.isoformat(timespec="seconds") if result.verified_at else None,
        }
        for name, result in results.items()
    }


def _planned(plan: SettingPlan) -> SettingResult:
    change = plan.change or ListChange()
    return SettingResult(
        plan.wanted.value,
        # Only the list can be known; the value beside it cannot.
        verified=None if plan.change is None else not change.differs,
        added=len(change.add),
        removed=len(change.remove),
        kept=change.kept,
        unknown=change.unknown + change.undecided,
        not_on_whatsapp=len(change.not_on_whatsapp),
        rounds=0,
    )
