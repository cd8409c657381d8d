"""Measure one task for many numbers: ``python -m benchmarks.fleet``.

The latency bound is the time of the calls if only waiting for answers takes time: the pages of the list one after
another, the canary by itself, and the others 32 at a time. The task reads several pages at the same time, so it can be
faster than this bound.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks.fleet_server import TOKEN, FleetServer
from benchmarks.harness import OURS, Figures, Goal, Row, medians, own_airflow, report
from benchmarks.mapped import MAPPED, Runs

LATENCY, AT_ONCE, PAGE = 0.15, 32, 50
BOUND, BARE = "the latency bound", "as many threads, each with a kept requests.Session"
TENTH = "ten times 1,000 numbers"
TIME = "1,000 numbers, answers after 150 ms, TLS, 32 at once"
CPU = "processor time a call, list included"
RUN, HTTP_OPERATORS = "a run of such a task on a real Airflow", f"{MAPPED} mapped HttpOperators with one call each"
LINEAR, MEMORY = "10,000 numbers, answers at once", "memory that 10,000 numbers add to that of 10"
ROUNDS = 3
ROWS = (
    Row(TIME, "s", BOUND, Goal(1.10)),
    Row(TIME, "s", BARE),
    Row(CPU, "ms", "", Goal(3)),
    Row(CPU, "ms", BARE),
    Row(RUN, "s", HTTP_OPERATORS, Goal(1 / 12)),
    # At most 10.5 times as long as 1,000 numbers.
    Row(LINEAR, "s", TENTH, Goal(1.05)),
    Row(MEMORY, "MB", "", Goal(150)),
)


def bound(numbers: int) -> float:
    """Return the seconds that the answers take if nothing else takes time."""
    return LATENCY * (-(-numbers // PAGE) + 1 + -(-(numbers - 1) // AT_ONCE))


def measure() -> Figures:
    """Return the seconds, the milliseconds of processor time, and the megabytes of a task."""
    figures: Figures = {}
    calls = 1_000 + 1_000 / PAGE
    spent: dict[str, list[float]] = {OURS: [], BARE: []}
    with FleetServer(1_000, LATENCY) as server:

        def turn(subject: str) -> float:
            seconds, processor, _ = run(server, 1_000, subject)
            spent[subject].append(processor / calls * 1000)
            return seconds

        turns = {OURS: lambda: turn(OURS), BARE: lambda: turn(BARE), BOUND: lambda: bound(1_000)}
        figures |= medians(TIME, turns, ROUNDS)
        with Runs(server, AT_ONCE) as runs:
            figures |= medians(RUN, {OURS: runs.seconds("fleet"), HTTP_OPERATORS: runs.seconds("mapped")}, 1)
    figures |= {(CPU, subject): statistics.median(values) for subject, values in spent.items()}
    with FleetServer(10, 0) as few, FleetServer(1_000, 0) as some, FleetServer(10_000, 0) as many:
        base = run(few, 10)[2]
        large: list[float] = []

        def all_numbers() -> float:
            seconds, _, memory = run(many, 10_000)
            large.append(memory)
            return seconds

        figures |= medians(LINEAR, {OURS: all_numbers, TENTH: lambda: 10 * run(some, 1_000)[0]}, ROUNDS)
        figures[MEMORY, OURS] = max(large) - base
    return figures


def run(server: FleetServer, numbers: int, subject: str = OURS) -> tuple[float, float, float]:
    """Return the seconds, the processor time and the megabytes of a task in its own process."""
    env = os.environ | {"REQUESTS_CA_BUNDLE": str(server.ca_file)}
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.fleet", server.url, str(numbers), subject]
    done = subprocess.run(command, env=env, check=True, stdout=subprocess.PIPE, text=True)
    seconds, spent, memory = map(float, done.stdout.splitlines()[-1].split())
    return seconds, spent, memory


def measured(url: str, numbers: int, subject: str) -> None:
    """Run it with one number, so that everything is loaded, then with all numbers. Print the figures of all numbers."""
    with tempfile.TemporaryDirectory() as home:
        own_airflow(home)
        extra = {"partner_token": TOKEN}
        os.environ["AIRFLOW_CONN_FLEET"] = json.dumps({"conn_type": "zapi", "host": url, "extra": extra})
        work = {OURS: ours, BARE: bare}[subject]
        work(url, 1)
        begun, spent = time.perf_counter(), time.process_time()
        work(url, numbers)
        seconds, spent = time.perf_counter() - begun, time.process_time() - spent
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        sys.stdout.write(f"\n{seconds} {spent} {memory}\n")


def ours(url: str, numbers: int) -> None:
    """Run the task."""
    from airflow_provider_zapi.operators.fleet import ApplyFleetPolicyOperator

    result = ApplyFleetPolicyOperator(
        task_id="fleet",
        policy={"last_seen": "NONE"},
        select="number-1" if numbers == 1 else None,
        max_concurrency=AT_ONCE,
        zapi_conn_id="fleet",
    ).execute({})
    if result["outcomes"] != {"asserted": numbers}:
        raise RuntimeError("not done")


def bare(url: str, numbers: int) -> None:
    """List the account and call each number, without Airflow or threads around it."""
    import requests

    kept = threading.local()

    def call(number: int) -> None:
        if not hasattr(kept, "session"):
            kept.session = requests.Session()
        address = f"{url}/instances/number-{number}/token/demo-token-{number}/privacy/last-seen"
        if kept.session.post(address, json={"visualizationType": "NONE"}, timeout=30).json()["success"] is not True:
            raise RuntimeError("not done")

    with requests.Session() as session:
        for page in range(1, -(-numbers // PAGE) + 1):
            session.get(f"{url}/instances?page={page}&pageSize={PAGE}", timeout=30).raise_for_status()
    call(0)
    with ThreadPoolExecutor(AT_ONCE) as executor:
        list(executor.map(call, range(1, numbers)))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measured(sys.argv[1], int(sys.argv[2]), sys.argv[3])
    else:
        import benchmarks.fleet

        report(benchmarks.fleet)
