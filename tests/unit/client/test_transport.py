"""Which calls are retried and after how long. Errors hold no reference to secrets. Time and network are injected."""

from __future__ import annotations

import copy
import itertools
import json
import logging
import pickle
import random
import ssl
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import pytest
import requests
import urllib3

from airflow_provider_zapi import exceptions as errors
from airflow_provider_zapi.client import Transport, ZApiClient
from airflow_provider_zapi.client.answers import success_is_true
from airflow_provider_zapi.client.transport import Call
from airflow_provider_zapi.operators.privacy import SetLastSeenPrivacyOperator
from airflow_provider_zapi.privacy.settings import LAST_SEEN
from tests.support import (
    CANARIES,
    FORMS,
    GOOD,
    TOKEN,
    Canned,
    CannedAdapter,
    Clock,
    check_error,
    client_with,
    credentials,
    ids,
    leaks,
    traces,
)

pytestmark = pytest.mark.usefixtures("nothing_leaks")

URL = f"https://api.z-api.io/instances/instance-1/token/{TOKEN}/privacy/last-seen"
POOL = urllib3.HTTPSConnectionPool("api.z-api.io")


def asked(seconds: str, status: int = 503) -> Canned:
    return Canned("", status, {"Retry-After": seconds})


def failure_of(client: ZApiClient) -> errors.ZApiError:
    with pytest.raises(errors.ZApiError) as caught:
        client.set_privacy(LAST_SEEN, "ALL")
    check_error(caught.value)
    assert (caught.value.endpoint, caught.value.conn_id) == ("privacy/last-seen", "zapi_default")
    return caught.value


@pytest.mark.parametrize("seed", range(20))
def test_the_wait_is_random_below_a_limit_that_doubles(seed: int) -> None:
    random.seed(seed)
    client, adapter, clock = client_with(Canned("", 503))
    moments: list[float] = []
    adapter.before = lambda: moments.append(clock.now)
    error = failure_of(client)
    waits = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert len(waits) == 3
    assert all(0 <= wait <= bound for wait, bound in zip(waits, (1, 2, 4), strict=True))
    assert len({round(wait, 3) for wait in waits}) > 1
    assert error.elapsed == pytest.approx(sum(waits))
    assert max(clock.slept) <= 0.25


@pytest.mark.parametrize(
    ("answers", "tries", "slept", "retry_after"),
    [
        ([asked("7"), GOOD], 2, 7, None),
        ([asked("60"), GOOD], 2, 60, None),
        ([asked("61"), GOOD], 1, 0, 61),
        # The third wait would end after the call's 120 seconds.
        ([asked("50")], 3, 100, 50),
        ([asked("60")], 2, 60, 60),
        ([asked("39")], 4, 117, 39),
        # The wait is the requested one, or the jitter if that is longer.
        ([asked("30"), asked("1"), GOOD], 3, 31, None),
    ],
)
def test_a_requested_wait_is_used_within_limits(
    answers: list[Canned], tries: int, slept: float, retry_after: float | None
) -> None:
    client, adapter, clock = client_with(*answers)
    if answers[-1] is GOOD and retry_after is None:
        client.set_privacy(LAST_SEEN, "ALL")
    else:
        error = failure_of(client)
        assert (error.attempts, error.retry_after) == (tries, retry_after)
    assert len(adapter.requests) == tries
    assert slept <= sum(clock.slept) <= slept + 2


def test_the_time_of_the_attempts_counts_too() -> None:
    clock = Clock()
    client, adapter, _ = client_with(Canned("", 503), clock=clock, before=lambda: clock.sleep(50))
    error = failure_of(client)
    # After the third wait, the 120 seconds are over.
    assert len(adapter.requests) == error.attempts == 3
    assert error.elapsed >= 150


def test_each_attempt_gets_the_remaining_time() -> None:
    client, adapter, _ = client_with(asked("39"))
    failure_of(client)
    timeouts = [options["timeout"] for options in adapter.options]
    assert timeouts[:3] == [(5.0, 30.0)] * 3
    assert timeouts[3] == pytest.approx((3, 3))


