"""Send a call with retries, and return the result."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol, TypeVar

import requests
from requests.adapters import BaseAdapter

from airflow_provider_zapi import __version__
from airflow_provider_zapi.catching import caught
from airflow_provider_zapi.client.answers import Again, Failure, Reader, clean, not_zapi, read_answer
from airflow_provider_zapi.client.broken import BROKEN, STOPPED, broken_exchange
from airflow_provider_zapi.client.deadline import Deadline
from airflow_provider_zapi.client.redaction import Redactor
from airflow_provider_zapi.client.retrying import MAX_ATTEMPTS, with_retries
from airflow_provider_zapi.client.targets import Target
from airflow_provider_zapi.client.tracing import traced
from airflow_provider_zapi.client.wires import Route, Wire

__all__ = ["Call", "Pace", "RawAnswer", "Transport"]

T = TypeVar("T")

log = logging.getLogger(__name__)

#: The seconds that opening a connection, and a whole call with its retries and waits, may take.
CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 120.0
#: The default of the seconds without a byte after which an attempt ends.
READ_SECONDS = 30.0

#: Waits are cut into slices of this many seconds, because a killed task is noticed only after a slice.
SLICE_SECONDS = 0.25

#: The largest body to read, in bytes after decompression.
MAX_BODY = 1 << 20


_HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip",
    "Connection": "keep-alive",
    # Z-API needs it on every call, even without a body (else 415).
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
    :param repeatable: whether the call is idempotent
    :param max_body: the largest answer to read, in bytes
    :param content_type: whether to send ``Content-Type``, which Z-API needs on every call
    """

    method: str
    path: str
    endpoint: str
    json: Any = field(default=None, repr=False)
    params: Mapping[str, str] | None = field(default=None, repr=False)
    repeatable: bool = True
    max_body: int = MAX_BODY
    content_type: bool = True


class RawAnswer(NamedTuple):
    """An unchanged answer, which may repeat secrets. ``body`` is None if it is too large."""

    status: int
    headers: Mapping[str, str]
    body: bytes | None

    def __repr__(self) -> str:
        return f"{type(self).__name__}(status={self.status})"


class Pace(Protocol):
    """Slow down or stop the calls of an account's instances. Any thread may call it."""

    @property
    def stopped(self) -> bool:
        """Return whether sending has stopped for all instances."""

    def begin(self) -> float:
        """Count a call as in progress and return 0, or return the seconds after which to ask again."""

    def failed(self, failure: Failure, sent: float) -> None:
        """Record a failed attempt and when it was sent, by the transport's clock."""

    def ended(self) -> None:
        """Record that a call is no longer in progress."""


