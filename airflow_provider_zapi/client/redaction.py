"""Remove secrets from strings, from urllib3's log records and from error reports.

Secrets are found by value and by shape. Airflow masks secrets too, but not everywhere, so this module removes them
before a string reaches Airflow.

Every search takes time proportional to the length of the string, because a server's answer must not keep the process
busy. So no regular expression matches a whole secret. Instead, the string is decoded, one layer of escapes at a time,
and each layer is searched for the secrets as plain strings.
"""

from __future__ import annotations

import base64
import itertools
import json
import logging
import re
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from html.entities import html5
from typing import Any, NoReturn, TypeVar
from urllib.parse import quote

from airflow_provider_zapi.client.finding import Finder

__all__ = ["HIDDEN", "Redactor", "encodings", "scrub_event"]

Event = TypeVar("Event")

#: The mark that replaces a secret. Airflow uses the same one, so readers know its meaning.
HIDDEN = "***"

#: One escaped character of printable ASCII in a URL, JSON, Python, JavaScript or HTML.
_ESCAPE = re.compile(
    r"%([2-7][0-9A-Fa-f])"
    r"|\\(?:u00|x)([2-7][0-9A-Fa-f])"
    r"|\\([!-/:-@\[-`{-~])"
    r"|&#0{0,6}([0-9]{2,3});"
    r"|&#[xX]0{0,6}([2-7][0-9A-Fa-f]);"
    r"|&([A-Za-z]{2,20});"
)
#: The decoder for each group of the expression. Characters that are not printable stay escaped.
_MEANINGS: tuple[Callable[[str], str], ...] = (
    lambda digits: chr(int(digits, 16)),
    lambda digits: chr(int(digits, 16)),
    str,
    lambda digits: chr(int(digits)),
    lambda digits: chr(int(digits, 16)),
    lambda name: html5.get(f"{name};", ""),
)
#: The layers of escapes to decode. A URL in JSON in HTML has three, and proxies were seen to add two more.
_LAYERS = 8

#: The text before a token, and the characters of the token.
_SHAPES = (
    re.compile(r"(?i)/token/([^/\s\"'?#<>,;)]+)"),
    re.compile(r"(?i)client-token[\"']{0,2}\s*[:=]\s*[\"']{0,2}([^\s\"'<>,;)]+)"),
)
#: A URL. In the answers of an account, URLs are callbacks, into which users put secrets.
_URL = re.compile(r"(?i)\b[a-z][a-z0-9+.-]{0,15}://[^\s\"'<>]+")
#: Z-API's refusal of a Client-Token repeats the token between these two expressions.
_REFUSED, _REFUSAL = re.compile(r"(?i)client-token\s+(?=\S)"), re.compile(r"(?i)\snot allowed")
#: The longest token to expect between the two, in characters.
_LONGEST_REFUSED = 1000

#: Loggers that print request paths. They log every request at DEBUG, and header defects and retries at WARNING.
_LOGGERS_WITH_PATHS = ("urllib3.connectionpool", "urllib3.connection", "urllib3.util.retry")

#: Names of headers, connection fields and parameters under which an error reporter may store a token.
_SECRET_KEYS = frozenset({"authorization", "client-token", "client_token", "instance_token", "partner_token"})


