"""A task for each connection. Each server's answers would make a careless client reveal the credentials."""

from __future__ import annotations

import os
from datetime import datetime

from airflow.providers.common.compat.sdk import DAG, BaseHook, task

from airflow_provider_zapi.operators.fleet import ApplyFleetPolicyOperator
from airflow_provider_zapi.operators.privacy import SetLastSeenPrivacyOperator

PREFIX = "AIRFLOW_CONN_ZAPI_CASE_"

#: A scheduler runs this DAG once, automatically. The commands use another name, because a scheduler starts with the DAGs
#: that it finds in the database.
scheduled = "ZAPI_TEST_SCHEDULED" in os.environ

with DAG(
    "zapi_secrecy_scheduled" if scheduled else "zapi_secrecy",
    schedule="@once" if scheduled else None,
    start_date=datetime(2026, 1, 1),
):
    for name in sorted(os.environ):
        if name.startswith(PREFIX):
            case = name.removeprefix(PREFIX).lower()
            if case == "account":
                ApplyFleetPolicyOperator(
                    task_id=case,
                    policy={"last_seen": "NONE"},
                    select="Store 00*",
                    canary=0,
                    zapi_conn_id="zapi_case_account",
                )
                continue
            SetLastSeenPrivacyOperator(task_id=case, visualization_type="NONE", zapi_conn_id=f"zapi_case_{case}")

    @task
    def control() -> str:
        """Print a password, to show the tests that only this provider hides the other secrets."""
        password = str(BaseHook.get_connection("zapi_control").password)
        print(f"The control says {password}")  # noqa: T201
        return f"The control returns {password}"

    control()
