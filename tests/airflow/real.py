"""The installed Airflow as users run it: in separate processes, with its own home, but with its masker switched off."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import sqlalchemy

from scripts.background import BackgroundProcess, free_ports
from scripts.standalone import AIRFLOW_2, RunningAirflow, airflow_environment

DAGS = Path(__file__).parent.parent / "real_dags"

#: Airflow imports this file from its home in every process. Airflow has no option to disable the masker for secrets that
#: `mask_secret` registers. If the masker were on, the tests could not see whether this provider hides the secrets.
MASKER_OFF = '''"""Make Airflow's masker hide nothing."""
import importlib

for name in (
    "airflow.utils.log.secrets_masker",  # Airflow 2
    "airflow.sdk.execution_time.secrets_masker",  # from 3.0
    "airflow._shared.secrets_masker.secrets_masker",  # from 3.2, twice
    "airflow.sdk._shared.secrets_masker.secrets_masker",
):
    try:
        masker = importlib.import_module(name).SecretsMasker
    except (ImportError, AttributeError):
        continue
    masker.add_mask = lambda self, *secret: None
'''

SETTINGS = {
    "AIRFLOW__CORE__HIDE_SENSITIVE_VAR_CONN_FIELDS": "False",
    "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
    # Airflow 2 refuses this executor with SQLite, because of many parallel tasks. These tests run only two.
    "_AIRFLOW__SKIP_DATABASE_EXECUTOR_COMPATIBILITY_CHECK": "1",
    "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "True",
    "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG",
    # Airflow wraps tracebacks at the terminal's width. The tests would not find a wrapped string or secret.
    "COLUMNS": "5000",
}


def new_home(home: Path) -> Path:
    """Create a home for `environment`."""
    (home / "config").mkdir(parents=True)
    (home / "config" / "airflow_local_settings.py").write_text(MASKER_OFF)
    return home


def environment(home: Path, env: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of an Airflow command that uses few resources and logs everything."""
    ports = free_ports(3)
    return airflow_environment(home, DAGS, (ports[0], ports[1], ports[2]), SETTINGS | dict(env))


#: Runs each line of its input as an ``airflow`` command. It uses one process, because the imports take longer than any
#: command.
SEVERAL = """
import sys, traceback
from airflow.__main__ import main
for line in sys.stdin:
    sys.argv = ["airflow", *line.split()]
    print("$", *sys.argv, flush=True)
    try:
        main()
    except SystemExit as end:
        print("exit", end.code, flush=True)
    except Exception:
        traceback.print_exc()
"""


def run_airflow(env: Mapping[str, str], *commands: str, seconds: float = 150) -> str:
    """Run ``airflow`` commands, and return everything that they print."""
    done = subprocess.run(
        [sys.executable, "-c", SEVERAL],
        input="\n".join(commands),
        env=dict(env),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@contextlib.contextmanager
def scheduler(home: Path, env: Mapping[str, str]) -> Iterator[BackgroundProcess]:
    """Run DAGs with the LocalExecutor: start ``airflow standalone``, or only the scheduler with Airflow 2."""
    if not AIRFLOW_2:
        with RunningAirflow(home, DAGS, {**SETTINGS, **env}) as running:
            yield running
        return
    command = [sys.executable, "-m", "airflow", "scheduler"]
    with BackgroundProcess(
        "The scheduler", command, env=environment(home, env), log=home / "scheduler.log", grace=6
    ) as process:
        yield process


def rows(home: Path, query: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query of the metadata database, or no rows while it does not exist."""
    with contextlib.closing(sqlite3.connect(f"file:{home}/airflow.db?mode=ro", uri=True, timeout=10)) as database:
        return database.execute(query).fetchall()


def stored_texts(home: Path) -> Iterator[tuple[str, str]]:
    """Yield the results of `database_texts` for the database of the home."""
    return database_texts(f"sqlite:///{home}/airflow.db")


def database_texts(address: str) -> Iterator[tuple[str, str]]:
    """Yield each table and column of a metadata database with its whole content, of any type.

    The connections are left out, because Airflow stores them encrypted.
    """
    engine = sqlalchemy.create_engine(address)
    with engine.connect() as database:
        tables = sqlalchemy.inspect(engine).get_table_names()
        for table in set(tables) - {"connection"}:
            found = database.execute(sqlalchemy.text(f'SELECT * FROM "{table}"'))  # noqa: S608 - its name is inspected
            for column, values in zip(found.keys(), zip(*found.all(), strict=True), strict=False):
                yield f"{table}.{column}", "\n".join(map(_text, values))
    engine.dispose()


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def files(home: Path) -> Iterator[tuple[str, str]]:
    """Yield each file of the home with its content, except the database."""
    for path in sorted(home.rglob("*")):
        if path.is_file() and not path.name.startswith("airflow.db"):
            yield str(path.relative_to(home)), path.read_text(errors="replace")
