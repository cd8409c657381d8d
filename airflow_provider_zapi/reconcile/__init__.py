"""Make a number what a policy says: plan what to send, send it, and read back what can be read.

Takes a client and knows nothing of DAGs, tasks or connections.
"""

from airflow_provider_zapi.reconcile.apply import apply_policy
from airflow_provider_zapi.reconcile.plan import PolicyPlan, SettingPlan, plan_policy
from airflow_provider_zapi.reconcile.report import applied_settings, planned_settings
from airflow_provider_zapi.reconcile.rounds import SettingResult
from airflow_provider_zapi.reconcile.verify import verify_changes

__all__ = [
    "PolicyPlan",
    "SettingPlan",
    "SettingResult",
    "applied_settings",
    "apply_policy",
    "plan_policy",
    "planned_settings",
    "verify_changes",
]
