"""The named behaviours, as rows.

``GOOD`` has answers that are certainly a success, even if they are unusual. ``FAULTS`` has all others. The client's own
tests say how the client must react to each row. Rows that depend on time have factories, for other intervals and clocks.
"""

from __future__ import annotations

import gzip

from tests.faults.contract_rows import (
    CAPTIVE_PORTAL,
    echo_rows,
    redirect,
    retry_after_rows,
    status_rows,
)
from tests.faults.server import Behaviour, on_connect, on_request
from tests.faults.steps import (
    HTML,
    HUGE,
    JSON,
    SUCCESS,
    Answer,
    Drip,
    Fields,
    Flood,
    Repeat,
    Send,
    answer,
    chunk,
    fin,
    good,
    gzip_bomb,
    head,
    hold,
    reset,
)

#: The interval between the pieces of a slow answer, in seconds.
INTERVAL = 0.05

#: Port 9 ("discard") refuses connections, so a client that follows the redirect fails.
ELSEWHERE = "http://127.0.0.1:9"

GZIP: Fields = (*JSON, ("Content-Encoding", "gzip"))
LENGTH = ("Content-Length", str(len(SUCCESS)))
CHUNKED = head(200, *JSON, ("Transfer-Encoding", "chunked"))
COMPRESSED = gzip.compress(SUCCESS, mtime=0)
CONTINUE = head(100)
EARLY_HINTS = head(103, ("Link", "</style.css>; rel=preload"))

#: An answer whose head stops in the middle of a field.
HALF_A_HEAD = head(200, *JSON, LENGTH)[:-12]
WHOLE_HEAD = head(200, *JSON, LENGTH)


def drip_headers(interval: float = INTERVAL) -> Behaviour:
    """Return a behaviour that sends a head byte by byte, for longer than every deadline."""
    return on_request(Drip(head(200, *JSON, LENGTH, ("X-Padding", "x" * 10_000)), interval))


def drip_body(interval: float = INTERVAL) -> Behaviour:
    """Return a behaviour that sends a complete head, then a body byte by byte, for longer than every deadline."""
    body = SUCCESS[:-1] + b" " * 10_000 + SUCCESS[-1:]
    return on_request(Send(head(200, *JSON, ("Content-Length", str(len(body))))), Drip(body, interval))


def drip_chunk_line(interval: float = INTERVAL) -> Behaviour:
    """Return a behaviour whose first chunk-size line never ends: no byte of the body comes, but no read times out."""
    return on_request(Send(CHUNKED), Drip(b"1;" + b"x" * 10_000, interval))


def endless_interim(interval: float = INTERVAL) -> Behaviour:
    """Return a behaviour that sends endless interim answers, which ``http.client`` skips without end."""
    return on_request(Repeat(CONTINUE, interval))


GOOD: dict[str, Behaviour] = {
    "good": good(),
    "good_chunked": on_request(Send(CHUNKED + chunk(SUCCESS[:5]) + chunk(SUCCESS[5:]) + chunk(b""))),
    "good_gzip": answer(200, COMPRESSED, GZIP),
    "good_201": good(status=201),
    "good_more_fields": good({"success": True, "value": "ALL", "error": None}),
    "good_labelled_as_html": answer(200, SUCCESS, HTML),
    "good_until_close": on_request(Send(head(200, *JSON) + SUCCESS), fin),
    "interim_100": on_request(Send(CONTINUE), Answer()),
    "connection_close": on_request(Answer(headers=(*JSON, ("Connection", "close"))), fin),
    "close_after_idle": on_request(Answer(headers=(*JSON, ("Connection", "keep-alive"))), fin),
    "reset_after_idle": on_request(Answer(headers=(*JSON, ("Connection", "keep-alive"))), reset),
    # A second answer without a request. The next request on the kept connection must not get it.
    "stray_answer": on_request(Answer(), Answer(500, b'{"error": "stray"}')),
}

CONNECTION_FAULTS: dict[str, Behaviour] = {
    "silent_before_request": on_connect(hold),
    "silent": on_request(hold),
    "silent_in_headers": on_request(Send(HALF_A_HEAD), hold),
    "silent_in_body": on_request(Send(WHOLE_HEAD + SUCCESS[:5]), hold),
    "reset_before_request": on_connect(reset),
    "reset": on_request(reset),
    "reset_in_headers": on_request(Send(HALF_A_HEAD), reset),
    "reset_after_headers": on_request(Send(WHOLE_HEAD), reset),
    "reset_in_body": on_request(Send(WHOLE_HEAD + SUCCESS[:5]), reset),
    "fin_before_request": on_connect(fin),
    "fin": on_request(fin),
    "fin_in_headers": on_request(Send(HALF_A_HEAD), fin),
    "fin_after_headers": on_request(Send(WHOLE_HEAD), fin),
    "fin_in_body": on_request(Send(WHOLE_HEAD + SUCCESS[:5]), fin),
    "drip_headers": drip_headers(),
    "drip_body": drip_body(),
    "drip_chunk_line": drip_chunk_line(),
    "endless_interim": endless_interim(),
}

#: For a server with TLS: the client starts a handshake and gets an answer in plain text, as from nginx.
PLAIN_HTTP_ON_TLS_PORT = on_connect(
    Send(head(400, *HTML, ("Connection", "close")) + b"The plain HTTP request was sent to HTTPS port"), fin
)

