"""Exclude contacts from "last seen": from a file in the folder of the DAG, or from a parameter of the run."""

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
    dag_id="zapi_excluded_from_file",
    description="Change the excluded contacts of last seen as a file in git says",
    doc_md="""
### Excluded contacts from a file

`ex_employees.json`, in the folder of this DAG, lists changes: which contacts to exclude from last seen, and which to
allow again. Running the DAG twice changes nothing more.
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
    description="Hide last seen from one contact, named when you start the run",
    params={
        "phone": Param("5544991111111", type="string", description="With country and area code"),
        "action": Param("add", enum=["add", "remove"]),
    },
    doc_md="""
### One contact, named at the start of the run

Start this DAG with a phone number. With `add`, this contact no longer sees when your number was last online. With
`remove`, the contact sees it again.
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
