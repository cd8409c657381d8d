"""The parts of behaviours: well-formed answers, and the pieces that break them."""

from __future__ import annotations

import datetime
import functools
import http
import json
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import format_datetime

from tests.faults.server import Behaviour, Received, Wire, on_request

#: A constant string, or a function of the request.
Text = str | Callable[[Received], str]
Fields = tuple[tuple[str, Text], ...]
Clock = Callable[[], datetime.datetime]

SUCCESS = b'{"success": true}'
JSON = (("Content-Type", "application/json"),)
HTML = (("Content-Type", "text/html; charset=utf-8"),)
#: The size of a body that is larger than every limit, in bytes.
HUGE = 200_000_000
MIB = 1 << 20


def head(status: int = 200, *fields: tuple[str, str], reason: str | None = None) -> bytes:
    """Return the head of an answer, with only the given fields and with the empty line at its end."""
    phrase = http.HTTPStatus(status).phrase if reason is None else reason
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in fields)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


@dataclass(frozen=True)
class Answer:
    """Send a complete answer with the right Content-Length, and keep the connection open."""

    status: int = 200
    body: bytes | Callable[[Received], bytes] = SUCCESS
    headers: Fields = JSON
    reason: Text | None = None

    def __call__(self, wire: Wire) -> None:
        request = wire.request
        body = self.body(request) if callable(self.body) else self.body
        reason = self.reason(request) if callable(self.reason) else self.reason
        fields = [(name, value(request) if callable(value) else value) for name, value in self.headers]
        if self.status != http.HTTPStatus.NO_CONTENT:
            fields.append(("Content-Length", str(len(body))))
        wire.send(head(self.status, *fields, reason=reason) + body)


@dataclass(frozen=True)
class Send:
    """Send these bytes."""

    data: bytes

    def __call__(self, wire: Wire) -> None:
        wire.send(self.data)


@dataclass(frozen=True)
class Drip:
    """Send these bytes one at a time, ``interval`` seconds apart."""

    data: bytes
    interval: float

    def __call__(self, wire: Wire) -> None:
        for position in range(len(self.data)):
            wire.send(self.data[position : position + 1])
            wire.wait(self.interval)


@dataclass(frozen=True)
class Repeat:
    """Send the same piece repeatedly, ``interval`` seconds apart, until the connection ends."""

    piece: bytes
    interval: float

    def __call__(self, wire: Wire) -> None:
        while True:
            wire.send(self.piece)
            wire.wait(self.interval)


@dataclass(frozen=True)
class Flood:
    """Send a JSON success that is padded with spaces to ``size`` bytes, without holding it in memory."""

    size: int

    def __call__(self, wire: Wire) -> None:
        wire.send(SUCCESS[:-1])
        left = self.size - len(SUCCESS)
        block = b" " * MIB
        while left:
            piece = block[:left]
            wire.send(piece)
            left -= len(piece)
        wire.send(SUCCESS[-1:])


@dataclass(frozen=True)
class Tunnel:
    """Act as a proxy: connect the client of a CONNECT request to ``port``, or to the requested port.

    The tunnel ends at 127.0.0.1, whichever host was requested.
    """

    port: int | None = None

    def __call__(self, wire: Wire) -> None:
        if wire.request.method != "CONNECT":
            return Answer(405, b"")(wire)
        port = self.port or int(wire.request.target.rpartition(":")[2])
        return wire.relay(port, greeting=head(200, reason="Connection established"))


def answer(
    status: int = 200,
    body: bytes | Callable[[Received], bytes] = SUCCESS,
    headers: Fields = JSON,
    reason: Text | None = None,
) -> Behaviour:
    """Return a behaviour that sends one well-formed answer."""
    return on_request(Answer(status, body, headers, reason))


def good(payload: object = None, status: int = 200) -> Behaviour:
    """Return a behaviour that sends a good answer with this JSON, or with ``{"success": true}`` by default."""
    return answer(status, SUCCESS if payload is None else json.dumps(payload).encode())


def fin(wire: Wire) -> None:
    """Close cleanly."""
    wire.fin()


def reset(wire: Wire) -> None:
    """Close with a TCP reset."""
    wire.reset()


def hold(wire: Wire) -> None:
    """Stay silent until the client closes."""
    wire.hold()


def chunk(data: bytes) -> bytes:
    """Return one chunk of a chunked body. Without data, it is the last chunk."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def utc_now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def http_date(seconds: float, clock: Clock = utc_now) -> Callable[[Received], str]:
    """Return an HTTP date relative to the time of the answer: this many seconds after it, or before it if negative."""

    def text(_: Received) -> str:
        return format_datetime(clock() + datetime.timedelta(seconds=seconds), usegmt=True)

    return text


@functools.cache
def gzip_bomb() -> bytes:
    """Return a few hundred kilobytes that expand to a padded JSON success of more than ``HUGE`` bytes.

    This is fast, because it repeats one compressed block. Full flushes around the block make that possible.
    """
    compressor = zlib.compressobj(level=9, wbits=-15)
    texts = (SUCCESS[:-1], b" " * MIB, SUCCESS[-1:])
    flushes = (zlib.Z_FULL_FLUSH, zlib.Z_FULL_FLUSH, zlib.Z_FINISH)
    counts = (1, HUGE // MIB + 1, 1)
    header = b"\x1f\x8b\x08" + bytes(6) + b"\xff"
    pieces, checksum, size = [header], 0, 0
    for text, flush, count in zip(texts, flushes, counts, strict=True):
        pieces.append((compressor.compress(text) + compressor.flush(flush)) * count)
        size += len(text) * count
        for _ in range(count):
            checksum = zlib.crc32(text, checksum)
    return b"".join([*pieces, struct.pack("<II", checksum, size)])
