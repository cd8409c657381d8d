"""Build the wheel and the sdist into ``dist/``, compare them with a second build, and use them: ``make build``.

The second build is made of another copy, elsewhere and with other times: the same code makes the same files. Each is
then installed into an empty environment outside the checkout, and used there as a user would.
"""

import contextlib
import email
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from airflow_provider_zapi import __version__
from scripts.airflow_demo import NUMBERS, PROJECT, last_seen
from scripts.background import BackgroundProcess, clean_environment, free_ports
from scripts.constraints import SUPPORTED

DIST = PROJECT / "dist"
NAME = "airflow_provider_zapi"
#: What the wheel has besides the tracked files of the package; without py.typed it would be nothing to a type checker.
ADDED = {f"{NAME}/policy.schema.json", f"{NAME}/py.typed"}
DIST_INFO = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}
#: What a user may ask for besides; developers' packages are dependency groups.
EXTRAS = {"emulator"}
BUILD_CONSTRAINTS = ("--build-constraints", str(PROJECT / "constraints" / "build.txt"))

#: A user's code with one mistake in it. Without the package's types mypy would see another one, or none.
TYPED = """\
from airflow_provider_zapi.client import ZApiClient
def phones(client: ZApiClient) -> int:
    return client.instance_id
"""
TYPE_ERROR = 'Incompatible return value type (got "str", expected "int")'


class BuildError(Exception):
    """What was built is not as it should be; the text is for a person."""


def expect(good: object, problem: str) -> None:
    """Raise ``BuildError`` unless something is true."""
    if not good:
        raise BuildError(problem)


def run(command: Sequence[str | Path], env: Mapping[str, str] | None = None) -> str:
    """Run a command and return what it prints; ``BuildError`` with all of it if it fails."""
    env = clean_environment(os.environ) if env is None else env
    done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    expect(not done.returncode, f"{' '.join(map(str, command))}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def tracked() -> set[str]:
    """Return the files that git knows and that are there."""
    names = run(["git", "-C", str(PROJECT), "ls-files", "-z"]).split("\0")
    return {name for name in names if name and (PROJECT / name).exists()}


# Building


def copy(files: set[str], folder: Path, *, old: bool = False) -> Path:
    """Copy the files into a new folder; with ``old``, as if they had lain there for years."""
    for name in files:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / name, target)
        if old:
            os.utime(target, (1e9, 1e9))
            target.chmod(0o777 if os.access(target, os.X_OK) else 0o600)
    return folder


def build(source: Path, out: Path, *what: str) -> dict[str, bytes]:
    """Build in an isolated environment and return the names and contents of the files."""
    env = {name: value for name, value in clean_environment(os.environ).items() if name != "SOURCE_DATE_EPOCH"}
    run([sys.executable, "-m", "uv", "build", "-q", *BUILD_CONSTRAINTS, *what, "-o", out, source], env)
    return {path.name: path.read_bytes() for path in sorted(out.glob(f"{NAME}-*"))}


def build_twice(files: set[str], folder: Path) -> tuple[Path, Path]:
    """Build from two copies, compare, and leave wheel and sdist in ``dist/``."""
    for stale in DIST.glob(f"{NAME}-*"):
        stale.unlink()
    # Without a choice the wheel is built from the sdist, with it from the files: three ways, one result.
    first = build(copy(files, folder / "copy"), DIST)
    second = build(copy(files, folder / "else" / "where", old=True), folder / "second", "--sdist", "--wheel")
    wheel, sdist = (f"{NAME}-{__version__}{ending}" for ending in ("-py3-none-any.whl", ".tar.gz"))
    expect(set(first) == {wheel, sdist}, f"built are {sorted(first)}")
    for name, content in first.items():
        expect(second.get(name) == content, f"{name} differs between two builds")
        print(f"{name}: {len(content) / 1000:.0f} kB, the same in both builds", flush=True)
    return DIST / wheel, DIST / sdist


# What is in them


def check_wheel(files: set[str], wheel: Path) -> None:
    """Compare the names in a wheel with the package's among the tracked files, and the metadata with the package."""
    info = f"{NAME}-{__version__}.dist-info"
    code = {name for name in files if name.startswith(f"{NAME}/")}
    with zipfile.ZipFile(wheel) as archive:
        same(set(archive.namelist()), code | ADDED | {f"{info}/{name}" for name in DIST_INFO}, wheel.name)
        metadata = email.message_from_bytes(archive.read(f"{info}/METADATA"))
    dead = re.findall(r"\]\((?![a-z]+:)[^)]*\)", str(metadata.get_payload()))
    expect(not dead, f"the long description links to what an index does not have: {', '.join(dead)}")
    extras = metadata.get_all("Provides-Extra", [])
    expect(set(extras) == EXTRAS, f"{wheel.name} has the extras {', '.join(extras) or 'none'}")
    found = (metadata["Name"], metadata["Version"], metadata["License-Expression"])
    expect(found == ("airflow-provider-zapi", __version__, "Apache-2.0"), f"the metadata of {wheel.name} says {found}")


