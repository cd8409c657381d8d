"""Nothing secret in a text: scrubbing by value and by shape, and a filter for the loggers of urllib3.

Airflow masks secrets too, but not in every place where it writes a text, so texts are clean before they reach it.
"""

from __future__ import annotations

import base64
import html
import json
import logging
import re
import weakref
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import NoReturn
from urllib.parse import quote

__all__ = ["HIDDEN", "Redactor", "encodings"]

#: What stands for a secret. Airflow's own mark, so that a reader knows what it means.
HIDDEN = "***"

#: A path with a token, whoever's token it is, and a header line with one: also those that no redactor knows.
#: What may repeat before a fixed end is bounded: a server's text must not be able to keep the search busy.
_SHAPES = (
    re.compile(r"(?i)((?:/|%2f)token(?:/|%2f))[^/\s\"'?#<>,;)]+"),
    re.compile(r"(?i)(client-token\"?'?\s*[:=]\s*\"?'?)[^\s\"'<>,;)]+"),
    re.compile(r"(?i)(client-token\s{1,9})\S.{0,999}?(?=\s{1,9}not allowed)"),
)

#: Loggers that print request paths: every request at DEBUG, header defects and retries at WARNING.
_LOGGERS_WITH_PATHS = ("urllib3.connectionpool", "urllib3.connection", "urllib3.util.retry")


class Redactor:
    """Takes given secrets out of texts, raw and in the encodings that servers echo.

    :param secrets: the values to hide, of visible ASCII characters; empty ones are passed over
    """

    def __init__(self, secrets: Iterable[str | None]) -> None:
        self._secrets = [secret for secret in secrets if secret]
        # A mark that is part of a secret could form that secret anew, together with what stands around it.
        self._mark = "\u2022\u2022\u2022" if any("*" in secret for secret in self._secrets) else HIDDEN
        _live.add(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a redactor is not pickled: it holds the secrets that it hides")

    @cached_property
    def _values(self) -> re.Pattern[str]:
        # Compiled when a text comes up: most tasks have none.
        forms = {form for secret in self._secrets for form in (secret, *_base64(secret))}
        # Longest first, so that a secret that begins with another one goes as a whole.
        ordered = sorted(forms, key=lambda form: (-len(form), form))
        return re.compile("|".join(map(_pattern, ordered)))

    def scrub(self, text: str) -> str:
        """Return ``text`` with every known secret, and everything shaped like one, replaced by ``***``."""
        if self._secrets:
            text = self._values.sub(self._mark, text)
        return _scrub_shapes(text, self._mark)


def _pattern(form: str) -> str:
    return "".join(map(_character, form))


def _character(character: str) -> str:
    """Return the pattern of a character as it is, or as URL, JSON or HTML escape it.

    Each on its own, because writers differ in what they escape: PHP the slash, .NET the plus, Gson the equals sign.
    Repetitions are bounded, so that a text made of nothing but backslashes takes no longer than another one.
    """
    raw, code = re.escape(character), ord(character)
    ways = (
        raw,
        rf"%(?:25){{0,3}}(?i:{code:02x})",
        rf"\\{{1,4}}(?:{raw}|u(?i:{code:04x}))",
        rf"&#(?:0{{0,4}}{code}|(?i:x0{{0,4}}{code:x}));",
        re.escape(html.escape(character)),
    )
    return f"(?:{'|'.join(ways)})"


def encodings(secret: str) -> Iterator[str]:
    """Yield ``secret`` as it commonly stands in a text: raw, URL-encoded, JSON-escaped and in base64."""
    yield secret
    for quoted in (quote(secret, safe=""), quote(secret)):
        yield quoted
        yield re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), quoted)
    escaped = json.dumps(secret)[1:-1]
    yield escaped
    yield escaped.replace("/", r"\/")
    yield from _base64(secret)


def _base64(secret: str) -> Iterator[str]:
    """Yield what base64 makes of ``secret`` at each alignment; forms of 5 characters or less could be any text."""
    raw = secret.encode()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for before in range(3):
            # The characters that mix bits of the secret with bits of its neighbours differ from text to text.
            start = -(-before * 4 // 3)
            end = (before + len(raw)) * 8 // 6
            form = encode(b"\0" * before + raw + b"\0\0").decode()[start:end]
            if len(form) > 5:
                yield form


def _scrub_shapes(text: str, mark: str) -> str:
    for shape in _SHAPES:
        text = shape.sub(rf"\g<1>{mark}", text)
    return text


#: Redactors in use, so that the filter below knows their secrets as long as a client does, and no longer.
_live: weakref.WeakSet[Redactor] = weakref.WeakSet()


class _PathFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        text = _scrub_shapes(record.getMessage(), HIDDEN)
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
