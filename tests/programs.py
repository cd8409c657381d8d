"""Find system programs that some tests need, and that this project's environments do not install."""

import glob
from pathlib import Path

import pytest


def program(pattern: str) -> Path:
    """Return the path of a program, or of its newest version. If there is none, end the tests with install instructions.

    :param pattern: an absolute path, or a pattern of one (``/usr/lib/postgresql/*/bin/initdb``)
    """
    if found := glob.glob(pattern):
        return Path(max(found, key=_numbers))
    pytest.exit(f"{pattern} is missing. To install it from Debian, run as root: make system-packages", returncode=1)


def _numbers(path: str) -> list[tuple[int, str]]:
    return [(int(part) if part.isdigit() else -1, part) for part in path.split("/")]
