"""A server on raw sockets that plays behaviours in turn, including wrong ones.

It does not use an HTTP library, because it must be able to stop, reset or send wrong data at any byte. It listens only on
127.0.0.1. Each connection ends after at most ``lifetime`` seconds, or when the server closes.
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

#: The longest life of one connection, in seconds, for every behaviour.
LIFETIME = 60.0
#: The longest head of a request. Our clients send much shorter ones.
MAX_HEAD = 1 << 20
#: How long a clean close waits for the client to close, in seconds. Closing with unread data would send a reset.
FIN_PATIENCE = 1.0
#: The wait before a reset, in seconds. If a reset came earlier, each client would report it differently.
RESET_DELAY = 0.02

BLOCK = 1 << 16


@dataclass(frozen=True)
class Received:
    """One request, as it was received."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    #: Request line and headers, with the empty line that ends them.
    head: bytes
    #: Which connection brought it, counted from 1.
    connection: int

    def header(self, name: str) -> str | None:
        """Return the first header of that name. Upper and lower case do not matter."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


Step = Callable[["Wire"], None]


@dataclass(frozen=True)
class Behaviour:
    """The server's reaction to one request, or to a connection before it reads anything (even TLS)."""

    steps: tuple[Step, ...]
    before_request: bool = False


def on_request(*steps: Step) -> Behaviour:
    """Return a behaviour that reads a request first."""
    return Behaviour(steps)


def on_connect(*steps: Step) -> Behaviour:
    """Return a behaviour that acts on the bare connection, before a TLS handshake and before a request.

    If its steps leave the connection open, the next behaviours answer the requests on it.
    """
    return Behaviour(steps, before_request=True)


class Wire:
    """One accepted connection, for the steps of a behaviour."""

    def __init__(self, server: FaultServer, sock: socket.socket, number: int) -> None:
        self.number = number
        self.is_open = True
        self._server = server
        self._sock = sock
        self._request: Received | None = None
        self._deadline = time.monotonic() + server.lifetime

    @property
    def request(self) -> Received:
        """The current request. It is an error to use it in a behaviour that acts before a request is read."""
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
        """Return the received bytes, or none if the client has closed."""
        self._limit()
        return self._sock.recv(BLOCK)

    def read_request(self) -> Received | None:
        """Return the next request, or None if the client has closed. The body is read by its Content-Length only."""
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
        """Wait. Closing the server ends the wait."""
        self._limit()
        if self._server.closing.wait(min(seconds, self._deadline - time.monotonic())):
            raise ConnectionAbortedError

    def hold(self) -> None:
        """Send nothing until the client closes."""
        while self.receive():
            pass
        self.close()

    def fin(self) -> None:
        """Close cleanly; under TLS without a close_notify, so that the stream is cut off by a bare FIN."""
        self.is_open = False
        # Use the plain socket's methods, because the methods of an SSL socket would change its TLS state.
        socket.socket.shutdown(self._sock, socket.SHUT_WR)
        until = time.monotonic() + FIN_PATIENCE
        self._sock.settimeout(FIN_PATIENCE)
        while socket.socket.recv(self._sock, BLOCK) and time.monotonic() < until:
            pass
        self.close()

    def reset(self) -> None:
        """Close with a TCP reset, after the client has had time to read the data sent before."""
        self.wait(RESET_DELAY)
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        self.is_open = False
        self._sock.close()

    def relay(self, port: int, greeting: bytes) -> None:
        """Send ``greeting``, then tunnel to a port of this machine until one side closes."""
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
    """Plays the behaviours in their order, one for each request or connection. The last one repeats.

    Use it as a context manager. ``requests`` holds every request that was read completely, even before its behaviour
    acts. ``connections`` counts accepted connections, including those without a request.
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
        """End all connections and threads within a second."""
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
            raise RuntimeError(f"threads are still running: {left}")

    def adopt(self, sock: socket.socket) -> None:
        """Register a socket to shut down when the server closes."""
        with self._lock:
            if self.closing.is_set():
                raise ConnectionAbortedError
            self._sockets.add(sock)

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, name=f"fault-server-{self.port}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        # accept() fails after close() has shut down the listener.
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                # Send bytes at once, because a reset drops the bytes that still wait in the socket.
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with self._lock:
                    if self.closing.is_set():
                        return sock.close()
                    self.connections += 1
                    self._sockets.add(sock)
                    self._start(self._serve, sock, self.connections)

    def _serve(self, sock: socket.socket, number: int) -> None:
        wire = Wire(self, sock, number)
        # The connection ends if the client left, the time is over, a handshake failed or the server closes.
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
    """Reserve a port that refuses connections, so that no other process can listen on it during the test."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]
