"""The fault server does what its rows say. The tests use raw sockets, because an HTTP client would hide details."""

from __future__ import annotations

import re
import threading
import time
import tracemalloc
from typing import TYPE_CHECKING

import pytest
import requests

from tests.faults import (
    BODIES,
    FAULTS,
    GOOD,
    FaultServer,
    answer,
    dead_port,
    drip_body,
    drip_chunk_line,
    drip_headers,
    endless_interim,
    good,
)
from tests.faults.raw_client import (
    CLIENT_TOKEN,
    REQUEST,
    TARGET,
    ask,
    connect,
    read_answer,
    read_until_end,
    send_and_read,
)
from tests.faults.steps import HUGE, SUCCESS
from tests.faults.table import HALF_A_HEAD, WHOLE_HEAD

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    yield
    assert [thread.name for thread in threading.enumerate() if "fault-server" in thread.name] == []


CONNECTION_ENDS = {
    "silent_before_request": (b"", "silence"),
    "silent": (b"", "silence"),
    "silent_in_headers": (HALF_A_HEAD, "silence"),
    "silent_in_body": (WHOLE_HEAD + SUCCESS[:5], "silence"),
    "reset_before_request": (b"", "reset"),
    "reset": (b"", "reset"),
    "reset_in_headers": (HALF_A_HEAD, "reset"),
    "reset_after_headers": (WHOLE_HEAD, "reset"),
    "reset_in_body": (WHOLE_HEAD + SUCCESS[:5], "reset"),
    "fin_before_request": (b"", "fin"),
    "fin": (b"", "fin"),
    "fin_in_headers": (HALF_A_HEAD, "fin"),
    "fin_after_headers": (WHOLE_HEAD, "fin"),
    "fin_in_body": (WHOLE_HEAD + SUCCESS[:5], "fin"),
}


@pytest.mark.parametrize("name", CONNECTION_ENDS)
def test_a_connection_ends_as_its_row_says(name: str) -> None:
    assert ask(FAULTS[name]) == CONNECTION_ENDS[name]


#: For each row: how the answer ends, and a pattern for the whole answer.
FRAMING = {
    "length_too_short": ("fin", rb'Content-Length: 10\r\n\r\n{"success": true}$'),
    "length_too_long": ("fin", rb'Content-Length: 99\r\n\r\n{"success": true}$'),
    "length_negative": ("fin", rb"Content-Length: -1\r\n\r\n{"),
    "length_garbage": ("fin", rb"Content-Length: many\r\n\r\n{"),
    "chunk_size_bad": ("fin", rb"chunked\r\n\r\nzz\r\n"),
    "chunk_size_negative": ("fin", rb"chunked\r\n\r\n-5\r\n"),
    "chunk_cut": ("fin", rb'chunked\r\n\r\n11\r\n{"success":$'),
    "chunk_end_missing": ("fin", rb'chunked\r\n\r\n11\r\n{"success": true}\r\n$'),
    "headers_many": ("silence", rb"(?:X-Header-\d+: x\r\n){150}"),
    "header_huge": ("silence", rb"X-Huge: x{70000}\r\n"),
    "header_without_colon": ("fin", rb"\r\nno colon here\r\n\r\n$"),
    "status_line_bad": ("fin", rb"^HTTP/1.1 twohundred OK"),
    "not_http": ("fin", rb"^SSH-2.0-"),
    "binary": ("fin", rb"^\x00\x01\x02"),
    "interim_103": ("silence", rb"(?s)^HTTP/1.1 103 .*\r\n\r\nHTTP/1.1 200 .*\r\n\r\n{"),
    "redirect_300_without_location": ("silence", rb"^HTTP/1.1 300 (?!(?s:.*)Location)"),
    "redirect_302_without_location": ("silence", rb"^HTTP/1.1 302 (?!(?s:.*)Location)"),
    "status_204": ("silence", rb"^HTTP/1.1 204 (?!(?s:.*)Content-Length)(?s:.*)\r\n\r\n$"),
}


@pytest.mark.parametrize("name", FRAMING)
def test_a_broken_frame_is_broken_where_its_row_says(name: str) -> None:
    end, pattern = FRAMING[name]
    data, seen = ask(FAULTS[name])
    assert seen == end
    assert re.search(pattern, data)


GOOD_ENDS = {
    "good_chunked": ("silence", rb"chunked\r\n\r\n5\r\n.{5}\r\nc\r\n.{12}\r\n0\r\n\r\n$"),
    "good_until_close": ("fin", rb'json\r\n\r\n{"success": true}$'),
    "interim_100": ("silence", rb"^HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"),
    "connection_close": ("fin", rb"Connection: close\r\n"),
    "close_after_idle": ("fin", rb"Connection: keep-alive\r\n"),
    "reset_after_idle": ("reset", rb"Connection: keep-alive\r\n"),
    "stray_answer": ("silence", rb"(?s)^HTTP/1.1 200 .*true}HTTP/1.1 500 "),
}


@pytest.mark.parametrize("name", GOOD_ENDS)
def test_an_unusual_good_answer_is_unusual_as_its_row_says(name: str) -> None:
    end, pattern = GOOD_ENDS[name]
    data, seen = ask(GOOD[name])
    assert seen == end
    assert re.search(pattern, data)


