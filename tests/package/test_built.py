"""The wheel and the sdist in `dist/` are complete, and work in an empty environment. `make build` runs these tests."""

from __future__ import annotations

import email
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from email.message import Message
from pathlib import Path

import pytest

from airflow_provider_zapi import __version__
from scripts.airflow_demo import NUMBERS, last_seen
from scripts.background import BackgroundProcess, clean_environment, free_ports
from scripts.constraints import NEWEST, PROJECT

NAME = "airflow_provider_zapi"
WHEEL = PROJECT / "dist" / f"{NAME}-{__version__}-py3-none-any.whl"
SDIST = PROJECT / "dist" / f"{NAME}-{__version__}.tar.gz"
DIST_INFO = f"{NAME}-{__version__}.dist-info"
#: The files of the wheel that are not tracked files of the package.
ADDED = {
    f"{NAME}/policy.schema.json",
    *(f"{DIST_INFO}/{name}" for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")),
}
UV = (sys.executable, "-m", "uv")
BUILD_CONSTRAINTS = ("--build-constraints", PROJECT / "constraints" / "build.txt")

#: A user's code with one type error. Without the package's types, mypy would report another error, or none.
TYPED = """\
from airflow_provider_zapi.client import ZApiClient
def phones(client: ZApiClient) -> int:
    return client.instance_id
"""
TYPE_ERROR = 'Incompatible return value type (got "str", expected "int")'


def run(*command: str | Path, folder: Path, env: Mapping[str, str] | None = None) -> str:
    """Run a command in a folder where the checkout cannot be imported, and return its output."""
    env = env or clean_environment(os.environ)
    done = subprocess.run(command, env=env, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert not done.returncode, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def tracked() -> set[str]:
    """Return the tracked files that exist."""
    names = run("git", "ls-files", "-z", folder=PROJECT).split("\0")
    return {name for name in names if name and (PROJECT / name).exists()}


@pytest.fixture(scope="module")
def metadata() -> Message:
    with zipfile.ZipFile(WHEEL) as archive:
        return email.message_from_bytes(archive.read(f"{DIST_INFO}/METADATA"))


def test_a_build_is_reproducible_elsewhere_and_at_another_time(tmp_path: Path) -> None:
    shutil.unpack_archive(SDIST, tmp_path, filter="data")
    [source] = tmp_path.iterdir()
    for path in source.rglob("*"):
        if path.is_file():
            os.utime(path, (1e9, 1e9))
            path.chmod(0o777 if os.access(path, os.X_OK) else 0o600)
    out = tmp_path / "out"
    # The wheel in `dist/` was built from the sdist. This one is built from the files.
    run(*UV, "build", "-q", *BUILD_CONSTRAINTS, "--sdist", "--wheel", "-o", out, source, folder=tmp_path)
    for built in (WHEEL, SDIST):
        assert (out / built.name).read_bytes() == built.read_bytes()


def test_the_wheel_has_the_package_and_nothing_else(tracked: set[str]) -> None:
    with zipfile.ZipFile(WHEEL) as archive:
        assert set(archive.namelist()) == {name for name in tracked if name.startswith(f"{NAME}/")} | ADDED
    assert f"{NAME}/py.typed" in tracked  # without this file, users would not get the package's types


def test_the_sdist_has_what_git_has(tracked: set[str]) -> None:
    with tarfile.open(SDIST) as archive:
        assert {name.partition("/")[2] for name in archive.getnames()} == tracked | {"PKG-INFO"}


def test_the_metadata_has_name_version_license_and_the_extra_for_users(metadata: Message) -> None:
    said = (metadata["Name"], metadata["Version"], metadata["License-Expression"])
    assert said == ("airflow-provider-zapi", __version__, "Apache-2.0")
    assert metadata.get_all("Provides-Extra") == ["emulator"]


def test_every_link_in_the_long_description_works_on_a_package_index(metadata: Message) -> None:
    links = re.findall(r"\]\(([^)]*)\)", str(metadata.get_payload()))
    assert links
    assert [link for link in links if "://" not in link] == []


@pytest.fixture(scope="module", params=[WHEEL, SDIST], ids=["wheel", "sdist"])
def bare(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the `bin` folder of an environment with only the built package and its dependencies."""
    folder = tmp_path_factory.mktemp("bare")
    run(sys.executable, "-m", "venv", "--without-pip", folder / "env", folder=folder)
    constraints = PROJECT / "constraints" / f"airflow-{NEWEST}.txt"
    install = (*UV, "pip", "install", "-q", "--python", folder / "env", "-c", constraints, *BUILD_CONSTRAINTS)
    run(*install, f"airflow-provider-zapi[emulator] @ {request.param.as_uri()}", folder=folder)
    return folder / "env" / "bin"


def test_airflow_runs_the_readmes_dag_with_the_built_package_and_its_emulator(bare: Path, tmp_path: Path) -> None:
    readme = (PROJECT / "README.md").read_text()
    [dag] = re.findall(r"^## A DAG\n.*?```python\n(.*?)```", readme, re.DOTALL | re.MULTILINE)
    dags = tmp_path / "dags"
    dags.mkdir()
    (dags / "readme.py").write_text(dag)
    [port] = free_ports(1)
    number = NUMBERS[0]
    env = clean_environment(os.environ) | {
        "AIRFLOW_HOME": str(tmp_path / "home"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        f"AIRFLOW_CONN_{number.connection.upper()}": json.dumps(number.fields(port)),
        "PYTHONWARNINGS": "ignore",
    }

    def airflow(*arguments: str) -> str:
        return run(bare / "airflow", *arguments, folder=tmp_path, env=env)

    module = Path(
        run(bare / "python", "-c", f"import {NAME}; print({NAME}.__file__)", folder=tmp_path, env=env).strip()
    )
    assert module.is_relative_to(bare.parent)
    assert (module.parent / "policy.schema.json").exists()
    providers = json.loads(airflow("providers", "list", "-o", "json"))
    listed = [(each["package_name"], each["version"]) for each in providers if "zapi" in each["package_name"]]
    assert listed == [("airflow-provider-zapi", __version__)]
    command = [
        str(bare / "python"),
        "-m",
        f"{NAME}.emulator",
        "--port",
        str(port),
        "--instance",
        number.emulator_argument,
    ]
    with BackgroundProcess("The emulator", command, env=env, log=tmp_path / "emulator.log", grace=3) as emulator:
        assert emulator.wait_for("the emulator", lambda: last_seen(port), 60) == "ALL"
        airflow("db", "migrate")
        airflow("pools", "set", number.connection, "1", "")
        airflow("dags", "test", "hide_last_seen")
        assert last_seen(port) == "NONE"
        airflow("zapi", "check", number.connection)


def test_mypy_sees_the_types_of_the_installed_package(bare: Path, tmp_path: Path) -> None:
    (tmp_path / "user.py").write_text(TYPED)
    options = ("--config-file=", "--cache-dir", tmp_path / "mypy", "--python-executable", bare / "python")
    command = (sys.executable, "-m", "mypy", *options, tmp_path / "user.py")
    done = subprocess.run(command, env=clean_environment(os.environ), cwd=tmp_path, capture_output=True, text=True)
    [error] = [line for line in done.stdout.splitlines() if ": error: " in line]
    assert TYPE_ERROR in error