class Transport:
    """Send HTTP requests to one target over one connection. It is not thread-safe.

    :param target: an instance (`Credentials`) or an account (`AccountCredentials`)
    :param read_timeout: seconds without a byte after which an attempt ends
    :param total: seconds that a call may take, with its retries and waits
    :param max_attempts: the most attempts before the error is raised
    :param adapter: replaces the network, in tests
    :param observe: called after each call with its number of attempts and the name of its error's class, or None
    :param wire: the connection to use, which the transport does not close; by default a new one
    :param pace: delays calls so that all instances of the account share one pace
    :param redactor: removes secrets; by default the target's secrets
    :param clock: seconds, monotonic
    :param sleep: waits for the given number of seconds
    """

    def __init__(
        self,
        target: Target,
        *,
        read_timeout: float = READ_SECONDS,
        total: float = TOTAL_SECONDS,
        max_attempts: int = MAX_ATTEMPTS,
        adapter: BaseAdapter | None = None,
        observe: Callable[[int, str | None], None] | None = None,
        wire: Wire | None = None,
        pace: Pace | None = None,
        redactor: Redactor | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._target = target
        self._read_timeout = read_timeout
        self._total = total
        self._max_attempts = max_attempts
        self._clock = clock
        self._sleep = sleep
        self._deadline = Deadline(clock, lambda: self.cancelled)
        self._redactor = redactor or Redactor(target.secrets)
        self._cancelled = False
        self._observe = observe
        self._pace = pace
        self._owned = wire is None
        self._wire = wire or Wire(Route(target.base_url, target.conn_id), adapter)
        self._wire.serve(self._deadline, target)
        self._session = self._wire.session

    def __repr__(self) -> str:
        return f"{type(self).__name__}(conn_id={self._target.conn_id!r})"

    def cancel(self) -> None:
        """Stop sending. This is safe in a signal handler: it sets a flag without a lock."""
        self._cancelled = True

    @property
    def cancelled(self) -> bool:
        """Return whether sending has stopped."""
        return self._cancelled or (self._pace is not None and self._pace.stopped)

    def clean(self, text: str) -> str:
        """Return the server's string on one line, shortened and without secrets."""
        return clean(text, self._redactor.scrub)

    def close(self) -> None:
        """Close the connection, unless it was passed in."""
        if self._owned:
            self._wire.close()

    def call(self, call: Call, read: Reader[T]) -> T:
        """Send a call and return the result of ``read`` for its answer.

        :raises ZApiError: there is no valid answer; the class of the error gives the reason
        """
        # This comes before the start of the deadline, because the wait for other instances is not part of the call.
        admitted = self._admitted()
        started = self._clock()
        self._deadline.start(self._total)
        attempts = 0
        answered: int | None = None

        def attempt() -> T | Failure:
            nonlocal attempts, answered, admitted
            if not (admitted or self._admitted()):
                return STOPPED
            admitted = False
            attempts += 1
            try:
                answered, outcome = self._attempt(call, read)
            finally:
                if self._pace is not None:
                    self._pace.ended()
            return outcome

        with traced(call.method, call.endpoint) as ended:
            outcome = with_retries(
                attempt,
                endpoint=call.endpoint,
                idempotent=call.repeatable,
                max_attempts=self._max_attempts,
                remaining=self._deadline.remaining,
                pause=self.pause,
            )
            error = outcome.error.__name__ if isinstance(outcome, Failure) else None
            ended(answered, attempts, error)
        if self._observe is not None:
            self._observe(attempts, error)
        if isinstance(outcome, Failure):
            raise outcome.error(
                outcome.what,
                outcome.advice,
                endpoint=call.endpoint,
                conn_id=self._target.conn_id,
                status=outcome.status,
                attempts=attempts,
                elapsed=self._clock() - started,
                retry_after=outcome.retry_after,
                perhaps_done=outcome.again is Again.IF_REPEATABLE and not call.repeatable,
                code=outcome.code,
            )
        return outcome

    def exchange(self, call: Call) -> RawAnswer:
        """Send a call once and return its answer unchanged. The probe uses this to describe answers.

        :raises ZApiError: there is no answer
        """
        self._deadline.start(self._total)
        failure = STOPPED
        if not self._cancelled:
            exchanged = caught(lambda: self._exchange(call), *BROKEN)
            if not isinstance(exchanged, Exception):
                return RawAnswer(*exchanged)
            self.close()
            failure = broken_exchange(exchanged)
        raise failure.error(failure.what, failure.advice, endpoint=call.endpoint, conn_id=self._target.conn_id)

    def _attempt(self, call: Call, read: Reader[T]) -> tuple[int | None, T | Failure]:
        """Send the call once, and return the status of its answer with the result."""
        sent = self._clock()
        answered, outcome = self._answer(call, read)
        if isinstance(outcome, Failure):
            # Use a new connection next, because the rest of a broken answer may still arrive on this one.
            self._wire.close()
            if self._pace is not None:
                self._pace.failed(outcome, sent)
        return answered, outcome

    def _answer(self, call: Call, read: Reader[T]) -> tuple[int | None, T | Failure]:
        if self.cancelled:
            return None, STOPPED
        exchanged = caught(lambda: self._exchange(call), *BROKEN)
        if isinstance(exchanged, Exception):
            return None, broken_exchange(exchanged)
        status, headers, body = exchanged
        if body is None:
            too_large = not_zapi(f"it is larger than {call.max_body} bytes")
            return status, replace(too_large, again=Again.NEVER, status=status)
        return status, read_answer(status, headers, body, read, self._redactor.scrub, time.time())

    def _exchange(self, call: Call) -> tuple[int, Mapping[str, str], bytes | None]:
        request = requests.Request(
            call.method,
            # The adapter adds the secrets.
            f"{self._target.base_url}/{call.path}",
            headers=_HEADERS,
            params=call.params,
            json=call.json,
        ).prepare()
        if not call.content_type:
            del request.headers["Content-Type"]
        remaining = max(self._deadline.remaining(), 0.001)
        with self._session.send(
            request,
            stream=True,
            timeout=(min(CONNECT_SECONDS, remaining), min(self._read_timeout, remaining)),
            allow_redirects=False,
            verify=self._wire.route.verify,
            proxies=self._wire.route.proxies,
        ) as response:
            body = bytearray()
            for chunk in response.iter_content(1 << 16):
                body += chunk
                if len(body) > call.max_body:
                    response.raw.close()
                    return response.status_code, response.headers, None
            return response.status_code, response.headers, bytes(body)

    def pause(self, seconds: float) -> None:
        """Wait in slices, so that a killed task is noticed."""
        end = self._clock() + seconds
        while not self.cancelled and (left := end - self._clock()) > 0:
            self._sleep(min(left, SLICE_SECONDS))

    def _admitted(self) -> bool:
        """Wait until a call may start. Return False if sending has stopped instead."""
        while not self.cancelled:
            delay = self._pace.begin() if self._pace is not None else 0.0
            if delay <= 0:
                return True
            self.pause(delay)
        return False
