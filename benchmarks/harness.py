"""What all measurements share: subjects in turn, medians, ratios against goals, and tables for the page.

Each figure is the median of several rounds, and in each round every subject has its turn: what else the machine does
then, hits all of them.
"""

from __future__ import annotations

import importlib
import os
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

#: The name of what this provider does, in every table.
OURS = "ours"

#: The groups, in the order of the page. Each is a module with ``ROWS`` and ``measure()``.
GROUPS = ("parse", "rendering", "calls", "tasks", "fleet", "lists", "growth")

DOCS = Path(__file__).resolve().parents[1] / "docs"
#: For users: what it costs. For contributors: what a change has to keep.
FIGURES_PAGE, GOALS_PAGE = DOCS / "performance.md", DOCS / "contributing" / "benchmarks.md"

HEADINGS = ("measured", "ours", "against", "its figure", "ratio")
GOAL_HEADINGS = ("measured", "against", "value", "goal", "met")
#: What stands in an empty cell.
NOTHING = "-"

#: The median of each subject of each measurement, and of the ratios to it, by the names of both.
Figures = dict[tuple[str, str], float]


class Goal(NamedTuple):
    """What a ratio has to be; without another subject, what the figure itself has to be."""

    limit: float
    at_least: bool = False

    def met(self, value: float) -> bool:
        """Whether the value reaches it."""
        return value >= self.limit if self.at_least else value <= self.limit

    def __str__(self) -> str:
        return f"{'at least' if self.at_least else 'at most'} {short(self.limit)}"


class Row(NamedTuple):
    """A row of a table: one measurement of ours, and of what it is compared with.

    :param measured: the name of the measurement
    :param unit: of its figures
    :param against: the subject that it is compared with; empty where the figure speaks for itself
    :param goal: for the ratio of ours to that subject, or for the figure
    """

    measured: str
    unit: str
    against: str = ""
    goal: Goal | None = None

    def value(self, figures: Mapping[tuple[str, str], float]) -> float:
        """Return what a goal is held against: the ratio, or the figure where there is no other subject."""
        ours = figures[self.measured, OURS]
        if not self.against:
            return ours
        return figures.get((self.measured, ratio_to(self.against)), ours / figures[self.measured, self.against])

    def cells(self, figures: Mapping[tuple[str, str], float]) -> tuple[str, ...]:
        """Return the texts of its cells in the table of figures."""

        def figure(subject: str) -> str:
            return f"{short(figures[self.measured, subject])} {self.unit}".strip()

        other, ratio = (figure(self.against), short(self.value(figures))) if self.against else ("", "")
        return (self.measured, figure(OURS), self.against, other, ratio)

    def goal_cells(self, figures: Mapping[tuple[str, str], float]) -> tuple[str, ...]:
        """Return the texts of its cells in the table of goals; none without a goal."""
        if self.goal is None:
            return ()
        value = self.value(figures)
        return (self.measured, self.against, short(value), str(self.goal), "yes" if self.goal.met(value) else "**no**")


def short(value: float) -> str:
    """Return a figure with what is significant of it."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= 0.1 or value == 0 else f"1/{1 / value:.0f}"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; rows without cells are left out."""
    head, *body = (f"| {' | '.join(cell or NOTHING for cell in line)} |\n" for line in (headings, *rows) if line)
    return head + "|---" * len(headings) + "|\n" + "".join(body)


def ratio_to(subject: str) -> str:
    """Return the name under which figures have the ratio of ours to a subject, where both had their turns together."""
    return f"{OURS} / {subject}"


def medians(measured: str, subjects: Mapping[str, Callable[[], float]], rounds: int) -> Figures:
    """Call every subject once in each round, and return the median of what each returned.

    And the median of the rounds' ratios: a machine that is slower for some seconds is so for both sides of a ratio.
    """
    seen: dict[str, list[float]] = {name: [] for name in subjects}
    for number in range(rounds):
        # Forth and back, so that none is always the one after another.
        for name, subject in list(subjects.items())[:: -1 if number % 2 else 1]:
            seen[name].append(subject())
    figures = {(measured, name): statistics.median(values) for name, values in seen.items()}
    for name, values in seen.items():
        ratios = [ours / other for ours, other in zip(seen.get(OURS, ()), values, strict=False) if other]
        if ratios:
            figures[measured, ratio_to(name)] = statistics.median(ratios)
    return figures


def cpu(work: Callable[[], object]) -> float:
    """Return the seconds of processor time that this process spends on something."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def wall(work: Callable[[], object]) -> float:
    """Return the seconds that something takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def forked(work: Callable[[], object]) -> float:
    """Return the seconds of processor time of a child that does something, in the state that this process is in now."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.write(write, repr(cpu(work)).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(write)
    with os.fdopen(read) as pipe:
        answer = pipe.read()
    if os.waitpid(child, 0)[1]:
        raise RuntimeError("a measured child failed")
    return float(answer)


def own_airflow(folder: str) -> None:
    """Give this process an Airflow of its own; to be called before the first import of Airflow."""
    for name in [name for name in os.environ if name.startswith("AIRFLOW")]:
        del os.environ[name]
    os.environ["AIRFLOW_HOME"] = folder
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
    os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "ERROR"


def machine() -> str:
    """Return what the machine is, by cores and memory alone."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{len(os.sched_getaffinity(0))} cores, {memory:.0f} GiB"


def report(module: Any) -> tuple[str, str]:
    """Measure a group, print its tables of figures and of goals, and return them."""
    begun = time.monotonic()
    figures: Figures = module.measure()
    text = table(HEADINGS, (row.cells(figures) for row in module.ROWS))
    goals = table(GOAL_HEADINGS, (row.goal_cells(figures) for row in module.ROWS))
    name = module.__spec__.name.removeprefix("benchmarks.")
    load = os.getloadavg()[0]
    sys.stdout.write(
        f"{name}: {time.monotonic() - begun:.0f} s on {machine()}, load {load:.1f} at the end\n\n{text}\n{goals}\n"
    )
    sys.stdout.flush()
    return text, goals


def regions(page: str) -> Iterator[tuple[str, str]]:
    """Return the marked regions of a page, by name."""
    for found in re.finditer(r"<!-- (\w+) -->\n(.*?)<!-- /\1 -->", page, re.DOTALL):
        yield found[1], found[2]


def written(page: str, name: str, text: str) -> str:
    """Return the page with this text in one of its regions."""
    pattern = rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)"
    if not re.search(pattern, page, re.DOTALL):
        raise ValueError(f"the page has no region {name}")
    return re.sub(pattern, lambda found: f"{found[1]}\n{text}\n{found[2]}", page, flags=re.DOTALL)


def group(name: str) -> Any:
    """Return the module of a group."""
    return importlib.import_module(f"benchmarks.{name}")
