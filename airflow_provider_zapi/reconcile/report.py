"""Report a plan or a run by setting: values, counts and times, without phones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from airflow_provider_zapi.privacy.difference import ListChange
from airflow_provider_zapi.reconcile.binding import PlanDigest
from airflow_provider_zapi.reconcile.plan import PolicyPlan, SettingPlan
from airflow_provider_zapi.reconcile.rounds import SettingResult
from airflow_provider_zapi.wording import counted

__all__ = ["applied_settings", "plan_summary", "planned_settings"]


def planned_settings(plan: PolicyPlan) -> dict[str, dict[str, Any]]:
    """Return the changes of a plan in the form of results, by setting name."""
    return applied_settings({each.wanted.setting.name: _planned(each) for each in plan})


def applied_settings(results: Mapping[str, SettingResult]) -> dict[str, dict[str, Any]]:
    """Return results as JSON values, by setting name."""
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
        # Only the list can be read, not the value.
        verified=None if plan.change is None else not change.differs,
        added=len(change.add),
        removed=len(change.remove),
        kept=change.kept,
        unknown=change.unknown + change.undecided,
        not_on_whatsapp=len(change.not_on_whatsapp),
        rounds=0,
    )


def plan_summary(plan: PolicyPlan, digest: PlanDigest, notes: Iterable[str] = ()) -> str:
    """Return a plan as Markdown for people, such as the approver. It does not contain phones.

    :param notes: other sentences to show
    """
    headings = ("setting", "value", "add", "remove", "keep", "left alone")
    rows = [headings, ("---", "---", *("---:",) * 4), *(_summary_row(each) for each in plan)]
    remarks = [
        "Values cannot be read, so each one is sent, even if it is already in force.",
        *(_gone(each) for each in plan if each.change is not None and each.change.not_on_whatsapp),
        *notes,
    ]
    return "\n".join(
        [
            *(f"| {' | '.join(map(str, row))} |" for row in rows),
            "",
            *(f"- {remark}" for remark in remarks),
            "",
            f"Digest: `{digest}`",
            "",
        ]
    )


def _summary_row(plan: SettingPlan) -> tuple[object, ...]:
    name, change = plan.wanted.setting.title, plan.change
    if change is None:
        return name, f"`{plan.wanted.value}`", "", "", "", ""
    left = change.unknown + change.undecided
    return name, f"`{plan.wanted.value}`", len(change.add), len(change.remove), change.kept, left


def _gone(plan: SettingPlan) -> str:
    count = len(plan.change.not_on_whatsapp) if plan.change else 0
    left = "is not on WhatsApp and is" if count == 1 else "are not on WhatsApp and are"
    return f"{plan.wanted.setting.title}: {counted(count, 'wanted contact')} {left} not added."
