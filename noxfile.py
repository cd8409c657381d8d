"""The project's environments and sessions. The Makefile has a short command for each session.

Nox would create an environment for every session. Here many sessions share the developer's `.venv`, so `environment`
creates the environments with uv: `.venv` with the newest supported Airflow, `.venv-VERSION` with another Airflow, and
`.venv-GROUP` with the newest Airflow and the packages of one dependency group. If the Python is not `python3`, the
first two names end with the name of the Python.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import nox

sys.path.insert(0, str(Path(__file__).parent))  # nox does not add the folder of this file
from scripts.constraints import NEWEST, PYPROJECT, PYTHONS, SUPPORTED, unsupported

nox.needs_version = ">=2026.1"
nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", f"test-{NEWEST}"]

UV = str(Path(sys.executable).with_name("uv"))
#: The Python of the environments. `make PYTHON=...` sets it. nox itself may run on another Python.
PYTHON = os.environ.get("ZAPI_PYTHON", "python3")
OLDEST = SUPPORTED[0].version
#: The others that can show the page "WhatsApp privacy".
WITH_A_PAGE = [each.version for each in SUPPORTED if each.version.startswith(("3.1.", "3.2."))]
#: The packages that `make floors` installs in the oldest version that pyproject.toml allows.
FLOORS = "requests|tenacity|urllib3"
#: Quick tests of everything that depends on Airflow, about a minute: discovery, form, hook, operators and DAG runs.
SMOKE = (
    "tests/unit/test_compatibility.py",
    "tests/unit/test_provider_info.py",
    "tests/unit/test_hook.py",
    "tests/integration/test_operators.py",
    "tests/airflow/test_last_seen.py::test_templates_can_render_the_type_and_the_list",
    "tests/airflow/test_last_seen.py::test_a_mapped_task_sets_several_numbers",
    "tests/airflow/test_policy.py::test_the_asset_is_updated_only_if_something_changed",
    "tests/airflow/test_wait.py",
    "tests/airflow/test_retry_policy.py",
)


#: The kinds of cells in the matrix: the description and the tests to run.
KINDS: dict[str, tuple[str, tuple[str, ...]]] = {"smoke": ("quick tests", SMOKE), "test": ("tests", ())}


def pythons_path() -> str:
    """Return a search path with pyenv's Pythons first, because its own commands may only print which one to choose."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    return os.pathsep.join([*map(str, sorted(root.glob("versions/*/bin"))), os.environ.get("PATH", os.defpath)])


def version_of(python: str) -> str:
    """Return the version (3.11) of the Python behind a command."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    return subprocess.run([python, "-c", code], stdout=subprocess.PIPE, check=True, text=True).stdout.strip()


def find_python(version: str) -> str | None:
    """Return the path of an installed Python of this version."""
    command = [UV, "python", "find", "--system", "--no-python-downloads", version]
    env = os.environ | {"PATH": pythons_path()}
    found = subprocess.run(command, env=env, capture_output=True, check=False, text=True)
    return found.stdout.strip() if found.returncode == 0 else None


def environment(
    session: nox.Session,
    airflow: str = NEWEST,
    *groups: str,
    python: str = PYTHON,
    folder: str | None = None,
    constraints: str = "",
) -> str:
    """Make an environment, or make it again if its requirements have changed, and return its Python.

    :param groups: dependency groups to add to `dev`; the folder is named after the last one
    :param python: the command of the Python to use
    :param folder: the name of the folder, if not the usual one
    :param constraints: the content to use instead of the version's constraints file
    """
    if refusal := unsupported(airflow, version_of(python)):
        session.error(refusal)
    suffix = "" if Path(python).name == "python3" else f"-{Path(python).name}"
    parts = groups[-1:] or ([airflow] if airflow != NEWEST else [])
    path = Path(folder or "-".join([".venv", *parts]) + ("" if groups else suffix))
    constraints = constraints or Path(f"constraints/airflow-{airflow}.txt").read_text()
    made_of = [constraints, groups, *(PYPROJECT[table] for table in ("build-system", "project", "dependency-groups"))]
    stamp, digest = path / ".made", hashlib.sha256(repr(made_of).encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        stamp.touch()  # make compares modification times
    else:
        session.log(f"Installing Airflow {airflow} into {path}/")
        uv = partial(session.run_install, UV, external=True, silent=True)
        try:
            uv("venv", "-q", "--clear", "--no-project", "--no-python-downloads", "--python", python, str(path))
            (path / "constraints.txt").write_text(constraints)
            chosen = [f"--group={group}" for group in ("dev", *groups)]
            install = ("pip", "install", "-q", "--python", str(path), "-c", str(path / "constraints.txt"))
            uv(*install, "-e", ".[emulator]", *chosen)
            stamp.write_text(digest)
        except BaseException:
            shutil.rmtree(path, ignore_errors=True)  # an incomplete environment would look complete
            raise
    return str(path / "bin" / "python")


def run(session: nox.Session, *command: str, env: dict[str, str] | None = None) -> None:
    """Run a command that is not part of nox's environment."""
    session.run(*command, external=True, env=env)


def pytest(session: nox.Session, python: str, *tests: str) -> None:
    """Run tests (all by default) with the options of the command line."""
    run(session, python, "-m", "pytest", *tests, *session.posargs)


# The matrix


def tests(session: nox.Session, airflow: str, version: str | None, chosen: Sequence[str]) -> None:
    """Run the tests on a version of Airflow, and on another Python if a version is given."""
    python = find_python(version) if version else PYTHON
    if python:
        pytest(session, environment(session, airflow, python=python), *chosen)
    else:
        session.skip(f"Python {version} is not installed here")


