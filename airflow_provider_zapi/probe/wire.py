"""Send the probe's calls, one per second, without retries, and with a limit on writes."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping

from airflow_provider_zapi.catching import caught
from airflow_provider_zapi.client.answers import retry_after
from airflow_provider_zapi.client.targets import Credentials
from airflow_provider_zapi.client.transport import Call, Transport
from airflow_provider_zapi.exceptions import ZApiError
from airflow_provider_zapi.probe.evidence import Seen
from airflow_provider_zapi.probe.steps import ClientToken, Request, filled

__all__ = ["MAX_WRITES", "Stopped", "Wire"]

#: Seconds from the start of one call to the start of the next.
PACE = 1.0
#: While restoring, the seconds to wait for a busy Z-API: at least, at most, and in total.
SHORTEST_WAIT, LONGEST_WAIT, PATIENCE = 10.0, 60.0, 180.0
#: Statuses that ask for fewer calls.
_BUSY = (429, 503)
_NO_MORE_CALLS = "Z-API takes no more calls for now"
#: A list of WhatsApp's largest size is under 2 MiB.
MAX_BODY = 8 << 20
#: The most writes of one run, including those that restore, and how many of them are reserved for restoring.
MAX_WRITES = 40
KEPT_FOR_RESTORING = 10
#: Sent once instead of the account's token.
MADE_UP_TOKEN = "probe-made-up-token"  # noqa: S105 - made up


class Stopped(Exception):  # noqa: N818 - it is an end, not an error
    """The reason why the probe sends no more calls."""


class Wire:
    """Send requests for the probe and store the answers.

    :param credentials: the credentials of the instance
    :param connect: returns a transport for the connection's credentials, or for those without its Client-Token
    :param clock: seconds, monotonic
    :param sleep: waits for the given number of seconds
    :param tell: called with each request before it is sent
    :param told: called with each answer
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        connect: Callable[[Credentials], Transport],
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        tell: Callable[[Request], None] = lambda request: None,
        told: Callable[[Seen], None] = lambda seen: None,
    ) -> None:
        self._credentials = credentials
        self._connect = connect
        self._clock = clock
        self._sleep = sleep
        self._tell = tell
        self._told = told
        self._transports: dict[ClientToken, Transport] = {}
        self._next = clock()
        self._patience = PATIENCE
        self.calls = 0
        self.writes = 0
        self.seen: list[Seen] = []

    @property
    def has_client_token(self) -> bool:
        """Return whether the connection has a Client-Token."""
        return self._credentials.client_token is not None

    @property
    def instance_id(self) -> str:
        """Return the instance's id."""
        return self._credentials.instance_id

    def is_instance_token(self, text: object) -> bool:
        """Return whether a string is the instance token, without revealing the token."""
        return text == self._credentials.instance_token

    def send(
        self, request: Request, phones: Mapping[str, str], *, writes: bool = False, restoring: bool = False
    ) -> Seen:
        """Send a request and return the answer.

        :param phones: what stands for the names in braces
        :param writes: whether it counts as a write
        :raises Stopped: it is one write too many, or Z-API takes no more calls
        """
        if writes and self.writes >= MAX_WRITES - (0 if restoring else KEPT_FOR_RESTORING):
            raise Stopped(f"{self.writes} writes were made, and no more are allowed")
        self._sleep(max(0.0, self._next - self._clock()))
        self._tell(request)
        started = self._clock()
        self._next = started + PACE
        self.calls += 1
        self.writes += writes
        call = Call(
            request.method,
            filled(request.path, phones),
            endpoint=request.path,
            json=filled(request.json, phones),
            params=request.params,
            max_body=MAX_BODY,
            content_type=request.content_type,
        )
        answer = caught(lambda: self._transport(request.sent_as).exchange(call), ZApiError)
        milliseconds = round((self._clock() - started) * 1000)
        seen = (
            Seen(request.probe, milliseconds=milliseconds)
            if isinstance(answer, ZApiError)
            else Seen.of(request.probe, answer, milliseconds)
        )
        self.seen.append(seen)
        self._told(seen)
        if seen.status in _BUSY and restoring:
            self._wait_as_asked(seen)
        elif seen.status == 429:
            raise Stopped(f"{_NO_MORE_CALLS}: it answered 429")
        return seen

    def _wait_as_asked(self, seen: Seen) -> None:
        header = next((value for name, value in seen.headers.items() if name.lower() == "retry-after"), None)
        wait = min(max(retry_after(header, time.time()) or 0, SHORTEST_WAIT), LONGEST_WAIT)
        self._patience -= wait
        if self._patience < 0:
            raise Stopped(_NO_MORE_CALLS)
        self._next = max(self._next, self._clock() + wait)

    def close(self) -> None:
        """Close the HTTP connections."""
        for transport in self._transports.values():
            transport.close()
        # The answer to an interrupted call may still arrive, so the next call gets a new connection.
        self._transports = {}

    def _transport(self, client_token: ClientToken) -> Transport:
        if client_token not in self._transports:
            token = {"own": self._credentials.client_token, "wrong": MADE_UP_TOKEN, "none": None}[client_token]
            self._transports[client_token] = self._connect(dataclasses.replace(self._credentials, client_token=token))
        return self._transports[client_token]
