"""Counters go where Airflow sends its own metrics, and no counter's name contains a phone number."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from airflow_provider_zapi import exceptions
from airflow_provider_zapi.metrics import _outcome
from tests.airflow.conftest import connection
from tests.faults import FaultServer, answer, good

#: Replaces the metrics backend, which Airflow creates from its configuration, and counts.
RECORDER = """
import contextlib, json, os, types
from airflow.providers.common.compat.sdk import Stats

class Recorder(dict):
    def __bool__(self):
        return True

    def incr(self, stat, count=1, rate=1, *, tags=None):
        assert not tags
        self[stat] = self.get(stat, 0) + count

    def timer(self, stat=None, *, tags=None):
        return contextlib.nullcontext(types.SimpleNamespace(duration=0.0))

    def gauge(self, *given, **named):
        pass

    timing = decr = gauge

counted = Recorder()
try:
    from airflow.sdk.observability.stats import initialize
except ImportError:  # before Airflow 3.3
    Stats.instance, Stats._instance_pid = counted, os.getpid()
else:
    initialize(factory=lambda: counted, export_legacy_names=False)
"""
TASK = """
from airflow_provider_zapi.operators.privacy import SetOnlinePrivacyOperator

for conn_id in ("zapi_counted", "zapi_refused"):
    try:
        SetOnlinePrivacyOperator(task_id="task", visualization_type="ALL", zapi_conn_id=conn_id).execute({})
    except Exception:
        pass

from airflow_provider_zapi.recording import StateRecord
from tests.unit.reconcile.test_state import KEPT, MISSING

StateRecord({}, "zapi_counted", "plan").planned(MISSING)
StateRecord({}, "zapi_counted", "plan").planned(KEPT)
StateRecord({}, "zapi_counted", "apply").applied({"photo": {"verified": True}, "online": {"verified": None}}, changed=False)
print(json.dumps(counted))
"""


def test_calls_retries_drift_and_verified_lists_are_counted_in_airflows_metrics() -> None:
    busy = answer(503, b"{}", (("Content-Type", "application/json"), ("Retry-After", "0")))
    with FaultServer(busy, good()) as server, FaultServer(good({"success": False})) as refusing:
        env = {
            **os.environ,
            "AIRFLOW_CONN_ZAPI_COUNTED": connection(server.url, "instance-1"),
            "AIRFLOW_CONN_ZAPI_REFUSED": connection(refusing.url, "instance-1"),
            "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
        }
        command = [sys.executable, "-W", "ignore", "-c", RECORDER + TASK]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    counted = json.loads(done.stdout.splitlines()[-1])
    assert {name: count for name, count in counted.items() if name.startswith("zapi.")} == {
        "zapi.calls.ok": 1,
        "zapi.calls.refused": 1,
        "zapi.retries": 1,
        "zapi.drift": 1,
        "zapi.verified": 1,
    }


def test_each_error_has_its_own_outcome_with_a_name_that_metrics_accept() -> None:
    outcomes = {name: _outcome(name) for name in exceptions.__all__ if name.startswith("ZApi")}
    assert len(set(outcomes.values())) == len(outcomes)
    assert all(re.fullmatch("[a-z_]+", outcome) for outcome in outcomes.values())
    assert (outcomes["ZApiRefusedError"], outcomes["ZApiRateLimitError"]) == ("refused", "rate_limit")
