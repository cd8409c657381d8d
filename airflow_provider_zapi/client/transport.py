"""Sends one call, again where that may help, and returns what its answer means."""

from __future__ import annotations

import http.client
import logging
import os
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import requests
import tenacity
import urllib3
from requests.adapters import BaseAdapter
from urllib3.util.ssl_ import create_urllib3_context

from airflow_provider_zapi import __version__
from airflow_provider_zapi.client.answers import Again, Failure, Reader, clean, not_zapi, read_answer
from airflow_provider_zapi.client.credentials import Credentials
from airflow_provider_zapi.client.deadline import Deadline, DeadlineAdapter
from airflow_provider_zapi.client.redaction import Redactor
from airflow_provider_zapi.client.tracing import traced
from airflow_provider_zapi.connection_form import LABELS
from airflow_provider_zapi.exceptions import (
    ZApiConfigurationError,
    ZApiTransientError,
    ZApiUnreachableError,
)

__all__ = ["Call", "Transport"]

T = TypeVar("T")

log = logging.getLogger(__name__)

#: Seconds to open a connection, and for the whole call with its retries and waits.
CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 120.0
#: Seconds without a byte after which an attempt is given up, where the connection says nothing else.
READ_SECONDS = 30.0

MAX_ATTEMPTS = 4
#: The wait before attempt n+1 is drawn from 0 to FIRST_WAIT * 2**(n-1) seconds, at most LONGEST_WAIT (full jitter).
FIRST_WAIT = 1.0
LONGEST_WAIT = 20.0
#: A server that asks for a longer wait is not waited for here: the error carries the wish to the task's next try.
MAX_RETRY_AFTER = 60.0
#: The wait is cut in slices, after each of which a killed task is noticed.
SLICE_SECONDS = 0.25

#: Largest body that is read, in bytes after decompression.
MAX_BODY = 1 << 20


_HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip",
    "Connection": "keep-alive",
    # Z-API asks for it on every call, also on one without a body (else 415).
    "Content-Type": "application/json",
    "User-Agent": f"airflow-provider-zapi/{__version__}",
}


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an endpoint.

    :param method: the HTTP method
    :param path: the path below the instance's own address, without a leading slash
    :param endpoint: the endpoint's name in messages
    :param json: the body, or None
    :param params: the query, or None
    :param repeatable: whether doing it twice is the same as doing it once
    :param max_body: the largest answer that is read, in bytes
    """

    method: str
    path: str
    endpoint: str
    json: Any = field(default=None, repr=False)
    params: Mapping[str, str] | None = field(default=None, repr=False)
    repeatable: bool = True
    max_body: int = MAX_BODY


class Transport:
    """Speaks HTTP to one instance over one kept connection. Not for use by several threads at once.

    :param credentials: whose instance
    :param read_timeout: seconds without a byte after which an attempt is given up
    :param total: seconds that a call may take, with its retries and waits
    :param max_attempts: how often a call is tried before its error is raised
    :param adapter: replaces the network, in tests
    :param clock: seconds, monotonic
    :param sleep: waits for the seconds given
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        read_timeout: float = READ_SECONDS,
        total: float = TOTAL_SECONDS,
        max_attempts: int = MAX_ATTEMPTS,
        adapter: BaseAdapter | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._credentials = credentials
        self._read_timeout = read_timeout
        self._total = total
        self._max_attempts = max_attempts
        self._clock = clock
        self._sleep = sleep
        self._deadline = Deadline(clock)
        self._redactor = Redactor(credentials.secrets)
        self._cancelled = False
        self._verify, context = _authorities(credentials.conn_id)
        # Once: with many variables in the environment the look at them takes as long as the rest of a call.
        proxies = _proxies(credentials.base_url, credentials.conn_id)
        if isinstance(proxies, ZApiConfigurationError):
            raise proxies  # from here, where no local variable holds a proxy's password
        self._proxies = proxies
        self._session = _Session()
        # `.netrc` would replace headers, and the environment's other wishes are read here one by one.
        self._session.trust_env = False
        for prefix in ("http://", "https://"):
            self._session.mount(prefix, adapter or DeadlineAdapter(self._deadline, context, credentials))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(conn_id={self._credentials.conn_id!r})"

    def cancel(self) -> None:
        """Send nothing more, from now on. Safe in a signal handler: it sets a flag and takes no lock."""
        self._cancelled = True

    @property
    def cancelled(self) -> bool:
        """Whether nothing more is sent."""
        return self._cancelled

    def clean(self, text: str) -> str:
        """Return a text of the server's for a message or a result: in one line, without secrets, cut."""
        return clean(text, self._redactor.scrub)

    def close(self) -> None:
        """Close the kept connection."""
        self._session.close()

    def call(self, call: Call, read: Reader[T]) -> T:
        """Send a call and return what ``read`` makes of its answer.

        :raises ZApiError: there is no such answer; the class says what to do about it
        """
        started = self._clock()
        self._deadline.start(self._total)
        attempts = 0
        answered: int | None = None

        def attempt() -> T | Failure:
            nonlocal attempts, answered
            if self._cancelled:
                return _STOPPED
            attempts += 1
            answered, outcome = self._attempt(call, read)
            if isinstance(outcome, Failure):
                # A new connection for what comes next: on this one the rest of a broken answer may still arrive.
                self.close()
            return outcome

        with traced(call.method, call.endpoint) as ended:
            outcome = tenacity.Retrying(
                retry=tenacity.retry_if_result(lambda result: isinstance(result, Failure) and _again(result, call)),
                wait=_wait,
                stop=self._too_late,
                sleep=self.pause,
                before_sleep=lambda state: self._log_retry(call, state),
                retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
            )(attempt)
            ended(answered, attempts, outcome.error.__name__ if isinstance(outcome, Failure) else None)
        if isinstance(outcome, Failure):
            raise outcome.error(
                outcome.what,
                outcome.advice,
                endpoint=call.endpoint,
                conn_id=self._credentials.conn_id,
                status=outcome.status,
                attempts=attempts,
                elapsed=self._clock() - started,
                retry_after=outcome.retry_after,
                perhaps_done=outcome.again is Again.IF_REPEATABLE and not call.repeatable,
            )
        return outcome

    def _attempt(self, call: Call, read: Reader[T]) -> tuple[int | None, T | Failure]:
        """Send the call once, and return the status of its answer with what that means."""
        failure: Failure | None = None
        try:
            status, headers, body = self._exchange(call)
        except (requests.RequestException, *_BROKEN) as error:
            failure = _no_answer(error)
        # Out of the `except` block, so that what is raised from here has no request in its context.
        if failure is not None:
            return None, failure
        if body is None:
            too_large = not_zapi(f"it is larger than {call.max_body} bytes")
            return status, replace(too_large, again=Again.NEVER, status=status)
        return status, read_answer(status, headers, body, read, self._redactor.scrub, time.time())

    def _exchange(self, call: Call) -> tuple[int, Mapping[str, str], bytes | None]:
        request = requests.Request(
            call.method,
            # Without what is secret of it, which the adapter adds.
            f"{self._credentials.base_url}/{call.path}",
            headers=_HEADERS,
            params=call.params,
            json=call.json,
        ).prepare()
        remaining = max(self._deadline.remaining(), 0.001)
        with self._session.send(
            request,
            stream=True,
            timeout=(min(CONNECT_SECONDS, remaining), min(self._read_timeout, remaining)),
            allow_redirects=False,
            verify=self._verify,
            proxies=self._proxies,
        ) as response:
            body = bytearray()
            for chunk in response.iter_content(1 << 16):
                body += chunk
                if len(body) > call.max_body:
                    response.raw.close()
                    return response.status_code, response.headers, None
            return response.status_code, response.headers, bytes(body)

    def _too_late(self, state: tenacity.RetryCallState) -> bool:
        """Whether the attempts are used up, or the wait that comes next is too long to be waited here."""
        return (
            state.attempt_number >= self._max_attempts
            or state.upcoming_sleep > MAX_RETRY_AFTER
            or state.upcoming_sleep >= self._deadline.remaining()
        )

    def pause(self, seconds: float) -> None:
        """Wait, in slices after each of which a killed task is noticed."""
        end = self._clock() + seconds
        while not self._cancelled and (left := end - self._clock()) > 0:
            self._sleep(min(left, SLICE_SECONDS))

    def _log_retry(self, call: Call, state: tenacity.RetryCallState) -> None:
        failure = state.outcome.result() if state.outcome else None
        log.warning(
            "Z-API call %s: attempt %d of %d failed: %s. Next one in %.1f s.",
            call.endpoint,
            state.attempt_number,
            self._max_attempts,
            getattr(failure, "what", failure),
            state.upcoming_sleep,
        )


