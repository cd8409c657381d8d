"""Only one file states the version."""

import re

from airflow_provider_zapi import __version__
from scripts.constraints import PROJECT, PYPROJECT

#: The tracked files, as pyproject.toml selects them for the sdist.
PLACES = PYPROJECT["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
#: The changelog lists every version, and the constraints files have versions of other packages.
SAY_VERSIONS = {"/CHANGELOG.md", "/constraints"}


def test_only_one_file_states_the_version() -> None:
    own = re.compile(rf"(?<![\w.]){re.escape(__version__)}(?![\w.])".encode())
    files = [
        path
        for place in sorted({*PLACES} - SAY_VERSIONS)
        for path in (each for each in (PROJECT / place[1:], *(PROJECT / place[1:]).rglob("*")) if each.is_file())
        if "__pycache__" not in path.parts and own.search(path.read_bytes())
    ]
    assert [str(path.relative_to(PROJECT)) for path in files] == ["airflow_provider_zapi/__init__.py"]
