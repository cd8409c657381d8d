"""A policy file in git: applied to several numbers, watched for drift, and put aside for a night."""

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
    description="Every number as the policy file in git says",
    schedule="0 6 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["zapi", "example", "policy"],
    doc_md="""
### The policy file, on every number

`standard_policy.yaml`, beside this DAG, says how a number shall be. Each number has a task of its own in its own pool
of one slot. A run that changed something updates the asset `zapi://<connection id>/privacy`.
""",
    default_args=DEFAULT_ARGS,
):
    for number in NUMBERS:
        ApplyPrivacyPolicyOperator(task_id=f"apply_to_{number}", policy=POLICY, zapi_conn_id=number, pool=number)

with DAG(
    dag_id="zapi_watch_policy",
    description="An alarm when a list of exceptions is no longer as the policy says",
    schedule="30 * * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["zapi", "example", "policy"],
    doc_md="""
### Drift is an alarm

Reads the lists and sends nothing else. The task fails if one is not as `standard_policy.yaml` says: somebody changed it
on the phone, or in another client. Only lists can be read; values cannot.
""",
    default_args=DEFAULT_ARGS,
):
    ApplyPrivacyPolicyOperator(task_id="watch", policy=POLICY, mode="plan", fail_on_drift=True, pool="zapi_default")

with DAG(
    dag_id="zapi_hidden_for_a_campaign",
    description="Hide a number while something runs, and restore the standard policy, also when it fails",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["zapi", "example", "policy"],
    doc_md="""
### Hidden for a while

A setup task hides the number and a teardown task restores the standard policy: Airflow runs the teardown also when what
is between them fails.
""",
    default_args={**DEFAULT_ARGS, "pool": "zapi_default"},
):
    hide = ApplyPrivacyPolicyOperator(
        task_id="hide", policy={"last_seen": "NONE", "online": "SAME_LAST_SEEN", "photo": "NONE"}
    )
    # Your own tasks stand here; this one stands for them.
    campaign = ApplyPrivacyPolicyOperator(task_id="campaign", policy={"read_receipts": "enable"}, mode="plan")
    restore = ApplyPrivacyPolicyOperator(task_id="restore", policy=POLICY)
    hide >> campaign >> restore.as_teardown(setups=hide)
