"""Redacted strings contain no secret, in any encoding that a server or a library uses."""

from __future__ import annotations

import copy
import gc
import logging
import pickle
import sys
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_zapi.client.redaction import HIDDEN, Redactor, encodings, scrub_event
from tests.support import CANARIES, CLIENT_TOKEN, FORMS, TOKEN, certain_part, given_up_after

#: The most common encodings, written by hand. Airflow's masker gets the package's list, which must have each of them.
MASKED = {"a/b+c=50%", "a%2Fb%2Bc%3D50%25", "a%2fb%2bc%3d50%25", "a/b%2Bc%3D50%25", "a/b%2bc%3d50%25", "a\\/b+c=50%"}


def test_the_common_encodings_of_a_secret_are_listed() -> None:
    assert set(encodings("a/b+c=50%")) > MASKED
    assert "YS9iK2M9NTAl" in set(encodings("a/b+c=50%"))
    # Some characters are always escaped and others only sometimes. Each combination is a different encoding.
    assert {'a"/b', 'a\\"/b', 'a\\"\\/b'} < set(encodings('a"/b'))


def test_base64_that_is_too_short_to_be_distinctive_is_not_listed() -> None:
    assert set(encodings("abcd")) == {"abcd"}
    assert set(encodings("abcde")) == {"abcde", "YWJjZG", "hYmNkZ", "FiY2Rl"}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("secret", [*CANARIES, "quo\"te'and&less<more>end"])
def test_a_known_secret_is_hidden_in_every_form(secret: str, form: str) -> None:
    written = FORMS[form](secret)
    scrubbed = Redactor([secret]).scrub(f"before {written} after")
    assert certain_part(form, written) not in scrubbed
    assert "***" in scrubbed
    assert scrubbed.startswith("before ")
    assert scrubbed.endswith(" after")


#: An account has this many secrets. All begin alike, and like the secrets that the test looks for.
OTHERS = [*(f"canary/client+{number:030}" for number in range(100)), *(f"{number:032X}" for number in range(100))]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("secret", CANARIES)
def test_one_of_many_secrets_is_hidden_in_every_form(secret: str, form: str) -> None:
    text = f"before {FORMS[form](secret)} after"
    redactor = Redactor(OTHERS)
    redactor.learn([secret])
    assert redactor.scrub(text) == Redactor([secret, OTHERS[0]]).scrub(text)
    assert "***" in redactor.scrub(text)


@pytest.mark.parametrize("cut", range(9, 24))
def test_the_whole_beginning_of_one_of_many_secrets_is_hidden(cut: int) -> None:
    shown = Redactor([*OTHERS, CLIENT_TOKEN]).scrub(f"a {CLIENT_TOKEN[:cut]} b")
    assert shown == (f"a {CLIENT_TOKEN[:cut]} b" if cut < 12 else "a *** b")


def test_secrets_that_two_threads_learn_at_the_same_time_are_hidden() -> None:
    redactor = Redactor([])
    other = threading.Thread(target=redactor.learn, args=([CLIENT_TOKEN],))

    def secrets() -> Iterator[str]:
        other.start()
        other.join(0.05)  # it has to wait for this one
        yield TOKEN

    redactor.learn(secrets())
    other.join()
    assert redactor.scrub(f"{TOKEN} {CLIENT_TOKEN}") == "*** ***"


def test_a_secret_that_is_learned_during_a_scrub_is_hidden_in_the_next_one() -> None:
    redactor = Redactor([TOKEN])
    assert redactor.scrub(CLIENT_TOKEN) == CLIENT_TOKEN
    redactor.learn([CLIENT_TOKEN, None, ""])
    assert redactor.scrub(f"{CLIENT_TOKEN} {TOKEN}") == "*** ***"


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("see https://hooks.example/a?key=b+c now", "see *** now"),
        ("see https%3A%2F%2Fhooks.example%2Fa now", "see *** now"),
        ('"https:\\/\\/hooks.example\\/a"', '"***"'),
        ("ratio 1://2", "ratio 1://2"),
    ],
)
def test_urls_are_hidden_on_request(text: str, hidden: str) -> None:
    assert Redactor([], urls=True).scrub(text) == hidden
    assert Redactor([]).scrub(text) == text


