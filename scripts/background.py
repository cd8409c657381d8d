"""Servers beside a script: their environment and ports, the start, and a stop that leaves nothing behind.

Not mirakuru's executors: they pass on the caller's environment, and their stop sends its signal to every process of the
group, while Airflow must end its own parts in order.
"""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import psutil

T = TypeVar("T")

#: What the caller has set for another Python or another Airflow must not reach the ones started here.
FOREIGN = ("AIRFLOW", "PYTHON", "VIRTUAL_ENV", "CONDA_PREFIX")


#: What the system says of a process that has ended and that nobody has waited for.
ENDED = (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)


class BackgroundError(Exception):
    """Something started here did not do what it should; the text is for a person."""


def clean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return a copy without settings of another Python or Airflow; no proxy is used for loopback."""
    kept = {name: value for name, value in environment.items() if not name.startswith(FOREIGN)}
    return kept | {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}


def free_ports(count: int) -> list[int]:
    """Return so many different loopback ports that nobody listens on now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def free_port_from(first: int) -> int:
    """Return the first loopback port from this number on that nobody listens on now, of the next hundred."""
    for port in range(first, first + 100):
        with socket.socket() as attempt, suppress(OSError):
            # As servers do: a connection that ended a moment ago does not make the port taken.
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            attempt.bind(("127.0.0.1", port))
            return port
    raise BackgroundError(f"The ports {first} to {first + 99} are all taken.")


def alive_in_session(session: int) -> list[int]:
    """Return the processes of a session that have not ended."""
    found = []
    for process in psutil.process_iter():
        with suppress(OSError, psutil.Error):  # it ended meanwhile
            if os.getsid(process.pid) == session and process.status() not in ENDED:
                found.append(process.pid)
    return found


def poll(
    what: str,
    look: Callable[[], T | None],
    seconds: float,
    *,
    check: Callable[[], None],
    output: Callable[[], str],
    pause: Callable[[float], None] = time.sleep,
    interval: float = 0.1,
) -> T:
    """Call ``look`` until it returns something, and return that; an ``OSError`` is no answer yet.

    ``check`` raises when it is in vain. When the time is over, raises ``BackgroundError`` with what ``output`` returns.
    """
    deadline = time.monotonic() + seconds
    while True:
        with suppress(OSError):
            if (seen := look()) is not None:
                return seen
        check()
        if time.monotonic() > deadline:
            raise BackgroundError(f"{what}: not seen within {seconds:.0f} s. The end of the output of {output()}")
        pause(interval)


class BackgroundProcess:
    """A command in a session of its own, with its output in a file.

    The session keeps a terminal's Ctrl-C away from it, so that it is stopped in one way alone: by ``stop()``,
    which the end of the ``with`` block calls. ``grace`` is how many seconds it then has to end by itself.
    ``pause`` is how to wait; a caller that must react to signals gives one that raises.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        log: Path,
        grace: float,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name = name
        self.log = log
        self.pause = pause
        self._command = command
        self._env = env
        self._grace = grace
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with self.log.open("wb") as output:
            self._process = subprocess.Popen(
                self._command,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process id, which is the id of its session too."""
        if self._process is None:
            raise BackgroundError(f"{self.name} was not started.")
        return self._process.pid

    def dead_parts(self) -> set[int]:
        """Return the parts which have ended: children that nobody has waited for."""
        return {each.pid for each in psutil.Process(self.pid).children() if each.status() in ENDED}

    def check(self) -> None:
        """Raise ``BackgroundError`` with the end of the output if the process has ended."""
        if _has_ended(self.pid):
            raise BackgroundError(f"{self.name} ended by itself. The end of its output:\n{self.tail()}")

    def tail(self, lines: int = 40) -> str:
        """Return the end of the output."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def wait_for(self, what: str, look: Callable[[], T | None], seconds: float) -> T:
        """Call ``look`` until it returns something, and return that; an ``OSError`` is no answer yet.

        Raises ``BackgroundError`` when the process ends before, or when the time is over.
        """
        return poll(
            what, look, seconds, check=self.check, output=lambda: f"{self.name}:\n{self.tail()}", pause=self.pause
        )

    def stop(self) -> None:
        """Interrupt it as Ctrl-C would, wait a while, then kill what is left of its session.

        A part of Airflow outlives its parent, a task leaves its parent's group, but none leaves the session.
        """
        process, self._process = self._process, None
        if process is None:
            return
        # Not send_signal(), which would take an ended process from the table: its id, by which the rest is
        # found, could then be given to another one.
        _kill(os.kill, process.pid, signal.SIGINT)
        deadline = time.monotonic() + self._grace
        while not _has_ended(process.pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        kill_session(process.pid)
        process.wait()


def kill_session(session: int) -> None:
    """Kill the processes of a session, again as long as a dying one has left a new one."""
    for _ in range(50):
        members = alive_in_session(session)
        for pid in members:
            _kill(os.kill, pid, signal.SIGKILL)
        _kill(os.killpg, session, signal.SIGKILL)  # where there is no process table to read
        if not members:
            return
        time.sleep(0.02)


def _kill(send: Callable[[int, int], None], target: int, number: int) -> None:
    try:
        send(target, number)
    except (ProcessLookupError, PermissionError):  # macOS: the latter where only ended ones are left
        return


def _has_ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
