"""Load and save the file that keeps the emulated instances from run to run."""

import contextlib
import json
import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from airflow_provider_zapi.emulator.checks import InvalidInputError, json_object, require_names
from airflow_provider_zapi.emulator.state import Emulator

__all__ = ["load", "save", "saved_to"]

#: The version of the file's format. Files of another version are refused.
_VERSION = 1
#: Seconds between two checks for changes.
_INTERVAL = 1.0


def load(path: Path, emulator: Emulator) -> bool:
    """Serve the instances of a state file. Return whether the file exists.

    :raises InvalidInputError: the file is invalid; nothing is changed
    :raises OSError: the file cannot be read
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return False
    try:
        given = require_names(json_object(content, max_parts=None), ("version", "instances"), "a state file")
        if given.get("version") != _VERSION:
            raise InvalidInputError(f"version must be {_VERSION}")
        instances = given.get("instances")
        if not isinstance(instances, dict) or not all(isinstance(parts, dict) for parts in instances.values()):
            raise InvalidInputError("instances must be an object of instances by their id")
        emulator.replace_all(instances)
    except InvalidInputError as error:
        raise InvalidInputError(f"the state file {path} cannot be used: {error}") from None
    return True


def save(path: Path, emulator: Emulator) -> None:
    """Write the instances, with their tokens, to a file that only its owner can read.

    The old file stays until the new one is complete.

    :raises OSError: the file cannot be written
    """
    content = json.dumps({"version": _VERSION, "instances": emulator.snapshot()})
    # Only the owner can read the new file.
    number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(number, "w", encoding="ascii") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


@contextlib.contextmanager
def saved_to(path: Path, emulator: Emulator) -> Iterator[None]:
    """Save the instances while the ``with`` block runs, at most a second after each change, and at its end.

    :raises OSError: the file cannot be written at the end
    """
    ended = threading.Event()

    def follow() -> None:
        saved = emulator.changes
        while not ended.wait(_INTERVAL):
            changes = emulator.changes
            if changes != saved:
                # A full disk may have space later. The save at the end raises the error.
                with contextlib.suppress(OSError):
                    save(path, emulator)
                    saved = changes

    thread = threading.Thread(target=follow, name="zapi-emulator-state", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        save(path, emulator)