FRAMING_FAULTS: dict[str, Behaviour] = {
    "length_too_short": on_request(Send(head(200, *JSON, ("Content-Length", "10")) + SUCCESS), fin),
    "length_too_long": on_request(Send(head(200, *JSON, ("Content-Length", "99")) + SUCCESS), fin),
    "length_negative": on_request(Send(head(200, *JSON, ("Content-Length", "-1")) + SUCCESS[:-1]), fin),
    "length_garbage": on_request(Send(head(200, *JSON, ("Content-Length", "many")) + SUCCESS[:-1]), fin),
    "chunk_size_bad": on_request(Send(CHUNKED + b"zz\r\n" + SUCCESS + b"\r\n"), fin),
    "chunk_size_negative": on_request(Send(CHUNKED + b"-5\r\n" + SUCCESS + b"\r\n"), fin),
    "chunk_cut": on_request(Send(CHUNKED + chunk(SUCCESS)[:-8]), fin),
    "chunk_end_missing": on_request(Send(CHUNKED + chunk(SUCCESS)), fin),
    "headers_many": answer(headers=(*JSON, *((f"X-Header-{number}", "x") for number in range(150)))),
    "header_huge": answer(headers=(*JSON, ("X-Huge", "x" * 70_000))),
    "header_without_colon": on_request(Send(b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n"), fin),
    "status_line_bad": on_request(Send(b"HTTP/1.1 twohundred OK\r\n\r\n"), fin),
    "not_http": on_request(Send(b"SSH-2.0-OpenSSH_9.6\r\n"), fin),
    "binary": on_request(Send(bytes(range(256))), fin),
    "body_huge": on_request(Send(head(200, *JSON, ("Content-Length", str(HUGE)))), Flood(HUGE)),
    "body_huge_without_length": on_request(Send(head(200, *JSON)), Flood(HUGE), fin),
    "gzip_bomb": answer(200, lambda _: gzip_bomb(), GZIP),
    "gzip_bad": answer(200, b"this is no gzip", GZIP),
    "gzip_cut": answer(200, COMPRESSED[:-12], GZIP),
    "gzip_bad_checksum": answer(200, COMPRESSED[:-8] + bytes(8), GZIP),
    # http.client skips only 100, and treats 103 as the final answer.
    "interim_103": on_request(Send(EARLY_HINTS), Answer()),
}

REDIRECTS: dict[str, Behaviour] = {
    **{f"redirect_{status}": redirect(status, ELSEWHERE) for status in (301, 302, 303, 307, 308)},
    "redirect_300_without_location": answer(300, b""),
    "redirect_302_without_location": answer(302, b""),
}

#: Bodies with status 200 that are not from Z-API, or not exactly a success.
BODIES: dict[str, bytes] = {
    "captive_portal": CAPTIVE_PORTAL,
    "empty": b"",
    "spaces": b" \r\n ",
    "json_empty_object": b"{}",
    "json_list": b"[]",
    "json_list_of_success": b'[{"success": true}]',
    "json_string": b'"success"',
    "json_number": b"1",
    "json_true": b"true",
    "json_null": b"null",
    "success_missing": b'{"value": true}',
    "success_other_case": b'{"Success": true}',
    "success_text": b'{"success": "true"}',
    "success_one": b'{"success": 1}',
    "success_one_point_zero": b'{"success": 1.0}',
    "success_null": b'{"success": null}',
    "success_list": b'{"success": [true]}',
    "success_nested": b'{"data": {"success": true}}',
    "success_object": b'{"success": {"success": true}}',
    "success_and_error": b'{"success": true, "error": "refused"}',
    "success_nan": b'{"success": NaN}',
    "success_infinity": b'{"success": Infinity}',
    "success_beside_nan": b'{"success": true, "value": NaN}',
    "success_beside_infinity": b'{"success": true, "value": -Infinity}',
    "success_5000_digits": b'{"success": ' + b"1" * 5_000 + b"}",
    "success_beside_5000_digits": b'{"success": true, "value": ' + b"1" * 5_000 + b"}",
    "nesting_lists": b"[" * 100_000 + b"]" * 100_000,
    "nesting_objects": b'{"success":' * 100_000 + b"true" + b"}" * 100_000,
    "nesting_beside_success": b'{"success": true, "value": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "duplicate_keys_false_true": b'{"success": false, "success": true}',
    "duplicate_keys_true_false": b'{"success": true, "success": false}',
    "duplicate_keys_error": b'{"error": "refused", "error": null, "success": true}',
    "cut_json": SUCCESS[:-1],
    "trailing_text": SUCCESS + b" and more",
    "two_objects": SUCCESS + SUCCESS,
    "single_quotes": b"{'success': True}",
    "jsonp": b"callback(" + SUCCESS + b")",
    "utf16": SUCCESS.decode().encode("utf-16"),
    "utf16_without_bom": SUCCESS.decode().encode("utf-16-le"),
    "utf32": SUCCESS.decode().encode("utf-32"),
    "utf8_bom": b"\xef\xbb\xbf" + SUCCESS,
    "utf8_invalid": b'{"success": true, "value": "\xff\xfe"}',
    "control_characters": b'{"error": "line\\nline \\u001b[31mred\\u0000 \\u202eback"}',
    "lone_surrogate": b'{"error": "\\ud800"}',
    "long_error": b'{"error": "' + b"x" * 100_000 + b'"}',
}

FAULTS: dict[str, Behaviour] = {
    **CONNECTION_FAULTS,
    **FRAMING_FAULTS,
    **REDIRECTS,
    "status_204": answer(204, b""),
    **{name: answer(200, body, HTML if body == CAPTIVE_PORTAL else JSON) for name, body in BODIES.items()},
    **status_rows(),
    **retry_after_rows(),
    **echo_rows(),
}