#: `canary/client+token=50%` after several encoders in turn, each of which escapes other characters.
MIXED = [
    r"canary\/client\u002btoken=50%",
    r"canary%2fclient\u002Btoken&#61;50&percnt;",
    "canary&sol;client+token%3D50%25",
    r"canary%5C%2Fclient%2Btoken%3D50%25",
    "canary&amp;#x2f;client%252525252Btoken=50%2525",
    r"%63anary\\\/client\x2btoken\=50%",
]


@pytest.mark.parametrize("written", MIXED)
def test_a_known_secret_is_hidden_even_if_each_character_is_escaped_differently(written: str) -> None:
    assert Redactor([CLIENT_TOKEN]).scrub(f"a {written} b") == "a *** b"


@pytest.mark.parametrize("secret", [*CANARIES[1:], "50%25+/=", "a%2525b", "&amp;&lt;x", r"\u0041\/\x"])
def test_every_form_that_airflows_masker_gets_is_also_hidden_here(secret: str) -> None:
    assert [form for form in encodings(secret) if Redactor([secret]).scrub(f"a {form} b") != "a *** b"] == []


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        (r"http:\/\/x\/token\/unknown0\/status", r"http:\/\/x\/token\/***\/status"),
        ("%252Ftoken%252Funknown0 x", "%252Ftoken%252F*** x"),
        ("Client-Token%20unknown0%20not%20allowed", "Client-Token%20***%20not%20allowed"),
        ("GET /instances/3C/token/unknown0/status HTTP/1.1", "GET /instances/3C/token/***/status HTTP/1.1"),
        ("https://api.z-api.io/instances/3C/token/unknown0", "https://api.z-api.io/instances/3C/token/***"),
        ("%2Fload%2Ftoken%2Funknown0 x", "%2Fload%2Ftoken%2F*** x"),
        ("{'Client-Token': 'unknown0', 'a': 1}", "{'Client-Token': '***', 'a': 1}"),
        ("Client-Token unknown0 not allowed", "Client-Token *** not allowed"),
        ("your client-token is not configured", "your client-token is not configured"),
    ],
)
def test_a_string_that_looks_like_a_secret_is_hidden(text: str, hidden: str) -> None:
    assert Redactor([]).scrub(text) == hidden


def test_a_secret_that_begins_with_another_one_is_hidden_whole() -> None:
    assert Redactor(["abcdefgh", "abcdefgh-long"]).scrub("abcdefgh-long abcdefgh") == "*** ***"


@pytest.mark.parametrize(
    ("secret", "text"),
    [("ab*", "abab**"), ("*", "a*b"), ("***", "*****"), ("=*", "Client-Token=x"), ("/*", "/token/x")],
)
def test_hiding_a_secret_does_not_form_another_one(secret: str, text: str) -> None:
    assert secret not in Redactor([secret]).scrub(text)


#: Strings that would keep a careless pattern busy for hours. Each has half a megabyte.
BUSY = ["\\", "%", "%25", "&#", "&#00", "Client-Token a ", "Client-Token: ", "/token/", "Fa", "canary", "*", "%2ftoken"]


