"""Measures the groups, each in a process of its own, and writes their tables into the pages: ``make bench``."""

from __future__ import annotations

import argparse
import subprocess
import sys

from benchmarks.harness import FIGURES_PAGE, GOALS_PAGE, GROUPS, group, machine, report, written


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("groups", nargs="*", metavar="group", help=f"all of them, or some of {', '.join(GROUPS)}")
    groups: list[str] = parser.parse_args().groups or list(GROUPS)
    if unknown := set(groups) - set(GROUPS):
        parser.error(f"there is no group {', '.join(sorted(unknown))}; there are {', '.join(GROUPS)}")
    if len(groups) > 1:
        # What one group has imported or kept must not reach the next.
        for name in groups:
            subprocess.run([sys.executable, "-W", "ignore", "-m", "benchmarks", name], check=True)
        return
    [name] = groups
    for page, text in zip((FIGURES_PAGE, GOALS_PAGE), report(group(name)), strict=True):
        new = written(page.read_text(), name, text)
        page.write_text(written(new, "machine", f"Measured on {machine()}."))


if __name__ == "__main__":
    main()
