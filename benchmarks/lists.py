"""Comparing and encoding lists of exceptions, from 1,000 to WhatsApp's limit of 64,000 contacts: ``make bench``."""

from __future__ import annotations

import json
import statistics
import time
import tracemalloc
from collections.abc import Callable

from airflow_provider_zapi.privacy.policy import parse_policy
from airflow_provider_zapi.privacy.reconcile import compare

SIZES = (1_000, 4_000, 16_000, 64_000)
ROUNDS = 5


def lists(size: int) -> tuple[list[str], list[str]]:
    """Return wanted and present contacts: half of those present in their other form, one in ten another."""
    wanted = [f"55449{70000000 + number}" for number in range(size)]
    present = [phone if number % 2 else phone[:4] + phone[5:] for number, phone in enumerate(wanted)]
    return wanted, [f"4915{number:08d}" if number % 10 == 0 else phone for number, phone in enumerate(present)]


def work(size: int) -> Callable[[], None]:
    """Return what is measured: policy in, differences worked out, changes encoded."""
    wanted, present = lists(size)
    policy = {"last_seen": {"visible_to": "CONTACT_BLACKLIST", "except": wanted}}

    def run() -> None:
        [setting] = parse_policy(policy).settings
        change = compare(setting.exceptions, present, lambda phones: {})
        json.dumps([{"action": step.action, "phone": step.phone} for step in change.changes])

    return run


def main() -> None:
    """Print a row for each size."""
    print(f"{'contacts':>8}  {'seconds':>8}  {'microseconds each':>17}  {'peak MB':>7}")
    for size in SIZES:
        run = work(size)
        times = []
        for _ in range(ROUNDS):
            begun = time.process_time()
            run()
            times.append(time.process_time() - begun)
        tracemalloc.start()
        run()
        peak = tracemalloc.get_traced_memory()[1] / 1e6
        tracemalloc.stop()
        median = statistics.median(times)
        print(f"{size:>8}  {median:>8.3f}  {median / size * 1e6:>17.1f}  {peak:>7.1f}")


if __name__ == "__main__":
    main()
