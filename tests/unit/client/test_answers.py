"""What each answer means. Each case is a row of Z-API's contract."""

from __future__ import annotations

import json
import re
from email.utils import formatdate
from typing import Any

import pytest

from airflow_provider_zapi import exceptions as errors
from airflow_provider_zapi.client.answers import (
    NO_SUCH_PATH,
    NOT_ZAPI,
    REFUSED,
    STATUSES,
    SUCCESS_FALSE,
    TEXTS,
    Again,
    Failure,
    read_answer,
    success_is_true,
)
from airflow_provider_zapi.client.broken import _EXCHANGES, STOPPED, broken_exchange
from airflow_provider_zapi.client.redaction import Redactor
from tests.support import CANARIES, CLIENT_TOKEN, leaks

NOW = 1_800_000_000.0
DEEP = b"[" * 100_000 + b"]" * 100_000

FAILURES: list[tuple[str, int, bytes, type[errors.ZApiError], Again, str]] = [
    # answer, status, body, error, whether the same call retries it, a part of the message
    ("no such path", 200, b'{"error":"NOT_FOUND","message":"Unable to find matching target resource method"}',
     errors.ZApiUnexpectedAnswerError, Again.NEVER, "does not have this endpoint"),
    ("success false", 200, b'{"success": false}', errors.ZApiRefusedError, Again.NEVER, "success: false"),
    ("error under 200", 200, b'{"error": "Blocked for now"}', errors.ZApiRefusedError, Again.NEVER, "Blocked for now"),
    ("error beside success", 200, b'{"success": true, "error": "x"}', errors.ZApiRefusedError, Again.NEVER, "refused the call: x"),
    ("error without text", 200, b'{"success": true, "error": {"a": 1}}', errors.ZApiRefusedError, Again.NEVER, "an object"),
    ("blank error", 200, b'{"error": "\\u0007"}', errors.ZApiRefusedError, Again.NEVER, "no reason given"),
    ("HTML", 200, b"<html>Sign in</html>", errors.ZApiUnreachableError, Again.IF_REPEATABLE, "not JSON"),
    ("empty", 200, b"", errors.ZApiUnreachableError, Again.IF_REPEATABLE, "it is empty"),
    ("no content", 204, b"", errors.ZApiUnreachableError, Again.IF_REPEATABLE, "it is empty"),
    ("list", 200, b'[{"success": true}]', errors.ZApiUnreachableError, Again.IF_REPEATABLE, "a list"),
    ("text", 200, b'"success"', errors.ZApiUnreachableError, Again.IF_REPEATABLE, "a string"),
    ("number", 200, b"1", errors.ZApiUnreachableError, Again.IF_REPEATABLE, "a number"),
    ("only true", 200, b"true", errors.ZApiUnreachableError, Again.IF_REPEATABLE, "true or false"),
    ("null", 200, b"null", errors.ZApiUnreachableError, Again.IF_REPEATABLE, "null"),
    ("success missing", 200, b"{}", errors.ZApiUnreachableError, Again.IF_REPEATABLE, "'success' is missing"),
    ("success as text", 200, b'{"success": "true"}', errors.ZApiUnreachableError, Again.IF_REPEATABLE, "'success'"),
    ("success as 1", 200, b'{"success": 1}', errors.ZApiUnreachableError, Again.IF_REPEATABLE, "'success'"),
    ("success null", 200, b'{"success": null}', errors.ZApiUnreachableError, Again.IF_REPEATABLE, "'success'"),
    ("NaN", 200, b'{"success": true, "x": NaN}', errors.ZApiUnreachableError, Again.IF_REPEATABLE, "not JSON"),
    ("a key twice", 200, b'{"success": false, "success": true}', errors.ZApiUnreachableError, Again.IF_REPEATABLE, "not JSON"),
    ("5,000 digits", 200, b'{"success": ' + b"1" * 5000 + b"}", errors.ZApiUnreachableError, Again.IF_REPEATABLE, "not JSON"),
    ("deep nesting", 200, DEEP, errors.ZApiUnreachableError, Again.IF_REPEATABLE, "nested too deeply"),
    ("UTF-16", 200, '{"success": true}'.encode("utf-16"), errors.ZApiUnreachableError, Again.IF_REPEATABLE, "not JSON"),
    ("no Client-Token", 400, b'{"error": "your client-token is not configured"}',
     errors.ZApiAuthenticationError, Again.NEVER, "received none"),
    ("no Client-Token, other text", 400, b'{"error": "null not allowed"}',
     errors.ZApiAuthenticationError, Again.NEVER, "received none"),
    ("wrong Client-Token", 403, f'{{"error": "Client-Token {CLIENT_TOKEN} not allowed"}}'.encode(),
     errors.ZApiAuthenticationError, Again.NEVER, "refused the Client-Token"),
    ("address", 403, b'{"error": "203.0.113.7 not allowed"}', errors.ZApiAuthenticationError, Again.NEVER, "203.0.113.7"),
    ("IPv6 address", 400, b'{"error": "2001:db8::7 not allowed"}', errors.ZApiAuthenticationError, Again.NEVER, "2001:db8::7"),
    ("subscription", 400, b'{"error": "To continue sending a message, you must subscribe to this instance again"}',
     errors.ZApiSubscriptionError, Again.NEVER, "subscription"),
    ("instance", 400, b'{"error": "Instance not found"}', errors.ZApiInstanceNotFoundError, Again.NEVER, "not have an instance"),
    ("instance, 404", 404, b'{"error": "Instance not found"}', errors.ZApiInstanceNotFoundError, Again.NEVER, "not have an instance"),
    ("instance, 200", 200, b'{"error": "Instance not found"}', errors.ZApiInstanceNotFoundError, Again.NEVER, "not have an instance"),
    ("instance, 500", 500, b'{"error": "Instance not found"}', errors.ZApiInstanceNotFoundError, Again.NEVER, "not have an instance"),
    ("phone", 400, b'{"error": "Invalid phone"}', errors.ZApiInvalidRequestError, Again.NEVER, "phone number"),
    ("not connected", 400, b'{"error": "You are not connected."}', errors.ZApiNotConnectedError, Again.NEVER, "no WhatsApp session"),
    ("restore", 200, b'{"error": "You need to restore the session."}', errors.ZApiNotConnectedError, Again.NEVER, "restore"),
    ("400", 400, b'{"error": "Something else"}', errors.ZApiInvalidRequestError, Again.NEVER, "Something else"),
    ("not emulated", 501, b'{"error": "Not emulated: POST send-image"}',
     errors.ZApiUnexpectedAnswerError, Again.NEVER, "does not emulate this call"),
    ("401", 401, b"", errors.ZApiAuthenticationError, Again.NEVER, "credentials"),
    ("402", 402, b"{}", errors.ZApiSubscriptionError, Again.NEVER, "payment"),
    ("403", 403, b"", errors.ZApiAuthenticationError, Again.NEVER, "refused the call"),
    ("404", 404, b"<html>", errors.ZApiUnexpectedAnswerError, Again.NEVER, "does not know"),
    ("405", 405, b"", errors.ZApiInvalidRequestError, Again.NEVER, "form of the request"),
    ("415", 415, b"", errors.ZApiInvalidRequestError, Again.NEVER, "form of the request"),
    ("429", 429, b"", errors.ZApiRateLimitError, Again.ALWAYS, "received too many calls"),
    *((str(status), status, b"", errors.ZApiUnreachableError, Again.IF_REPEATABLE, "could not answer")
      for status in (408, 409, 425, 500, 502, 503, 504, 520)),
    *((str(status), status, b"", errors.ZApiUnexpectedAnswerError, Again.NEVER, "does not know") for status in (501, 505, 103)),
    *((str(status), status, b"", errors.ZApiUnexpectedAnswerError, Again.NEVER, "a redirect")
      for status in (300, 301, 302, 303, 307, 308)),
]  # fmt: skip


