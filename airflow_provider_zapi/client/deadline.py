"""End connections at a deadline, and add the secrets of a request only when it is sent.

A read timeout restarts with every byte. A server that sends one byte a second can therefore hold a caller for hours, in
the headers or the body. Here, each wait for bytes ends at the deadline.

Tracing and error reporting read a request's address and headers wherever a library keeps them: in arguments,
attributes or the local variables of a traceback. So `requests`, `urllib3` and `http.client` get a request without
secrets, and the connection adds them to the bytes that it sends.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
from collections.abc import Callable
from typing import Any, cast

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from airflow_provider_zapi.client.targets import Target

__all__ = ["CancelledError", "Deadline", "DeadlineAdapter"]


class CancelledError(OSError):
    """The call was cancelled before its request was sent."""


class Deadline:
    """The time at which the current call must end. Connections share it.

    :param clock: seconds, monotonic
    :param cancelled: returns whether sending has stopped
    """

    def __init__(self, clock: Callable[[], float], cancelled: Callable[[], bool] = lambda: False) -> None:
        self.cancelled = cancelled
        self._clock = clock
        self._end = float("inf")

    def start(self, seconds: float) -> None:
        """Start a call that may take ``seconds``."""
        self._end = self._clock() + seconds

    def remaining(self) -> float:
        """Return the seconds that are left, or 0 or less after the deadline."""
        return self._end - self._clock()


class DeadlineAdapter(HTTPAdapter):
    """An adapter for `requests` that ends every read at a deadline. It does not retry.

    It keeps one connection, and handles one call at a time.

    :param deadline: limits the reads of each call, until `serve` changes it
    :param ssl_context: verifies the server of a TLS connection
    :param target: has the secrets to add to each request, until `serve` changes it
    """

    def __init__(self, deadline: Deadline, ssl_context: ssl.SSLContext, target: Target) -> None:
        self._ssl_context = ssl_context
        self._served = _Served(deadline, target)
        self._pool_classes = {
            "http": _pool_class(HTTPConnectionPool, HTTPConnection, self._served),
            "https": _pool_class(HTTPSConnectionPool, HTTPSConnection, self._served),
        }
        super().__init__(pool_connections=1, pool_maxsize=1)

    def serve(self, deadline: Deadline, target: Target) -> None:
        """Use this deadline and target for the next calls, over the same connection."""
        self._served.deadline, self._served.target = deadline, target

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Open direct connections with this adapter's classes and context."""
        super().init_poolmanager(*args, ssl_context=self._ssl_context, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pool_classes

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Open connections through a proxy with the same classes and context."""
        manager = super().proxy_manager_for(proxy, ssl_context=self._ssl_context, **kwargs)
        manager.pool_classes_by_scheme = self._pool_classes
        return manager


class _Served:
    """The deadline and target of the current call. Its ``repr`` shows neither."""

    def __init__(self, deadline: Deadline, target: Target) -> None:
        self.deadline = deadline
        self.target = target


def _pool_class(pool: type[Any], connection: type[Any], served: _Served) -> type[Any]:
    def response(sock: socket.socket, *args: Any, **kwargs: Any) -> http.client.HTTPResponse:
        # HTTPResponse only asks its socket for the file to read.
        return _Response(cast(socket.socket, _TimedSocket(sock, served.deadline)), *args, **kwargs)

    class Connection(connection):  # type: ignore[misc]  # HTTPConnection or HTTPSConnection
        response_class = staticmethod(response)
        #: Never print requests, even if the process does, because answers may repeat what was sent.
        debuglevel = 0
        _head_due = False

        def putrequest(self, *args: Any, **kwargs: Any) -> None:
            super().putrequest(*args, **kwargs)
            self._head_due = True

        def send(self, data: Any) -> None:
            if not self._head_due:
                super().send(data)
                return
            # A new connection first sends its own bytes, such as CONNECT to a proxy, without secrets.
            self._head_due = False
            if self.sock is None:
                self.connect()
            # Opening a connection takes seconds if the network is slow, and the task may be killed during that time.
            if served.deadline.cancelled():
                raise CancelledError
            super().send(_with_secrets(data, served.target))

    Connection.__name__ = Connection.__qualname__ = connection.__name__
    return type(pool.__name__, (pool,), {"ConnectionCls": Connection})


def _with_secrets(head: bytes, target: Target) -> memoryview:
    """Return a request's head with the secrets, as a memoryview, because a traceback would show bytes."""
    method, rest = head.split(b" ", 1)
    # The headers go before the empty line that ends the head.
    pieces = [method, b" ", target.path_prefix.encode(), rest[:-2]]
    for name, value in target.secret_headers.items():
        pieces.append(f"{name}: {value}\r\n".encode())
    return memoryview(b"".join((*pieces, b"\r\n")))


class _Response(http.client.HTTPResponse):
    def begin(self) -> None:
        super().begin()
        # Drop the server's reason phrase. Nothing here reads it, and tracing would store the secrets that it repeats.
        self.reason = ""


class _TimedSocket:
    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_TimedReader(self._sock, self._deadline))


class _TimedReader(io.RawIOBase):
    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline
        self._read_timeout = sock.gettimeout()
        self._file = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        remaining = self._deadline.remaining()
        if remaining <= 0:
            raise TimeoutError("the call's deadline has passed")
        self._sock.settimeout(remaining if self._read_timeout is None else min(self._read_timeout, remaining))
        return self._file.readinto(buffer)

    def close(self) -> None:
        self._file.close()
        super().close()
