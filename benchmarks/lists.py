"""Measure comparing and encoding lists of up to 64,000 excluded contacts: ``python -m benchmarks.lists``."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable

from airflow_provider_zapi.privacy.difference import compare
from airflow_provider_zapi.privacy.policy import parse_policy
from benchmarks.harness import OURS, Figures, Goal, Row, cpu, medians, report

SIZES = (1_000, 4_000, 16_000, 64_000)
ROUNDS = 7
WHOLE, PEAK, EACH = "64,000 wanted against 64,000 present", "the same, memory at its peak", "one contact of 64,000"
ROWS = (
    Row(WHOLE, "s", "", Goal(1)),
    Row(PEAK, "MB", "", Goal(100)),
    # The time is linear: a contact takes as long in a long list as in a short one, except for processor caches.
    *(Row(EACH, "µs", f"one of {size:,}", Goal(1.5)) for size in SIZES[:-1]),
)


def lists(size: int) -> tuple[list[str], list[str]]:
    """Return wanted and present contacts. Half of the present ones are in another form, one in ten is not wanted."""
    wanted = [f"55449{70000000 + number}" for number in range(size)]
    present = [phone if number % 2 else phone[:4] + phone[5:] for number, phone in enumerate(wanted)]
    return wanted, [f"4915{number:08d}" if number % 10 == 0 else phone for number, phone in enumerate(present)]


def work(size: int) -> Callable[[], None]:
    """Return the measured function: it parses a policy, compares the list and encodes the changes."""
    wanted, present = lists(size)
    policy = {"last_seen": {"visible_to": "CONTACT_BLACKLIST", "except": wanted}}

    def run() -> None:
        [setting] = parse_policy(policy).settings
        change = compare(setting.excluded, present, lambda phones: {})
        json.dumps([{"action": step.action, "phone": step.phone} for step in change.changes])

    return run


def each(size: int) -> Callable[[], float]:
    """Return a function that measures the processor time per contact in a list of this size, in microseconds."""
    run = work(size)
    return lambda: cpu(run) / size * 1e6


def measure() -> Figures:
    """Return the processor times, and the peak of the memory that Python allocates."""
    subjects = {OURS if size == SIZES[-1] else f"one of {size:,}": each(size) for size in SIZES}
    figures = medians(EACH, subjects, ROUNDS)
    figures[WHOLE, OURS] = figures[EACH, OURS] * SIZES[-1] / 1e6
    run = work(SIZES[-1])
    tracemalloc.start()
    run()
    figures[PEAK, OURS] = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return figures


if __name__ == "__main__":
    import benchmarks.lists

    report(benchmarks.lists)