@pytest.mark.parametrize(("total", "timeouts"), [(120, (5, 30)), (10, (5, 10)), (0.5, (0.5, 0.5)), (0, (0.001, 0.001))])
def test_no_attempt_gets_more_time_than_the_call(total: float, timeouts: tuple[float, float]) -> None:
    clock, adapter = Clock(), CannedAdapter(GOOD)
    transport = Transport(credentials(), adapter=adapter, clock=clock, sleep=clock.sleep, total=total)
    ZApiClient(credentials(), transport=transport).set_privacy(LAST_SEEN, "ALL")
    assert adapter.options[0]["timeout"] == timeouts


def test_a_date_in_retry_after_is_relative_to_now() -> None:
    client, adapter, _ = client_with(asked(formatdate(time.time() + 3600, usegmt=True)))
    assert failure_of(client).retry_after == pytest.approx(3600, abs=5)
    assert len(adapter.requests) == 1


BUNDLES: list[tuple[dict[str, str], str | bool]] = [
    # the environment, the certificate authorities that the client trusts
    ({}, True),
    ({"REQUESTS_CA_BUNDLE": ""}, True),
    ({"REQUESTS_CA_BUNDLE": __file__}, __file__),
    ({"CURL_CA_BUNDLE": __file__}, __file__),
    ({"REQUESTS_CA_BUNDLE": __file__, "CURL_CA_BUNDLE": "/nowhere"}, __file__),
]


@pytest.mark.parametrize(
    ("environment", "verify"), BUNDLES, ids=lambda cell: " and ".join(cell) if isinstance(cell, dict) else ""
)
def test_the_environment_can_set_the_trusted_authorities(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], verify: str | bool
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    client, adapter, _ = client_with(GOOD)
    client.set_privacy(LAST_SEEN, "ALL")
    assert adapter.options[0]["verify"] == verify


def test_a_missing_authorities_file_is_a_configuration_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    with pytest.raises(errors.ZApiConfigurationError) as caught:
        Transport(credentials())
    assert str(caught.value) == (
        "REQUESTS_CA_BUNDLE (or CURL_CA_BUNDLE) names a file that does not exist (connection "
        "'zapi_default'). Set it to a file of certificate authorities, or remove it to use the system's. "
        "[ZAPI-CONFIG-CA-BUNDLE]"
    )


@pytest.mark.parametrize(
    ("base_url", "excepted", "proxied"),
    [
        ("https://api.z-api.io", "", True),
        ("https://api.z-api.io", "api.z-api.io", False),
        ("http://127.0.0.1:8765", "", False),
    ],
)
def test_the_environments_proxies_are_used_for_https_only(
    monkeypatch: pytest.MonkeyPatch, base_url: str, excepted: str, proxied: bool
) -> None:
    for scheme in ("http", "https"):
        monkeypatch.setenv(f"{scheme}_proxy", "http://proxy.example:3128")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("no_proxy", excepted)
    client, adapter, _ = client_with(GOOD, base_url=base_url)
    client.set_privacy(LAST_SEEN, "ALL")
    assert adapter.options[0]["proxies"].get("https") == ("http://proxy.example:3128" if proxied else None)
    assert "http" not in adapter.options[0]["proxies"] or proxied


