"""Run the tests on every supported Airflow and Python, one cell after the other: ``make matrix``.

The output of each cell is in a file of its own; here it is one row, with the reason of every test left out.
"""

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from scripts.background import clean_environment
from scripts.constraints import PYTHONS, SUPPORTED

PROJECT = Path(__file__).resolve().parent.parent
LOGS = PROJECT / "build" / "matrix"
VERSIONS = [airflow.version for airflow in SUPPORTED]
#: What a make sets for those below it; a cell's make is told all by its arguments.
MAKES_OWN = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")
#: Of the tests of one cell that fail, so many are named here; all of them in the file.
SHOWN = 10


class Cell(NamedTuple):
    """A version of Airflow and the Python below it; without a command, that one is not installed."""

    airflow: str
    python: str
    command: str | None

    @property
    def log(self) -> Path:
        """The file with the output."""
        return LOGS / f"airflow-{self.airflow}-python{self.python}.log"


@dataclass
class Outcome:
    """What a run of the tests ended in, as its closing line and its summary say."""

    counts: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    #: Reason -> how many tests were left out for it.
    skips: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def problems(self, exit_code: int) -> list[str]:
        """Return what is wrong with the run: nothing, if it may pass."""
        found = list(self.failures[:SHOWN])
        if hidden := len(self.failures) - len(found):
            found.append(f"and {hidden} more")
        if not self.counts:
            found.append("no test ran")
        elif silent := self.counts["skipped"] - self.skips.total():
            found.append(f"{silent} skipped without a reason")
        if exit_code and not found:
            found.append(f"ended with exit code {exit_code}")
        return found


_CLOSING = re.compile(r"=*\s*(?P<counts>\d+ [a-z]+(?:, \d+ [a-z]+)*) in (?P<seconds>[\d.]+)s(?: \([\d:]+\))?\s*=*")
_SKIPPED = re.compile(r"SKIPPED \[(\d+)\] \S+?: (.*)")
_FAILED = re.compile(r"(?:FAILED|ERROR) \S+::.*|ERROR \S+\.py\b.*")


def read_outcome(output: str) -> Outcome:
    """Read the outcome from what pytest printed; the last closing line counts."""
    outcome = Outcome()
    for line in output.splitlines():
        if found := _CLOSING.fullmatch(line):
            words = found["counts"].replace(",", "").split()
            outcome.counts = Counter(dict(zip(words[1::2], map(int, words[::2]), strict=True)))
            outcome.seconds = float(found["seconds"])
        elif found := _SKIPPED.fullmatch(line):
            outcome.skips[found[2]] += int(found[1])
        elif _FAILED.fullmatch(line):
            outcome.failures.append(line)
    return outcome


def version_of(command: str) -> str | None:
    """Return the version (3.11) of the Python behind a command; None if it does not start."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run([command, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None  # pyenv puts commands on the path that only say which version to choose
    return done.stdout.decode().strip()


def find_python(version: str) -> str | None:
    """Return the command of a Python: on the path, or among the versions of pyenv."""
    return next((each for each in _candidates(f"python{version}") if version_of(each) == version), None)


def _candidates(name: str) -> Iterator[str]:
    yield name
    if shutil.which("pyenv"):
        root = subprocess.run(["pyenv", "root"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()  # noqa: S607
        yield from sorted(map(str, Path(root).glob(f"versions/*/bin/{name}")), reverse=True)


def cells(default: str) -> list[Cell]:
    """Return the cells: every Airflow on the default Python, and the newest on each other one that is supported."""
    own = version_of(default) or "?"
    others = [Cell(VERSIONS[-1], python, find_python(python)) for python in PYTHONS if python != own]
    return [*(Cell(version, own, default) for version in VERSIONS), *others]


def run(cell: Cell, target: str, arguments: Sequence[str]) -> tuple[Outcome, int]:
    """Run the tests of a cell; its environment is made first where it is missing."""
    cell.log.parent.mkdir(parents=True, exist_ok=True)
    with cell.log.open("wb") as output:
        done = subprocess.run(
            ["make", target, f"AIRFLOW={cell.airflow}", f"PYTHON={cell.command}", f"ARGS={shlex.join(arguments)}"],  # noqa: S607
            cwd=PROJECT,
            # No colours, whatever the caller's terminal shows.
            env=clean_environment({k: v for k, v in os.environ.items() if k not in MAKES_OWN}) | {"PY_COLORS": "0"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    return read_outcome(cell.log.read_text(errors="replace")), done.returncode


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the cells, print a row for each, and return 1 if one of them failed."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.matrix", description=__doc__, epilog="Any other argument is passed to pytest."
    )
    parser.add_argument("--python", default="python3", help="what every Airflow runs on (default: %(default)s)")
    parser.add_argument("--smoke", action="store_true", help="the quick tests alone")
    options, rest = parser.parse_known_args(arguments)
    failed = 0
    print(f"{'Airflow':<9}{'Python':<8}{'passed':>8}{'skipped':>9}{'failed':>8}{'seconds':>9}", flush=True)
    for cell in cells(options.python):
        name = f"{cell.airflow:<9}{cell.python:<8}"
        if cell.command is None:
            print(f"{name}  not installed here, so not tried", flush=True)
            continue
        outcome, code = run(cell, "smoke" if options.smoke else "test", rest)
        counts = outcome.counts
        broken = counts["failed"] + counts["error"] + counts["errors"]
        print(f"{name}{counts['passed']:>8}{counts['skipped']:>9}{broken:>8}{outcome.seconds:>9.0f}")
        for reason, count in outcome.skips.most_common():
            print(f"{'':17}{count} skipped: {reason}")
        problems = outcome.problems(code)
        for problem in problems:
            print(f"{'':17}{problem}")
        if problems:
            failed += 1
            print(f"{'':17}all of it: {cell.log.relative_to(PROJECT)}")
        sys.stdout.flush()
    print(f"{failed} of the cells failed." if failed else "Every cell that could be tried passed.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
