"""All numbers of an account with one connection: in one task, and in shards over several workers."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_zapi.operators.fleet import ApplyFleetPolicyOperator, shards

#: The first pattern that matches a number's name applies. Only the contacts of a store see when it was online.
POLICY = {
    "Store *": {"last_seen": "CONTACTS", "online": "SAME_LAST_SEEN"},
    "*": {"last_seen": "NONE", "online": "SAME_LAST_SEEN"},
}

DEFAULTS = {
    "retries": 3,
    "retry_delay": timedelta(minutes=1),
    "execution_timeout": timedelta(minutes=10),
}

with DAG(
    dag_id="zapi_fleet",
    description="Applies a policy to every number of the account, in one task",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["zapi", "example"],
    doc_md="""
### All numbers of an account in one task

The connection `zapi_account` has the account's integrator token. One task lists the account and handles its numbers in
16 threads. It tries two numbers first; if one of them fails, it does not touch the others. Numbers without a WhatsApp
session are counted and skipped.
""",
    default_args=DEFAULTS,
):
    ApplyFleetPolicyOperator(
        task_id="apply",
        policy=POLICY,
        canary=2,
        max_concurrency=16,
        zapi_conn_id="zapi_account",
        pool="zapi_account",
    )

with DAG(
    dag_id="zapi_fleet_shards",
    description="Does the same in eight shards, which several workers share",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["zapi", "example"],
    doc_md="""
### All numbers of an account in shards

Eight mapped tasks each handle an eighth of the account. Celery or Kubernetes spreads them over workers. Each number
always belongs to the same shard. Give the pool one slot for each shard that may run at the same time.
""",
    default_args=DEFAULTS,
):
    ApplyFleetPolicyOperator.partial(
        task_id="apply",
        policy=POLICY,
        zapi_conn_id="zapi_account",
        pool="zapi_account",
    ).expand(shard=shards(8))
