"""Rows from the answers in Z-API's contract: statuses, recorded bodies, Retry-After, echoed secrets."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from tests.faults.steps import HTML, JSON, Clock, Fields, Text, answer, http_date, utc_now

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.server import Behaviour, Received

STATUSES = (400, 401, 402, 403, 404, 405, 408, 409, 415, 425, 429, 500, 501, 502, 503, 504, 505)

CAPTIVE_PORTAL = b"<!DOCTYPE html><html><body><h1>Welcome</h1>Sign in to use this network.</body></html>"

#: Bodies that public clients recorded (with names instead of values), and the two that any proxy may send.
RECORDED_BODIES: dict[str, bytes] = {
    name: json.dumps(payload).encode()
    for name, payload in {
        "success": {"success": True},
        "not_found": {"error": "NOT_FOUND", "message": "Unable to find matching target resource method"},
        "refused": {"success": False},
        "error": {"error": "Something went wrong"},
        "client_token_missing": {"error": "your client-token is not configured"},
        "client_token_null": {"error": "null not allowed"},
        "client_token_wrong": {"error": "Client-Token demo-token not allowed"},
        "address": {"error": "203.0.113.7 not allowed"},
        "subscription": {"error": "To continue sending a message, you must subscribe to this instance again"},
        "instance": {"error": "Instance not found"},
        "phone": {"error": "Invalid phone"},
        "not_connected": {
            "connected": False,
            "error": "You are not connected.",
            "smartphoneConnected": False,
        },
        "restore": {"connected": False, "error": "You need to restore the session."},
        "already_connected": {
            "connected": True,
            "smartphoneConnected": True,
            "error": "You are already connected.",
        },
    }.items()
} | {"html": CAPTIVE_PORTAL, "empty": b""}


def retry_after_values(clock: Clock = utc_now) -> dict[str, Text]:
    """Return values of Retry-After. Dates are computed from the clock when the answer is sent."""
    return {
        "seconds": "2",
        "zero": "0",
        "future_date": http_date(30, clock),
        "past_date": http_date(-3600, clock),
        "negative": "-5",
        "day": "86400",
        "fraction": "1.5",
        "huge": "9" * 400,
        "nan": "nan",
        "garbage": "soon; or later",
        "empty": "",
    }


def status_rows() -> dict[str, Behaviour]:
    """Every status of the contract, and 200, with every recorded body: ``status_<status>_<body>``."""
    rows = {}
    for status in (200, *STATUSES):
        for name, body in RECORDED_BODIES.items():
            rows[f"status_{status}_{name}"] = answer(status, body, HTML if name == "html" else JSON)
    # The only pair that is not a fault.
    del rows["status_200_success"]
    return rows


def retry_after_rows(clock: Clock = utc_now) -> dict[str, Behaviour]:
    """Return every status of the contract with every Retry-After: ``retry_after_<status>_<value>``."""
    body = RECORDED_BODIES["error"]
    return {
        f"retry_after_{status}_{name}": answer(status, body, (*JSON, ("Retry-After", value)))
        for status in STATUSES
        for name, value in retry_after_values(clock).items()
    }


#: The encodings of an echoed secret. PHP escapes a slash in JSON, and other encoders escape every character.
ENCODINGS: dict[str, Callable[[str], str]] = {
    "raw": str,
    "url": lambda text: quote(text, safe=""),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64url": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "json": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "json_unicode": lambda text: "".join(f"\\u{ord(letter):04x}" for letter in text),
}


def echo(request: Received, encode: Callable[[str], str] = str) -> str:
    """Return the request's path, its instance token and its Client-Token, each encoded separately."""
    token = re.search("/token/([^/?]+)", request.target)
    secrets = (request.target, token.group(1) if token else "", request.header("Client-Token") or "")
    path, instance_token, client_token = map(encode, secrets)
    return f"Client-Token {client_token} not allowed for {instance_token} at {path}"


def echo_rows() -> dict[str, Behaviour]:
    """Return answers that echo the request's secrets in the reason phrase, a header and the body."""
    rows = {
        "echo_reason": answer(403, RECORDED_BODIES["error"], reason=echo),
        "echo_reason_retried": answer(503, RECORDED_BODIES["error"], reason=echo),
        "echo_header": answer(400, RECORDED_BODIES["error"], (*JSON, ("X-Request", echo))),
        "echo_content_type": answer(200, CAPTIVE_PORTAL, (("Content-Type", echo),)),
        "echo_retry_after": answer(429, RECORDED_BODIES["error"], (("Retry-After", echo),)),
    }
    for name, encode in ENCODINGS.items():
        # In JSON, the encoded form appears after parsing. In HTML, it appears as it is.
        rows[f"echo_json_{name}"] = answer(403, _echo_json(encode))
        rows[f"echo_json_200_{name}"] = answer(200, _echo_json(encode))
        rows[f"echo_page_{name}"] = answer(502, _echo_page(encode), HTML)
        rows[f"echo_page_200_{name}"] = answer(200, _echo_page(encode), HTML)
    return rows


def _echo_json(encode: Callable[[str], str]) -> Callable[[Received], bytes]:
    return lambda request: json.dumps({"error": echo(request, encode)}).encode()


def _echo_page(encode: Callable[[str], str]) -> Callable[[Received], bytes]:
    return lambda request: f"<html>{echo(request, encode)}</html>".encode()


def redirect(status: int, to: str) -> Behaviour:
    """Return a redirect to the same path at another base URL. Its Location contains the path, and so the token."""
    location: Fields = (("Location", lambda request: to + request.target),)
    return answer(status, b"", location)
