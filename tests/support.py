"""What several tests need: canary secrets, an injected transport at the edge, and a clock that tests move."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import requests
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse

from airflow_provider_zapi.client import Credentials, Transport, ZApiClient
from airflow_provider_zapi.client.redaction import encodings

#: Secrets that no text may hold. The instance token stands in paths and is therefore refused with other characters.
TOKEN = "canary-instance-token_0"
CLIENT_TOKEN = "canary/client+token=50%"
CANARIES = (TOKEN, CLIENT_TOKEN)


def leaks(*texts: str) -> list[str]:
    """Return the canaries, raw or encoded, that stand in a text."""
    forms = [form for canary in CANARIES for form in encodings(canary)]
    return [form for text in texts for form in forms if form in text]


def credentials(**changes: Any) -> Credentials:
    given: dict[str, Any] = {"instance_id": "instance-1", "instance_token": TOKEN, "client_token": CLIENT_TOKEN}
    return Credentials(**{**given, "conn_id": "zapi_default", **changes})


@dataclass(frozen=True)
class Canned:
    """An answer to give."""

    body: bytes | str | dict[str, Any] | list[Any] | None = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


GOOD = Canned({"success": True})


class CannedAdapter(BaseAdapter):
    """Stands where the network begins: keeps the requests, gives the answers in turn; the last one repeats."""

    def __init__(self, *answers: Canned | Exception, before: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self.answers = list(answers) or [GOOD]
        self.before = before
        self.requests: list[requests.PreparedRequest] = []
        self.options: list[dict[str, Any]] = []

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        # requests declares the options one by one; what they are is for the tests to look at.
        self.before()
        self.requests.append(request)
        self.options.append(options)
        answer = self.answers[min(len(self.requests), len(self.answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        body = answer.body if isinstance(answer.body, (bytes, str)) else json.dumps(answer.body)
        raw = body.encode() if isinstance(body, str) else body
        response = requests.Response()
        response.status_code = answer.status
        response.headers.update(answer.headers)
        response.raw = HTTPResponse(
            io.BytesIO(raw), headers=answer.headers, status=answer.status, preload_content=False
        )
        response.request = request
        response.url = request.url or ""
        return response

    def close(self) -> None:
        pass


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def client_with(
    *answers: Canned | Exception, clock: Clock | None = None, before: Callable[[], None] = lambda: None, **changes: Any
) -> tuple[ZApiClient, CannedAdapter, Clock]:
    """Return a client whose network is an adapter with these answers, and whose time is a clock's."""
    adapter, clock = CannedAdapter(*answers, before=before), clock or Clock()
    given = credentials(**changes)
    transport = Transport(given, adapter=adapter, clock=clock, sleep=clock.sleep)
    return ZApiClient(given, transport=transport), adapter, clock


def ids(rows: Iterable[Any]) -> list[str]:
    """Return the first cell of each row, as names of the cases."""
    return [str(row[0]) for row in rows]
