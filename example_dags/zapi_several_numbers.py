"""Make the same changes to several numbers, with a mapped task for each number in a pool with one slot."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_zapi.operators.privacy import SetLastSeenPrivacyOperator

#: One connection per instance. Each has a pool of one slot with the same name.
NUMBERS = ["zapi_default", "zapi_sales", "zapi_support"]

#: The changes of two departments. The result of an earlier task works too.
CHANGES = [
    [{"action": "add", "phone": "+55 44 99111-1111"}],
    [{"action": "add", "phone": "+55 44 99222-2222"}, {"action": "remove", "phone": "+55 44 99333-3333"}],
]

with DAG(
    dag_id="zapi_several_numbers",
    description="Excludes the contacts of each department from last seen, on every number",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["zapi", "example"],
    doc_md="""
### The same for several numbers

Each number has a mapped task, with one task instance for each department's list. All tasks of a number share a pool
with one slot, so no two tasks of any DAG write to the number at the same time. Different numbers run in parallel. All
instances of a mapped task share one pool. So the numbers are a loop, and the lists are mapped.
""",
    default_args={
        "retries": 3,
        "retry_delay": timedelta(minutes=1),
        "execution_timeout": timedelta(minutes=5),
    },
):
    for number in NUMBERS:
        SetLastSeenPrivacyOperator.partial(
            task_id=f"exclude_on_{number}",
            visualization_type="CONTACT_BLACKLIST",
            zapi_conn_id=number,
            pool=number,
        ).expand(contacts_blacklist=CHANGES)
