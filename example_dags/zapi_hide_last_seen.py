"""Hide "last seen" after business hours and show it again in the morning."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_zapi.operators.privacy import SetLastSeenPrivacyOperator

# Two DAGs change the same number. The pool has one slot, so they never do it at the same time.
DEFAULT_ARGS = {
    "pool": "zapi_default",
    "retries": 3,
    "retry_delay": timedelta(minutes=1),
    "execution_timeout": timedelta(minutes=5),
}

with DAG(
    dag_id="zapi_hide_last_seen",
    description="Hides last seen from everybody at 18:00 on working days",
    schedule="0 18 * * 1-5",
    doc_md="""
### Hide "last seen" after hours

At 18:00 on working days, this hides from everybody when the WhatsApp number was last online. At 8:00,
`zapi_show_last_seen` shows it to the number's contacts again.

You need the connection `zapi_default` and a pool `zapi_default` with one slot.
""",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["zapi", "example"],
    default_args=DEFAULT_ARGS,
):
    SetLastSeenPrivacyOperator(task_id="hide_last_seen", visualization_type="NONE")

with DAG(
    dag_id="zapi_show_last_seen",
    description="Shows last seen to contacts at 8:00 on working days",
    schedule="0 8 * * 1-5",
    doc_md="""
### Show "last seen" in the morning

The counterpart of `zapi_hide_last_seen`. At 8:00 on working days, the number's contacts can see it again.
""",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["zapi", "example"],
    default_args=DEFAULT_ARGS,
):
    SetLastSeenPrivacyOperator(task_id="show_last_seen", visualization_type="CONTACTS")