@pytest.mark.parametrize("name", GOOD)
def test_a_plain_client_reads_every_good_row_as_a_success(name: str) -> None:
    with FaultServer(GOOD[name]) as server, requests.Session() as session:
        response = session.post(f"{server.url}{TARGET}", json={}, timeout=5)
    assert response.ok
    assert response.json()["success"] is True


def test_a_dead_port_refuses() -> None:
    with dead_port() as port, pytest.raises(ConnectionRefusedError):
        connect(port)


def test_requests_are_recorded_as_they_came() -> None:
    with FaultServer(good()) as server:
        for _ in range(2):
            with connect(server.port) as sock:
                for part in (REQUEST[:9], REQUEST[9:-1], REQUEST[-1:]):
                    sock.sendall(part)
                    time.sleep(0.01)
                read_answer(sock)
    assert [request.connection for request in server.requests] == [1, 2]
    request = server.requests[0]
    assert (request.method, request.target, request.body) == ("POST", TARGET, b"{}")
    assert request.headers == (("Host", "z"), ("Client-Token", CLIENT_TOKEN), ("Content-Length", "2"))
    assert request.header("client-token") == CLIENT_TOKEN
    assert request.head + request.body == REQUEST


def test_behaviours_come_in_order_and_the_last_repeats() -> None:
    with FaultServer(answer(503), FAULTS["reset_before_request"], FAULTS["fin"], good()) as server:
        with connect(server.port) as sock:
            sock.sendall(REQUEST)
            assert read_answer(sock)[0] == 503
        ends = []
        for _ in range(2):
            with connect(server.port) as sock:
                ends.append(send_and_read(sock)[1])
        assert ends == ["reset", "fin"]
        with connect(server.port) as sock:
            for _ in range(2):
                sock.sendall(REQUEST)
                assert read_answer(sock)[3] == SUCCESS
        assert server.connections == 4
        # The connection that was reset immediately did not bring a request.
        assert [request.connection for request in server.requests] == [1, 3, 4, 4]


DRIPS = {
    "headers": (drip_headers, rb"^HTTP/1.1 200 OK\r\n(?!(?s:.*)\r\n\r\n)"),
    "body": (drip_body, rb'\r\n\r\n{"success": true *$'),
    "chunk_line": (drip_chunk_line, rb"\r\n\r\n1;x+$"),
    "interim": (endless_interim, rb"^(HTTP/1.1 100 Continue\r\n\r\n)+$"),
}


@pytest.mark.parametrize("name", DRIPS)
def test_a_drip_arrives_in_many_pieces_and_ends_with_the_connections_lifetime(name: str) -> None:
    factory, pattern = DRIPS[name]
    started = time.monotonic()
    with FaultServer(factory(interval=0.002), lifetime=0.3) as server, connect(server.port) as sock:
        sock.sendall(REQUEST)
        pieces = []
        while piece := sock.recv(1 << 16):
            pieces.append(piece)
    assert 0.25 < time.monotonic() - started < 2
    assert len(pieces) > 20
    assert re.search(pattern, b"".join(pieces))


@pytest.mark.parametrize("name", ["silent_before_request", "silent", "drip_headers", "drip_body", "body_huge"])
def test_closing_the_server_ends_running_behaviours(name: str) -> None:
    server = FaultServer(FAULTS[name])
    with server, connect(server.port) as sock:
        sock.sendall(REQUEST)
        if name != "silent_before_request":
            while not server.requests:
                time.sleep(0.001)
        started = time.monotonic()
        server.close()
        assert time.monotonic() - started < 0.5
        assert read_until_end(sock, limit=HUGE)[1] in ("fin", "reset")


def test_an_idle_connection_and_a_half_sent_request_end_with_the_server() -> None:
    with FaultServer(good()) as server, connect(server.port) as idle, connect(server.port) as half:
        half.sendall(REQUEST[:20])
        while server.connections < 2:
            time.sleep(0.001)
        server.close()
        assert read_until_end(idle)[1] == "fin"
        assert read_until_end(half)[1] in ("fin", "reset")


@pytest.mark.parametrize("name", ["body_huge", "body_huge_without_length"])
def test_the_server_never_holds_a_huge_body(name: str) -> None:
    block = bytearray(1 << 20)
    count = 0
    tracemalloc.start()
    try:
        with FaultServer(FAULTS[name]) as server, connect(server.port) as sock:
            sock.sendall(REQUEST)
            start = sock.recv(1 << 16)
            head, _, body = start.partition(b"\r\n\r\n")
            count = len(body)
            while count < HUGE and (size := sock.recv_into(block)):
                count += size
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == HUGE
    assert (b"Content-Length: 200000000" in head) == (name == "body_huge")
    assert peak < 10_000_000


def test_every_connection_and_framing_row_has_its_test() -> None:
    tested = {*CONNECTION_ENDS, *FRAMING, "drip_headers", "drip_body", "drip_chunk_line", "endless_interim"}
    tested |= {
        "body_huge",
        "body_huge_without_length",
        "gzip_bomb",
        "gzip_bad",
        "gzip_cut",
        "gzip_bad_checksum",
    }
    families = re.compile(r"status_\d+_|retry_after_|echo_|redirect_30[12378]$")
    assert {name for name in FAULTS if not families.match(name)} - {*BODIES} == tested
