"""Write one constraints file for every supported Airflow, and one for building: ``make constraints``.

Newer dependencies can break an older Airflow, so the dependencies of each version are resolved as of a day when it
worked. The day makes the result reproducible, as a lock file would, without a record of where packages come from. uv
resolves the dependencies; the table of versions and days is our own.
"""

import re
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text())
#: The dependency groups that need an Airflow. nox has its own environment.
GROUPS = sorted(PYPROJECT["dependency-groups"].keys() - {"nox"})
#: The supported Pythons, oldest first.
PYTHONS = tuple(
    found[1] for each in PYPROJECT["project"]["classifiers"] if (found := re.fullmatch(r".* Python :: (3\.\d+)", each))
)


@dataclass(frozen=True)
class SupportedAirflow:
    """A supported version of Airflow, and the day as of which its dependencies are resolved."""

    version: str
    as_of: str
    #: Packages that need a later day.
    later: dict[str, str] = field(default_factory=dict)
    #: The dependency groups of pyproject.toml to resolve.
    groups: tuple[str, ...] = ("dev",)
    #: The Pythons to resolve for. The versions for the first one also apply to the others.
    pythons: tuple[str, ...] = PYTHONS[:1]
    #: The supported Pythons that this Airflow runs on.
    runs_on: tuple[str, ...] = PYTHONS


SUPPORTED = (
    SupportedAirflow("2.11.2", "2026-03-25", runs_on=("3.11", "3.12")),
    SupportedAirflow(
        "3.0.6",
        "2025-09-10",
        runs_on=("3.11", "3.12"),
        later={
            # The first release that pyproject.toml accepts is later than that day.
            "apache-airflow-providers-common-compat": "2026-10-30",
            "urllib3": "2026-03-25",
            # Developer tools, which do not depend on Airflow.
            "ruff": "2026-11-20",
            "mypy": "2026-11-20",
        },
    ),
    SupportedAirflow("3.1.8", "2026-03-25"),
    SupportedAirflow("3.2.2", "2026-06-10"),
    SupportedAirflow("3.3.2", "2026-11-20", groups=tuple(GROUPS), pythons=PYTHONS),
)
NEWEST = SUPPORTED[-1].version


def unsupported(airflow: str, python: str) -> str | None:
    """Return a message if this Airflow does not support this Python, or None."""
    runs_on = {each.version: each.runs_on for each in SUPPORTED}
    if python in runs_on[airflow]:
        return None
    pairs = "\n".join(f"  Airflow {version} on Python {', '.join(pythons)}" for version, pythons in runs_on.items())
    return f"Airflow {airflow} is not supported on Python {python}. Supported:\n{pairs}"


#: The day as of which the build's own packages are resolved, so that the same code makes the same files.
BUILD_AS_OF = "2026-11-20"

#: Leave out the address of the package index, so that the files work everywhere.
COMPILE = (
    *("uv", "pip", "compile", "-q", "--no-header", "--no-annotate"),
    *("--no-emit-index-url", "--no-emit-find-links"),
)


def compiled(requirements: Sequence[str], python: str, options: Sequence[str]) -> list[str]:
    """Return a line ``name==version`` for each package that the requirements install on a Python."""
    return subprocess.run(
        [sys.executable, "-m", *COMPILE, "--python-version", python, *options, "-"],
        input="\n".join(requirements),
        stdout=subprocess.PIPE,
        cwd=PROJECT,
        check=True,
        text=True,
    ).stdout.splitlines()


def resolve(airflow: SupportedAirflow) -> str:
    """Return the content of the version's constraints file."""
    dates = ["--exclude-newer", airflow.as_of]
    for package, day in airflow.later.items():
        dates += ["--exclude-newer-package", f"{package}={day}T00:00:00Z"]
    lines: dict[str, str] = {}
    for python in airflow.pythons:
        for line in compiled(
            [f"apache-airflow=={airflow.version}"],
            python,
            ["--extra", "emulator", *(f"--group={group}" for group in airflow.groups), *dates, "pyproject.toml"],
        ):
            lines.setdefault(line.partition("==")[0], line)
    return "".join(f"{lines[name]}\n" for name in sorted(lines))


def resolve_build() -> str:
    """Return the constraints of the build and of nox, which makes the environments."""
    requirements = [*PYPROJECT["build-system"]["requires"], *PYPROJECT["dependency-groups"]["nox"]]
    return "".join(f"{line}\n" for line in compiled(requirements, PYTHONS[0], ["--exclude-newer", BUILD_AS_OF]))


def main() -> None:
    """Write the files that changed. The others keep their time, so that make does not rebuild their environments."""
    texts = {f"airflow-{airflow.version}": resolve(airflow) for airflow in SUPPORTED}
    for name, text in {**texts, "build": resolve_build()}.items():
        path = PROJECT / "constraints" / f"{name}.txt"
        if path.exists() and path.read_text() == text:
            print(f"unchanged  {path.name}")
        else:
            path.write_text(text)
            print(f"written    {path.name}")


if __name__ == "__main__":
    main()