def register() -> None:
    """Register the sessions of the matrix: every Airflow on the chosen Python, and the newest on the other Pythons."""

    def session(function: Callable[[nox.Session], object], name: str, said: str, tags: Sequence[str] = ()) -> None:
        function.__doc__ = said
        nox.session(name=name, tags=tags)(function)

    own = version_of(PYTHON)
    cells: list[tuple[str, str | None]] = [(airflow.version, None) for airflow in SUPPORTED]
    cells += [(NEWEST, python) for python in PYTHONS if python != own]
    for kind, (explanation, chosen) in KINDS.items():
        for version, python in cells:
            name = "-".join(filter(None, [kind, version, python and f"python{python}"]))
            # An unsupported pair is not part of the matrix. If you call it by name, its session says why.
            tags = [] if unsupported(version, python or own) else [f"{kind}-matrix"]
            function = partial(tests, airflow=version, version=python, chosen=chosen)
            session(function, name, f"Run the {explanation} on Airflow {version} and Python {python or own}.", tags)
    for version, _ in cells[: len(SUPPORTED)]:
        session(partial(environment, airflow=version), f"venv-{version}", f"Install Airflow {version}.")


register()


# Sessions in the developer's environment


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, format, types and imports, and look for security problems, secrets, typos and unclear phrases."""
    python = environment(session)
    run(session, python, "-m", "ruff", "check")
    run(session, python, "-m", "ruff", "format", "--check")
    run(session, python, "-m", "mypy")
    run(session, str(Path(python).with_name("lint-imports")), "--no-cache")
    # Skip B105, which guesses passwords from the names of variables. detect-secrets below reads their values.
    run(session, python, "-m", "bandit", "-q", "-r", "airflow_provider_zapi", "--skip", "B105")
    files = subprocess.run(["git", "ls-files", "-z"], stdout=subprocess.PIPE, check=True, text=True).stdout  # noqa: S607
    hook = str(Path(python).with_name("detect-secrets-hook"))
    run(session, hook, "--exclude-secrets", "^[a-z-]+-token ?$", *filter(None, files.split("\0")))
    run(session, str(Path(python).with_name("codespell")), *filter(None, files.split("\0")))
    run(session, python, "-m", "scripts.prose")


@nox.session(name="constraints")
def resolve_constraints(session: nox.Session) -> None:
    """Resolve the constraints of every supported Airflow."""
    run(session, sys.executable, "-m", "scripts.constraints")


@nox.session(name="ui-test")
def ui_test(session: nox.Session) -> None:
    """Test Airflow's pages in a real browser. The Airflows between run the tests of our page and of the approval."""
    for airflow in (NEWEST, OLDEST):
        pytest(session, environment(session, airflow), "tests/ui")
    for airflow in WITH_A_PAGE:
        pytest(
            session,
            environment(session, airflow),
            # This one adds the connection in the form, so it comes first.
            "tests/ui/test_approval.py",
            "tests/ui/test_privacy_page.py",
            "tests/ui/test_privacy_page_guarded.py",
        )


@nox.session
def screenshots(session: nox.Session) -> None:
    """Test the newest Airflow's pages in a real browser, and take the pictures of the documentation."""
    pytest(session, environment(session), "tests/ui", "--pictures")


# Sessions in their own environment


@nox.session
def floors(session: nox.Session) -> None:
    """Run the client's tests on the oldest versions of its dependencies."""
    newest = Path(f"constraints/airflow-{NEWEST}.txt").read_text()
    oldest = [
        requirement.replace(">=", "==")
        for requirement in PYPROJECT["project"]["dependencies"]
        if re.match(f"({FLOORS})>=", requirement)
    ]
    lines = [*re.sub(f"^({FLOORS})==.*\n", "", newest, flags=re.MULTILINE).splitlines(), *oldest]
    python = environment(session, folder=".venv-floors", constraints="\n".join(lines))
    faults = sorted(map(str, Path("tests/integration").glob("test_faults_*.py")))
    pytest(session, python, "tests/unit/client", "tests/unit/test_properties.py", *faults)


@nox.session(name="celery-test")
def celery_test(session: nox.Session) -> None:
    """Apply policies and a fleet in shards on PostgreSQL, Redis and two Celery workers, and kill one of them."""
    pytest(session, environment(session, NEWEST, "celery"), "tests/celery")


@nox.session
def mutation(session: nox.Session) -> None:
    """Change the client in a thousand ways, one at a time, and list the changes that no quick test notices."""
    mutmut = str(Path(environment(session, NEWEST, "mutation")).with_name("mutmut"))
    shutil.rmtree("mutants", ignore_errors=True)  # remove results of earlier tests
    run(session, mutmut, "run")
    run(session, mutmut, "results")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation site in site/. A warning is an error."""
    python = environment(session, NEWEST, "docs")
    run(session, python, "-m", "scripts.docs_site")
    session.log("Open site/index.html. Its search needs a server: python3 -m http.server --directory site")


@nox.session
def build(session: nox.Session) -> None:
    """Build wheel and sdist in dist/ twice, and test them in an empty environment."""
    python = environment(session, NEWEST, "release")
    for stale in Path("dist").glob("airflow_provider_zapi-*"):
        stale.unlink()
    run(session, UV, "build", "-q", "--build-constraints", "constraints/build.txt", "-o", "dist", ".")
    pytest(session, python, "tests/package")
    run(session, python, "-m", "twine", "check", "--strict", *map(str, Path("dist").glob("airflow_provider_zapi-*")))


@nox.session
def bench(session: nox.Session) -> None:
    """Run the benchmarks, and write their tables into docs/performance.md."""
    python = environment(session, NEWEST, "bench")
    run(session, python, "-W", "ignore", "-m", "benchmarks")
    run(session, python, "-W", "ignore", "-m", "benchmarks.triggers")
