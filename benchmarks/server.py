"""A server with answers that all subjects accept, and a network with a given latency in front of it.

It runs in its own process, so that its processor time does not count: ``with CallServer(tls=True) as server``.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import certifi
import trustme

#: Z-API's answer, with the keys that the clients of Slack (``ok``) and Telegram (``ok``, ``result``) need. Discord's
#: client needs none.
BODY = json.dumps(
    {"success": True, "ok": True, "result": {"message_id": 1, "date": 1, "chat": {"id": 1, "type": "private"}}}
)
ANSWER = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n{BODY}".encode()


class CallServer:
    """The server, which runs during a ``with`` block.

    :param tls: whether it uses TLS
    :param round_trip: the time of a packet to the server and back, in seconds
    """

    def __init__(self, *, tls: bool, round_trip: float = 0) -> None:
        self._tls = tls
        self._round_trip = round_trip

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory()
        #: The authorities that subjects trust: the usual ones, and the server's.
        self.ca_file = Path(self._folder.name, "ca.pem")
        certificate = Path(self._folder.name, "server.pem")
        authority = trustme.CA()
        self.ca_file.write_bytes(Path(certifi.where()).read_bytes() + authority.cert_pem.bytes())
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(certificate))
        options = [str(certificate) if self._tls else "", str(self._round_trip)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.server", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.url = f"{'https' if self._tls else 'http'}://127.0.0.1:{self._told()}"
        return self

    def _told(self) -> int:
        if self._process.stdout is None:
            raise RuntimeError("it is a pipe")
        return int(self._process.stdout.readline())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()  # it ends at the end of its input
        self._folder.cleanup()

    def connections(self) -> int:
        """Return how many TCP connections the server has accepted."""
        if self._process.stdin is None:
            raise RuntimeError("it is a pipe")
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._told()


class Answering:
    """Answer on blocking sockets, one thread for each. This is fast, because a slow server would hide differences."""

    def __init__(self, certificate: str) -> None:
        self.connections = 0
        self._context = None
        if certificate:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(certificate)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            talking = self._context.wrap_socket(connection, server_side=True) if self._context else connection
            with talking:
                while read_request(talking):
                    talking.sendall(ANSWER)


def read_request(connection: socket.socket) -> bool:
    """Read a request to its end, and return whether there was one."""
    data = b""
    while True:
        head, ended, body = data.partition(b"\r\n\r\n")
        if ended:
            _, found, rest = head.lower().partition(b"content-length:")
            if len(body) >= (int(rest.split(b"\r\n", 1)[0]) if found else 0):
                return True
        piece = connection.recv(65536)
        if not piece:
            return False
        data += piece


async def serve(certificate: str, round_trip: float) -> None:
    """Listen, print the port, answer requests, and print the number of connections for each line of input."""
    answering = Answering(certificate)
    port = answering.port
    if round_trip:

        async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            # On loopback the TCP connection already exists. On a network it would need a round trip.
            await asyncio.sleep(round_trip)
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", answering.port)
            await asyncio.gather(pump(reader, far_writer, round_trip / 2), pump(far_reader, writer, round_trip / 2))

        front = await asyncio.start_server(relay, "127.0.0.1", 0)
        port = front.sockets[0].getsockname()[1]
    answers: object = port
    while True:
        sys.stdout.write(f"{answers}\n")
        sys.stdout.flush()
        if not await asyncio.to_thread(sys.stdin.readline):
            os._exit(0)  # the relays still wait for data, and would print errors
        answers = answering.connections


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float) -> None:
    """Forward incoming data, each piece after a delay."""
    loop = asyncio.get_running_loop()
    while piece := await reader.read(65536):
        loop.call_later(delay, writer.write, piece)
    loop.call_later(delay, writer.close)


def connections(url: str) -> dict[str, str]:
    """Return the Airflow connections of all subjects as JSON, by id."""
    connections: dict[str, dict[str, Any]] = {
        "zapi": {"host": url, "login": "demo-instance", "password": "demo-token"},
        "http": {"host": url},
        "slack": {"password": "demo-token", "extra": {"base_url": f"{url}/"}},
        "telegram": {"password": "demo-token", "host": "1"},
        "discord": {"host": url, "extra": {"webhook_endpoint": "webhooks/1/demo-token"}},
    }
    return {name: json.dumps({"conn_type": name, **fields}) for name, fields in connections.items()}


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], float(sys.argv[2])))
