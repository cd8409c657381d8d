"""Nothing secret in a text: scrubbing by value and by shape, and a filter for the loggers of urllib3.

Airflow masks secrets too, but not in every place where it writes a text, so texts are clean before they reach it.
"""

from __future__ import annotations

import base64
import json
import logging
import re
import weakref
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

__all__ = ["HIDDEN", "Redactor", "encodings"]

#: What stands for a secret. Airflow's own mark, so that a reader knows what it means.
HIDDEN = "***"

#: A path with a token, whoever's token it is, and a header line with one: also those that no redactor knows.
_SHAPES = (
    re.compile(r"(?i)((?:/|%2f)token(?:/|%2f))[^/\s\"'?#<>,;)]+"),
    re.compile(r"(?i)(client-token\"?'?\s*[:=]\s*\"?'?)[^\s\"'<>,;)]+"),
    re.compile(r"(?i)(client-token\s+)\S.*?(?=\s+not allowed)"),
)

#: Loggers that print request paths: every request at DEBUG, header defects and retries at WARNING.
_LOGGERS_WITH_PATHS = ("urllib3.connectionpool", "urllib3.connection", "urllib3.util.retry")


class Redactor:
    """Takes given secrets out of texts, raw and in the encodings that servers echo.

    :param secrets: the values to hide; empty ones are passed over
    """

    def __init__(self, secrets: Iterable[str | None]) -> None:
        forms = {form for secret in secrets if secret for form in encodings(secret)}
        # Longest first, so that a secret that begins with another one goes as a whole.
        ordered = sorted(forms, key=lambda form: (-len(form), form))
        self._values = re.compile("|".join(map(_pattern, ordered))) if ordered else None
        _live.add(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def scrub(self, text: str) -> str:
        """Return ``text`` with every known secret, and everything shaped like one, replaced by ``***``."""
        # Until nothing is found: what stood around a secret can form one anew, where it holds an asterisk.
        for _ in range(len(text)):
            if self._values is None or not self._values.search(text):
                break
            text = self._values.sub(HIDDEN, text)
        return _scrub_shapes(text)


def _pattern(form: str) -> str:
    # The two digits after a % are written in either case.
    return re.sub(r"%[0-9A-Fa-f]{2}", lambda match: f"(?i:{match[0]})", re.escape(form))


def encodings(secret: str) -> Iterator[str]:
    """Yield ``secret`` as it can stand in a text: raw, URL-encoded, JSON-escaped, and in base64 at each alignment."""
    yield secret
    for quoted in (quote(secret, safe=""), quote(secret), quote_plus(secret)):
        yield quoted
        yield re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), quoted)
    escaped = json.dumps(secret)[1:-1]
    yield escaped
    yield escaped.replace("/", r"\/")
    raw = secret.encode()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for before in range(3):
            # The characters that mix bits of the secret with bits of its neighbours differ from text to text.
            start = -(-before * 4 // 3)
            end = (before + len(raw)) * 8 // 6
            form = encode(b"\0" * before + raw + b"\0\0").decode()[start:end]
            if len(form) > 5:
                yield form


def _scrub_shapes(text: str) -> str:
    for shape in _SHAPES:
        text = shape.sub(rf"\g<1>{HIDDEN}", text)
    return text


#: Redactors in use, so that the filter below knows their secrets as long as a client does, and no longer.
_live: weakref.WeakSet[Redactor] = weakref.WeakSet()


class _PathFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        text = _scrub_shapes(record.getMessage())
        for redactor in tuple(_live):
            text = redactor.scrub(text)
        record.msg, record.args = text, None
        # A traceback in such a record repeats the path in the exception's text.
        record.exc_info = record.exc_text = None
        return True


def _install() -> None:
    for name in _LOGGERS_WITH_PATHS:
        logging.getLogger(name).addFilter(_PathFilter())


_install()
