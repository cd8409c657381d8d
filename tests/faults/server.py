"""A server on raw sockets that plays one behaviour after the other, wrong ones included.

Written on sockets rather than on an HTTP library because it must be able to stop, reset or lie at any byte.
It listens on 127.0.0.1 alone. Each connection ends after ``lifetime`` seconds at the latest, or when the
server closes.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import ssl

#: Longest life of one connection, in seconds, whatever its behaviour does.
LIFETIME = 60.0
#: A request's head may be this long; no client of ours comes near.
MAX_HEAD = 1 << 20
#: Seconds that a clean close waits for the client's own close. Closing with unread data would send a reset.
FIN_PATIENCE = 1.0
#: Seconds before a reset: one that overtakes connecting or reading looks different from client to client.
RESET_DELAY = 0.02

BLOCK = 1 << 16


@dataclass(frozen=True)
class Received:
    """One request as it came over the wire."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    #: Request line and headers, with the empty line that ends them.
    head: bytes
    #: Which connection brought it, counted from 1.
    connection: int

    def header(self, name: str) -> str | None:
        """The first header of that name, in any case of letters."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


Step = Callable[["Wire"], None]


@dataclass(frozen=True)
class Behaviour:
    """What the server does with one request, or with a connection before it reads anything (even TLS)."""

    steps: tuple[Step, ...]
    before_request: bool = False


def on_request(*steps: Step) -> Behaviour:
    """A behaviour that reads a request first."""
    return Behaviour(steps)


def on_connect(*steps: Step) -> Behaviour:
    """A behaviour that acts on the bare connection, before a TLS handshake and before a request.

    When its steps leave the connection open, requests on it are served by the behaviours that follow.
    """
    return Behaviour(steps, before_request=True)


class Wire:
    """One accepted connection, as the steps of a behaviour see it."""

    def __init__(self, server: FaultServer, sock: socket.socket, number: int) -> None:
        self.number = number
        self.is_open = True
        self._server = server
        self._sock = sock
        self._request: Received | None = None
        self._deadline = time.monotonic() + server.lifetime

    @property
    def request(self) -> Received:
        """The request under way; an error for a behaviour that acts before one is read."""
        if self._request is None:
            raise RuntimeError("this behaviour acts before a request is read")
        return self._request

    def play(self, behaviour: Behaviour) -> None:
        for step in behaviour.steps:
            step(self)

    def start_tls(self, context: ssl.SSLContext) -> None:
        self._sock = context.wrap_socket(self._sock, server_side=True, do_handshake_on_connect=False)
        self._server.adopt(self._sock)
        self._limit()
        self._sock.do_handshake()

    def send(self, data: bytes) -> None:
        self._limit()
        self._sock.sendall(data)

    def receive(self) -> bytes:
        """What has come, or nothing once the client has closed."""
        self._limit()
        return self._sock.recv(BLOCK)

    def read_request(self) -> Received | None:
        """The next request, or None once the client has closed. Bodies are read by Content-Length alone."""
        data = b""
        while b"\r\n\r\n" not in data:
            block = self.receive()
            if not block or len(data) > MAX_HEAD:
                return None
            data += block
        head, _, body = data.partition(b"\r\n\r\n")
        request_line, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = request_line.split(" ", 2)
        headers = tuple((name, value.strip()) for name, _, value in (line.partition(":") for line in lines))
        request = Received(method, target, headers, body, head + b"\r\n\r\n", self.number)
        missing = int(request.header("Content-Length") or 0) - len(body)
        blocks = [body]
        while missing > 0:
            block = self.receive()
            if not block:
                return None
            blocks.append(block)
            missing -= len(block)
        self._request = Received(method, target, headers, b"".join(blocks), request.head, self.number)
        return self._request

    def wait(self, seconds: float) -> None:
        """Let time pass; closing the server ends it."""
        self._limit()
        if self._server.closing.wait(min(seconds, self._deadline - time.monotonic())):
            raise ConnectionAbortedError

    def hold(self) -> None:
        """Say nothing until the client closes."""
        while self.receive():
            pass
        self.close()

    def fin(self) -> None:
        """Close cleanly; under TLS without a close_notify, so that the stream is cut off by a bare FIN."""
        self.is_open = False
        # The methods of the plain socket, because those of an SSL socket would touch its TLS state.
        socket.socket.shutdown(self._sock, socket.SHUT_WR)
        until = time.monotonic() + FIN_PATIENCE
        self._sock.settimeout(FIN_PATIENCE)
        while socket.socket.recv(self._sock, BLOCK) and time.monotonic() < until:
            pass
        self.close()

    def reset(self) -> None:
        """Close with a TCP reset, once the client has had the time to read what was sent before it."""
        self.wait(RESET_DELAY)
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        self.is_open = False
        self._sock.close()

    def relay(self, port: int, greeting: bytes) -> None:
        """Tunnel to a port of this machine after sending ``greeting``, until either side closes."""
        with socket.create_connection(("127.0.0.1", port), timeout=5) as upstream:
            self._server.adopt(upstream)
            self.send(greeting)
            pairs = {self._sock: upstream, upstream: self._sock}
            while True:
                readable, _, _ = select.select(list(pairs), [], [], self._limit())
                for source in readable:
                    data = source.recv(BLOCK)
                    if not data:
                        return self.fin()
                    pairs[source].sendall(data)

    def _limit(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(left)
        return left


class FaultServer:
    """Plays the behaviours in their order, one a request (or a connection); the last one repeats.

    Use it as a context manager. ``requests`` holds every request that was read whole, from before its
    behaviour acts; ``connections`` counts accepted connections, those that brought no request included.
    """

    def __init__(self, *behaviours: Behaviour, tls: ssl.SSLContext | None = None, lifetime: float = LIFETIME) -> None:
        if not behaviours:
            raise ValueError("a server needs at least one behaviour")
        self.lifetime = lifetime
        self.requests: list[Received] = []
        self.connections = 0
        self.closing = threading.Event()
        self._behaviours = list(behaviours)
        self._tls = tls
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End every connection and thread, wherever it is, within a second."""
        with self._lock:
            self.closing.set()
            for sock in (self._listener, *self._sockets):
                # Unlike closing, this wakes a thread that blocks on it. It fails on a closed socket.
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)
        until = time.monotonic() + 1
        for thread in self._threads:
            thread.join(max(0, until - time.monotonic()))
        self._listener.close()
        left = [thread.name for thread in self._threads if thread.is_alive()]
        if left:
            raise RuntimeError(f"threads left behind: {left}")

    def adopt(self, sock: socket.socket) -> None:
        """Have this socket shut down when the server closes."""
        with self._lock:
            if self.closing.is_set():
                raise ConnectionAbortedError
            self._sockets.add(sock)

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, name=f"fault-server-{self.port}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        # Accepting fails once close() has shut the listener down.
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                # Bytes must leave when they are sent: a reset drops what still waits in the socket.
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with self._lock:
                    if self.closing.is_set():
                        return sock.close()
                    self.connections += 1
                    self._sockets.add(sock)
                    self._start(self._serve, sock, self.connections)

    def _serve(self, sock: socket.socket, number: int) -> None:
        wire = Wire(self, sock, number)
        # The client left, the time is over, a handshake failed, the server closes: all end the connection.
        with contextlib.suppress(OSError), contextlib.closing(wire):
            behaviour = self._take_before_request()
            if behaviour:
                wire.play(behaviour)
            if wire.is_open and self._tls:
                wire.start_tls(self._tls)
            while wire.is_open and (request := wire.read_request()):
                with self._lock:
                    self.requests.append(request)
                    behaviour = self._take()
                wire.play(behaviour)

    def _take_before_request(self) -> Behaviour | None:
        with self._lock:
            return self._take() if self._behaviours[0].before_request else None

    def _take(self) -> Behaviour:
        return self._behaviours.pop(0) if len(self._behaviours) > 1 else self._behaviours[0]


@contextlib.contextmanager
def dead_port() -> Iterator[int]:
    """A port that refuses connections: held, so that nobody else can listen on it meanwhile."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]
