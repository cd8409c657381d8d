"""The rows generated from tables (bodies, statuses, Retry-After, echoes, redirects) send what their names say."""

from __future__ import annotations

import base64
import datetime
import gzip
import io
import json
import re
import struct
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest
import requests

from tests.faults import (
    BODIES,
    ENCODINGS,
    FAULTS,
    RECORDED_BODIES,
    STATUSES,
    FaultServer,
    answer,
    good,
    http_date,
    redirect,
    retry_after_rows,
)
from tests.faults.raw_client import CLIENT_TOKEN, TARGET, answers
from tests.faults.steps import HUGE, SUCCESS, gzip_bomb

if TYPE_CHECKING:
    from collections.abc import Callable


def test_a_gzip_bomb_is_small_and_expands_past_200_mb() -> None:
    _, _, headers, body = answers({"gzip_bomb": FAULTS["gzip_bomb"]})["gzip_bomb"]
    assert headers["Content-Encoding"] == "gzip"
    assert body == gzip_bomb()
    assert len(body) < 500_000
    # A gzip trailer ends with the size of the uncompressed data.
    assert struct.unpack("<I", body[-4:])[0] > HUGE
    # Reading to the end makes gzip check the size and the checksum.
    count = 0
    with gzip.open(io.BytesIO(body)) as stream:
        assert stream.read(20) == SUCCESS[:-1] + b"    "
        while block := stream.read(1 << 20):
            count += len(block)
            end = block[-1:]
    assert (count + 20, end) == (struct.unpack("<I", body[-4:])[0], b"}")


@pytest.mark.parametrize(
    ("name", "error"),
    [("gzip_bad", gzip.BadGzipFile), ("gzip_cut", EOFError), ("gzip_bad_checksum", gzip.BadGzipFile)],
)
def test_bad_gzip_does_not_unpack(name: str, error: type[Exception]) -> None:
    body = answers({name: FAULTS[name]})[name][3]
    with pytest.raises(error):
        gzip.decompress(body)


def test_every_status_is_answered_with_every_recorded_body() -> None:
    rows = {name: row for name, row in FAULTS.items() if re.fullmatch(r"status_\d+_.*", name)}
    assert len(rows) == (len(STATUSES) + 1) * len(RECORDED_BODIES) - 1
    for name, (status, _, headers, body) in answers(rows).items():
        _, expected, body_name = name.split("_", 2)
        assert (status, body) == (int(expected), RECORDED_BODIES[body_name])
        assert "Retry-After" not in headers


def test_retry_after_has_each_of_its_values_with_each_status() -> None:
    now = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)
    read = answers(retry_after_rows(clock=lambda: now))
    expected = {
        "seconds": "2",
        "zero": "0",
        "future_date": "Tue, 01 Jan 2030 00:00:30 GMT",
        "past_date": "Mon, 31 Dec 2029 23:00:00 GMT",
        "negative": "-5",
        "day": "86400",
        "fraction": "1.5",
        "huge": "9" * 400,
        "nan": "nan",
        "garbage": "soon; or later",
        "empty": "",
    }
    assert {name: (status, headers["Retry-After"]) for name, (status, _, headers, _) in read.items()} == {
        f"retry_after_{status}_{name}": (status, value) for status in STATUSES for name, value in expected.items()
    }


def test_a_date_is_computed_when_the_answer_is_sent() -> None:
    times = iter(datetime.datetime(2030, 1, 1, hour, tzinfo=datetime.UTC) for hour in (1, 2))
    row = answer(503, headers=(("Retry-After", http_date(0, lambda: next(times))),))
    read = answers({"first": row, "second": row})
    assert [headers["Retry-After"][17:19] for _, _, headers, _ in read.values()] == ["01", "02"]


DECODERS: dict[str, Callable[[str], str]] = {
    "raw": str,
    "url": unquote,
    "base64": lambda text: base64.b64decode(text).decode(),
    "base64url": lambda text: base64.urlsafe_b64decode(text).decode(),
    "json": lambda text: json.loads(f'"{text}"'),
    "json_unicode": lambda text: json.loads(f'"{text}"'),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_an_echo_returns_path_and_tokens_in_each_encoding(encoding: str) -> None:
    rows = {name: row for name, row in FAULTS.items() if re.fullmatch(rf"echo_(json|page)(_200)?_{encoding}", name)}
    assert len(rows) == 4
    for name, (_, _, _, body) in answers(rows).items():
        text = json.loads(body)["error"] if "_json" in name[:10] else body.decode()
        found = re.search(r"Client-Token (\S+) not allowed for (\S+) at (\S+?)(</html>)?$", text)
        assert found
        decode = DECODERS[encoding]
        assert tuple(map(decode, found.groups()[:3])) == (CLIENT_TOKEN, "demo-token", TARGET)


def test_an_echo_reaches_the_reason_phrase_and_the_headers() -> None:
    expected = f"Client-Token {CLIENT_TOKEN} not allowed for demo-token at {TARGET}"
    names = ("echo_reason", "echo_reason_retried", "echo_header", "echo_content_type", "echo_retry_after")
    read = answers({name: FAULTS[name] for name in names})
    for name, (_, reason, headers, _) in read.items():
        field = {
            "echo_header": "X-Request",
            "echo_content_type": "Content-Type",
            "echo_retry_after": "Retry-After",
        }
        assert (headers[field[name]] if name in field else reason) == expected


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_leads_a_client_that_follows_to_the_other_port(status: int) -> None:
    with FaultServer(good()) as other, FaultServer(redirect(status, other.url)) as server:
        response = requests.post(f"{server.url}{TARGET}", json={}, timeout=5)
    assert [seen.status_code for seen in response.history] == [status]
    assert [request.target for request in other.requests] == [TARGET]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_row_names_the_same_path_at_another_port(status: int) -> None:
    seen, _, headers, _ = answers({"row": FAULTS[f"redirect_{status}"]})["row"]
    assert (seen, headers["Location"]) == (status, f"http://127.0.0.1:9{TARGET}")


def test_bodies_are_sent_unchanged_with_status_200() -> None:
    for name, (status, _, _, body) in answers({name: FAULTS[name] for name in BODIES}).items():
        assert (status, body) == (200, BODIES[name]), name