def read(status: int, body: bytes, headers: dict[str, str] | None = None) -> Any:
    return read_answer(status, headers or {}, body, success_is_true, Redactor(CANARIES).scrub, NOW)


@pytest.mark.parametrize(
    ("status", "body", "error", "again", "text"), [row[1:] for row in FAILURES], ids=[row[0] for row in FAILURES]
)
def test_a_failure_has_its_error_class_and_message(
    status: int, body: bytes, error: type[errors.ZApiError], again: Again, text: str
) -> None:
    failure = read(status, body)
    assert isinstance(failure, Failure)
    assert (failure.error, failure.again, failure.status) == (error, again, status)
    assert text in failure.what
    assert "{" not in failure.what
    assert failure.advice.endswith(".")
    assert not leaks(failure.what, failure.advice)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "it is empty"),
        (b"<html>", "it is not JSON"),
        (DEEP, "its JSON is nested too deeply"),
        (b"[]", "JSON, but a list instead of an object"),
        (b'"x"', "JSON, but a string instead of an object"),
        (b"true", "JSON, but true or false instead of an object"),
        (b"null", "JSON, but null instead of an object"),
        (b"1.5", "JSON, but a number instead of an object"),
        (b"{}", "'success' is missing or neither true nor false"),
    ],
    ids=lambda cell: cell if isinstance(cell, str) else "",
)
def test_an_answer_that_is_not_from_z_api_is_described(body: bytes, said: str) -> None:
    assert read(200, body).what == f"the answer is not from Z-API: {said}"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ({"a": 1}, "'error' is an object"),
        ([1], "'error' is a list"),
        (5, "'error' is a number"),
        ("\a", "no reason given"),
    ],
)
def test_an_error_that_is_not_a_string_is_described(error: Any, said: str) -> None:
    assert read(200, json.dumps({"error": error}).encode()).what == f"Z-API refused the call: {said}"