def check_sdist(files: set[str], sdist: Path) -> None:
    """Compare the names in an sdist with the tracked files."""
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    same(names, files | {"PKG-INFO"}, sdist.name)


def same(found: set[str], expected: set[str], name: str) -> None:
    """Raise ``BuildError`` if the names of an archive's files are not those expected."""
    surplus, missing = sorted(found - expected), sorted(expected - found)
    expect(not surplus and not missing, f"{name} has {surplus or 'nothing'} too many and lacks {missing or 'nothing'}")


# Using them


def use(built: Path, folder: Path) -> None:
    """Install a file with the emulator's extra into an empty environment, and let Airflow run a DAG with it."""
    bare = folder / "bare" / "bin"
    run([sys.executable, "-m", "venv", "--without-pip", bare.parent])
    constraints = PROJECT / "constraints" / f"airflow-{SUPPORTED[-1].version}.txt"
    install = ("uv", "pip", "install", "-q", "--python", bare / "python", "-c", constraints)
    run([sys.executable, "-m", *install, *BUILD_CONSTRAINTS, f"airflow-provider-zapi[emulator] @ {built.as_uri()}"])

    [port] = free_ports(1)
    readme = (PROJECT / "README.md").read_text()
    [dag] = re.findall(r"^## A DAG\n.*?```python\n(.*?)```", readme, re.DOTALL | re.MULTILINE)
    dags = folder / "dags"
    dags.mkdir()
    (dags / "readme.py").write_text(dag)
    number = NUMBERS[0]
    env = clean_environment(os.environ) | {
        "AIRFLOW_HOME": str(folder / "home"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "PYTHONWARNINGS": "ignore",
    }
    env[f"AIRFLOW_CONN_{number.connection.upper()}"] = json.dumps(number.fields(port))
    airflow, python = bare / "airflow", bare / "python"
    module = Path(run([python, "-c", f"import {NAME}; print({NAME}.__file__)"], env).strip())
    expect(module.is_relative_to(bare.parent), f"{module} was imported")
    expect((module.parent / "policy.schema.json").exists(), "the schema is not installed")
    providers = json.loads(run([airflow, "providers", "list", "-o", "json"], env))
    listed = [(each["package_name"], each["version"]) for each in providers if "zapi" in each["package_name"]]
    expect(listed == [("airflow-provider-zapi", __version__)], f"airflow providers list has {listed}")

    command = [str(python), "-m", f"{NAME}.emulator", "--port", str(port), "--instance", number.emulator_argument]
    with BackgroundProcess("The emulator", command, env=env, log=folder / "emulator.log", grace=3) as emulator:
        before = emulator.wait_for("the emulator", lambda: last_seen(port), 60)
        run([airflow, "db", "migrate"], env)
        output = run([airflow, "dags", "test", "hide_last_seen"], env)
        after = last_seen(port)
        expect((before, after) == ("ALL", "NONE"), f"last seen was {before} and is {after}\n{output}")
        run([airflow, "zapi", "check", number.connection], env)
    said = f"installed alone, listed by Airflow {SUPPORTED[-1].version}, its emulator saw a DAG's task"
    print(f"{built.name}: {said}", flush=True)


def check_types(folder: Path) -> None:
    """Let mypy look at a user's file, which imports the package installed in the folder's environment."""
    user = folder / "user.py"
    user.write_text(TYPED)
    environment = ("--python-executable", folder / "bare" / "bin" / "python")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file=", "--cache-dir", folder / "mypy", *environment, user],
        env=clean_environment(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    errors = [line for line in done.stdout.splitlines() if ": error: " in line]
    expect(len(errors) == 1 and TYPE_ERROR in errors[0], f"mypy saw\n{done.stdout}{done.stderr}")
    print("mypy sees the types of the installed package", flush=True)


def main() -> int:
    """Build, check and use; return the exit code."""
    files = tracked()
    try:
        with tempfile.TemporaryDirectory(prefix="zapi-build-") as name:
            wheel, sdist = build_twice(files, Path(name))
            check_wheel(files, wheel)
            check_sdist(files, sdist)
            run([sys.executable, "-m", "twine", "check", "--strict", wheel, sdist])
            print("Both hold what they should and nothing else, and twine has nothing to say", flush=True)
            for built in (wheel, sdist):
                folder = Path(name, built.suffix)
                folder.mkdir()
                # Nothing of the checkout can be imported from there.
                with contextlib.chdir(folder):
                    use(built, folder)
                    if built is wheel:
                        check_types(folder)
    except BuildError as error:
        print(f"Failed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
