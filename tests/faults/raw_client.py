"""A client on raw sockets, to check exactly what a server sends."""

from __future__ import annotations

import socket

from tests.faults.server import Behaviour, FaultServer

TARGET = "/instances/demo/token/demo-token/privacy/last-seen"
CLIENT_TOKEN = "canary/+=%"
REQUEST = (
    f"POST {TARGET} HTTP/1.1\r\nHost: z\r\nClient-Token: {CLIENT_TOKEN}\r\n".encode() + b"Content-Length: 2\r\n\r\n{}"
)
#: An answer: status, reason phrase, headers and body.
Read = tuple[int, str, dict[str, str], bytes]
#: Long enough for loopback, and short enough for every test that waits for silence.
QUIET = 0.2


def connect(port: int, timeout: float = 5.0) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=timeout)


def read_until_end(sock: socket.socket, limit: int = 1 << 20) -> tuple[bytes, str]:
    """Return the received bytes, and how they ended: fin, reset, silence or flood (more than the limit)."""
    data = bytearray()
    while len(data) <= limit:
        try:
            block = sock.recv(1 << 16)
        except ConnectionResetError:
            return bytes(data), "reset"
        except TimeoutError:
            return bytes(data), "silence"
        if not block:
            return bytes(data), "fin"
        data += block
    return bytes(data), "flood"


def send_and_read(sock: socket.socket) -> tuple[bytes, str]:
    """Send the request, and read to the end. If the connection is reset early, sending may already fail."""
    try:
        sock.sendall(REQUEST)
    except (ConnectionResetError, BrokenPipeError):
        return b"", "reset"
    return read_until_end(sock)


def ask(behaviour: Behaviour) -> tuple[bytes, str]:
    """Return what one behaviour sends for one request on a new connection."""
    with FaultServer(behaviour) as server, connect(server.port, QUIET) as sock:
        return send_and_read(sock)


def read_answer(sock: socket.socket) -> Read:
    """Read one answer, with a body if it has a Content-Length."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(sock)
    head, _, body = data.partition(b"\r\n\r\n")
    line, *fields = head.decode("latin-1").split("\r\n")
    headers = {name: value.strip() for name, _, value in (field.partition(":") for field in fields)}
    while len(body) < int(headers.get("Content-Length", 0)):
        body += _more(sock)
    _, status, reason = line.split(" ", 2)
    return int(status), reason, headers, body


def _more(sock: socket.socket) -> bytes:
    data = sock.recv(1 << 16)
    if not data:
        raise EOFError("the answer ends early")
    return data


def answers(behaviours: dict[str, Behaviour]) -> dict[str, Read]:
    """Return each row's answer, all over one connection."""
    read = {}
    with FaultServer(*behaviours.values()) as server, connect(server.port) as sock:
        for name in behaviours:
            sock.sendall(REQUEST)
            read[name] = read_answer(sock)
        assert len(server.requests) == len(behaviours)
        assert server.connections == 1
    return read
