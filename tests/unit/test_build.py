"""What the check of a built package refuses, and that one file alone says the version."""

import io
import re
import tarfile
import zipfile
from pathlib import Path

import pytest

from airflow_provider_zapi import __version__
from scripts.build import ADDED, DIST_INFO, NAME, BuildError, check_sdist, check_wheel
from scripts.constraints import PYPROJECT
from tests.airflow.support import PROJECT

INFO = f"{NAME}-{__version__}.dist-info"
FILES = {"README.md", "tests/test_x.py", f"{NAME}/__init__.py", f"{NAME}/py.typed"}
WHEEL = {f"{NAME}/__init__.py", *ADDED, *(f"{INFO}/{name}" for name in DIST_INFO)}
SDIST = {*FILES, "PKG-INFO"}
METADATA = (
    f"Name: airflow-provider-zapi\nVersion: {__version__}\nLicense-Expression: Apache-2.0\nProvides-Extra: emulator\n"
    "\nSee [Airflow](https://airflow.apache.org/).\n"
)


def wheel(folder: Path, names: set[str], metadata: str = METADATA) -> Path:
    path = folder / "built.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name in sorted(names):
            archive.writestr(name, metadata if name.endswith("/METADATA") else "")
    return path


def sdist(folder: Path, names: set[str]) -> Path:
    path = folder / "built.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name in sorted(names):
            archive.addfile(tarfile.TarInfo(f"{NAME}-{__version__}/{name}"), io.BytesIO())
    return path


def test_what_is_complete_passes(tmp_path: Path) -> None:
    check_wheel(FILES, wheel(tmp_path, WHEEL))
    check_sdist(FILES, sdist(tmp_path, SDIST))


@pytest.mark.parametrize(
    ("surplus", "missing"),
    [
        (set(), {f"{NAME}/py.typed"}),
        (set(), {f"{NAME}/policy.schema.json"}),
        (set(), {f"{INFO}/licenses/LICENSE"}),
        (set(), {f"{NAME}/__init__.py"}),
        ({"tests/test_x.py"}, set()),
        ({f"{NAME}/example_dags/example.py"}, set()),
    ],
)
def test_a_wheel_with_more_or_less_is_refused_by_name(tmp_path: Path, surplus: set[str], missing: set[str]) -> None:
    [name] = surplus | missing
    with pytest.raises(BuildError, match=re.escape(name)):
        check_wheel(FILES, wheel(tmp_path, (WHEEL | surplus) - missing))


@pytest.mark.parametrize(("surplus", "missing"), [({"notes.txt"}, set()), (set(), {"tests/test_x.py"})])
def test_an_sdist_with_more_or_less_is_refused_by_name(tmp_path: Path, surplus: set[str], missing: set[str]) -> None:
    [name] = surplus | missing
    with pytest.raises(BuildError, match=re.escape(name)):
        check_sdist(FILES, sdist(tmp_path, (SDIST | surplus) - missing))


@pytest.mark.parametrize("wrong", [("Version: ", "Version: 9."), ("Apache-2.0", "MIT"), ("zapi", "z-api")])
def test_a_wheel_with_other_metadata_is_refused(tmp_path: Path, wrong: tuple[str, str]) -> None:
    with pytest.raises(BuildError, match="the metadata"):
        check_wheel(FILES, wheel(tmp_path, WHEEL, METADATA.replace(*wrong)))


@pytest.mark.parametrize(
    ("line", "more"),
    [
        ("Provides-Extra: emulator\n", "Provides-Extra: dev\n"),
        ("See ", "See [the docs](docs/index.md), "),
        ("See ", "![A picture](docs/images/chain.png) "),
    ],
)
def test_a_wheel_with_an_extra_for_developers_or_a_dead_link_is_refused(tmp_path: Path, line: str, more: str) -> None:
    with pytest.raises(BuildError, match=r"has the extras|does not have"):
        check_wheel(FILES, wheel(tmp_path, WHEEL, METADATA.replace(line, line + more)))


#: All that git has, as pyproject.toml names it for the sdist.
PLACES = PYPROJECT["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
#: The changelog dates each version, and constraints are of other packages.
SAY_VERSIONS = {"/CHANGELOG.md", "/constraints"}


def test_the_version_is_said_in_one_file() -> None:
    own = re.compile(rf"(?<![\w.]){re.escape(__version__)}(?![\w.])".encode())
    files = [
        path
        for place in sorted({*PLACES} - SAY_VERSIONS)
        for path in (each for each in (PROJECT / place[1:], *(PROJECT / place[1:]).rglob("*")) if each.is_file())
        if "__pycache__" not in path.parts and own.search(path.read_bytes())
    ]
    assert [str(path.relative_to(PROJECT)) for path in files] == ["airflow_provider_zapi/__init__.py"]
