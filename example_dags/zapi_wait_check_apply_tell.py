"""Wait for the phone, check the account, apply the privacy policy, and tell the team."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_zapi.notifications.zapi import ZApiNotifier
from airflow_provider_zapi.operators.instance import CheckInstanceOperator
from airflow_provider_zapi.operators.policy import ApplyPrivacyPolicyOperator
from airflow_provider_zapi.sensors.instance import ZApiInstanceConnectedSensor

#: Gets a WhatsApp message from the number itself.
TEAM = "+55 44 99000-0000"

POLICY = {
    "last_seen": {"visible_to": "CONTACT_BLACKLIST", "except": ["+55 44 99111-1111"]},
    "photo": "CONTACTS",
    "online": "SAME_LAST_SEEN",
}

with DAG(
    dag_id="zapi_wait_check_apply_tell",
    description="Applies a policy every night, once the phone is connected",
    schedule="0 3 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["zapi", "example"],
    doc_md="""
### Wait, check, apply, tell

The sensor waits up to six hours until the phone is connected. It waits in the triggerer, without a worker slot. Then
the other tasks check the subscription, apply the policy, and send the counts to the team. If a task fails for good, the
team gets a message too.
""",
    default_args={
        "pool": "zapi_default",
        "retries": 3,
        "retry_delay": timedelta(minutes=1),
        "execution_timeout": timedelta(minutes=10),
        "on_failure_callback": ZApiNotifier(
            phone=TEAM, message="{{ ti.dag_id }}: the task {{ ti.task_id }} failed in the run {{ run_id }}."
        ),
    },
):
    wait = ZApiInstanceConnectedSensor(
        task_id="wait_for_phone",
        deferrable=True,
        poke_interval=30,
        timeout=timedelta(hours=6),
        execution_timeout=timedelta(hours=6),
    )
    check = CheckInstanceOperator(task_id="check_account", min_days_left=3)
    apply = ApplyPrivacyPolicyOperator(task_id="apply_policy", policy=POLICY)

    # Do not send a message twice: an attempt that failed may have sent it.
    @task(retries=0)
    def tell_team(applied: dict[str, Any]) -> None:
        """Send the counts."""
        counts = [
            f"{name} {result['value']} (+{result['added']} -{result['removed']})"
            for name, result in applied["settings"].items()
        ]
        ZApiNotifier(phone=TEAM, message=f"Privacy is set: {', '.join(counts)}").notify({})

    wait >> check >> apply
    tell_team(apply.output)  # type: ignore[arg-type]  # the value arrives at run time
