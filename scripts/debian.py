"""Programs that come from Debian where a machine lacks them."""

import glob
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: What Debian's packages ask before they start a service of theirs.
_POLICY = Path("/usr/sbin/policy-rc.d")
_START_NOTHING = "#!/bin/sh\nexit 101\n"


def install(program: str, *packages: str) -> Path:
    """Return a program's path, the newest where a pattern fits several; install Debian's packages if there is none.

    :param program: an absolute path, or a pattern of one (``/usr/lib/postgresql/*/bin/initdb``)
    """
    if not glob.glob(program):
        with _no_service_starts():
            for words in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *packages]):
                subprocess.run(
                    ["apt-get", "-o", "DPkg::Lock::Timeout=300", *words],  # noqa: S607 - wherever the system has it
                    check=True,
                    env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
                )
    return Path(max(glob.glob(program), key=_numbers))


def _numbers(path: str) -> list[tuple[int, str]]:
    return [(int(part) if part.isdigit() else -1, part) for part in path.split("/")]


@contextmanager
def _no_service_starts() -> Iterator[None]:
    if _POLICY.exists():  # the machine has its own rule
        yield
        return
    _POLICY.write_text(_START_NOTHING)
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink()