class _Session(requests.Session):
    """A session that follows no redirect and does not read the body of one, which has no bound there."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return no target, whatever the answer says."""
        return


def _again(failure: Failure, call: Call) -> bool:
    return failure.again is Again.ALWAYS or (failure.again is Again.IF_REPEATABLE and call.repeatable)


_backoff = tenacity.wait_random_exponential(multiplier=FIRST_WAIT, max=LONGEST_WAIT)


def _wait(state: tenacity.RetryCallState) -> float:
    failure = state.outcome.result() if state.outcome else None
    asked = failure.retry_after if isinstance(failure, Failure) else None
    return max(_backoff(state), asked or 0.0)


_STOPPED = Failure(
    ZApiTransientError,
    "the call was cancelled, so nothing more is sent",
    "What was sent before stays in force. A retry sends everything again.",
)

#: What a broken answer raises besides errors of `requests`; urllib3 lets a ValueError out for a negative chunk size.
_BROKEN = (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, ValueError)

_LOOK_AT_THE_NETWORK = "Check the network, DNS and proxy of this machine. Retry later."

#: What a broken exchange means, by the first of these that is found in the error or in what it wraps.
#: The order matters: the causes first, then what wraps any of them.
_EXCHANGES: tuple[tuple[type[BaseException], str, str, Again], ...] = (
    (
        ssl.SSLCertVerificationError,
        "the server's certificate was not accepted",
        "Something between this machine and Z-API may have answered. If that is your own proxy, set REQUESTS_CA_BUNDLE "
        "to the file of its certificate authority; verification cannot be switched off.",
        Again.NEVER,
    ),
    (
        requests.exceptions.ProxyError,
        "the proxy did not let the call through",
        _LOOK_AT_THE_NETWORK,
        Again.ALWAYS,
    ),
    (
        urllib3.exceptions.NameResolutionError,
        "the host name could not be resolved",
        _LOOK_AT_THE_NETWORK,
        Again.ALWAYS,
    ),
    (
        ConnectionRefusedError,
        f"the connection was refused: nothing listens at {LABELS['host']}",
        _LOOK_AT_THE_NETWORK,
        Again.ALWAYS,
    ),
    (
        requests.exceptions.ConnectTimeout,
        "no connection could be made in time",
        _LOOK_AT_THE_NETWORK,
        Again.ALWAYS,
    ),
    (
        requests.exceptions.SSLError,
        "no TLS connection could be made",
        _LOOK_AT_THE_NETWORK,
        Again.IF_REPEATABLE,
    ),
    (
        urllib3.exceptions.NewConnectionError,
        "no connection could be made",
        _LOOK_AT_THE_NETWORK,
        Again.ALWAYS,
    ),
    (TimeoutError, "no whole answer came in time", _LOOK_AT_THE_NETWORK, Again.IF_REPEATABLE),
    (
        urllib3.exceptions.DecodeError,
        "the answer could not be decompressed",
        _LOOK_AT_THE_NETWORK,
        Again.IF_REPEATABLE,
    ),
    (
        BaseException,
        "the connection broke before the whole answer came",
        _LOOK_AT_THE_NETWORK,
        Again.IF_REPEATABLE,
    ),
)


