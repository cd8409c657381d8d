"""Apply a policy file from git to several numbers, watch for drift, and replace it for a while."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_zapi.operators.policy import ApplyPrivacyPolicyOperator

NUMBERS = ["zapi_default", "zapi_sales", "zapi_support"]
POLICY = "standard_policy.yaml"
DEFAULT_ARGS = {
    "retries": 3,
    "retry_delay": timedelta(minutes=1),
    "execution_timeout": timedelta(minutes=10),
}

with DAG(
    dag_id="zapi_apply_policy",
    description="Applies the policy file from git to every number",
    schedule="0 6 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["zapi", "example", "policy"],
    doc_md="""
### The policy file, on every number

`standard_policy.yaml`, in the folder of this DAG, states how each number should be. Each number has its own task, in a
pool with one slot. A run that changed something updates the asset `zapi://<connection id>/privacy`.
""",
    default_args=DEFAULT_ARGS,
):
    for number in NUMBERS:
        ApplyPrivacyPolicyOperator(task_id=f"apply_to_{number}", policy=POLICY, zapi_conn_id=number, pool=number)

with DAG(
    dag_id="zapi_watch_policy",
    description="Fails when a list of excluded contacts no longer matches the policy",
    schedule="30 * * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["zapi", "example", "policy"],
    doc_md="""
### Watch for drift

This only reads the lists. The task fails if one of them does not match `standard_policy.yaml`, because somebody changed
it on the phone or with another program. Only lists can be read; values cannot.
""",
    default_args=DEFAULT_ARGS,
):
    ApplyPrivacyPolicyOperator(task_id="watch", policy=POLICY, mode="plan", fail_on_drift=True, pool="zapi_default")

with DAG(
    dag_id="zapi_hidden_for_a_campaign",
    description="Hides a number while something runs, and restores the standard policy even if that fails",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["zapi", "example", "policy"],
    doc_md="""
### Hidden for a while

A setup task hides the number, and a teardown task restores the standard policy. Airflow runs the teardown even if a
task between them fails.
""",
    default_args={**DEFAULT_ARGS, "pool": "zapi_default"},
):
    hide = ApplyPrivacyPolicyOperator(
        task_id="hide", policy={"last_seen": "NONE", "online": "SAME_LAST_SEEN", "photo": "NONE"}
    )
    # Replace this task with your own.
    campaign = ApplyPrivacyPolicyOperator(task_id="campaign", policy={"read_receipts": "enable"}, mode="plan")
    restore = ApplyPrivacyPolicyOperator(task_id="restore", policy=POLICY)
    hide >> campaign >> restore.as_teardown(setups=hide)
