"""`make fuzz`: many cases on all cores, from a seed that is printed; ARGS="--seed 7 --count 5000" repeats a run."""

from __future__ import annotations

import argparse
import logging
import os
import random
import sys
import tempfile
import time
from functools import partial
from multiprocessing import get_context


def main() -> int:
    """Run the cases, print the first findings, and return 1 if there are any."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--only", type=int, help="run the case with this number only")
    given = parser.parse_args()
    sys.stdout.write(f"--seed {given.seed} --count {given.count}\n")
    sys.stdout.flush()
    numbers = range(given.count) if given.only is None else [given.only]
    started, found = time.monotonic(), 0
    with get_context("spawn").Pool(initializer=_prepare) as pool:
        for number, problem in pool.imap_unordered(partial(_case, given.seed), numbers, chunksize=250):
            if problem is not None:
                found += 1
                if found <= 10:
                    sys.stdout.write(f"\n--seed {given.seed} --only {number}: {problem}\n")
    sys.stdout.write(f"{len(numbers)} cases in {time.monotonic() - started:.0f} s, {found} findings\n")
    return 1 if found else 0


def _prepare() -> None:
    # Airflow prints what it logs, the hook's words about unknown keys among it, and reads a home of its own.
    os.environ["AIRFLOW_HOME"] = tempfile.gettempdir()
    os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "ERROR"
    logging.lastResort = None


def _case(seed: int, number: int) -> tuple[int, str | None]:
    from tests.fuzz.cases import run_case

    return number, run_case(seed, number)


if __name__ == "__main__":
    sys.exit(main())
