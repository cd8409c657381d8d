"""Hide "last seen" after business hours and show it again in the morning."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_zapi.operators.privacy import SetLastSeenPrivacyOperator

# Two schedules on one number: its pool has one slot, so that one never overtakes the other.
DEFAULT_ARGS = {
    "pool": "zapi_default",
    "retries": 3,
    "retry_delay": timedelta(minutes=1),
    "execution_timeout": timedelta(minutes=5),
}

with DAG(
    dag_id="zapi_hide_last_seen",
    description="Nobody sees when the number was last online, from 18:00 on working days",
    schedule="0 18 * * 1-5",
    doc_md="""
### Hide "last seen" after hours

From 18:00 on working days nobody sees when this WhatsApp number was last online. `zapi_show_last_seen` shows it to
the contacts again at 8:00.

Needs the connection `zapi_default` and a pool `zapi_default` with one slot.
""",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["zapi", "example"],
    default_args=DEFAULT_ARGS,
):
    SetLastSeenPrivacyOperator(task_id="hide_last_seen", visualization_type="NONE")

with DAG(
    dag_id="zapi_show_last_seen",
    description="Contacts see when the number was last online, from 8:00 on working days",
    schedule="0 8 * * 1-5",
    doc_md="""
### Show "last seen" in the morning

The other half of `zapi_hide_last_seen`: from 8:00 on working days the contacts see it again.
""",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["zapi", "example"],
    default_args=DEFAULT_ARGS,
):
    SetLastSeenPrivacyOperator(task_id="show_last_seen", visualization_type="CONTACTS")
