"""Run many cases on all cores: `make fuzz`. It prints its seed. To repeat a run, use ARGS="--seed 7 --count 5000"."""

from __future__ import annotations

import argparse
import random
import sys
import time
from functools import partial
from multiprocessing import get_context

from tests.fuzz.worker import case, prepare


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
    with get_context("spawn").Pool(initializer=prepare) as pool:
        for number, problem in pool.imap_unordered(partial(case, given.seed), numbers, chunksize=250):
            if problem is not None:
                found += 1
                if found <= 10:
                    sys.stdout.write(f"\n--seed {given.seed} --only {number}: {problem}\n")
    sys.stdout.write(f"{len(numbers)} cases in {time.monotonic() - started:.0f} s, {found} findings\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
