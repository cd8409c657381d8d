"""A server for an account with a given number of instances. It answers every call after the same time, over TLS.

It runs in its own process, so that its processor time does not count: ``with FleetServer(1000, 0.15) as server``.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs

import trustme

#: The integrator token.
TOKEN = "demo-partner-token"  # noqa: S105 - the server takes any


class FleetServer:
    """The server, which runs during a ``with`` block.

    :param numbers: the number of instances in the account
    :param latency: seconds from a request to its answer
    """

    def __init__(self, numbers: int, latency: float) -> None:
        self._numbers = numbers
        self._latency = latency

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory()
        self.ca_file = Path(self._folder.name, "ca.pem")
        certificate = Path(self._folder.name, "server.pem")
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(self.ca_file))
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(certificate))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.fleet_server", str(certificate), str(self._numbers), str(self._latency)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        if self._process.stdout is None:
            raise RuntimeError("it is a pipe")
        self.url = f"https://127.0.0.1:{int(self._process.stdout.readline())}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()  # it ends at the end of its input
        self._folder.cleanup()


def page(numbers: int, query: str) -> bytes:
    """Return a page of the list of instances."""
    given = parse_qs(query)
    number, size = int(given["page"][0]), int(given["pageSize"][0])
    rows = [
        {
            "id": f"number-{index}",
            "token": f"demo-token-{index}",
            "name": f"Store {index}",
            "due": 4_102_444_800_000,
            "paymentStatus": "PAID",
            "phoneConnected": True,
            "whatsappConnected": True,
            **{f"callback{one}Url": f"https://hooks.example/{index}/{one}" for one in range(8)},
        }
        for index in range((number - 1) * size, min(number * size, numbers))
    ]
    pages = -(-numbers // size)
    return json.dumps(
        {"total": numbers, "totalPage": pages, "pageSize": size, "page": number, "content": rows}
    ).encode()


async def serve(certificate: str, numbers: int, latency: float) -> None:
    """Listen, print the port, and answer calls until the input ends."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while head := (await reader.readuntil(b"\r\n\r\n")).decode():
                _, found, rest = head.lower().partition("content-length:")
                await reader.readexactly(int(rest.split("\r\n", 1)[0]) if found else 0)
                path, _, query = head.split(" ", 2)[1].partition("?")
                body = page(numbers, query) if path == "/instances" else b'{"success": true}'
                await asyncio.sleep(latency)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=context)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    os._exit(0)  # the connections still wait for data, and would print errors


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
