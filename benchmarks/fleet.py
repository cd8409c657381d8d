"""One task for many numbers: ``python -m benchmarks.fleet``.

The latency bound is what the calls take if nothing but waiting for answers costs time: the pages of the list one after
another, the canary alone, and the others 32 at a time.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile

from benchmarks.fleet_server import TOKEN, FleetServer
from benchmarks.harness import OURS, Figures, Goal, Row, medians, own_airflow, report

LATENCY, AT_ONCE, PAGE = 0.15, 32, 50
BOUND, TENTH = "the latency bound", "ten times 1,000 numbers"
TIME = "1,000 numbers, answers after 150 ms, TLS, 32 at once"
CPU = "processor time a call, list included"
LINEAR, MEMORY = "10,000 numbers, answers at once", "memory that 10,000 numbers add to that of 10"
ROUNDS = 3
ROWS = (
    Row(TIME, "s", BOUND, Goal(1.10)),
    Row(CPU, "ms", "", Goal(3)),
    # At most 10.5 times as long as 1,000 numbers.
    Row(LINEAR, "s", TENTH, Goal(1.05)),
    Row(MEMORY, "MB", "", Goal(150)),
)


def bound(numbers: int) -> float:
    """Return the seconds that the answers take, if nothing else takes time."""
    return LATENCY * (-(-numbers // PAGE) + 1 + -(-(numbers - 1) // AT_ONCE))


def measure() -> Figures:
    """Return seconds, milliseconds of processor time, and megabytes."""
    figures: Figures = {}
    with FleetServer(1_000, LATENCY) as server:
        runs = [run(server, 1_000) for _ in range(ROUNDS)]
    turns = iter(runs)
    figures |= medians(TIME, {OURS: lambda: next(turns)[0], BOUND: lambda: bound(1_000)}, ROUNDS)
    spent = iter(runs)
    figures |= medians(CPU, {OURS: lambda: next(spent)[1] / (1_000 + 1_000 / PAGE) * 1000}, ROUNDS)
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


def run(server: FleetServer, numbers: int) -> tuple[float, float, float]:
    """Return the seconds, the processor time and the megabytes of a task in a process of its own."""
    env = os.environ | {"REQUESTS_CA_BUNDLE": str(server.ca_file)}
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.fleet", server.url, str(numbers)]
    done = subprocess.run(command, env=env, check=True, stdout=subprocess.PIPE, text=True)
    seconds, spent, memory = map(float, done.stdout.splitlines()[-1].split())
    return seconds, spent, memory


def task(url: str, numbers: int) -> None:
    """Run the task once, and print what it took."""
    with tempfile.TemporaryDirectory() as home:
        own_airflow(home)
        os.environ["AIRFLOW_CONN_FLEET"] = (
            f'{{"conn_type": "zapi", "host": "{url}", "extra": {{"partner_token": "{TOKEN}"}}}}'
        )
        import time

        from airflow_provider_zapi.operators.fleet import ApplyFleetPolicyOperator

        def one(select: str | None) -> dict[str, object]:
            return ApplyFleetPolicyOperator(
                task_id="fleet",
                policy={"last_seen": "NONE"},
                select=select,
                max_concurrency=AT_ONCE,
                zapi_conn_id="fleet",
            ).execute({})

        one("number-1")  # what is loaded at a first run, is loaded
        begun, spent = time.perf_counter(), time.process_time()
        result = one(None)
        seconds, spent = time.perf_counter() - begun, time.process_time() - spent
        if result["outcomes"] != {"asserted": numbers}:
            raise RuntimeError("not done")
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        sys.stdout.write(f"\n{seconds} {spent} {memory}\n")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        task(sys.argv[1], int(sys.argv[2]))
    else:
        import benchmarks.fleet

        report(benchmarks.fleet)
