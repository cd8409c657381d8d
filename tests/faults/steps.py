"""What behaviours are made of: answers, well formed, and the pieces that break them."""

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

#: A text that is the same every time, or one that depends on the request or on the time.
Text = str | Callable[[Received], str]
Fields = tuple[tuple[str, Text], ...]
Clock = Callable[[], datetime.datetime]

SUCCESS = b'{"success": true}'
JSON = (("Content-Type", "application/json"),)
HTML = (("Content-Type", "text/html; charset=utf-8"),)
#: Bytes of a body that outgrows every cap.
HUGE = 200_000_000
MIB = 1 << 20


def head(status: int = 200, *fields: tuple[str, str], reason: str | None = None) -> bytes:
    """The head of an answer, with the empty line that ends it and no field beyond those given."""
    phrase = http.HTTPStatus(status).phrase if reason is None else reason
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in fields)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


@dataclass(frozen=True)
class Answer:
    """A whole answer with the right Content-Length; the connection stays open."""

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
    """These bytes, whatever they are."""

    data: bytes

    def __call__(self, wire: Wire) -> None:
        wire.send(self.data)


@dataclass(frozen=True)
class Drip:
    """These bytes, one at a time, ``interval`` seconds apart."""

    data: bytes
    interval: float

    def __call__(self, wire: Wire) -> None:
        for position in range(len(self.data)):
            wire.send(self.data[position : position + 1])
            wire.wait(self.interval)


@dataclass(frozen=True)
class Repeat:
    """The same piece again and again, ``interval`` seconds apart, until the connection ends."""

    piece: bytes
    interval: float

    def __call__(self, wire: Wire) -> None:
        while True:
            wire.send(self.piece)
            wire.wait(self.interval)


@dataclass(frozen=True)
class Flood:
    """A JSON success padded with spaces to ``size`` bytes, made while it is sent."""

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
    """A proxy's part: connect the client of a CONNECT request with ``port``, or with the port it asked for.

    Whatever host is asked for, the tunnel ends at 127.0.0.1.
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
    """A behaviour that is one well-formed answer."""
    return on_request(Answer(status, body, headers, reason))


def good(payload: object = None, status: int = 200) -> Behaviour:
    """A plain good answer with this JSON; without one, ``{"success": true}``."""
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
    """One chunk of a chunked body; without data, the one that ends it."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def utc_now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def http_date(seconds: float, clock: Clock = utc_now) -> Callable[[Received], str]:
    """An HTTP date so many seconds after (if negative, before) the clock's time when the answer is sent."""

    def text(_: Received) -> str:
        return format_datetime(clock() + datetime.timedelta(seconds=seconds), usegmt=True)

    return text


@functools.cache
def gzip_bomb() -> bytes:
    """A few hundred kilobytes that expand to a padded JSON success of more than ``HUGE`` bytes.

    Made in the time of an answer: one compressed block is repeated, which full flushes around it allow.
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
