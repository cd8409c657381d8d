"""The expected outcome of each fault, from Z-API's contract and this provider's design (not copied from the code).

Each kind of fault has a row. The first row whose pattern matches a fault's name applies. `docs/faults.md` shows this
table.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from airflow_provider_zapi import exceptions as errors

#: The number of requests for a call that is retried.
RETRIED = 4
ONCE = 1


@dataclass(frozen=True)
class Outcome:
    """The outcome of a fault. Without an error, it is a success."""

    pattern: str
    title: str
    error: type[errors.ZApiError] | None
    requests: int = ONCE
    #: The status of the error. If the pattern has a group ``status``, that group sets it.
    status: int | None = None
    #: There are fewer requests than tries if the connection ends before a request.
    received: int | None = None


#: An error message that decides the outcome for any status.
TEXTS: Mapping[str, tuple[str, type[errors.ZApiError]]] = {
    "not_found": ("`NOT_FOUND`: no such path", errors.ZApiUnexpectedAnswerError),
    "client_token_missing": ("the Client-Token is missing", errors.ZApiAuthenticationError),
    "client_token_null": ("the Client-Token is missing (other text)", errors.ZApiAuthenticationError),
    "client_token_wrong": ("the Client-Token is refused", errors.ZApiAuthenticationError),
    "address": ("the caller's address is refused", errors.ZApiAuthenticationError),
    "subscription": ("the subscription lapsed", errors.ZApiSubscriptionError),
    "instance": ("instance not found", errors.ZApiInstanceNotFoundError),
    "phone": ("invalid phone", errors.ZApiInvalidRequestError),
    "not_connected": ("not connected", errors.ZApiNotConnectedError),
    "restore": ("the session has to be restored", errors.ZApiNotConnectedError),
}

#: A status with an unknown error message.
STATUSES: Mapping[int, tuple[type[errors.ZApiError], int]] = {
    400: (errors.ZApiInvalidRequestError, ONCE),
    401: (errors.ZApiAuthenticationError, ONCE),
    402: (errors.ZApiSubscriptionError, ONCE),
    403: (errors.ZApiAuthenticationError, ONCE),
    404: (errors.ZApiUnexpectedAnswerError, ONCE),
    405: (errors.ZApiInvalidRequestError, ONCE),
    408: (errors.ZApiUnreachableError, RETRIED),
    409: (errors.ZApiUnreachableError, RETRIED),
    415: (errors.ZApiInvalidRequestError, ONCE),
    425: (errors.ZApiUnreachableError, RETRIED),
    429: (errors.ZApiRateLimitError, RETRIED),
    500: (errors.ZApiUnreachableError, RETRIED),
    501: (errors.ZApiUnexpectedAnswerError, ONCE),
    502: (errors.ZApiUnreachableError, RETRIED),
    503: (errors.ZApiUnreachableError, RETRIED),
    504: (errors.ZApiUnreachableError, RETRIED),
    505: (errors.ZApiUnexpectedAnswerError, ONCE),
}

#: The values of Retry-After that are in the future, in seconds. All others are ignored.
RETRY_AFTER: Mapping[str, float] = {"seconds": 2, "future_date": 30, "day": 86_400}
#: If the server requests a longer wait, the call does not wait.
LONGEST_RETRY_AFTER = 60.0

UNREACHABLE = errors.ZApiUnreachableError
OUTCOMES: tuple[Outcome, ...] = (
    Outcome("utf8_bom", "200, a success after a byte order mark", None),
    Outcome("(silent|reset|fin)_before_request", "closed or silent before the request", UNREACHABLE, RETRIED, received=0),
    Outcome("silent.*", "silence, before or in the headers or in the body", UNREACHABLE, RETRIED),
    Outcome("reset.*", "a reset, before, in or after the headers or in the body", UNREACHABLE, RETRIED),
    Outcome("fin_in_headers", "the headers are cut (without any part of the body)", UNREACHABLE, RETRIED, 200),
    Outcome("fin.*", "closed before an answer, or a body that is cut", UNREACHABLE, RETRIED),
    Outcome("drip_.*|endless_interim", "a drip of headers, chunk size or body; endless 100 Continue", UNREACHABLE),
    Outcome("length_too_long|chunk_.*", "a body shorter than its length, bad or unfinished chunks", UNREACHABLE, RETRIED),
    Outcome("length_.*|gzip_cut", "a wrong length or cut gzip that leaves half a JSON text", UNREACHABLE, RETRIED, 200),
    Outcome("header_without_colon", "a header line without a colon, no body", UNREACHABLE, RETRIED, 200),
    Outcome("headers_many|header_huge", "over 100 headers, or one of over 64 KiB", UNREACHABLE, RETRIED),
    Outcome("status_line_bad|not_http|binary", "no HTTP, or a bad status line", UNREACHABLE, RETRIED),
    Outcome("body_huge.*|gzip_bomb|nesting_objects", "a body over 1 MiB, as sent or unpacked", UNREACHABLE, ONCE, 200),
    Outcome("gzip_bad.*", "gzip that does not unpack", UNREACHABLE, RETRIED),
    Outcome("interim_103", "103 Early Hints, which Python 3.11 takes for the answer", errors.ZApiUnexpectedAnswerError, ONCE, 103),
    Outcome(r"redirect_(?P<status>\d+).*", "a redirect", errors.ZApiUnexpectedAnswerError),
    Outcome("status_204", "204 No Content", UNREACHABLE, RETRIED, 204),
    *(
        Outcome(rf"status_(?P<status>\d+)_{name}", f"any status, error text: {title}", error)
        for name, (title, error) in TEXTS.items()
    ),
    Outcome("status_200_(refused|error|already_connected)", "200, `success: false` or another `error`", errors.ZApiRefusedError, ONCE, 200),
    Outcome("success_and_error|control_characters|lone_surrogate|long_error", "200, an odd `error`, also beside `success: true`", errors.ZApiRefusedError, ONCE, 200),
    Outcome("status_200_(html|empty)", "200, a proxy's page or nothing", UNREACHABLE, RETRIED, 200),
    *(
        Outcome(rf"(status|retry_after)_{status}_.*", f"{status}, no such text", error, requests, status)
        for status, (error, requests) in STATUSES.items()
    ),
    Outcome("echo_json_200_.*", "200, a refused Client-Token, echoed", errors.ZApiAuthenticationError, ONCE, 200),
    Outcome("echo_json_.*|echo_reason", "403, a refused Client-Token, echoed", errors.ZApiAuthenticationError, ONCE, 403),
    Outcome("echo_reason_retried", "503, the secrets in the reason phrase", UNREACHABLE, RETRIED, 503),
    Outcome("echo_header", "400, the secrets in a header", errors.ZApiInvalidRequestError, ONCE, 400),
    Outcome("echo_retry_after", "429, the secrets in Retry-After", errors.ZApiRateLimitError, RETRIED, 429),
    Outcome("echo_(page_200_.*|content_type)", "200, a page that echoes the secrets", UNREACHABLE, RETRIED, 200),
    Outcome("echo_page_.*", "502, a page that echoes the secrets", UNREACHABLE, RETRIED, 502),
    Outcome(".*", "200, a body other than an object with only `success: true`", UNREACHABLE, RETRIED, 200),
)  # fmt: skip


def outcome_of(name: str) -> Outcome:
    """Return the row of a fault, with the status and the number of requests from its name."""
    row, match = next((row, match) for row in OUTCOMES if (match := re.fullmatch(row.pattern, name)))
    status = match.groupdict().get("status")
    requests = 1 if (retry_after_of(name) or 0) > LONGEST_RETRY_AFTER else row.requests
    return Outcome(row.pattern, row.title, row.error, requests, int(status) if status else row.status, row.received)


def retry_after_of(name: str) -> float | None:
    match = re.fullmatch(r"retry_after_\d+_(\w+)", name)
    return RETRY_AFTER.get(match[1]) if match else None


def as_markdown() -> str:
    """Return the table of the documentation."""
    head = ["| what the server does | error | tries |", "| --- | --- | --- |"]
    rows = [f"| {row.title} | {_named(row.error)} | {row.requests} |" for row in OUTCOMES]
    return "\n".join([*head, *rows, ""])


def _named(error: type[errors.ZApiError] | None) -> str:
    return f"`{error.__name__}`" if error else "none: a success"
