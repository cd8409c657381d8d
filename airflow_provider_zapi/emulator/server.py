"""Run the emulator in a uvicorn server on its own socket, in the foreground or for a test."""

import asyncio
import contextlib
import ipaddress
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from airflow_provider_zapi.emulator.app import TRANSPORT, create_app
from airflow_provider_zapi.emulator.checks import InvalidInputError
from airflow_provider_zapi.emulator.control import Stopping
from airflow_provider_zapi.emulator.state import Emulator

#: The default instances of an emulator: their parts by instance id.
DEMO_INSTANCE = {
    "demo-instance": {
        "token": "demo-token",
        "client_token": "demo-client-token",
        "phone": "5544999990000",
        "name": "Demo number",
    }
}
#: Seconds that open connections have to finish when the server stops.
_GRACE = 1


class _Server(uvicorn.Server):
    """A server that ends the event streams first, because an endless stream would use up the grace time."""

    def __init__(self, config: uvicorn.Config, stopping: Stopping) -> None:
        super().__init__(config)
        self.ready = threading.Event()
        self._stopping = stopping

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._stopping.raised = True
        await super().shutdown(sockets)


class _Protocol(H11Protocol):
    """A protocol that passes the connection's transport to the application, for faults that break the connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        app = self.app

        async def with_transport(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, TRANSPORT: transport}, receive, send)

        self.app = with_transport


@dataclass(frozen=True)
class RunningEmulator:
    """An emulator that answers at ``url``. ``emulator`` is its state, which a test can read and change directly."""

    url: str
    emulator: Emulator


def demo_emulator() -> Emulator:
    """Return an emulator with the demo instance."""
    emulator = Emulator()
    for instance_id, parts in DEMO_INSTANCE.items():
        emulator.put(instance_id, parts)
    return emulator


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket. Port 0 picks a free port.

    :raises InvalidInputError: the host is empty or a plain number, which could mean an unexpected address
    :raises OSError: the address is not available
    """
    if not host.strip() or host.isdecimal():
        raise InvalidInputError("--host must be an address or a name; 0.0.0.0 listens on all addresses")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio disables Nagle's algorithm only if the protocol is given. With it, each answer takes 40 ms.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(128)
    except OSError:
        listening.close()
        raise
    return listening


def url_of(listening: socket.socket, *, tls: bool = False, host: str | None = None) -> str:
    """Return the base URL of a listening socket, with its address or with ``host``."""
    address, port = listening.getsockname()[:2]
    if not host:
        host = address
        if ipaddress.ip_address(address).is_unspecified:
            # Nobody can call the address that stands for all of them.
            host = "::1" if ":" in address else "127.0.0.1"
    return f"http{'s' if tls else ''}://{f'[{host}]' if ':' in host else host}:{port}"


def _server(
    emulator: Emulator,
    *,
    log: Callable[[dict[str, Any]], None] | None = None,
    allowed_hosts: Iterable[str] = (),
    tls: ssl.SSLContext | None = None,
) -> _Server:
    stopping = Stopping()
    config = uvicorn.Config(
        create_app(emulator, stopping=stopping, log=log, allowed_hosts=allowed_hosts),
        loop="asyncio",
        http=_Protocol,
        ws="none",
        lifespan="off",
        # uvicorn's access log would print the paths, which contain the tokens.
        access_log=False,
        log_config=None,
        # uvicorn treats an answer that a fault cuts off as an error.
        log_level="critical",
        server_header=False,
        timeout_graceful_shutdown=_GRACE,
    )
    config.load()
    config.ssl = tls
    return _Server(config, stopping)


def serve(
    emulator: Emulator,
    listening: socket.socket,
    *,
    log: Callable[[dict[str, Any]], None] | None = None,
    allowed_hosts: Iterable[str] = (),
    tls: ssl.SSLContext | None = None,
) -> None:
    """Serve on this socket until SIGINT or SIGTERM, then return."""
    for number in (signal.SIGINT, signal.SIGTERM):
        # uvicorn catches these while it runs and raises them again afterwards, which would end the
        # process with an error, although the server has already stopped.
        signal.signal(number, lambda _number, _frame: None)
    emulator.keep_as_start()
    server = _server(emulator, log=log, allowed_hosts=allowed_hosts, tls=tls)
    asyncio.run(server.serve(sockets=[listening]))


@contextlib.contextmanager
def running_emulator(emulator: Emulator | None = None) -> Iterator[RunningEmulator]:
    """Run an emulator on a free loopback port in a thread, for the duration of a ``with`` block.

    :param emulator: the emulator to serve; by default one with the demo instance
    :raises RuntimeError: it did not start or did not stop within 10 seconds
    """
    emulator = emulator or demo_emulator()
    emulator.keep_as_start()
    server = _server(emulator)
    with listen("127.0.0.1", 0) as listening:
        url = url_of(listening)
        thread = threading.Thread(
            target=lambda: asyncio.run(server.serve(sockets=[listening])), name="zapi-emulator", daemon=True
        )
        thread.start()
        try:
            if not server.ready.wait(10):
                raise RuntimeError("the emulator did not start within 10 seconds")
            yield RunningEmulator(url, emulator)
        finally:
            server.should_exit = True
            thread.join(10)
    if thread.is_alive():
        raise RuntimeError("the emulator did not stop within 10 seconds")