@pytest.mark.parametrize("piece", BUSY)
def test_no_string_keeps_the_search_busy(piece: str) -> None:
    with given_up_after(minutes=2):
        Redactor([*CANARIES, "Fa" * 16]).scrub(piece * (500_000 // len(piece)))
        Redactor([]).scrub(f"Client-Token {piece}{' ' * 500_000}x")


def test_a_redactor_is_not_pickled() -> None:
    with pytest.raises(TypeError, match=r"^a Redactor cannot be pickled, because it holds secrets$"):
        pickle.dumps(Redactor(CANARIES))


@pytest.mark.parametrize("name", ["urllib3.connectionpool", "urllib3.connection", "urllib3.util.retry"])
def test_urllib3_prints_no_secret(name: str, caplog: pytest.LogCaptureFixture) -> None:
    redactor = Redactor([TOKEN, CLIENT_TOKEN])
    with caplog.at_level(logging.DEBUG):
        logging.getLogger(name).warning("Failed to parse headers (url=%s): %s", f"/token/{TOKEN}/x", CLIENT_TOKEN)
    assert caplog.messages == ["Failed to parse headers (url=/token/***/x): ***"]
    assert redactor.scrub(TOKEN) == "***"


def test_urllib3_prints_no_traceback(caplog: pytest.LogCaptureFixture) -> None:
    # Its last line repeats the path.
    logging.getLogger("urllib3.connectionpool").warning("x", exc_info=OSError(f"/token/{TOKEN}"))
    assert [(record.exc_info, record.exc_text) for record in caplog.records] == [(None, None)]


def test_the_log_is_scrubbed_while_other_threads_create_clients() -> None:
    """Simulate a thread switch: at every place where Python may switch threads, create another client in this one."""
    record = logging.LogRecord("x", logging.WARNING, "", 0, TOKEN, None, None)
    made = [Redactor([TOKEN])]

    def make(frame: object, event: str, argument: object) -> None:
        sys.setprofile(None)
        made.append(Redactor([]))
        sys.setprofile(make)

    sys.setprofile(make)
    try:
        logging.getLogger("urllib3.connectionpool").filter(record)
    finally:
        sys.setprofile(None)
    assert record.getMessage() == "***"
    assert len(made) > 10


def test_a_deleted_redactor_is_forgotten() -> None:
    gone = weakref.ref(Redactor(["gone-secret"]))
    gc.collect()
    assert gone() is None
    record = logging.LogRecord("x", logging.WARNING, "", 0, "gone-secret", None, None)
    logging.getLogger("urllib3.connectionpool").filter(record)
    assert record.getMessage() == "gone-secret"


EVENT: Any = {
    "request": {"url": f"https://x/token/{TOKEN}/status", "headers": [("Client-Token", "unknown0")]},
    "breadcrumbs": [{"data": {"url": "/token/unknown0/x", "http.request.headers": {"client-token": "unknown0"}}}],
    "exception": {"stacktrace": {"vars": {"data": CLIENT_TOKEN.encode(), "url": repr(CLIENT_TOKEN), "n": 1}}},
}


def test_an_error_report_is_scrubbed_and_the_original_is_not_changed() -> None:
    redactor, before = Redactor(CANARIES), copy.deepcopy(EVENT)
    assert scrub_event(EVENT, {"hint": 1}) == {
        "request": {"url": "https://x/token/***/status", "headers": [("Client-Token", "***")]},
        "breadcrumbs": [{"data": {"url": "/token/***/x", "http.request.headers": {"client-token": "***"}}}],
        "exception": {"stacktrace": {"vars": {"data": b"***", "url": "'***'", "n": 1}}},
    }
    assert before == EVENT
    assert redactor.scrub(TOKEN) == "***"


def test_the_repr_of_a_redactor_shows_no_secret() -> None:
    assert repr(Redactor(CANARIES)) == "Redactor()"


@pytest.mark.parametrize("canary", CANARIES)
@pytest.mark.parametrize("name", FORMS)
def test_a_secret_that_the_server_cut_is_hidden_as_far_as_it_goes(canary: str, name: str) -> None:
    written = FORMS[name](canary)
    shown = Redactor(CANARIES).scrub(f"refused: {written[:-3]}")
    assert certain_part(name, written)[: len(written) // 2] not in shown
    assert HIDDEN in shown
