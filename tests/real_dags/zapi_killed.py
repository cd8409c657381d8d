"""Tasks that are ended in different ways: by signals of `test_killed.py`, or by their `execution_timeout`."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_zapi.operators.privacy import SetLastSeenPrivacyOperator


class Watched(SetLastSeenPrivacyOperator):
    """An operator that creates a file when Airflow calls its `on_kill`."""

    def on_kill(self) -> None:
        super().on_kill()
        Path(os.environ["ZAPI_TEST_MARKS"], self.task_id).touch()


def names(variable: str) -> list[str]:
    return os.environ.get(variable, "").split()


if names("ZAPI_TEST_KILLED"):
    with DAG("zapi_killed", schedule="@once", start_date=datetime(2026, 1, 1)):
        for name in names("ZAPI_TEST_KILLED"):
            Watched(
                task_id=name,
                visualization_type="CONTACT_BLACKLIST",
                contacts_blacklist=[{"action": "add", "phone": f"1415{number:07d}"} for number in range(2000)],
                zapi_conn_id=f"zapi_{name}",
                retries=1,
                retry_delay=timedelta(0),
            )
        for name in names("ZAPI_TEST_HANGING"):
            Watched(
                task_id=name,
                visualization_type="NONE",
                zapi_conn_id=f"zapi_{name}",
                execution_timeout=timedelta(seconds=2),
            )
