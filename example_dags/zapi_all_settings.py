"""Set all seven privacy settings of a number, and read a list back."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG, chain

from airflow_provider_zapi.operators.privacy import (
    GetDisallowedContactsOperator,
    SetDescriptionPrivacyOperator,
    SetGroupAddPrivacyOperator,
    SetLastSeenPrivacyOperator,
    SetMessagesDurationOperator,
    SetOnlinePrivacyOperator,
    SetProfilePhotoPrivacyOperator,
    SetReadReceiptsOperator,
)

with DAG(
    dag_id="zapi_all_settings",
    description="All privacy settings of a support number",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["zapi", "example"],
    doc_md="""
### All settings of a number

Contacts see the number, and strangers do not. One contact is excluded from last seen and photo. The last task reads
the excluded contacts of last seen and returns how many there are.
""",
    default_args={
        "pool": "zapi_default",
        "retries": 3,
        "retry_delay": timedelta(minutes=1),
        "execution_timeout": timedelta(minutes=5),
    },
):
    excluded = [{"action": "add", "phone": "+55 44 99111-1111"}]
    chain(
        SetLastSeenPrivacyOperator(
            task_id="last_seen", visualization_type="CONTACT_BLACKLIST", contacts_blacklist=excluded
        ),
        SetProfilePhotoPrivacyOperator(
            task_id="photo", visualization_type="CONTACT_BLACKLIST", contacts_blacklist=excluded
        ),
        SetDescriptionPrivacyOperator(task_id="description", visualization_type="CONTACTS"),
        SetGroupAddPrivacyOperator(task_id="group_add", visualization_type="CONTACTS"),
        SetOnlinePrivacyOperator(task_id="online", visualization_type="SAME_LAST_SEEN"),
        SetReadReceiptsOperator(task_id="read_receipts", value="enable"),
        SetMessagesDurationOperator(task_id="messages_duration", value="days90"),
        GetDisallowedContactsOperator(task_id="count_excluded", setting="last_seen", as_count=True),
    )
