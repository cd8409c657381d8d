"""Apply each policy to all numbers with mapped tasks in one pool, and to one number with a task in the number's pool."""

from __future__ import annotations

import os
from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_zapi.operators.policy import ApplyPrivacyPolicyOperator

for policy in ("office", "night"):
    with DAG(f"all_{policy}", schedule=None, start_date=datetime(2026, 1, 1)):
        ApplyPrivacyPolicyOperator.partial(
            task_id="apply",
            policy=f"{policy}.yaml",
            pool="zapi_all",
            retries=2,
            retry_delay=timedelta(seconds=2),
        ).expand(zapi_conn_id=os.environ["ZAPI_TEST_NUMBERS"].split())

    with DAG(f"one_{policy}", schedule=None, start_date=datetime(2026, 1, 1)):
        ApplyPrivacyPolicyOperator(
            task_id="apply", policy=f"{policy}.yaml", zapi_conn_id="zapi_one", pool="zapi_one", retries=0
        )
