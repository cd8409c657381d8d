"""No secret in a text, in whatever form a server or a library writes it."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from airflow_provider_zapi.client.redaction import Redactor
from tests.support import CANARIES, CLIENT_TOKEN, TOKEN

FORMS: dict[str, Callable[[str], str]] = {
    "raw": lambda secret: secret,
    "URL-encoded": lambda secret: quote(secret, safe=""),
    "URL-encoded, lower case": lambda secret: quote(secret, safe="").replace("%2F", "%2f").replace("%3D", "%3d"),
    "form-encoded": quote_plus,
    "JSON": lambda secret: json.dumps(secret)[1:-1],
    "JSON with escaped slashes": lambda secret: json.dumps(secret)[1:-1].replace("/", "\\/"),
    "base64": lambda secret: base64.b64encode(secret.encode()).decode(),
    "base64 after one character": lambda secret: base64.b64encode(b"x" + secret.encode() + b"y").decode(),
    "base64 after two characters": lambda secret: base64.b64encode(b"xx" + secret.encode() + b"yy").decode(),
    "URL-safe base64": lambda secret: base64.urlsafe_b64encode(secret.encode()).decode(),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("secret", CANARIES)
def test_a_known_secret_is_hidden_in_every_form(secret: str, form: str) -> None:
    written = FORMS[form](secret)
    scrubbed = Redactor([secret]).scrub(f"before {written} after")
    # Base64 mixes the first and the last bits with the neighbours'; what is certain of the secret is gone.
    assert written[4:-4] not in scrubbed
    assert "***" in scrubbed
    assert scrubbed.startswith("before ")
    assert scrubbed.endswith(" after")


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("GET /instances/3C/token/unknown0/status HTTP/1.1", "GET /instances/3C/token/***/status HTTP/1.1"),
        ("https://api.z-api.io/instances/3C/token/unknown0", "https://api.z-api.io/instances/3C/token/***"),
        ("%2Fload%2Ftoken%2Funknown0 x", "%2Fload%2Ftoken%2F*** x"),
        ("{'Client-Token': 'unknown0', 'a': 1}", "{'Client-Token': '***', 'a': 1}"),
        ("Client-Token unknown0 not allowed", "Client-Token *** not allowed"),
        ("your client-token is not configured", "your client-token is not configured"),
    ],
)
def test_what_is_shaped_like_a_secret_is_hidden(text: str, hidden: str) -> None:
    assert Redactor([]).scrub(text) == hidden


def test_a_secret_that_begins_with_another_one_is_hidden_whole() -> None:
    assert Redactor(["abcdefgh", "abcdefgh-long"]).scrub("abcdefgh-long abcdefgh") == "*** ***"


def test_a_secret_that_hiding_would_form_anew_is_hidden_too() -> None:
    assert "ab*" not in Redactor(["ab*"]).scrub("abab**")


@pytest.mark.parametrize("name", ["urllib3.connectionpool", "urllib3.connection", "urllib3.util.retry"])
def test_urllib3_prints_no_secret(name: str, caplog: pytest.LogCaptureFixture) -> None:
    redactor = Redactor([TOKEN, CLIENT_TOKEN])
    with caplog.at_level(logging.DEBUG):
        logging.getLogger(name).warning("Failed to parse headers (url=%s): %s", f"/token/{TOKEN}/x", CLIENT_TOKEN)
    assert caplog.messages == ["Failed to parse headers (url=/token/***/x): ***"]
    assert redactor.scrub(TOKEN) == "***"


def test_a_redactor_shows_nothing() -> None:
    assert repr(Redactor(CANARIES)) == "Redactor()"
