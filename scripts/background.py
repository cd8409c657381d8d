"""Run servers in the background of a script: environment, ports, start, and a stop that leaves nothing behind.

mirakuru's executors do not fit. They pass on the caller's environment, and they stop a server by sending the signal to
every process of its group, but Airflow must stop its own parts in order.
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

#: Variables for another Python or another Airflow, which must not reach the servers started here.
FOREIGN = ("AIRFLOW", "PYTHON", "VIRTUAL_ENV", "CONDA_PREFIX")


#: The states of a process that has ended but that nobody has waited for.
ENDED = (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)


class BackgroundError(Exception):
    """A server did not do what it should. The message is for people."""


def clean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return a copy without settings for another Python or Airflow, and without a proxy for loopback."""
    kept = {name: value for name, value in environment.items() if not name.startswith(FOREIGN)}
    return kept | {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}


def free_ports(count: int) -> list[int]:
    """Return a number of different free loopback ports."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def free_port_from(first: int) -> int:
    """Return the first free loopback port among the hundred ports that begin with this number."""
    for port in range(first, first + 100):
        with socket.socket() as attempt, suppress(OSError):
            # Servers set this option too: a connection that has just ended does not block the port.
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            attempt.bind(("127.0.0.1", port))
            return port
    raise BackgroundError(f"All ports from {first} to {first + 99} are in use.")


def alive_in_session(session: int) -> list[int]:
    """Return the running processes of a session."""
    found = []
    for process in psutil.process_iter():
        with suppress(OSError, psutil.Error):  # the process has ended
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
    """Call ``look`` until it returns something, and return that. An ``OSError`` means that there is no answer yet.

    ``check`` raises if waiting is useless. When the time is over, raise ``BackgroundError`` with ``output()``.
    """
    deadline = time.monotonic() + seconds
    while True:
        with suppress(OSError):
            if (seen := look()) is not None:
                return seen
        check()
        if time.monotonic() > deadline:
            raise BackgroundError(f"{what}: nothing after {seconds:.0f} s. The end of the output of {output()}")
        pause(interval)


class BackgroundProcess:
    """A command in its own session, with its output in a file.

    A terminal's Ctrl-C does not reach its session, so only ``stop()`` stops it. The end of the ``with`` block calls
    ``stop()``. The command then has ``grace`` seconds to end by itself. ``pause`` waits; if a caller must react to
    signals, its ``pause`` may raise.
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
        """The process id, which is also the id of its session."""
        if self._process is None:
            raise BackgroundError(f"{self.name} was not started.")
        return self._process.pid

    def dead_parts(self) -> set[int]:
        """Return the ended children that nobody has waited for."""
        return {each.pid for each in psutil.Process(self.pid).children() if each.status() in ENDED}

    def check(self) -> None:
        """Raise ``BackgroundError`` with the end of the output if the process has ended."""
        if _has_ended(self.pid):
            raise BackgroundError(f"{self.name} ended by itself. The end of its output:\n{self.tail()}")

    def tail(self, lines: int = 40) -> str:
        """Return the end of the output."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def wait_for(self, what: str, look: Callable[[], T | None], seconds: float) -> T:
        """Call ``look`` until it returns something, and return that. An ``OSError`` means that there is no answer yet.

        Raise ``BackgroundError`` if the process ends first, or when the time is over.
        """
        return poll(
            what, look, seconds, check=self.check, output=lambda: f"{self.name}:\n{self.tail()}", pause=self.pause
        )

    def stop(self) -> None:
        """Interrupt the process as Ctrl-C would, wait, then kill the rest of its session.

        A part of Airflow may outlive its parent, and a task leaves its parent's group. No process leaves the session.
        """
        process, self._process = self._process, None
        if process is None:
            return
        # send_signal() would remove an ended process from the process table. Another process could then get its id,
        # and the id is needed to find the rest of the session.
        _kill(os.kill, process.pid, signal.SIGINT)
        deadline = time.monotonic() + self._grace
        while not _has_ended(process.pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        kill_session(process.pid)
        process.wait()


def kill_session(session: int) -> None:
    """Kill the processes of a session, repeatedly, because a dying process may leave a new one."""
    for _ in range(50):
        members = alive_in_session(session)
        for pid in members:
            _kill(os.kill, pid, signal.SIGKILL)
        _kill(os.killpg, session, signal.SIGKILL)  # if the process table cannot be read
        if not members:
            return
        time.sleep(0.02)


def _kill(send: Callable[[int, int], None], target: int, number: int) -> None:
    try:
        send(target, number)
    except (ProcessLookupError, PermissionError):  # macOS raises the latter if all have ended
        return


def _has_ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
