"""Describe the form of an answer without its content, with an allow-list. This is the probe's evidence."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_zapi.client.bodies import NotJson, parse_body
from airflow_provider_zapi.client.shape import by_length, shape
from airflow_provider_zapi.client.transport import RawAnswer
from airflow_provider_zapi.probe.facts import error_id

__all__ = ["NO_ANSWER", "Naming", "Seen", "evidence_of"]

#: The outcome of a call without an answer.
NO_ANSWER = "no answer"

_PUBLIC_HEADERS = (
    "access-control-allow-headers access-control-allow-methods access-control-allow-origin age allow "
    "alt-svc cache-control cf-cache-status cf-ray connection content-encoding content-language "
    "content-length content-security-policy content-type date etag expires keep-alive nel pragma "
    "ratelimit-limit ratelimit-remaining ratelimit-reset referrer-policy report-to retry-after server "
    "set-cookie strict-transport-security transfer-encoding vary via www-authenticate "
    "x-content-type-options x-frame-options x-powered-by x-ratelimit-limit x-ratelimit-remaining "
    "x-ratelimit-reset x-request-id x-xss-protection "
)
#: Names of headers that are public. Other names are treated as unknown strings.
_HEADERS = frozenset(_PUBLIC_HEADERS.split())
_MOST_HEADERS = 60
_CONTENT_TYPES = ("application/json", "text/html", "text/plain")


class Naming:
    """Describe strings by their length and a keyed hash. Equal strings look equal, but nobody can guess a string.

    :param key: the key of the hash; by default a random key that is not stored
    """

    def __init__(self, key: bytes | None = None) -> None:
        self._key = key or secrets.token_bytes(32)

    def __call__(self, text: str) -> str:
        """Describe a string."""
        digest = hmac.new(self._key, text.encode("utf-8", "surrogatepass"), "sha256").hexdigest()
        return f"{by_length(text)}#{digest[:8]}"


@dataclass(frozen=True)
class Seen:
    """One answer of a server, or its absence.

    :param probe: the id of the call
    :param status: the HTTP status
    :param headers: the answer's headers; their values may hold secrets
    :param payload: the parsed body, or a `NotJson`
    :param raw: the body as it was received
    :param milliseconds: how long the call took
    """

    probe: str
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    payload: Any = field(default=None, repr=False)
    raw: bytes = field(default=b"", repr=False)
    milliseconds: int = 0

    @classmethod
    def of(cls, probe: str, answer: RawAnswer, milliseconds: int) -> Seen:
        """Return an answer as a `Seen`."""
        payload = NotJson("it is too large") if answer.body is None else parse_body(answer.body)
        return cls(probe, answer.status, answer.headers, payload, answer.body or b"", milliseconds)

    @property
    def answer(self) -> str:
        """Return the answer in a few words, such as ``400 error:invalid_phone``."""
        if self.status is None:
            return NO_ANSWER
        return f"{self.status} {self._body()}"

    @property
    def done(self) -> bool:
        """Return whether Z-API says that it did what was asked."""
        return self.answer == "200 success:true"

    @property
    def refused(self) -> bool:
        """Return whether Z-API says that it did not do what was asked. A server error does not count."""
        if self.status is None or self.status >= 500:
            return False
        return self.status >= 300 or self._body() == "success:false" or self._body().startswith("error:")

    @property
    def object(self) -> dict[str, Any]:
        """Return the payload if it is an object and the answer is a success, or else an empty object."""
        return self.payload if self.status == 200 and isinstance(self.payload, dict) else {}

    def _body(self) -> str:
        payload = self.payload
        if isinstance(payload, NotJson):
            return "not_json" if self.raw.strip() else "empty"
        if isinstance(payload, list):
            return "list"
        if not isinstance(payload, dict):
            return "value"
        error = payload.get("error")
        if "success" in payload and not error:
            return (
                f"success:{str(payload['success']).lower()}"
                if isinstance(payload["success"], bool)
                else "success:other"
            )
        # A healthy status also has an `error`, which is not a refusal.
        if not error or "connected" in payload:
            return "object"
        return f"error:{error_id(error) if isinstance(error, str) else 'other'}"


def evidence_of(answers: Sequence[Seen], naming: Naming) -> list[dict[str, Any]]:
    """Return the evidence of each answer, in the form for a report."""
    return [_evidence(seen, answers[:at], naming) for at, seen in enumerate(answers)]


def _evidence(seen: Seen, before: Sequence[Seen], naming: Naming) -> dict[str, Any]:
    names = sorted({name.lower() for name in list(seen.headers)[:_MOST_HEADERS]})
    equal = next((each.probe for each in before if seen.raw and each.raw == seen.raw), None)
    return {
        "probe": seen.probe,
        "status": seen.status,
        "answer": seen.answer,
        "shape": _shape(seen, naming),
        "content_type": _content_type(seen),
        "headers": [name if name in _HEADERS else f"?{naming(name)}" for name in names],
        "milliseconds": seen.milliseconds,
        "equal_to": equal,
    }


def _shape(seen: Seen, naming: Naming) -> Any:
    if seen.status is None:
        return None
    if isinstance(seen.payload, NotJson):
        return f"not_json({len(seen.raw)})"
    described = shape(seen.payload, naming)
    error = seen.payload.get("error") if isinstance(seen.payload, dict) else None
    if isinstance(error, str) and (known := error_id(error)) != "other":
        described["object"]["error"] = f"error:{known}"
    return described


def _content_type(seen: Seen) -> str | None:
    value = next((value for name, value in seen.headers.items() if name.lower() == "content-type"), None)
    if value is None:
        return None
    kind = value.partition(";")[0].strip().lower()
    return kind if kind in _CONTENT_TYPES else "other"
