"""Apply a policy to a number: plan the changes, send them, and read back what can be read.

This package takes a client. It does not depend on DAGs, tasks or connections.
"""

from airflow_provider_zapi.reconcile.apply import apply_policy
from airflow_provider_zapi.reconcile.binding import PlanDigest, parse_digest, plan_digest, require_plan
from airflow_provider_zapi.reconcile.plan import PolicyPlan, SettingPlan, plan_policy
from airflow_provider_zapi.reconcile.report import applied_settings, plan_summary, planned_settings
from airflow_provider_zapi.reconcile.rounds import SettingResult
from airflow_provider_zapi.reconcile.verify import verify_changes

__all__ = [
    "PlanDigest",
    "PolicyPlan",
    "SettingPlan",
    "SettingResult",
    "applied_settings",
    "apply_policy",
    "parse_digest",
    "plan_digest",
    "plan_policy",
    "plan_summary",
    "planned_settings",
    "require_plan",
    "verify_changes",
]
