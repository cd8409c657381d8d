"""Change who is excepted from "last seen": from a file beside the DAG, or from a parameter of the run."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_zapi.operators.privacy import SetLastSeenPrivacyOperator

DEFAULT_ARGS = {
    "pool": "zapi_default",
    "retries": 3,
    "retry_delay": timedelta(minutes=1),
    "execution_timeout": timedelta(minutes=5),
}

with DAG(
    dag_id="zapi_exceptions_from_file",
    description="Change the exceptions of last seen as a file in git says",
    doc_md="""
### Exceptions from a file

`ex_employees.json`, beside this DAG, holds changes: whom to add to the exceptions and whom to take off. Applying it
again changes nothing.
""",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["zapi", "example"],
    default_args=DEFAULT_ARGS,
):
    SetLastSeenPrivacyOperator(
        task_id="apply_file",
        visualization_type="CONTACT_BLACKLIST",
        contacts_blacklist="ex_employees.json",
    )

with DAG(
    dag_id="zapi_block_one_contact",
    description="Hide last seen from one contact, named when the run is started",
    params={
        "phone": Param("5544991111111", type="string", description="With country and area code"),
        "action": Param("add", enum=["add", "remove"]),
    },
    doc_md="""
### One contact, named at the start of the run

Start it with a phone number: this contact no longer sees when the number was last online. With `remove` it does again.
""",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["zapi", "example"],
    default_args=DEFAULT_ARGS,
):
    SetLastSeenPrivacyOperator(
        task_id="change_one",
        visualization_type="CONTACT_BLACKLIST",
        contacts_blacklist=[{"action": "{{ params.action }}", "phone": "{{ params.phone }}"}],
    )
