"""The same change for several numbers: one mapped task an instance, never two at once on one of them."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_zapi.operators.privacy import SetLastSeenPrivacyOperator

NUMBERS = ["zapi_default", "zapi_sales", "zapi_support"]

with DAG(
    dag_id="zapi_several_numbers",
    description="Only contacts see when any of these numbers was last online",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["zapi", "example"],
    doc_md="""
### The same for several numbers

One mapped task for each connection. Each number has a pool of its own with one slot, named like its connection: that is
what keeps tasks of other DAGs from writing to the same number at the same time.
""",
    default_args={
        "retries": 3,
        "retry_delay": timedelta(minutes=1),
        "execution_timeout": timedelta(minutes=5),
    },
):
    SetLastSeenPrivacyOperator.partial(
        task_id="contacts_only",
        visualization_type="CONTACTS",
    ).expand_kwargs([{"zapi_conn_id": number, "pool": number} for number in NUMBERS])