class Redactor:
    """Remove secrets from strings, both raw and in the encodings that servers echo.

    :param secrets: the values to hide, in printable ASCII characters; empty values are ignored
    :param urls: whether `scrub` hides every URL too
    """

    def __init__(self, secrets: Iterable[str | None], *, urls: bool = False) -> None:
        self._secrets: tuple[str, ...] = ()
        #: Created on first use, because most tasks never scrub a string, and stored with the secrets that they find.
        self._finders: tuple[tuple[str, ...], Finder, Finder] | None = None
        self._urls = urls
        self._learning = threading.Lock()
        self.learn(secrets)
        _remember(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Redactor cannot be pickled, because it holds secrets")

    def learn(self, secrets: Iterable[str | None]) -> None:
        """Hide these values too, from now on. Their number hardly slows down a scrub."""
        # Threads read the pages of an account's list at the same time. Each must keep the secrets of the others.
        with self._learning:
            # Each attribute changes in a single assignment, because other threads scrub at the same time.
            self._secrets = tuple(dict.fromkeys([*self._secrets, *filter(None, secrets)]))
            # If the mark is part of a secret, it could form that secret together with the characters around it.
            self._mark = "\u2022\u2022\u2022" if any("*" in secret for secret in self._secrets) else HIDDEN

    def _both_finders(self) -> tuple[Finder, Finder]:
        """Return the finder for raw strings and the finder for decoded strings."""
        secrets, finders = self._secrets, self._finders
        if finders is None or finders[0] is not secrets:
            forms = {form for secret in secrets for form in (secret, *_base64(secret))}
            # A secret may look like an escape itself. Decoding then changes it together with the text.
            decoded = {layer.text for secret in secrets for layer in _decoded_layers(secret)} - forms
            plain = Finder(forms)
            finders = self._finders = secrets, plain, Finder(forms | decoded) if decoded else plain
        return finders[1:]

    def scrub(self, text: str) -> str:
        """Return ``text`` with every known secret, and everything shaped like one, replaced by ``***``."""
        return self.without_secrets(text, urls=self._urls)

    def without_secrets(self, text: str, *, urls: bool = False) -> str:
        """Return ``text`` without secrets, as `scrub` does.

        :param urls: whether to hide every URL too
        """
        plain, decoded = self._both_finders()
        hidden = [*_shaped(text, urls), *plain.places(text)]
        for layer in _decoded_layers(text):
            hidden += [layer.span(start, end) for start, end in _shaped(layer.text, urls)]
            for start, end in decoded.places(layer.text):
                span = layer.span(start, end)
                # The original is as long as the match, so nothing in it was escaped. The search of the undecoded text
                # has already decided about it.
                if span[1] - span[0] > end - start:
                    hidden.append(span)
        return _replaced(text, hidden, self._mark)


class _Layer:
    """A string with some of its escapes decoded, and where each character starts and ends in the original."""

    def __init__(self, text: str, starts: Sequence[int], ends: Sequence[int]) -> None:
        self.text = text
        self._starts = starts
        self._ends = ends

    def span(self, start: int, end: int) -> tuple[int, int]:
        return self._starts[start], self._ends[end - 1]

    def decoded(self) -> _Layer | None:
        """Return the next layer, or None if there are no escapes left."""
        pieces: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        done = 0
        for match in _ESCAPE.finditer(self.text):
            group = match.lastindex or 1
            character = _MEANINGS[group - 1](match[group])
            if len(character) != 1 or not " " <= character <= "~":
                continue
            start, end = match.span()
            pieces += (self.text[done:start], character)
            starts += self._starts[done:start]
            starts.append(self._starts[start])
            ends += self._ends[done:start]
            ends.append(self._ends[end - 1])
            done = end
        if not done:
            return None
        starts += self._starts[done:]
        ends += self._ends[done:]
        return _Layer("".join([*pieces, self.text[done:]]), starts, ends)


def _decoded_layers(text: str) -> Iterator[_Layer]:
    """Yield ``text`` decoded, one layer of escapes after the other."""
    layer: _Layer | None = _Layer(text, range(len(text)), range(1, len(text) + 1))
    for _ in range(_LAYERS):
        layer = layer.decoded() if layer else None
        if layer is None:
            return
        yield layer


def _shaped(text: str, urls: bool = False) -> Iterator[tuple[int, int]]:
    if urls:
        for match in _URL.finditer(text):
            yield match.span()
    for shape in _SHAPES:
        for match in shape.finditer(text):
            yield match.span(1)
    refusal = None
    for match in _REFUSED.finditer(text):
        if refusal is None or refusal.start() < match.end():
            # Each search starts where the last one ended, so all searches together read the text once.
            refusal = _REFUSAL.search(text, match.end())
        if refusal is None:
            return
        if refusal.start() - match.end() <= _LONGEST_REFUSED:
            yield match.end(), refusal.start()


def _replaced(text: str, hidden: list[tuple[int, int]], mark: str) -> str:
    pieces: list[str] = []
    done = 0
    for start, end in sorted(hidden):
        if start >= done:
            pieces += (text[done:start], mark)
        done = max(done, end)
    return "".join([*pieces, text[done:]])


def encodings(secret: str) -> Iterator[str]:
    """Yield the common forms of ``secret``: raw, URL-encoded, JSON-escaped and in base64.

    Use them for a search that needs whole strings, such as Airflow's masker. A `Redactor` also finds mixed forms.
    """
    yield secret
    for quoted in (quote(secret, safe=""), quote(secret)):
        yield quoted
        yield re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), quoted)
    escaped = json.dumps(secret)[1:-1]
    yield escaped
    yield escaped.replace("/", r"\/")
    yield from _base64(secret)