@pytest.mark.parametrize(
    "body", [b'{"success": true}', b'\xef\xbb\xbf{"success": true, "more": [1]}', b'{"success":true,"error":null}']
)
def test_only_true_is_a_success(body: bytes) -> None:
    assert read(200, body) is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("86400", 86400.0),
        (formatdate(NOW + 30, usegmt=True), 30.0),
        (formatdate(NOW - 30, usegmt=True), None),
        ("0", None),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("1e9", None),
        ("٣", None),
        ("Mon, 99 Foo 99999 99:99:99 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_future_date(header: str, seconds: float | None) -> None:
    assert read(503, b"", {"Retry-After": header}).retry_after == seconds


#: Words that the client must not use, because only some callers know tasks, task retries, workers and Airflow's form.
ASSUMED = re.compile(r"\b(task|next try|worker|Host|Login|Password)\b")


def test_no_error_assumes_its_caller_or_uses_other_field_names_than_the_form() -> None:
    failures = [row for _, row in TEXTS]
    failures += [*STATUSES.values(), NOT_ZAPI, NO_SUCH_PATH, REFUSED, SUCCESS_FALSE, read(302, b""), read(599, b"")]
    failures += [read(404, b""), broken_exchange(OSError("Tunnel connection failed: 407")), STOPPED]
    said = [f"{failure.what} {failure.advice}" for failure in failures]
    said += [f"{what} {advice}" for _, what, advice, *_ in _EXCHANGES]
    assert [text for text in said if ASSUMED.search(text)] == []


def test_a_phone_in_the_servers_text_is_hidden_but_an_address_is_not() -> None:
    failure = read(418, json.dumps({"error": "5544991111111, 120363019502650977@lid or 203.0.113.77"}).encode())
    assert isinstance(failure, Failure)
    assert failure.what.endswith(": ***1111, ***0977@lid or 203.0.113.77")


def test_the_servers_string_is_scrubbed_before_it_is_cut() -> None:
    text = "x" * 190 + CLIENT_TOKEN + "\x1b[31m\u202eEnd"
    failure = read(400, json.dumps({"error": text}).encode())
    said = failure.what.split(": ", 1)[1]
    assert len(said) <= 200
    assert said.isprintable()
    assert "canary" not in said
