"""A server that every subject of the calls is content with, and a network of settable length in front of it.

It runs in a process of its own, so that its processor time is nobody's: ``with CallServer(tls=True) as server``.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.request import urlopen

import certifi
import trustme

#: Z-API's answer, and what Slack's (``ok``), Telegram's (``ok``, ``result``) and Discord's (nothing) clients look for.
ANSWER = json.dumps(
    {"success": True, "ok": True, "result": {"message_id": 1, "date": 1, "chat": {"id": 1, "type": "private"}}}
).encode()


class CallServer:
    """The server, started and stopped with the ``with`` block.

    :param tls: whether it speaks TLS
    :param round_trip: seconds that a packet takes to the server and back
    """

    def __init__(self, *, tls: bool, round_trip: float = 0) -> None:
        self._tls = tls
        self._round_trip = round_trip

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory()
        #: What subjects trust: as many authorities as everybody does, and the server's.
        self.ca_file = Path(self._folder.name, "ca.pem")
        certificate = Path(self._folder.name, "server.pem")
        authority = trustme.CA()
        self.ca_file.write_bytes(Path(certifi.where()).read_bytes() + authority.cert_pem.bytes())
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(certificate))
        command = [
            sys.executable,
            "-m",
            "benchmarks.server",
            str(certificate) if self._tls else "",
            str(self._round_trip),
        ]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        port, self._count_port = self._process.stdout.readline().split()
        self.url = f"{'https' if self._tls else 'http'}://127.0.0.1:{port}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.communicate()
        self._folder.cleanup()

    def counts(self) -> dict[str, int]:
        """Return how many connections were made to it, and how many requests it answered."""
        with urlopen(f"http://127.0.0.1:{self._count_port}/counts", timeout=10) as answer:
            counts: dict[str, int] = json.loads(answer.read())
        return counts


async def serve(certificate: str, round_trip: float) -> None:
    """Listen, print the ports, and answer until the process is ended."""
    counts = {"connections": 0, "requests": 0}
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        await answer(writer, json.dumps(counts).encode())
        writer.close()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        counts["connections"] += 1
        while await read_request(reader):
            counts["requests"] += 1
            await answer(writer, ANSWER)
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=context)
    port = behind = server.sockets[0].getsockname()[1]
    if round_trip:

        async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            # Loopback has made the TCP connection already, for which a network would need a round trip.
            await asyncio.sleep(round_trip)
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", behind)
            await asyncio.gather(pump(reader, far_writer, round_trip / 2), pump(far_reader, writer, round_trip / 2))

        front = await asyncio.start_server(relay, "127.0.0.1", 0)
        port = front.sockets[0].getsockname()[1]
    counter = await asyncio.start_server(count, "127.0.0.1", 0)
    sys.stdout.write(f"{port} {counter.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


async def read_request(reader: asyncio.StreamReader) -> bool:
    """Read a request to its end; return whether there was one."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        _, found, rest = head.partition(b"content-length:")
        await reader.readexactly(int(rest.split(b"\r\n", 1)[0]) if found else 0)
    except (asyncio.IncompleteReadError, OSError):
        return False
    return True


async def answer(writer: asyncio.StreamWriter, body: bytes) -> None:
    """Write an answer."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float) -> None:
    """Pass on what arrives, each piece after a delay."""
    loop = asyncio.get_running_loop()
    while piece := await reader.read(65536):
        loop.call_later(delay, writer.write, piece)
    loop.call_later(delay, writer.close)


def connections(url: str) -> dict[str, str]:
    """Return the Airflow connections of all subjects, as JSON by their ids."""
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
