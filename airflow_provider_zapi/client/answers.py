"""Turn an answer of Z-API into a result or a failure.

One table maps error strings to failures, and another maps statuses. The string is checked first, because Z-API reports
the same condition with different statuses. The rows come from Z-API's documentation and from answers that public
clients recorded.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from airflow_provider_zapi.client.bodies import NotJson, parse_body
from airflow_provider_zapi.client.shape import compact
from airflow_provider_zapi.exceptions import (
    ZApiAuthenticationError,
    ZApiError,
    ZApiInstanceNotFoundError,
    ZApiInvalidRequestError,
    ZApiNotConnectedError,
    ZApiRateLimitError,
    ZApiRefusedError,
    ZApiSubscriptionError,
    ZApiUnexpectedAnswerError,
    ZApiUnreachableError,
)
from airflow_provider_zapi.panel import (
    ACCOUNT_SECURITY_TOKEN,
    BASE_URL,
    INSTANCE_ID,
    INSTANCE_TOKEN,
    INSTANCES_PAGE,
    SECURITY_PAGE,
)
from airflow_provider_zapi.privacy.phones import hide_phone
from airflow_provider_zapi.wording import counted

__all__ = [
    "Again",
    "Failure",
    "Reader",
    "clean",
    "object_without_error",
    "read_answer",
    "retry_after",
    "success_is_true",
]

T = TypeVar("T")

#: The most characters of the server's string that a message shows.
MAX_SERVER_TEXT = 200
#: The most characters of the server's string that are read, so that a long string does not take long.
_READ_OF_TEXT = 16_384
#: How many characters are dropped from the end of a cut string, because half a secret there would not be found. Every
#: encoded secret is shorter than this.
_LOST_AT_CUT = 8_192
#: A sequence of this many digits may be a phone, which is personal data.
_PHONE = re.compile("[0-9]{8,}")


class Again(enum.Enum):
    """Whether to retry the same call before its error is raised."""

    NEVER = enum.auto()
    #: Only if the call is idempotent, because the server may have done it already.
    IF_REPEATABLE = enum.auto()
    #: Always, because the server has not done it.
    ALWAYS = enum.auto()


@dataclass(frozen=True, slots=True)
class Failure:
    """The reason why an attempt failed: the facts for its error, and whether to retry."""

    error: type[ZApiError]
    what: str
    advice: str
    again: Again = Again.NEVER
    status: int | None = None
    retry_after: float | None = None
    code: str = ""


_SECONDS = re.compile(r"\s*[0-9]{1,9}\s*")

#: Turns a parsed 2xx answer into a result or a failure.
Reader = Callable[[Any], T | Failure]

NOT_ZAPI = Failure(
    ZApiUnreachableError,
    "the answer is not from Z-API: {detail}",
    f"A proxy or a captive portal may have answered, or {BASE_URL} is not Z-API's address. Check the network.",
    Again.IF_REPEATABLE,
    code="ZAPI-UNREACHABLE-NOT-ZAPI",
)
NO_SUCH_PATH = Failure(
    ZApiUnexpectedAnswerError,
    "Z-API does not have this endpoint",
    f"Nothing was changed. If {BASE_URL} is Z-API's address, this is a bug in this provider. Please report it.",
    code="ZAPI-UNEXPECTED-NO-ENDPOINT",
)
REFUSED = Failure(
    ZApiRefusedError,
    "Z-API refused the call: {text}",
    "No change is known to have been made. Retry later.",
)
SUCCESS_FALSE = Failure(
    ZApiRefusedError,
    "Z-API answered success: false",
    "WhatsApp did not accept the change: its list was changed elsewhere at the same time, the account is locked, or "
    "the session is about to drop. Retry later.",
    code="ZAPI-REFUSED-SUCCESS-FALSE",
)

_COPY_CLIENT_TOKEN = (
    f"Copy the account security token from Security in the Z-API panel ({SECURITY_PAGE}) into the connection's "
    f'"{ACCOUNT_SECURITY_TOKEN}". It is not the instance token.'
)

#: By the string in `error`, ignoring case and status. First match wins.
TEXTS: tuple[tuple[str, Failure], ...] = (
    (r"^not_found$", NO_SUCH_PATH),
    (
        r"^not emulated\b",
        Failure(
            ZApiUnexpectedAnswerError,
            "the emulator does not emulate this call of Z-API",
            f"Nothing was changed. {BASE_URL} is the emulator's address. Send this call to Z-API itself.",
            code="ZAPI-UNEXPECTED-NOT-EMULATED",
        ),
    ),
    (
        r"client-token is not configured|^\s*null not allowed",
        Failure(
            ZApiAuthenticationError,
            "Z-API requires a Client-Token, but received none",
            _COPY_CLIENT_TOKEN,
            code="ZAPI-AUTH-CLIENT-TOKEN-MISSING",
        ),
    ),
    (
        r"client-token.*not allowed",
        Failure(
            ZApiAuthenticationError,
            "Z-API refused the Client-Token",
            _COPY_CLIENT_TOKEN,
            code="ZAPI-AUTH-CLIENT-TOKEN",
        ),
    ),
    (
        r"^\s*(?P<address>[0-9a-f.:]*[.:][0-9a-f.:]+) not allowed",
        Failure(
            ZApiAuthenticationError,
            "Z-API does not accept calls from the address {address}",
            f"Add it to the allowed addresses under Security in the Z-API panel ({SECURITY_PAGE}), or call Z-API from "
            "an allowed address.",
            code="ZAPI-AUTH-ADDRESS",
        ),
    ),
    (
        r"subscribe to this instance",
        Failure(
            ZApiSubscriptionError,
            "the subscription of this instance lapsed",
            f"Renew it in the Z-API panel ({INSTANCES_PAGE}), then try again.",
            code="ZAPI-SUBSCRIPTION-LAPSED",
        ),
    ),
    (
        r"instance not found",
        Failure(
            ZApiInstanceNotFoundError,
            "Z-API does not have an instance with this ID and token",
            f"Compare the connection's {INSTANCE_ID} and {INSTANCE_TOKEN} with {INSTANCES_PAGE}.",
        ),
    ),
    (
        r"invalid phone",
        Failure(
            ZApiInvalidRequestError,
            "Z-API refused a phone number: {text}",
            "Write each number with country and area code, such as 5544991111111. Z-API does not say which one it "
            "refused.",
            code="ZAPI-INVALID-PHONE",
        ),
    ),
    (
        r"not connected|restore the session",
        Failure(
            ZApiNotConnectedError,
            "the instance has no WhatsApp session: {text}",
            f"Connect the phone again in the Z-API panel ({INSTANCES_PAGE}), then try again.",
        ),
    ),
)

_BUSY = Failure(
    ZApiUnreachableError,
    "Z-API could not answer{text_after}",
    "It is busy or broken. Retry later.",
    Again.IF_REPEATABLE,
    code="ZAPI-UNREACHABLE-BUSY",
)
_REDIRECT = Failure(
    ZApiUnexpectedAnswerError,
    "the answer is a redirect, which is not followed because the request holds credentials",
    f"{BASE_URL} must be Z-API's own address. A proxy or a captive portal may have answered instead.",
    code="ZAPI-UNEXPECTED-REDIRECT",
)
_UNEXPECTED = Failure(
    ZApiUnexpectedAnswerError,
    "Z-API sent an answer that this provider does not know{text_after}",
    f"No change is known to have been made. Check that {BASE_URL} is Z-API's address. If it is, please report this.",
)
_DEFECT = Failure(
    ZApiInvalidRequestError,
    "Z-API refused the form of the request{text_after}",
    "This is a bug in this provider, or the method or path of your own request is wrong.",
    code="ZAPI-INVALID-CALL",
)

#: By status, if no string matched.
STATUSES: Mapping[int, Failure] = {
    400: Failure(
        ZApiInvalidRequestError,
        "Z-API refused the request{text_after}",
        "Check the parameters.",
        code="ZAPI-INVALID-REFUSED",
    ),
    401: Failure(
        ZApiAuthenticationError,
        "Z-API refused the credentials{text_after}",
        f"Compare {INSTANCE_ID}, {INSTANCE_TOKEN} and {ACCOUNT_SECURITY_TOKEN} with {INSTANCES_PAGE} and "
        f"{SECURITY_PAGE}.",
        code="ZAPI-AUTH-CREDENTIALS",
    ),
    402: Failure(
        ZApiSubscriptionError,
        "Z-API asks for a payment{text_after}",
        f"Pay it in the Z-API panel ({INSTANCES_PAGE}), then try again.",
        code="ZAPI-SUBSCRIPTION-PAYMENT",
    ),
    403: Failure(
        ZApiAuthenticationError,
        "Z-API refused the call{text_after}",
        f"Compare the credentials and the allowed addresses with {SECURITY_PAGE}.",
        code="ZAPI-AUTH-FORBIDDEN",
    ),
    405: _DEFECT,
    415: _DEFECT,
    408: _BUSY,
    409: _BUSY,
    425: _BUSY,
    429: Failure(
        ZApiRateLimitError,
        "Z-API received too many calls{text_after}",
        "Make fewer calls at a time to this instance, for example with an Airflow pool of one slot. Retry later.",
        Again.ALWAYS,
    ),
    501: _UNEXPECTED,
    505: _UNEXPECTED,
}


def read_answer(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    read: Reader[T],
    scrub: Callable[[str], str],
    now: float,
) -> T | Failure:
    """Return the result of ``read`` for an answer, or the failure.

    :param read: gets a 2xx answer before ``error`` is checked, because a healthy ``status`` has one
    :param scrub: removes secrets from the server's string before a failure holds it
    :param now: the time as a Unix timestamp, for a ``Retry-After`` that is a date
    """
    payload = parse_body(body)
    text = _error_text(payload, scrub)
    failure: Failure
    if 200 <= status < 300:
        if isinstance(payload, NotJson):
            failure = replace(NOT_ZAPI, what=NOT_ZAPI.what.format(detail=payload.why))
        else:
            result = read(payload)
            if not isinstance(result, Failure):
                return result
            failure = _by_text(text) or (_filled(REFUSED, text or "no reason given") if result is REFUSED else result)
    else:
        failure = _by_text(text) or _filled(_by_status(status), text)
    if failure.error is ZApiUnexpectedAnswerError:
        failure = replace(failure, advice=f"{failure.advice} {_SHAPE.format(shape=_shape(payload, body))}")
    return replace(failure, status=status, retry_after=retry_after(headers.get("Retry-After"), now))


#: The shape helps with a bug report. It holds no secret.
_SHAPE = "The answer's shape, for a report (no content): {shape}."


def _shape(payload: Any, body: bytes) -> str:
    return f"{counted(len(body), 'byte')}, not JSON" if isinstance(payload, NotJson) else compact(payload)


def success_is_true(payload: Any) -> Failure | None:
    """Check the answer to a change. It must be an object without ``error`` whose ``success`` is true."""
    checked = object_without_error(payload)
    if isinstance(checked, Failure):
        return checked
    success = checked.get("success")
    if success is True:
        return None
    if success is False:
        return SUCCESS_FALSE
    return not_zapi("'success' is missing or neither true nor false")


def object_without_error(payload: Any) -> dict[str, Any] | Failure:
    """Return an answer that is an object without ``error``."""
    if not isinstance(payload, dict):
        return not_zapi(f"JSON, but {_kind(payload)} instead of an object")
    return REFUSED if payload.get("error") else payload


def not_zapi(detail: str) -> Failure:
    """Return the failure for an answer that is not from Z-API."""
    return replace(NOT_ZAPI, what=NOT_ZAPI.what.format(detail=detail))


def unexpected(detail: str) -> Failure:
    """Return the failure for content that does not follow the contract. A retry would not help."""
    return replace(_UNEXPECTED, what=f"Z-API's answer breaks its contract: {detail}", code="ZAPI-UNEXPECTED-CONTENT")


def _error_text(payload: Any, scrub: Callable[[str], str]) -> str:
    error = payload.get("error") if isinstance(payload, dict) else None
    if not error:
        return ""
    text = error if isinstance(error, str) else f"'error' is {_kind(error)}"
    return clean(text, scrub)


def clean(text: str, scrub: Callable[[str], str]) -> str:
    """Return the server's string on one line, shortened, without secrets and complete phones."""
    read = text[:_READ_OF_TEXT]
    scrubbed = scrub("".join(character if character.isprintable() else " " for character in read))
    if len(read) < len(text):
        # Scrubbing may shorten the string a lot, so it is cut after that.
        scrubbed = scrubbed[: -min(_LOST_AT_CUT, -(-len(scrubbed) // 2))]
    named = _PHONE.sub(lambda digits: hide_phone(digits[0]), scrubbed)
    return " ".join(named.split())[:MAX_SERVER_TEXT]


def _by_text(text: str) -> Failure | None:
    for pattern, failure in TEXTS:
        if match := re.search(pattern, text, re.IGNORECASE):
            return _filled(failure, text, **match.groupdict())
    return None


def _by_status(status: int) -> Failure:
    if status in STATUSES:
        return STATUSES[status]
    if 300 <= status < 400:
        return _REDIRECT
    if status >= 500:
        return _BUSY
    return _UNEXPECTED


def _filled(failure: Failure, text: str, **groups: str) -> Failure:
    what = failure.what.format(text=text, text_after=f": {text}" if text else "", **groups)
    return replace(failure, what=what)


def retry_after(value: str | None, now: float) -> float | None:
    """Return the seconds in ``Retry-After``, or None if it is absent, past or unreadable."""
    if value is None:
        return None
    if _SECONDS.fullmatch(value):
        seconds = float(value)
    else:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - now
        except (TypeError, ValueError, OverflowError):
            return None
    return seconds if seconds > 0 else None


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
