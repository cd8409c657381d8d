"""The DAGs that the tests run. They pass parameters to operators in every possible way."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG, Asset, task

from airflow_provider_zapi.assets import privacy_uri
from airflow_provider_zapi.notifications.zapi import ZApiNotifier
from airflow_provider_zapi.operators.fleet import ApplyFleetPolicyOperator, shards
from airflow_provider_zapi.operators.policy import ApplyPrivacyPolicyOperator
from airflow_provider_zapi.operators.privacy import SetLastSeenPrivacyOperator
from airflow_provider_zapi.sensors.instance import ZApiInstanceConnectedSensor

BEGIN = datetime(2026, 1, 1)
PARAMS = {"value": "CONTACT_BLACKLIST", "changes": [], "conn_id": "zapi_default"}

for native in (False, True):
    with DAG(
        dag_id="zapi_test_native" if native else "zapi_test_text",
        schedule=None,
        start_date=BEGIN,
        params=PARAMS,
        render_template_as_native_obj=native,
    ):
        SetLastSeenPrivacyOperator(
            task_id="set",
            visualization_type="{{ params.value }}",
            contacts_blacklist="{{ params.changes if params.changes is string else params.changes | tojson }}",
            zapi_conn_id="{{ params.conn_id }}",
        )

    with DAG(
        dag_id="zapi_test_items_native" if native else "zapi_test_items_text",
        schedule=None,
        start_date=BEGIN,
        params={"phone": "5544991111111"},
        render_template_as_native_obj=native,
    ):
        SetLastSeenPrivacyOperator(
            task_id="set",
            visualization_type="CONTACT_BLACKLIST",
            contacts_blacklist=[{"action": "add", "phone": "{{ params.phone }}"}],
        )

with DAG(dag_id="zapi_test_plain", schedule=None, start_date=BEGIN):
    SetLastSeenPrivacyOperator(task_id="set", visualization_type="NONE")

with DAG(dag_id="zapi_test_file", schedule=None, start_date=BEGIN):
    SetLastSeenPrivacyOperator(task_id="set", visualization_type="CONTACT_BLACKLIST", contacts_blacklist="changes.json")

with DAG(dag_id="zapi_test_mapped", schedule=None, start_date=BEGIN):
    SetLastSeenPrivacyOperator.partial(task_id="set", visualization_type="CONTACTS").expand(
        zapi_conn_id=["zapi_default", "zapi_sales"]
    )

with DAG(dag_id="zapi_test_xcom", schedule=None, start_date=BEGIN):

    @task
    def changes_of_today() -> list[dict[str, str]]:
        return [{"action": "add", "phone": "+55 44 99111-1111"}]

    @task
    def type_of_today() -> str:
        return "CONTACT_BLACKLIST"

    SetLastSeenPrivacyOperator(task_id="set", visualization_type=type_of_today(), contacts_blacklist=changes_of_today())

with DAG(dag_id="zapi_test_xcom_none", schedule=None, start_date=BEGIN):

    @task
    def no_changes() -> None:
        return None

    SetLastSeenPrivacyOperator(task_id="set", visualization_type="CONTACT_BLACKLIST", contacts_blacklist=no_changes())

POLICY_PARAMS = {"policy": "", "mode": "apply", "phone": "", "conn_id": "zapi_default"}

for native in (False, True):
    with DAG(
        dag_id="zapi_test_policy_native" if native else "zapi_test_policy_text",
        schedule=None,
        start_date=BEGIN,
        params=POLICY_PARAMS,
        render_template_as_native_obj=native,
    ):
        ApplyPrivacyPolicyOperator(
            task_id="apply",
            policy="{{ params.policy }}",
            mode="{{ params.mode }}",
            zapi_conn_id="{{ params.conn_id }}",
        )

with DAG(dag_id="zapi_test_policy_phone", schedule=None, start_date=BEGIN, params=POLICY_PARAMS):
    ApplyPrivacyPolicyOperator(task_id="apply", policy="{{ params.policy }}", expected_phone="{{ params.phone }}")

#: The ways to pass an approved plan to the task that applies it, including ways that lose it.
for way, expected_plan in (
    ("text", "{{ ti.xcom_pull('plan')['digest'] }}"),
    ("native", "{{ ti.xcom_pull('plan')['digest'] }}"),
    ("missing_text", "{{ ti.xcom_pull('nobody') }}"),
    ("missing_native", "{{ ti.xcom_pull('nobody') }}"),
    ("given", "{{ params.plan }}"),
    ("none", None),
):
    with DAG(
        dag_id=f"zapi_test_binding_{way}",
        schedule=None,
        start_date=BEGIN,
        params={"policy": "", "plan": "", "mode": "apply"},
        render_template_as_native_obj=way.endswith("native"),
    ):
        plan = ApplyPrivacyPolicyOperator(task_id="plan", policy="{{ params.policy }}", mode="plan")
        apply = ApplyPrivacyPolicyOperator(
            task_id="apply", policy="{{ params.policy }}", mode="{{ params.mode }}", expected_plan=expected_plan
        )
        plan >> apply

with DAG(dag_id="zapi_test_binding_file", schedule=None, start_date=BEGIN):
    plan = ApplyPrivacyPolicyOperator(task_id="plan", policy="hidden.yaml", mode="plan")
    plan >> ApplyPrivacyPolicyOperator(
        task_id="apply", policy="hidden.yaml", expected_plan="{{ ti.xcom_pull('plan')['digest'] }}"
    )

with DAG(dag_id="zapi_test_binding_mapped", schedule=None, start_date=BEGIN, params={"plans": []}):

    @task
    def approved(params: Any = None) -> list[Any]:
        return list(params["plans"])

    ApplyPrivacyPolicyOperator.partial(task_id="apply", policy="policy.yaml").expand(expected_plan=approved())

with DAG(dag_id="zapi_test_policy_file", schedule=None, start_date=BEGIN):
    ApplyPrivacyPolicyOperator(task_id="apply", policy="policy.yaml")

with DAG(dag_id="zapi_test_policy_mapped", schedule=None, start_date=BEGIN):
    ApplyPrivacyPolicyOperator.partial(task_id="apply", policy="policy.yaml").expand(
        zapi_conn_id=["zapi_mapped_1", "zapi_mapped_2"]
    )

with DAG(dag_id="zapi_test_policy_drift", schedule=None, start_date=BEGIN):
    ApplyPrivacyPolicyOperator(task_id="apply", policy="policy.yaml", mode="plan", fail_on_drift=True)

with DAG(dag_id="zapi_test_policy_mass", schedule=None, start_date=BEGIN):
    ApplyPrivacyPolicyOperator(task_id="apply", policy="policy.yaml", allow_mass_removal=True)

with DAG(dag_id="zapi_test_wait", schedule=None, start_date=BEGIN, params={"phone": "5544991111111"}):
    ZApiInstanceConnectedSensor(
        task_id="wait",
        deferrable=True,
        poke_interval=2,
        timeout=60,
        on_failure_callback=ZApiNotifier(
            phone="{{ params.phone }}", message="{{ ti.task_id }} failed", zapi_conn_id="zapi_sales"
        ),
    )

# The connection is known when the file is parsed, so its asset is an inlet.
for mode in ("apply", "plan"):
    with DAG(dag_id=f"zapi_test_state_{mode}", schedule=None, start_date=BEGIN, params=POLICY_PARAMS):
        ApplyPrivacyPolicyOperator(
            task_id=mode, policy="{{ params.policy }}", mode=mode, fail_on_drift=True, zapi_conn_id="zapi_state"
        )

# Mapped values are known only at run time, so the DAG names the assets itself.
with DAG(dag_id="zapi_test_state_mapped", schedule=None, start_date=BEGIN):
    ApplyPrivacyPolicyOperator.partial(
        task_id="apply",
        policy="policy.yaml",
        inlets=[Asset(privacy_uri(conn_id)) for conn_id in ("zapi_kept_1", "zapi_kept_2")],
    ).expand(zapi_conn_id=["zapi_kept_1", "zapi_kept_2"])

# Numbers of one account. Two are given by their names, so only a run knows their IDs.
with DAG(dag_id="zapi_test_state_account", schedule=None, start_date=BEGIN):
    ApplyPrivacyPolicyOperator.partial(
        task_id="apply",
        policy="policy.yaml",
        zapi_conn_id="zapi_account",
        inlets=[Asset(privacy_uri("zapi_account", f"number-{number}")) for number in ("0002", "0004", "0017")],
    ).expand(instance=["number-0002", "store-0004", "Store 0017 São Paulo"])

with DAG(dag_id="zapi_test_fleet", schedule=None, start_date=BEGIN):
    ApplyFleetPolicyOperator(task_id="apply", policy={"last_seen": "NONE"}, zapi_conn_id="zapi_account")

with DAG(dag_id="zapi_test_fleet_retry", schedule=None, start_date=BEGIN):
    ApplyFleetPolicyOperator(
        task_id="apply",
        policy={"last_seen": "NONE"},
        zapi_conn_id="zapi_account",
        max_concurrency=4,
        retries=1,
        retry_delay=timedelta(0),
    )

with DAG(dag_id="zapi_test_shards", schedule=None, start_date=BEGIN):
    ApplyFleetPolicyOperator.partial(task_id="apply", policy={"last_seen": "NONE"}, zapi_conn_id="zapi_account").expand(
        shard=shards(3)
    )
