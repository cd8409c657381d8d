"""The parts that all measurements share: rounds, medians, ratios with goals, and tables for the docs.

Each figure is the median of several rounds. Every subject runs once in each round, so that other load on the machine
affects all subjects alike.
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

#: The name of this provider in every table.
OURS = "ours"

#: The groups, in the order of the page. Each is a module with ``ROWS`` and ``measure()``.
GROUPS = ("parse", "rendering", "calls", "tasks", "fleet", "lists", "growth")

DOCS = Path(__file__).resolve().parents[1] / "docs"
#: The page for users shows the cost. The page for contributors shows the goals that a change must keep.
FIGURES_PAGE, GOALS_PAGE = DOCS / "performance.md", DOCS / "contributing" / "benchmarks.md"

HEADINGS = ("measured", "ours", "against", "its figure", "ratio")
GOAL_HEADINGS = ("measured", "against", "value", "goal", "met")
#: The content of an empty cell.
NOTHING = "-"

#: Medians of figures and of ratios, by the names of measurement and subject.
Figures = dict[tuple[str, str], float]


class Goal(NamedTuple):
    """The goal for a ratio, or for the figure itself if the row has no other subject."""

    limit: float
    at_least: bool = False

    def met(self, value: float) -> bool:
        """Return whether a value meets the goal."""
        return value >= self.limit if self.at_least else value <= self.limit

    def __str__(self) -> str:
        return f"{'at least' if self.at_least else 'at most'} {short(self.limit)}"


class Row(NamedTuple):
    """A row of a table: one measurement of this provider and of the subject to compare with.

    :param measured: the name of the measurement
    :param unit: the unit of its figures
    :param against: the subject to compare with; empty if there is none
    :param goal: the goal for the ratio of this provider to that subject, or for the figure
    """

    measured: str
    unit: str
    against: str = ""
    goal: Goal | None = None

    def value(self, figures: Mapping[tuple[str, str], float]) -> float:
        """Return the value to compare with the goal: the ratio, or the figure if there is no other subject."""
        ours = figures[self.measured, OURS]
        if not self.against:
            return ours
        return figures.get((self.measured, ratio_to(self.against)), ours / figures[self.measured, self.against])

    def cells(self, figures: Mapping[tuple[str, str], float]) -> tuple[str, ...]:
        """Return the cells of the row in the table of figures."""

        def figure(subject: str) -> str:
            return f"{short(figures[self.measured, subject])} {self.unit}".strip()

        other, ratio = (figure(self.against), short(self.value(figures))) if self.against else ("", "")
        return (self.measured, figure(OURS), self.against, other, ratio)

    def goal_cells(self, figures: Mapping[tuple[str, str], float]) -> tuple[str, ...]:
        """Return the cells of the row in the table of goals, or nothing if the row has no goal."""
        if self.goal is None:
            return ()
        value = self.value(figures)
        return (self.measured, self.against, short(value), str(self.goal), "yes" if self.goal.met(value) else "**no**")


def short(value: float) -> str:
    """Return a figure with its significant digits."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= 0.1 or value == 0 else f"1/{1 / value:.0f}"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table. Rows without cells are left out."""
    head, *body = (f"| {' | '.join(cell or NOTHING for cell in line)} |\n" for line in (headings, *rows) if line)
    return head + "|---" * len(headings) + "|\n" + "".join(body)


def ratio_to(subject: str) -> str:
    """Return the key of the ratio of this provider to a subject, if both ran in the same rounds."""
    return f"{OURS} / {subject}"


def medians(measured: str, subjects: Mapping[str, Callable[[], float]], rounds: int) -> Figures:
    """Call every subject once in each round, and return the medians of the results and of the ratios.

    A ratio is computed within a round. If the machine is slow for some seconds, both sides of the ratio are slow.
    """
    seen: dict[str, list[float]] = {name: [] for name in subjects}
    for number in range(rounds):
        # Alternate the direction, so that no subject always runs after the same other one.
        for name, subject in list(subjects.items())[:: -1 if number % 2 else 1]:
            seen[name].append(subject())
    figures = {(measured, name): statistics.median(values) for name, values in seen.items()}
    for name, values in seen.items():
        ratios = [ours / other for ours, other in zip(seen.get(OURS, ()), values, strict=False) if other]
        if ratios:
            figures[measured, ratio_to(name)] = statistics.median(ratios)
    return figures


def cpu(work: Callable[[], object]) -> float:
    """Return the processor time that this process spends in a function, in seconds."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def wall(work: Callable[[], object]) -> float:
    """Return the time that a function takes, in seconds."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def forked(work: Callable[[], object]) -> float:
    """Return the processor time of a function in a fork of this process, in seconds."""
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
    """Give this process its own Airflow home. Call it before the first import of Airflow."""
    for name in [name for name in os.environ if name.startswith("AIRFLOW")]:
        del os.environ[name]
    os.environ["AIRFLOW_HOME"] = folder
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
    os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "ERROR"


def machine() -> str:
    """Describe the machine, by cores and memory only."""
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
    """Return the page with new content in one of its regions."""
    pattern = rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)"
    if not re.search(pattern, page, re.DOTALL):
        raise ValueError(f"the page does not have a region {name}")
    return re.sub(pattern, lambda found: f"{found[1]}\n{text}\n{found[2]}", page, flags=re.DOTALL)


def group(name: str) -> Any:
    """Return the module of a group."""
    return importlib.import_module(f"benchmarks.{name}")
