"""Certificates, proxies and a task that is stopped, over real sockets."""

from __future__ import annotations

import threading
import time

import pytest

from airflow_provider_zapi import exceptions as errors
from airflow_provider_zapi.client import Transport, ZApiClient
from airflow_provider_zapi.privacy.changes import ContactChange
from airflow_provider_zapi.privacy.settings import LAST_SEEN
from tests.faults import (
    FAULTS,
    PLAIN_HTTP_ON_TLS_PORT,
    PROXY_REFUSALS,
    Certificates,
    FaultServer,
    ProxyServer,
    certificates,
    dead_port,
    drip_body,
    good,
    on_request,
    retry_after_rows,
)
from tests.faults.steps import SUCCESS, Answer, Send, head, hold
from tests.support import JumpClock, check_error, credentials, leaks

PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, made: Certificates, nothing_leaks: None) -> None:
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(made.ca_file))


def client_of(url: str, read_timeout: float = 30.0, total: float = 120.0) -> ZApiClient:
    clock = JumpClock()
    given = credentials(base_url=url)
    transport = Transport(given, clock=clock, sleep=clock.sleep, read_timeout=read_timeout, total=total)
    return ZApiClient(given, transport=transport)


def failure_of(client: ZApiClient) -> errors.ZApiError:
    with client, pytest.raises(errors.ZApiError) as caught:
        client.set_privacy(LAST_SEEN, "ALL")
    check_error(caught.value)
    return caught.value


def test_the_authority_in_requests_ca_bundle_is_trusted(made: Certificates) -> None:
    with FaultServer(good(), tls=made.good) as server, client_of(server.url) as client:
        assert client.set_privacy(LAST_SEEN, "ALL") == 1
        assert client.set_privacy(LAST_SEEN, "ALL") == 1
        assert server.connections == 1


