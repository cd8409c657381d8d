"""Run many seeded simulations over all profiles, and print the violations: ``python -m tests.simulation``."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from tests.simulation.driver import run, run_again
from tests.simulation.oracles import violations
from tests.simulation.profiles import PROFILES

#: The most violations to print for one profile.
SHOWN = 5


@dataclass
class Tally:
    """The results of the runs of a profile."""

    ends: Counter[str] = field(default_factory=Counter)
    kills: int = 0
    found: list[str] = field(default_factory=list)


def tally(name: str, seeds: range) -> Tally:
    """Run a profile with each seed."""
    profile = next(profile for profile in PROFILES if profile.name == name)
    told = Tally()
    logging.disable()
    for seed in seeds:
        outcome = run(seed, profile)
        told.found += violations(outcome)
        end = "killed" if outcome.killed else type(outcome.error).__name__ if outcome.error else "green"
        told.ends[end] += 1
        if outcome.killed:
            told.kills += 1
            again = run_again(outcome)
            told.found += [f"after a kill: {said}" for said in violations(again)]
            if again.results is None:
                told.found.append(f"after a kill: seed {seed}, profile {name!r}: {again.error}")
    return told


def main() -> int:
    """Run, print a line for each profile, and return 1 if there is a violation."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--runs", type=int, default=10_000, help="total number of runs (default: 10000)")
    parser.add_argument("--seed", type=int, default=0, help="the first seed of each profile (default: 0)")
    parser.add_argument("--profile", choices=[profile.name for profile in PROFILES], help="only this profile")
    given = parser.parse_args()
    names = [given.profile] if given.profile else [profile.name for profile in PROFILES]
    each = -(-given.runs // len(names))
    began = time.monotonic()
    found: list[str] = []
    print(f"{each} runs of each of {len(names)} profiles, seeds {given.seed} to {given.seed + each - 1}")
    with ProcessPoolExecutor() as pool:
        pending = {name: pool.submit(tally, name, range(given.seed, given.seed + each)) for name in names}
        kills = 0
        for name, future in pending.items():
            told = future.result()
            kills += told.kills
            ends = ", ".join(f"{end} {count}" for end, count in told.ends.most_common())
            print(f"{name:44}  {ends}", flush=True)
            for said in told.found[:SHOWN]:
                print(f"    {said}")
            found += told.found
    print(f"{len(found)} violations in {each * len(names)} runs, {kills} kills, {time.monotonic() - began:.0f} s")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
