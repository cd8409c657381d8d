"""Every read ends at the call's deadline, however the connection was opened. Time is injected; there is no server."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from urllib3.exceptions import ProtocolError
from urllib3.util.ssl_ import create_urllib3_context

from airflow_provider_zapi.client import Transport
from airflow_provider_zapi.client.broken import STOPPED, broken_exchange
from airflow_provider_zapi.client.deadline import CancelledError, Deadline, DeadlineAdapter
from tests.support import Clock, credentials

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"
CONTEXT = create_urllib3_context()


def pools(adapter: DeadlineAdapter) -> dict[str, Any]:
    """Return the connection pools of the adapter's three ways to reach a server."""
    proxy = adapter.proxy_manager_for("http://127.0.0.1:9")
    return {
        "plain": adapter.poolmanager.connection_from_url("http://127.0.0.1:9"),
        "TLS": adapter.poolmanager.connection_from_url("https://127.0.0.1:9"),
        "TLS through a proxy": proxy.connection_from_url("https://127.0.0.1:9"),
    }


WAYS = list(pools(DeadlineAdapter(Deadline(Clock()), CONTEXT, credentials())))


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    # If a read waits for data that never comes, the test should fail soon.
    ours.settimeout(2)
    with ours, theirs:
        yield ours, theirs


Open = Callable[[socket.socket], http.client.HTTPResponse]


@pytest.fixture(params=WAYS)
def opened(request: pytest.FixtureRequest, clock: Clock) -> Open:
    deadline = Deadline(clock)
    deadline.start(3)
    pool = pools(DeadlineAdapter(deadline, CONTEXT, credentials()))[request.param]

    def response(sock: socket.socket) -> http.client.HTTPResponse:
        made = pool.ConnectionCls.response_class(sock, method="GET")
        assert isinstance(made, http.client.HTTPResponse)
        return made

    return response


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_an_answer_is_read_as_it_arrives(opened: Open, ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    theirs.sendall(HEAD + b"go")
    response = opened(ours)
    response.begin()
    assert response.read(2) == b"go"
    theirs.sendall(b"on")
    assert response.read() == b"on"


def test_no_read_waits_longer_than_the_deadline(
    opened: Open, ends: tuple[socket.socket, socket.socket], clock: Clock
) -> None:
    ours, theirs = ends
    response = opened(ours)
    theirs.sendall(HEAD)
    response.begin()
    assert ours.gettimeout() == 2
    clock.sleep(2.5)
    theirs.sendall(b"go")
    response.read(2)
    assert ours.gettimeout() == 0.5
    clock.sleep(0.5)
    theirs.sendall(b"on")
    with pytest.raises(TimeoutError, match=r"^the call's deadline has passed$"):
        response.read(2)


def test_a_connection_without_a_read_timeout_ends_with_the_call(
    opened: Open, ends: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = ends
    ours.settimeout(None)
    response = opened(ours)
    theirs.sendall(HEAD)
    response.begin()
    assert ours.gettimeout() == 3


def test_unread_data_does_not_keep_the_socket_open(opened: Open, ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    theirs.sendall(HEAD)
    response = opened(ours)
    response.begin()
    response.close()
    ours.close()
    theirs.settimeout(2)
    assert theirs.recv(1) == b""


@pytest.mark.parametrize("way", WAYS)
def test_a_call_that_was_cancelled_while_its_connection_opened_is_not_sent(
    way: str, ends: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = ends
    cancelled: list[bool] = []
    deadline = Deadline(Clock(), lambda: bool(cancelled))
    connection = pools(DeadlineAdapter(deadline, CONTEXT, credentials()))[way].ConnectionCls("127.0.0.1")

    def connect() -> None:
        connection.sock = ours
        cancelled.append(True)

    connection.connect = connect
    connection.putrequest("GET", "/status")
    with pytest.raises(CancelledError) as caught:
        connection.endheaders()
    assert broken_exchange(requests.ConnectionError(ProtocolError("Connection aborted.", caught.value))) is STOPPED
    ours.close()
    theirs.settimeout(2)
    assert theirs.recv(1) == b""


def test_the_reader_of_an_answer_gets_the_connections_arguments(ends: tuple[socket.socket, socket.socket]) -> None:
    pool = pools(DeadlineAdapter(Deadline(Clock()), CONTEXT, credentials()))["plain"]
    ours, theirs = ends
    theirs.sendall(HEAD)
    response = pool.ConnectionCls.response_class(ours, 1, method="HEAD")
    assert response.debuglevel == 1
    response.begin()
    assert response.read() == b""


@pytest.mark.parametrize("way", [way for way in WAYS if way != "plain"])
def test_a_server_is_verified_with_the_given_context(way: str) -> None:
    adapter = DeadlineAdapter(Deadline(Clock()), CONTEXT, credentials())
    assert pools(adapter)[way].conn_kw["ssl_context"] is CONTEXT


def test_one_connection_is_kept_open() -> None:
    manager = DeadlineAdapter(Deadline(Clock()), CONTEXT, credentials()).poolmanager
    first, second = (manager.connection_from_url(f"http://127.0.0.1:{port}") for port in (9, 10))
    assert len(manager.pools) == 1
    assert first is not second
    assert second.pool.maxsize == 1


def test_the_options_of_requests_reach_urllib3() -> None:
    adapter = DeadlineAdapter(Deadline(Clock()), CONTEXT, credentials())
    adapter.init_poolmanager(1, 1, block=True)
    assert adapter.poolmanager.connection_from_url("http://127.0.0.1:9").block is True
    assert (
        adapter.proxy_manager_for("http://127.0.0.1:9", proxy_ssl_context=CONTEXT).proxy_config.ssl_context is CONTEXT
    )


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "https://127.0.0.1:9"])
def test_a_transport_uses_connections_with_a_deadline(url: str, ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    pool = Transport(credentials())._session.get_adapter(url).poolmanager.connection_from_url(url)  # type: ignore[attr-defined]  # HTTPAdapter has it
    theirs.sendall(HEAD)
    response = pool.ConnectionCls.response_class(ours, method="GET")
    response.begin()
    assert response.status == 200
    if pool.scheme == "https":
        assert pool.conn_kw["ssl_context"].verify_mode == ssl.CERT_REQUIRED
        assert pool.conn_kw["ssl_context"].check_hostname


def test_there_is_no_deadline_before_the_first_call() -> None:
    clock = Clock()
    deadline = Deadline(clock)
    assert deadline.remaining() == float("inf")
    deadline.start(5)
    clock.sleep(6)
    assert deadline.remaining() == -1