#: A proxy variable of the environment, and its mistake.
PROXIES = [
    ("socks5://" + "user:canary-password@127.0.0.1:1080", "is the address of a SOCKS proxy, which is not supported"),
    ("SOCKS4a://127.0.0.1", "is the address of a SOCKS proxy, which is not supported"),
    ("ftp://proxy.example", "is neither an http:// nor an https:// URL"),
    ("localhost:3128", "is neither an http:// nor an https:// URL"),
    ("http://", "does not include a host"),
    ("http://" + "user:canary-password@:3128", "does not include a host"),
    ("http://proxy.example:0", "has port 0"),
    ("http://" + "user:canary-password@proxy.example:70000", "is not a URL with a valid host, port, user and password"),
    ("0:canary-password@", "is not a URL with a valid host, port, user and password"),
    ("http://proxy.example:x", "is not a URL with a valid host, port, user and password"),
    ("http://[::1", "is not a URL with a valid host, port, user and password"),
    ("http://[:::]:3128", "is not a URL with a valid host, port, user and password"),
    ("http://proxy..example:3128", "is not a URL with a valid host, port, user and password"),
    ("http://" + "\u20ac:canary-password@proxy.example", "is not a URL with a valid host, port, user and password"),
]


@pytest.mark.parametrize(("variable", "named"), [("https_proxy", "HTTPS_PROXY"), ("all_proxy", "ALL_PROXY")])
@pytest.mark.parametrize(("proxy", "problem"), PROXIES, ids=ids(PROXIES))
def test_the_error_about_an_invalid_proxy_names_its_variable_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch, proxy: str, problem: str, variable: str, named: str
) -> None:
    for name in ("https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv(variable, proxy)
    with pytest.raises(errors.ZApiConfigurationError) as caught:
        client_with(GOOD)
    assert caught.value.what == f"The environment variable {named} {problem}"
    assert caught.value.conn_id == "zapi_default"
    check_error(caught.value)
    assert "canary-password" not in str(traces(caught.value))


def test_the_libraries_own_redirects_retries_and_proxies_are_off() -> None:
    client, adapter, _ = client_with(GOOD)
    client.set_privacy(LAST_SEEN, "ALL")
    [options] = adapter.options
    assert options["stream"] is True
    assert options["verify"] is not False
    transport = Transport(credentials())
    for scheme in ("http://", "https://"):
        assert transport._session.get_adapter(scheme).max_retries.total == 0  # type: ignore[attr-defined]  # HTTPAdapter has it
    assert transport._session.trust_env is False


def linked(by: str) -> Exception:
    error = OSError(URL)
    setattr(error, by, ConnectionRefusedError(URL))
    return error


#: The network's error, whether an idempotent call is retried, whether any other call is retried, and the message.
BROKEN: list[tuple[str, Callable[[], Exception], int, int, str]] = [
    ("certificate", lambda: requests.exceptions.SSLError(ssl.SSLCertVerificationError(1, URL)), 1, 1, "certificate"),
    ("proxy", lambda: requests.exceptions.ProxyError(URL), 4, 4, "proxy"),
    (
        "proxy that cannot be found",
        lambda: requests.exceptions.ProxyError(urllib3.exceptions.NameResolutionError("x", POOL, OSError())),  # type: ignore[arg-type]
        4,
        4,
        "the proxy did not forward the call",
    ),
    ("407", lambda: requests.exceptions.ProxyError(OSError("Tunnel connection failed: 407 Who")), 1, 1, "user and a pass"),
    (
        "name",
        lambda: requests.ConnectionError(urllib3.exceptions.NameResolutionError("x", POOL, OSError())),  # type: ignore[arg-type]
        4,
        4,
        "resolved",
    ),
    ("refused", lambda: requests.ConnectionError(ConnectionRefusedError(URL)), 4, 4, "refused"),
    # requests and urllib3 store the cause in different places, and not always as the only argument.
    ("refused, beside others", lambda: requests.ConnectionError(ConnectionRefusedError(URL), OSError("x")), 4, 4, "refused"),
    (
        "refused, as a reason",
        lambda: requests.ConnectionError(urllib3.exceptions.MaxRetryError(POOL, URL, ConnectionRefusedError())),
        4,
        4,
        "refused",
    ),
    ("refused, as a cause", lambda: linked("__cause__"), 4, 4, "refused"),
    ("refused, as a context", lambda: linked("__context__"), 4, 4, "refused"),
    ("connect timeout", lambda: requests.ConnectTimeout(TimeoutError(URL)), 4, 4, "connecting to the server took too long"),
    ("TLS", lambda: requests.exceptions.SSLError(URL), 4, 1, "a TLS connection could not"),
    (
        "connection",
        lambda: requests.ConnectionError(urllib3.exceptions.NewConnectionError(POOL, URL)),  # type: ignore[arg-type]
        4,
        4,
        "a connection could not be established (",
    ),
    ("read timeout", lambda: requests.ReadTimeout(TimeoutError(URL)), 4, 1, "a complete answer did not arrive"),
    ("gzip", lambda: requests.exceptions.ContentDecodingError(urllib3.exceptions.DecodeError(URL)), 4, 1, "decompressed"),
    ("reset", lambda: requests.ConnectionError(ConnectionResetError(URL)), 4, 1, "broke"),
    ("urllib3's own", lambda: urllib3.exceptions.ProtocolError(URL), 4, 1, "broke"),
    ("the system's", lambda: OSError(URL), 4, 1, "broke"),
    ("a chunk's", lambda: ValueError(URL), 4, 1, "broke"),
]  # fmt: skip


@pytest.mark.parametrize("repeatable", [True, False])
@pytest.mark.parametrize(
    ("error", "tries", "tries_once", "text"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN]
)
def test_a_broken_exchange_is_retried_if_that_is_safe(
    error: Callable[[], Exception], tries: int, tries_once: int, text: str, repeatable: bool
) -> None:
    clock = Clock()
    adapter = CannedAdapter(error())
    transport = Transport(credentials(), adapter=adapter, clock=clock, sleep=clock.sleep)
    with pytest.raises(errors.ZApiError) as caught:
        transport.call(Call("POST", "x", "x", repeatable=repeatable), success_is_true)
    assert len(adapter.requests) == (tries if repeatable else tries_once)
    assert text in str(caught.value)
    assert caught.value.advice.endswith(".")
    check_error(caught.value)


@pytest.mark.parametrize(
    ("answer", "tries"),
    [(Canned("", 503), 1), (Canned("", 429), 4), (Canned("<html>"), 1), (Canned({"success": False}), 1)],
)
def test_a_call_that_is_not_idempotent_is_not_retried_after_it_was_sent(answer: Canned, tries: int) -> None:
    clock = Clock()
    adapter = CannedAdapter(answer)
    transport = Transport(credentials(), adapter=adapter, clock=clock, sleep=clock.sleep)
    with pytest.raises(errors.ZApiError):
        transport.call(Call("POST", "x", "x", repeatable=False), success_is_true)
    assert len(adapter.requests) == tries


class Killed(BaseException):
    """An exception like the one that Airflow raises at `execution_timeout`."""


def test_an_exception_that_ends_the_task_is_not_caught() -> None:
    def kill() -> None:
        raise Killed

    client, adapter, clock = client_with(GOOD, before=kill)
    with pytest.raises(Killed) as caught:
        client.set_privacy(LAST_SEEN, "ALL")
    assert caught.value.__context__ is None
    assert (adapter.requests, clock.slept) == ([], [])


def test_a_stop_ends_the_wait_with_the_slice() -> None:
    clock = Clock()
    adapter = CannedAdapter(asked("30"))

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        if len(clock.slept) == 3:
            transport.cancel()

    transport = Transport(credentials(), adapter=adapter, clock=clock, sleep=sleep)
    error = failure_of(ZApiClient(credentials(), transport=transport))
    assert clock.slept == [0.25] * 3
    assert len(adapter.requests) == error.attempts == 1
    assert error.elapsed == pytest.approx(0.75)
    assert type(error) is errors.ZApiTransientError
    # Cancelling is permanent, so the next call does not send anything either.
    assert failure_of(ZApiClient(credentials(), transport=transport)).attempts == 0
    assert len(adapter.requests) == 1


def test_a_failed_attempt_closes_its_connection_and_a_successful_one_keeps_it() -> None:
    client, adapter, _ = client_with(GOOD, Canned("", 503), GOOD)
    before: list[bool] = []
    adapter.before = lambda: before.append(adapter.closed)
    client.set_privacy(LAST_SEEN, "ALL")
    client.set_privacy(LAST_SEEN, "ALL")
    assert before == [False, False, True]


def test_each_failed_attempt_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    client, _, _ = client_with(asked("2"), Canned({"error": f"busy {TOKEN}"}, 500), GOOD)
    client.set_privacy(LAST_SEEN, "ALL")
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(said) == 2
    assert said[0].startswith(
        "Z-API call privacy/last-seen: attempt 1 of 4 failed: Z-API could not answer. Retrying in 2."
    )
    assert "attempt 2 of 4 failed: Z-API could not answer: busy ***. Retrying" in said[1]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("secret", CANARIES)
@pytest.mark.parametrize("status", [200, 400, 503])
def test_an_echoed_secret_is_hidden_in_the_error(status: int, secret: str, form: str) -> None:
    text = f"Sorry: {FORMS[form](secret)} and then"
    client, _, _ = client_with(Canned({"error": text}, status))
    error = failure_of(client)
    assert "Sorry: " in str(error)
    assert not leaks(str(error))


def test_the_servers_string_is_cut_to_one_line_of_200_characters() -> None:
    client, _, _ = client_with(Canned({"error": "first\nsecond\x00\x1b[31m\u202e " + "x" * 500}, 400))
    error = failure_of(client)
    assert "first second [31m xxx" in error.what
    assert error.what.isprintable()
    assert len(error.what) <= 200 + len("Z-API refused the request: ")


def test_a_body_of_exactly_the_size_limit_is_read() -> None:
    padded = json.dumps({"success": True}).encode().ljust(1 << 20)
    client, _, _ = client_with(Canned(padded))
    client.set_privacy(LAST_SEEN, "ALL")
    client, adapter, _ = client_with(Canned(padded + b" "))
    error = failure_of(client)
    assert (type(error), error.status, len(adapter.requests)) == (errors.ZApiUnreachableError, 200, 1)
    assert error.what == "the answer is not from Z-API: it is larger than 1048576 bytes"


def test_a_list_may_be_larger_than_other_answers() -> None:
    contacts = [str(5544900000000 + number) for number in range(64_000)]
    client, _, _ = client_with(Canned({"disallowedContacts": contacts}))
    assert len(client.disallowed_contacts(LAST_SEEN)) == 64_000


GIVEN = credentials()
CLIENT = client_with(GOOD)[0]
OPERATOR = SetLastSeenPrivacyOperator(task_id="x", visualization_type="ALL")


@pytest.mark.parametrize(
    "thing",
    [
        GIVEN,
        CLIENT,
        Call("POST", "x", "x", json={"phone": TOKEN}, params={"phone": TOKEN}),
        *vars(CLIENT).values(),
        *vars(Transport(GIVEN)).values(),
        *vars(OPERATOR).values(),
    ],
    ids=lambda thing: type(thing).__name__,
)
def test_no_repr_shows_a_secret(thing: Any) -> None:
    assert not leaks(repr(thing), str(thing), f"{thing}")


def test_the_repr_of_a_client_has_its_connection() -> None:
    assert repr(ZApiClient(GIVEN)) == "ZApiClient(Transport(conn_id='zapi_default'))"


def test_a_pause_lasts_as_long_as_requested() -> None:
    client, _, clock = client_with(GOOD)
    client.pause(0.6)
    assert clock.slept == pytest.approx([0.25, 0.25, 0.1])


@pytest.mark.parametrize("thing", [GIVEN, CLIENT, Transport(GIVEN)], ids=lambda thing: type(thing).__name__)
@pytest.mark.parametrize("duplicate", [pickle.dumps, copy.deepcopy])
def test_objects_with_credentials_cannot_be_pickled(thing: Any, duplicate: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError, match="pickle"):
        duplicate(thing)
