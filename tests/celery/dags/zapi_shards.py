"""An account in eight shards. Each shard sets other values, so that a number shows which shard has changed it."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_zapi.operators.fleet import ApplyFleetPolicyOperator, shards

with DAG("shards", schedule=None, start_date=datetime(2026, 1, 1)):
    ApplyFleetPolicyOperator.partial(
        task_id="apply",
        policy={
            "last_seen": "{{ ('NONE', 'CONTACTS')[ti.map_index // 4] }}",
            "messages_duration": "{{ ('days90', 'days7', 'hours24', 'disable')[ti.map_index % 4] }}",
        },
        zapi_conn_id="zapi_account",
        pool="zapi_account",
        max_concurrency=4,
        retries=2,
        retry_delay=timedelta(seconds=2),
    ).expand(shard=shards(8))
