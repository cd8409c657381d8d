"""The same changes for several numbers: a mapped task for each number, in that number's own pool of one slot."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_zapi.operators.privacy import SetLastSeenPrivacyOperator

#: One connection an instance; each has a pool of one slot with the same name.
NUMBERS = ["zapi_default", "zapi_sales", "zapi_support"]

#: Changes as two departments hand them in. A list may be as well the result of an earlier task.
CHANGES = [
    [{"action": "add", "phone": "+55 44 99111-1111"}],
    [{"action": "add", "phone": "+55 44 99222-2222"}, {"action": "remove", "phone": "+55 44 99333-3333"}],
]

with DAG(
    dag_id="zapi_several_numbers",
    description="Each department's exceptions of last seen, on every number",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["zapi", "example"],
    doc_md="""
### The same for several numbers

A mapped task for each number, with one instance for each department's list. All tasks of a number share its pool of
one slot, so that no two of them, of this or another DAG, write to the number at the same time; different numbers run
side by side. A mapped task has one pool for all its instances: that is why the numbers are a loop, and the lists are
mapped.
""",
    default_args={
        "retries": 3,
        "retry_delay": timedelta(minutes=1),
        "execution_timeout": timedelta(minutes=5),
    },
):
    for number in NUMBERS:
        SetLastSeenPrivacyOperator.partial(
            task_id=f"exceptions_of_{number}",
            visualization_type="CONTACT_BLACKLIST",
            zapi_conn_id=number,
            pool=number,
        ).expand(contacts_blacklist=CHANGES)