def _base64(secret: str) -> Iterator[str]:
    """Yield ``secret`` in base64 at each alignment, except forms of 5 characters or less, which any string may hold."""
    raw = secret.encode()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for before in range(3):
            # Leave out the characters that mix bits of the secret with bits of its neighbours.
            start = -(-before * 4 // 3)
            end = (before + len(raw)) * 8 // 6
            form = encode(b"\0" * before + raw + b"\0\0").decode()[start:end]
            if len(form) > 5:
                yield form


#: Redactors in use. The filter below hides a secret only as long as a client uses it. Other threads add to this
#: dictionary while it is read. This is safe without a lock, because ``list(values())`` runs no Python code in between.
#: A lock could stay locked after a fork.
_live: dict[int, weakref.ref[Redactor]] = {}
_numbers = itertools.count()


def _remember(redactor: Redactor) -> None:
    number = next(_numbers)
    _live[number] = weakref.ref(redactor, lambda _: _live.pop(number, None))


def _scrub_for_all(text: str) -> str:
    """Return ``text`` without the secrets of all clients in use, and without anything that looks like a token."""
    text = _replaced(text, [*_shaped(text)], HIDDEN)
    for reference in list(_live.values()):
        redactor = reference()
        if redactor is not None:
            text = redactor.without_secrets(text)
    return text


class _PathFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = _scrub_for_all(record.getMessage()), None
        # The traceback of such a record repeats the path in the exception's message.
        record.exc_info = record.exc_text = None
        return True


def scrub_event(event: Event, hint: object = None) -> Event:
    """Return an error report without secrets. Use it as Sentry's ``before_send`` and ``before_breadcrumb``.

    It hides the secrets of every client in use, and any other token in a URL or a header.

    :param event: a report of mappings, lists, strings and numbers; it is not changed
    :param hint: Sentry's second argument; not used
    """
    scrubbed: Event = _scrubbed(event)
    return scrubbed


def _scrubbed(value: Any) -> Any:
    if isinstance(value, str):
        return _scrub_for_all(value)
    if isinstance(value, bytes):
        return _scrub_for_all(value.decode("latin-1")).encode("latin-1", "replace")
    if isinstance(value, Mapping):
        return {
            _scrubbed(key): HIDDEN if _is_secret(key) and inner else _scrubbed(inner) for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        # Error reporters store a header as a pair of name and value.
        pair = len(value) == 2 and _is_secret(value[0])
        scrubbed = [value[0], HIDDEN] if pair else [_scrubbed(inner) for inner in value]
        return tuple(scrubbed) if isinstance(value, tuple) else scrubbed
    return value


def _is_secret(key: object) -> bool:
    return isinstance(key, str) and key.lower() in _SECRET_KEYS


def _install() -> None:
    for name in _LOGGERS_WITH_PATHS:
        logging.getLogger(name).addFilter(_PathFilter())


_install()