def test_curl_ca_bundle_is_used_if_requests_ca_bundle_is_not_set(
    made: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    monkeypatch.setenv("CURL_CA_BUNDLE", str(made.ca_file))
    with FaultServer(good(), tls=made.good) as server, client_of(server.url) as client:
        assert client.set_privacy(LAST_SEEN, "ALL") == 1


@pytest.mark.parametrize("name", ["expired", "not_yet_valid", "wrong_host", "self_signed", "unknown_ca"])
def test_a_bad_certificate_is_refused_at_once(made: Certificates, name: str) -> None:
    with FaultServer(good(), tls=made.bad[name]) as server:
        error = failure_of(client_of(server.url))
        assert (server.requests, server.connections) == ([], 1)
    assert (type(error), error.attempts) == (errors.ZApiUnreachableError, 1)
    assert "certificate is not trusted" in str(error)


def test_a_private_authority_is_not_trusted_by_default(made: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    with FaultServer(good(), tls=made.good) as server:
        assert "certificate is not trusted" in str(failure_of(client_of(server.url)))
        assert server.requests == []


def test_a_missing_authorities_file_is_an_error_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    with pytest.raises(errors.ZApiConfigurationError, match="REQUESTS_CA_BUNDLE") as caught:
        Transport(credentials())
    check_error(caught.value)


def test_a_server_without_tls_is_an_error(made: Certificates) -> None:
    with FaultServer(PLAIN_HTTP_ON_TLS_PORT, tls=made.good) as server:
        error = failure_of(client_of(server.url))
        assert (server.requests, server.connections) == ([], 4)
    assert "a TLS connection could not be established" in str(error)


@pytest.mark.parametrize("fault", ["fin_in_body", "reset_in_headers", "silent", "chunk_end_missing"])
def test_a_broken_answer_over_tls_is_retried(made: Certificates, fault: str) -> None:
    with FaultServer(FAULTS[fault], good(), tls=made.good) as server, client_of(server.url, read_timeout=0.3) as client:
        assert client.set_privacy(LAST_SEEN, "ALL") == 1
        assert len(server.requests) == 2


def test_a_drip_over_tls_ends_at_the_deadline(made: Certificates) -> None:
    with FaultServer(drip_body(0.01), tls=made.good) as server:
        started = time.monotonic()
        error = failure_of(client_of(server.url, total=0.5))
        assert time.monotonic() - started < 2
    assert error.attempts == 1


def test_a_dead_port_is_tried_four_times() -> None:
    with dead_port() as port:
        error = failure_of(client_of(f"http://127.0.0.1:{port}"))
    assert (type(error), error.attempts) == (errors.ZApiUnreachableError, 4)
    assert "no server listens" in str(error)


def test_a_name_that_does_not_resolve_is_tried_four_times() -> None:
    error = failure_of(client_of("https://nowhere.invalid"))
    assert (type(error), error.attempts) == (errors.ZApiUnreachableError, 4)
    assert "could not be resolved" in str(error)


def test_https_uses_the_proxy_of_the_environment(made: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    with FaultServer(good(), tls=made.good) as server, ProxyServer(to=server.port) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with client_of(f"https://localhost:{server.port}") as client:
            assert client.set_privacy(LAST_SEEN, "ALL") == 1
        assert len(server.requests) == 1
    assert [request.method for request in proxy.requests] == ["CONNECT"]
    # The proxy sees only the host, because the path and the headers are inside the tunnel.
    assert not leaks(*(request.head.decode() for request in proxy.requests))


def test_no_proxy_is_respected(made: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    with FaultServer(good(), tls=made.good) as server, ProxyServer() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "localhost")
        with client_of(f"https://localhost:{server.port}") as client:
            assert client.set_privacy(LAST_SEEN, "ALL") == 1
    assert proxy.connections == 0


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "ALL_PROXY"])
def test_http_does_not_use_a_proxy(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    with FaultServer(good()) as server, ProxyServer() as proxy:
        monkeypatch.setenv(variable, proxy.url)
        with client_of(server.url) as client:
            assert client.set_privacy(LAST_SEEN, "ALL") == 1
    assert proxy.connections == 0


#: The proxy's behaviour, and the expected error.
PROXIES = {
    407: (errors.ZApiConfigurationError, 1, "requires a user and a password"),
    502: (errors.ZApiUnreachableError, 4, "the proxy did not forward the call"),
}


@pytest.mark.parametrize("status", PROXIES)
def test_the_error_names_a_proxy_that_refuses(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    kind, tries, text = PROXIES[status]
    with ProxyServer(PROXY_REFUSALS[status]) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        error = failure_of(client_of("https://localhost:9"))
        assert len(proxy.requests) == tries
    assert (type(error), error.attempts) == (kind, tries)
    assert text in str(error)


def test_the_error_names_a_dead_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with dead_port() as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        error = failure_of(client_of("https://localhost:9"))
    assert "the proxy did not forward the call" in str(error)


CHANGES = tuple(ContactChange("add", str(554400000000 + number)) for number in range(1500))


def stopped(client: ZApiClient, server: FaultServer, requests: int) -> tuple[errors.ZApiError, float]:
    """Cancel after a number of requests, from another thread. Return the call's error and how long it took to end."""
    cancelled: list[float] = []

    def watch() -> None:
        until = time.monotonic() + 5
        while len(server.requests) < requests and time.monotonic() < until:
            time.sleep(0.005)
        time.sleep(0.1)
        client.cancel()
        cancelled.append(time.monotonic())

    thread = threading.Thread(target=watch)
    thread.start()
    with pytest.raises(errors.ZApiTransientError) as caught:
        client.set_privacy(LAST_SEEN, "CONTACT_BLACKLIST", CHANGES)
    ended = time.monotonic()
    thread.join()
    check_error(caught.value)
    return caught.value, ended - cancelled[0]


def test_a_stop_during_a_wait_ends_it_within_a_slice_and_nothing_more_is_sent() -> None:
    with FaultServer(retry_after_rows()["retry_after_503_future_date"]) as server:
        given = credentials(base_url=server.url)
        with ZApiClient(given) as client:
            error, late = stopped(client, server, 1)
        time.sleep(0.3)
        assert len(server.requests) == 1
    assert late < 0.5
    assert "the call was cancelled, so nothing more is sent" in str(error)
    assert (error.attempts, error.endpoint, error.conn_id) == (1, "privacy/last-seen", "zapi_default")


@pytest.mark.parametrize("answer", ["silent", "cut", "whole"])
def test_a_stop_during_a_read_ends_with_the_read_and_nothing_more_is_sent(answer: str) -> None:
    slow_head = head(200, ("Content-Length", str(len(SUCCESS))))
    behaviours = {
        "silent": on_request(hold),
        "cut": on_request(Send(slow_head), lambda wire: wire.wait(0.3), lambda wire: wire.fin()),
        "whole": on_request(lambda wire: wire.wait(0.3), Answer()),
    }
    with FaultServer(behaviours[answer]) as server, client_of(server.url, read_timeout=0.5) as client:
        error, late = stopped(client, server, 1)
        time.sleep(0.1)
        assert len(server.requests) == 1
    assert late < 1
    assert "the call was cancelled" in str(error)
    # The message says that a chunk is done if its answer came before the stop.
    assert ("500 of 1500 changes were made before this, and stay" in str(error)) is (answer == "whole")
