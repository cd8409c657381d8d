"""``python -m tests.killing``: 1,000 simulated kills of random accounts, all combinations of switches, 200 real kills."""

from __future__ import annotations

import argparse
import collections
import itertools
import sys

from tests.killing import combinations, real, simulated
from tests.probing import state


def main() -> int:
    """Print how many runs were restored, and return 1 unless all were."""
    parser = argparse.ArgumentParser(prog="python -m tests.killing", description=__doc__)
    parser.add_argument("--simulated", type=int, default=1000, help="how many (default: %(default)s)")
    parser.add_argument("--real", type=int, default=200, help="how many that strike (default: %(default)s)")
    parser.add_argument("--combinations", type=int, help="how many combinations of switches (default: all)")
    parser.add_argument("--seed", type=int, default=0, help="the first seed (default: %(default)s)")
    options = parser.parse_args()
    struck = wrong = 0
    seed = options.seed
    while struck < options.simulated:
        killed, emulator, before = simulated.run_case(simulated.random_case(seed))
        if state(emulator) != before:
            print(f"seed {seed}: not as before", flush=True)
            wrong += 1
        struck += killed
        seed += 1
    print(f"simulated kills: {struck}, not restored: {wrong}", flush=True)
    kills_wrong = wrong
    tried = 0
    for switches in itertools.islice(combinations.combinations(), options.combinations):
        for value in ("CONTACT_BLACKLIST", "CONTACTS"):
            tried += 1
            if problems := combinations.wrong_with(switches, value):
                print(f"{value}, {switches}: {', '.join(problems)}", flush=True)
                wrong += 1
    print(f"combinations of switches: {tried}, with a finding: {wrong - kills_wrong}", flush=True)
    with real.emulator() as emulated:
        longest = real.seconds_of_a_run(emulated)
        ends: collections.Counter[str] = collections.Counter()
        lost = 0
        seed = options.seed
        while ends["killed, and restored"] < options.real:
            end, settings_before, settings_after = real.killed_once(emulated, seed, longest * 1.2)
            ends[end] += 1
            if settings_before != settings_after:
                print(f"seed {seed}: {end}, and not as before", flush=True)
                lost += 1
            seed += 1
        print(f"SIGKILL: {dict(ends)}, not as before: {lost}")
    return 1 if wrong or lost else 0


if __name__ == "__main__":
    sys.exit(main())
