"""Helpers for several tests: canary secrets, an injected transport at the edge, and a clock that tests move."""

from __future__ import annotations

import base64
import html
import io
import json
import logging
import pickle
import re
import signal
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, quote_plus

import requests
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse

from airflow_provider_zapi.client import Credentials, Transport, ZApiClient
from airflow_provider_zapi.exceptions import ZApiError

#: Secrets that must not appear in any string. The instance token is part of paths, so it accepts fewer characters.
TOKEN = "canary-instance-token_0"
CLIENT_TOKEN = "canary/client+token=50%"
#: The integrator token, which only the client of an account knows.
PARTNER_TOKEN = "canary.partner/token+of=90%"
CANARIES = (TOKEN, CLIENT_TOKEN)


#: The encodings of a secret. This is not the package's own list, so that it finds an encoding that the package misses.
FORMS: dict[str, Callable[[str], str]] = {
    "raw": str,
    "URL-encoded": lambda secret: quote(secret, safe=""),
    "URL-encoded but for slashes": quote,
    "URL-encoded, lower case": lambda secret: quote(secret, safe="").replace("%2F", "%2f").replace("%3D", "%3d"),
    "URL-encoded, all of it": lambda secret: "".join(f"%{ord(character):02x}" for character in secret),
    "URL-encoded twice": lambda secret: quote(quote(secret, safe=""), safe=""),
    "form-encoded": quote_plus,
    "JSON": lambda secret: json.dumps(secret)[1:-1],
    "JSON with escaped slashes": lambda secret: json.dumps(secret)[1:-1].replace("/", "\\/"),
    "JSON with an escaped plus sign": lambda secret: json.dumps(secret)[1:-1].replace("+", "\\u002B"),
    "JSON, all of it escaped": lambda secret: "".join(f"\\u{ord(character):04x}" for character in secret),
    "JSON in JSON": lambda secret: json.dumps(json.dumps(secret).replace("/", "\\/"))[3:-3],
    "HTML": lambda secret: html.escape(secret).replace("/", "&#x2F;").replace("+", "&#43;"),
    "repr": lambda secret: repr(secret)[1:-1],
    "base64": lambda secret: base64.b64encode(secret.encode()).decode(),
    "URL-safe base64": lambda secret: base64.urlsafe_b64encode(secret.encode()).decode(),
    "base64 after one character": lambda secret: base64.b64encode(b"x" + secret.encode() + b"y").decode(),
    "base64 after two characters": lambda secret: base64.b64encode(b"xx" + secret.encode() + b"yy").decode(),
    "base64, URL-encoded": lambda secret: quote(base64.b64encode(secret.encode()).decode(), safe=""),
}


def certain_part(name: str, written: str) -> str:
    """Return the part of an encoded secret that is always the same. base64 mixes its ends with the neighbours."""
    return written[4:-4] if name.startswith(("base64", "URL-safe base64")) else written


_CANARY_FORMS = {
    certain_part(name, write(canary)) for name, write in FORMS.items() for canary in (*CANARIES, PARTNER_TOKEN)
}


def leaks(*texts: str) -> list[str]:
    """Return the canaries that a string contains, raw or encoded."""
    return [form for text in texts for form in _CANARY_FORMS if form in text]


def traces(error: BaseException) -> list[str]:
    """Return every string that an error could be turned into."""
    return [
        str(error),
        repr(error),
        repr(error.args),
        repr(vars(error)),
        "".join(traceback.format_exception(error)),
        pickle.dumps(error).decode("latin-1"),
        *(repr(linked) for linked in (error.__cause__, error.__context__) if linked),
    ]


def logged(records: Iterable[logging.LogRecord]) -> list[str]:
    """Return every string that log records contain."""
    return [
        text
        for record in records
        for text in (
            record.getMessage(),
            str(record.msg),
            repr(record.args),
            str(record.exc_info),
            str(record.exc_text),
        )
    ]


def check_error(error: BaseException) -> None:
    """Check that an error of this provider has no reference to a secret, or to an object that could hold one."""
    assert isinstance(error, ZApiError)
    assert error.__cause__ is None
    assert error.__context__ is None
    assert not leaks(*traces(error))
    assert vars(error).keys() == {
        "what", "advice", "endpoint", "conn_id", "status", "attempts", "elapsed", "retry_after",
        "perhaps_done", "code",
    }  # fmt: skip


def credentials(**changes: Any) -> Credentials:
    given: dict[str, Any] = {"instance_id": "instance-1", "instance_token": TOKEN, "client_token": CLIENT_TOKEN}
    return Credentials(**{**given, "conn_id": "zapi_default", **changes})


@dataclass(frozen=True)
class Canned:
    """An answer of the server."""

    body: bytes | str | dict[str, Any] | list[Any] | None = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


GOOD = Canned({"success": True})


class CannedAdapter(BaseAdapter):
    """A transport that replaces the network. It stores requests and returns the answers in turn, then repeats the last."""

    def __init__(self, *answers: Canned | Exception, before: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self.answers = list(answers) or [GOOD]
        self.before = before
        self.requests: list[requests.PreparedRequest] = []
        self.options: list[dict[str, Any]] = []
        self.closed = False

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        # requests passes the options one by one. They are stored, so that tests can check them.
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
        self.closed = True


class Clock:
    """A clock that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class JumpClock(Clock):
    """The real time, but sleeping only moves the clock. For tests with real connections and no waits between attempts."""

    def __call__(self) -> float:
        return self.now + time.monotonic()


def client_with(
    *answers: Canned | Exception, clock: Clock | None = None, before: Callable[[], None] = lambda: None, **changes: Any
) -> tuple[ZApiClient, CannedAdapter, Clock]:
    """Return a client that gets these answers instead of using the network, with a clock that tests move."""
    adapter, clock = CannedAdapter(*answers, before=before), clock or Clock()
    given = credentials(**changes)
    transport = Transport(given, adapter=adapter, clock=clock, sleep=clock.sleep)
    return ZApiClient(given, transport=transport), adapter, clock


def ids(rows: Iterable[Any]) -> list[str]:
    """Return the first cell of each row, to name the cases."""
    return [str(row[0]) for row in rows]


def code_blocks(page: str, language: str) -> list[str]:
    """Return the code of a page's blocks in a language, without the indentation of a surrounding list."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", page, re.MULTILINE | re.DOTALL)
    return ["".join(line.removeprefix(indent) for line in code.splitlines(True)) for indent, code in found]


@contextmanager
def given_up_after(*, minutes: float) -> Iterator[None]:
    """Stop code that would run for hours if it had a mistake. The limit is generous and does not test speed."""

    def give_up(number: int, frame: object) -> None:
        raise TimeoutError(f"not done after {minutes} minutes")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, minutes * 60)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
