"""Plan a change, let a person approve it on Airflow's page, and apply exactly what was approved."""

from __future__ import annotations

from datetime import datetime, timedelta
from importlib.metadata import version

from airflow.providers.common.compat.sdk import DAG
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_1_PLUS
from packaging.version import Version

from airflow_provider_zapi.notifications.zapi import ZApiNotifier
from airflow_provider_zapi.operators.policy import ApplyPrivacyPolicyOperator

POLICY = "standard_policy.yaml"

#: Gets the question as a WhatsApp message from the number itself.
APPROVER = "+55 44 99000-0000"

# Older versions of Airflow have no approvals, and older versions of the package below have no `response_timeout`. This
# file then has no DAG. The command line works everywhere: see docs/howto/approve-before-it-changes.md.
if AIRFLOW_V_3_1_PLUS and Version(version("apache-airflow-providers-standard")) >= Version("1.13"):
    from airflow.providers.standard.operators.hitl import ApprovalOperator

    with DAG(
        dag_id="zapi_approve",
        description="Applies a policy file from git after somebody has approved its changes",
        schedule="0 9 * * 1",
        start_date=datetime(2026, 1, 1),
        catchup=False,
        # Otherwise a second plan could wait for approval at the same time.
        max_active_runs=1,
        tags=["zapi", "example", "policy"],
        doc_md="""
### Approve before it changes

`plan` reads the number's lists and finds out what `standard_policy.yaml` would change. `approve` shows this in its tab
"Required Action" and sends a message with the link. `apply` plans again. If the plan is no longer the approved one, it
fails before it sends anything. After a rejection it is skipped. Without an answer within 12 hours the run fails.
""",
        default_args={
            "pool": "zapi_default",
            "retries": 3,
            "retry_delay": timedelta(minutes=1),
            "execution_timeout": timedelta(minutes=10),
        },
    ):
        plan = ApplyPrivacyPolicyOperator(task_id="plan", policy=POLICY, mode="plan")
        approve = ApprovalOperator(
            task_id="approve",
            subject="Change the privacy of zapi_default?",
            body="{{ ti.xcom_pull('plan')['summary'] }}",
            notifiers=ZApiNotifier(
                phone=APPROVER,
                message="May zapi_default change? Answer: {{ task.generate_link_to_ui(task_instance=ti) }}",
            ),
            response_timeout=timedelta(hours=12),
            # A retry would ask again and wait another 12 hours.
            retries=0,
        )
        apply = ApplyPrivacyPolicyOperator(
            task_id="apply", policy=POLICY, expected_plan="{{ ti.xcom_pull('plan')['digest'] }}"
        )
        plan >> approve >> apply
