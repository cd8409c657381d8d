"""Systems of several processes: their start, their memory, and the death of a process. Also programs of the system."""

import os
import signal
import sys
from pathlib import Path

import pytest

from scripts.background import BackgroundError, BackgroundProcess, alive_in_session
from tests.celery.memory import members, proportional_size
from tests.celery.parts import Part, Parts
from tests.programs import program

#: Starts a child in its own session, as PostgreSQL does, prints its id and waits.
LEADER = """
import signal, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
print("child", child.pid, flush=True)
child.wait()
"""


def part(folder: Path, name: str, *, ready: bool = True, code: str = "import time; time.sleep(60)") -> Part:
    command = [sys.executable, "-c", code]
    process = BackgroundProcess(name, command, env=os.environ, log=folder / f"{name}.log", grace=1)
    return Part(process, lambda: ready)


def test_each_part_is_ready_after_some_time_and_takes_memory(tmp_path: Path) -> None:
    with Parts() as parts:
        parts.start(part(tmp_path, "one"), part(tmp_path, "two"))
        assert parts.ready_after.keys() == {"one", "two"}
        parts.wait_for("a look at the memory", lambda: all(parts.memory.peaks.values()) or None, 10)
        sessions = [parts.pid("one"), parts.pid("two")]
    assert [alive_in_session(session) for session in sessions] == [[], []]


def test_the_error_about_a_part_that_does_not_get_ready_has_its_output(tmp_path: Path) -> None:
    code = "import time; print('starting', flush=True); time.sleep(60)"
    with Parts() as parts:
        quick, slow = part(tmp_path, "quick"), part(tmp_path, "slow", ready=False, code=code)
        with pytest.raises(BackgroundError, match=r"the start of quick, slow: nothing after 2 s(.|\n)*slow:\nstarting"):
            parts.start(quick, slow, seconds=2)
        assert parts.ready_after.keys() == {"quick"}


def test_a_part_that_ends_by_itself_ends_every_wait(tmp_path: Path) -> None:
    with Parts() as parts:
        parts.start(part(tmp_path, "one"), part(tmp_path, "two"))
        os.kill(parts.pid("two"), signal.SIGTERM)
        with pytest.raises(BackgroundError, match="two ended by itself"):
            parts.wait_for("the sun", lambda: None, 10)


def test_a_part_that_was_killed_on_purpose_is_not_an_error(tmp_path: Path) -> None:
    with Parts() as parts:
        parts.start(part(tmp_path, "one"), part(tmp_path, "two"))
        session = parts.pid("two")
        parts.kill("two")
        assert alive_in_session(session) == []
        assert parts.wait_for("the moon", lambda: True, 10)


def test_a_child_in_its_own_session_belongs_to_the_part(tmp_path: Path) -> None:
    with Parts() as parts:
        leader = part(tmp_path, "leader", code=LEADER)
        parts.start(leader)
        child = leader.process.wait_for("the child", lambda: next(iter(leader.process.tail().split()[1:]), None), 10)
        assert members(parts.pid("leader")) == {parts.pid("leader"), int(child)}
        assert proportional_size(int(child)) > 0
        os.kill(int(child), signal.SIGKILL)


def test_a_process_that_ended_takes_no_memory() -> None:
    pid = os.posix_spawn(sys.executable, [sys.executable, "-c", ""], os.environ)
    os.waitpid(pid, 0)
    assert proportional_size(pid) == 0


def test_the_newest_installed_program_is_used(tmp_path: Path) -> None:
    for version in ("9", "15", "13"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "server").touch()
    assert program(str(tmp_path / "*" / "server")) == tmp_path / "15" / "server"


def test_a_missing_program_ends_the_tests_with_the_command_to_install_it(tmp_path: Path) -> None:
    with pytest.raises(pytest.exit.Exception, match=r"server is missing.*make system-packages") as end:
        program(str(tmp_path / "*" / "server"))
    assert end.value.returncode == 1