#: The words of `http.client` for a proxy's refusal; no class of error tells it from the others.
_PROXY_ASKS_WHO = "Tunnel connection failed: 407"

_PROXY_REFUSED = Failure(
    ZApiConfigurationError,
    "the proxy asks for a user and a password, or does not take those that it was given",
    "Write them into HTTPS_PROXY, before the host of the proxy and an @.",
)


def _no_answer(error: BaseException) -> Failure:
    chain = _chain(error)
    if any(str(link).startswith(_PROXY_ASKS_WHO) for link in chain):
        return _PROXY_REFUSED
    what, advice, again = next(
        (what, advice, again)
        for kind, what, advice, again in _EXCHANGES
        if any(isinstance(link, kind) for link in chain)
    )
    return Failure(ZApiUnreachableError, what, advice, again)


def _chain(error: BaseException) -> list[BaseException]:
    """Return ``error`` and what it wraps: `requests` and `urllib3` keep it as argument, as ``reason`` or as context."""
    found: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        link = waiting.pop()
        if isinstance(link, BaseException) and link not in found:
            found.append(link)
            waiting += [*link.args, getattr(link, "reason", None), link.__cause__, link.__context__]
    return found


def _authorities(conn_id: str | None) -> tuple[bool | str, ssl.SSLContext]:
    """Return the authorities that vouch for the server: those of ``REQUESTS_CA_BUNDLE``, else the system's."""
    context = create_urllib3_context()
    bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    if not bundle:
        context.load_default_certs()
        return True, context
    if not os.path.exists(bundle):
        raise ZApiConfigurationError(
            "REQUESTS_CA_BUNDLE (or CURL_CA_BUNDLE) names a file that does not exist",
            "Set it to a file of certificate authorities, or remove it to use the system's.",
            conn_id=conn_id,
        )
    return bundle, context


def _proxies(base_url: str, conn_id: str | None) -> dict[str, str] | ZApiConfigurationError:
    """Return the environment's proxy for ``base_url``, or why `requests` could not use it."""
    # http:// is loopback only (see Credentials), where no proxy belongs.
    if not base_url.startswith("https://"):
        return {}
    found = requests.utils.get_environ_proxies(base_url)
    variable = next((name for name in ("https", "all") if found.get(name)), None)
    if variable is None:
        return {}
    if problem := _proxy_problem(found[variable]):
        # Never the value: it may hold a password.
        return ZApiConfigurationError(
            f"The environment variable {variable.upper()}_PROXY {problem}",
            "Set it to the address of an HTTP proxy, such as http://proxy.example:3128, or remove it. Hosts that need "
            "no proxy belong in NO_PROXY.",
            conn_id=conn_id,
        )
    return {"https": found[variable]}


def _proxy_problem(proxy: str) -> str | None:
    try:
        url = urllib3.util.parse_url(requests.utils.prepend_scheme_if_needed(proxy, "http"))  # type: ignore[no-untyped-call]
        (url.host or "").encode("idna")  # as the look-up of the name does
        # What `requests` makes a header of, which holds Latin-1 only.
        "".join(requests.utils.get_auth_from_url(proxy)).encode("latin-1")
    except (urllib3.exceptions.HTTPError, TypeError, ValueError):  # TypeError: a user, and no host
        return "is not a URL with a valid host, port, user and password"
    if (url.scheme or "").startswith("socks"):
        return "names a SOCKS proxy, which is not supported"
    if url.scheme not in ("http", "https"):
        return "is neither an http:// nor an https:// URL"
    if not url.host:
        return "names no host"
    # Of the text itself: older versions of `requests` drop a port of 0.
    given = urllib3.util.parse_url(proxy if "//" in proxy else f"//{proxy}")
    return "names port 0" if given.port == 0 else None
