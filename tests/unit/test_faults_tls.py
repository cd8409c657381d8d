"""Bad certificates fail for the reason in their names; the proxy double records and tunnels."""

from __future__ import annotations

import ssl
import time
from typing import TYPE_CHECKING

import pytest
import requests

from tests.faults import (
    FAULTS,
    PLAIN_HTTP_ON_TLS_PORT,
    PROXY_REFUSALS,
    FaultServer,
    ProxyServer,
    certificates,
    good,
)
from tests.faults.raw_client import QUIET, REQUEST, TARGET, connect, read_answer, read_until_end
from tests.faults.steps import SUCCESS
from tests.faults.table import WHOLE_HEAD

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults import Certificates


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates(tmp_path_factory.mktemp("certificates"))


VERIFY_CODES = {
    # The numbers are OpenSSL's X509_V_ERR_* codes.
    "expired": 10,
    "not_yet_valid": 9,
    "wrong_host": 64,
    "self_signed": 18,
    "unknown_ca": 20,
}


def trusting(ca_file: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(ca_file))


def test_the_bad_certificates_are_the_ones_with_a_verify_code(made: Certificates) -> None:
    assert set(made.bad) == set(VERIFY_CODES)


@pytest.mark.parametrize("name", VERIFY_CODES)
def test_a_bad_certificate_fails_for_its_own_reason(name: str, made: Certificates) -> None:
    with FaultServer(good(), tls=made.bad[name]) as server, connect(server.port) as sock:
        assert server.url.startswith("https://")
        with pytest.raises(ssl.SSLCertVerificationError) as caught:
            trusting(made.ca_file).wrap_socket(sock, server_hostname="127.0.0.1")
    assert caught.value.verify_code == VERIFY_CODES[name]
    assert server.requests == []
    assert server.connections == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_good_certificate_is_verified_by_a_plain_client(host: str, made: Certificates) -> None:
    with FaultServer(good(), tls=made.good) as server:
        response = requests.get(f"https://{host}:{server.port}/", verify=str(made.ca_file), timeout=5)
    assert response.json() == {"success": True}


def test_plain_http_on_a_tls_port_fails_the_handshake(made: Certificates) -> None:
    with (
        FaultServer(PLAIN_HTTP_ON_TLS_PORT, tls=made.good) as server,
        connect(server.port) as sock,
        pytest.raises(ssl.SSLError) as caught,
    ):
        trusting(made.ca_file).wrap_socket(sock, server_hostname="127.0.0.1")
    assert caught.value.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE")


TLS_ENDS = {
    "fin_in_body": ("fin",),
    # The ssl module of CPython 3.11 reports a reset as the end of the stream.
    "reset_in_body": ("fin", "reset"),
    "silent_in_body": ("silence",),
}


@pytest.mark.parametrize("name", TLS_ENDS)
def test_faults_happen_inside_tls_too(name: str, made: Certificates) -> None:
    with (
        FaultServer(FAULTS[name], tls=made.good) as server,
        connect(server.port, QUIET) as sock,
        trusting(made.ca_file).wrap_socket(sock, server_hostname="localhost") as secure,
    ):
        secure.sendall(REQUEST)
        data, end = read_until_end(secure)
    assert data == WHOLE_HEAD + SUCCESS[:5]
    assert end in TLS_ENDS[name]


def test_a_handshake_that_meets_silence_ends_with_the_server(made: Certificates) -> None:
    with (
        FaultServer(FAULTS["silent_before_request"], tls=made.good) as server,
        connect(server.port, QUIET) as sock,
        pytest.raises(TimeoutError),
    ):
        trusting(made.ca_file).wrap_socket(sock, server_hostname="localhost")


def test_a_proxy_records_and_tunnels(made: Certificates) -> None:
    with FaultServer(good(), tls=made.good) as target, ProxyServer() as proxy:
        response = requests.get(
            f"{target.url}{TARGET}", proxies={"https": proxy.url}, verify=str(made.ca_file), timeout=5
        )
    assert response.json() == {"success": True}
    assert [(seen.method, seen.target) for seen in proxy.requests] == [("CONNECT", f"127.0.0.1:{target.port}")]
    assert [seen.target for seen in target.requests] == [TARGET]


def test_a_proxy_forwards_any_name_to_the_given_port() -> None:
    with FaultServer(good()) as target, ProxyServer(to=target.port) as proxy, connect(proxy.port) as sock:
        sock.sendall(b"CONNECT api.example:443 HTTP/1.1\r\nHost: api.example:443\r\n\r\n")
        assert read_answer(sock)[:2] == (200, "Connection established")
        sock.sendall(REQUEST)
        assert read_answer(sock)[3] == SUCCESS
    assert proxy.requests[0].target == "api.example:443"


@pytest.mark.parametrize("status", PROXY_REFUSALS)
def test_a_proxy_refuses(status: int) -> None:
    with ProxyServer(PROXY_REFUSALS[status]) as proxy, connect(proxy.port) as sock:
        sock.sendall(b"CONNECT api.example:443 HTTP/1.1\r\n\r\n")
        assert read_answer(sock)[0] == status
    assert [seen.target for seen in proxy.requests] == ["api.example:443"]


def test_a_proxy_records_requests_that_it_should_not_receive() -> None:
    with ProxyServer() as proxy, connect(proxy.port) as sock:
        sock.sendall(REQUEST.replace(b"POST /", b"POST http://127.0.0.1/"))
        assert read_answer(sock)[0] == 405
    assert proxy.requests[0].method == "POST"


def test_an_open_tunnel_ends_with_the_proxy() -> None:
    with (
        FaultServer(FAULTS["silent"]) as target,
        ProxyServer(to=target.port) as proxy,
        connect(proxy.port) as sock,
    ):
        sock.sendall(b"CONNECT api.example:443 HTTP/1.1\r\n\r\n")
        read_answer(sock)
        sock.sendall(REQUEST)
        started = time.monotonic()
        proxy.close()
        assert time.monotonic() - started < 0.5
        assert read_until_end(sock)[1] in ("fin", "reset")
