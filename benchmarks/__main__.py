"""Measure the groups, each in its own process, and write their tables into the docs: ``make bench``."""

from __future__ import annotations

import argparse
import subprocess
import sys

from benchmarks.harness import FIGURES_PAGE, GOALS_PAGE, GROUPS, group, machine, report, written


def main() -> None:
    """Measure the groups that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("groups", nargs="*", metavar="group", help=f"any of {', '.join(GROUPS)}; all by default")
    groups: list[str] = parser.parse_args().groups or list(GROUPS)
    if unknown := set(groups) - set(GROUPS):
        parser.error(f"unknown group: {', '.join(sorted(unknown))}; the groups are {', '.join(GROUPS)}")
    if len(groups) > 1:
        # The imports and caches of one group must not affect the next one.
        for name in groups:
            subprocess.run([sys.executable, "-W", "ignore", "-m", "benchmarks", name], check=True)
        return
    [name] = groups
    for page, text in zip((FIGURES_PAGE, GOALS_PAGE), report(group(name)), strict=True):
        new = written(page.read_text(), name, text)
        page.write_text(written(new, "machine", f"Measured on {machine()}."))


if __name__ == "__main__":
    main()
