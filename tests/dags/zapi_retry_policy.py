"""A DAG whose task is retried when Z-API requests it. It needs Airflow 3.3, the first version with retry policies."""

from __future__ import annotations

import contextlib
from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_zapi.exceptions import ZApiConfigurationError
from airflow_provider_zapi.operators.privacy import SetLastSeenPrivacyOperator
from airflow_provider_zapi.retry_policy import ZApiRetryPolicy

policy: ZApiRetryPolicy | None = None
with contextlib.suppress(ZApiConfigurationError):
    policy = ZApiRetryPolicy()

if policy is not None:
    with DAG(dag_id="zapi_test_retry_policy", schedule=None, start_date=datetime(2026, 1, 1)):
        SetLastSeenPrivacyOperator(
            task_id="set",
            visualization_type="ALL",
            retries=1,
            retry_delay=timedelta(minutes=7),
            retry_policy=policy,
        )
