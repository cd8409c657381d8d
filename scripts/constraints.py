"""Write one constraints file for every supported Airflow: ``make constraints``.

Dependencies released after an Airflow break it, so each version is resolved as of a day when it worked. The
day makes the result reproducible, as a lock file would, without a record of where packages come from.
"""

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class SupportedAirflow:
    """A version of Airflow and the day as of which its dependencies are resolved."""

    version: str
    as_of: str
    #: Packages needed in a release later than that day.
    later: dict[str, str] = field(default_factory=dict)
    #: The options that choose what of pyproject.toml is resolved.
    extras: tuple[str, ...] = ("--extra", "dev")


SUPPORTED = (
    SupportedAirflow("2.11.2", "2026-03-25"),
    SupportedAirflow(
        "3.0.6",
        "2025-09-10",
        later={
            # The first with what pyproject.toml asks for came after that day.
            "apache-airflow-providers-common-compat": "2026-10-30",
            "urllib3": "2026-03-25",
            # Tools of the developer, which do not depend on Airflow.
            "ruff": "2026-11-20",
            "mypy": "2026-11-20",
        },
    ),
    SupportedAirflow("3.1.8", "2026-03-25"),
    SupportedAirflow("3.2.2", "2026-06-10"),
    SupportedAirflow("3.3.2", "2026-11-20", extras=("--all-extras",)),
)

#: Without the addresses of an index: the files must mean the same wherever they are used.
COMPILE = (
    *("uv", "pip", "compile", "-q", "--python-version", "3.11"),
    *("--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"),
)


def resolve(airflow: SupportedAirflow) -> str:
    """Return the text of the version's constraints file: a line ``name==version`` for each package."""
    dates = ["--exclude-newer", airflow.as_of]
    for package, day in airflow.later.items():
        dates += ["--exclude-newer-package", f"{package}={day}T00:00:00Z"]
    return subprocess.run(
        [sys.executable, "-m", *COMPILE, *airflow.extras, *dates, "pyproject.toml", "-"],
        input=f"apache-airflow=={airflow.version}\n",
        stdout=subprocess.PIPE,
        cwd=PROJECT,
        check=True,
        text=True,
    ).stdout


def main() -> None:
    """Write the files that changed; the others keep their time, and so the environments made from them."""
    for airflow in SUPPORTED:
        path = PROJECT / "constraints" / f"airflow-{airflow.version}.txt"
        text = resolve(airflow)
        if path.exists() and path.read_text() == text:
            print(f"unchanged  {path.name}")
        else:
            path.write_text(text)
            print(f"written    {path.name}")


if __name__ == "__main__":
    main()
