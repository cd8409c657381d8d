"""Generate unusual answers, parameters and connections from a `random.Random` only."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import yaml

from tests.support import CANARIES, CLIENT_TOKEN, FORMS, TOKEN, Canned

#: Answers from Z-API's documentation, and recorded answers.
EXAMPLES: tuple[Any, ...] = (
    {"success": True},
    {"success": False},
    {"error": "NOT_FOUND", "message": "Unable to find matching target resource method"},
    {"error": "your client-token is not configured"},
    {"error": f"Client-Token {CLIENT_TOKEN} not allowed"},
    {"error": "203.0.113.7 not allowed"},
    {"error": "To continue sending a message, you must subscribe to this instance again"},
    {"error": "Instance not found"},
    {"error": "Invalid phone"},
    {"error": "You are not connected.", "connected": False, "smartphoneConnected": False},
    {"connected": True, "smartphoneConnected": True, "error": "You are already connected."},
    {
        "phone": "5544999990000",
        "imgUrl": "https://example.com/x",
        "device": {"sessionName": "Z-API"},
        "isBusiness": False,
    },
    {"id": "instance-1", "token": TOKEN, "due": 4_102_444_800_000, "connected": True, "paymentStatus": "PAID"},
    {"disallowedContacts": ["5544991111111", "123456789012345@lid"]},
    [{"exists": True, "inputPhone": "5544991111111", "outputPhone": "554491111111", "lid": "1@lid"}],
)
_DATES = (
    "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-05-04", "2026-05-04T10:00:00-03:00", "2026-13-45",
    "2026-05-04T24:00:00", "2026-W01-1", 4_102_444_800_000, 7_258_118_399_999, -1, 10**400,
)  # fmt: skip
_STRINGS = (
    "", " ", "None", "null", "{{ x }}", "{text}", "{0}", "%s", "\x00", "\x1b[2J\x1b[31m", "\u202e", "\ufeff", "\r\nX: y",
    "\u20ac", "\U0001f600", "ALL", "contact_blacklist", "add", "remove", "5544991111111", "+55 (44) 9.9111-1111",
    "5544991111111.0", "1@lid", "120363-group", "0" * 40, "\u0661\u0662\u0663", "a" * 3000,
)  # fmt: skip
_NUMBERS = (0, 1, -1, True, False, None, 0.5, 1e308, -0.0, 10**20, 10**400, 2**63, 5544991111111)
_KEYS = (
    "success", "error", "connected", "phone", "due", "paymentStatus", "disallowedContacts", "exists", "inputPhone",
    "outputPhone", "lid", "action", "message", "visible_to", "except", "value",
)  # fmt: skip


def text(rng: random.Random, *, surrogates: bool = True) -> str:
    """Return a string: a known trap, or any characters."""
    if rng.random() < 0.6:
        return rng.choice(_STRINGS)
    ceiling = rng.choice((0x7F, 0xFF, 0x2FFF, 0x10FFFF))
    found = "".join(chr(rng.randint(0, ceiling)) for _ in range(rng.randint(0, 30)))
    return found if surrogates else "".join(each for each in found if not 0xD800 <= ord(each) < 0xE000)


def value(rng: random.Random, depth: int = 3) -> Any:
    """Return any JSON value, such as a template may render."""
    kind = rng.random()
    if depth and kind < 0.15:
        return [value(rng, depth - 1) for _ in range(rng.randint(0, 4))]
    if depth and kind < 0.35:
        return {rng.choice((rng.choice(_KEYS), text(rng))): value(rng, depth - 1) for _ in range(rng.randint(0, 4))}
    if kind < 0.55:
        return rng.choice(_NUMBERS)
    if kind < 0.65:
        return rng.choice(_DATES)
    return text(rng)


def mutated(rng: random.Random, example: Any, depth: int = 4) -> Any:
    """Return a value that is similar to ``example``."""
    if rng.random() < 0.15 or not depth:
        return value(rng)
    if isinstance(example, dict):
        changed = {key: mutated(rng, each, depth - 1) if rng.random() < 0.4 else each for key, each in example.items()}
        if rng.random() < 0.3:
            changed[rng.choice(_KEYS)] = value(rng)
        if changed and rng.random() < 0.2:
            del changed[rng.choice(list(changed))]
        return changed
    if isinstance(example, list):
        return [mutated(rng, each, depth - 1) for each in example * rng.randint(0, 2)]
    return example


def secret(rng: random.Random) -> str:
    """Return a secret as a server may write it."""
    written = FORMS[rng.choice(list(FORMS))](rng.choice(CANARIES))
    if rng.random() < 0.2:
        return written[: rng.randint(1, len(written))]
    return written


def answer(rng: random.Random) -> Canned:
    """Return an answer: an example, a changed example, or bytes that are not a valid answer."""
    status = rng.choice((200, 200, 200, 200, 201, 204, 302, 400, 401, 403, 404, 429, 500, 503, rng.randint(100, 599)))
    return Canned(_body(rng), status, _headers(rng))


def _body(rng: random.Random) -> bytes:
    kind = rng.random()
    if kind < 0.05:
        return rng.choice((b"[", b'{"a":', b'{"error":[')) * rng.choice((10, 900, 30_000))
    if kind < 0.1:
        return rng.randbytes(rng.randint(0, 200))
    payload = rng.choice(EXAMPLES)
    if kind > 0.25:
        payload = mutated(rng, payload)
    if isinstance(payload, dict) and rng.random() < 0.3:
        echo = f"{text(rng)} {secret(rng)} {text(rng)}"
        payload = {**payload, rng.choice(("error", "error", "message", "paymentStatus", "phone")): echo}
    body = json.dumps(payload, ensure_ascii=rng.random() < 0.5, default=str).encode("utf-8", "surrogatepass")
    kind = rng.random()
    if kind < 0.05:
        return body[: rng.randint(0, len(body))]
    if kind < 0.1:
        return rng.choice((b"\xef\xbb\xbf", b" \n", b"\x00", b"<html>")) + body
    if kind < 0.13:
        return body.decode("utf-8", "replace").encode(rng.choice(("utf-16", "utf-32")))
    if kind < 0.16:
        return body.replace(b":", b":NaN,", 1)
    return body


def _headers(rng: random.Random) -> dict[str, str]:
    headers = {"Content-Type": rng.choice(("application/json", "text/html", text(rng)))}
    if rng.random() < 0.2:
        headers["Retry-After"] = rng.choice(
            ("0", "1", "61", "9" * 400, "-1", "1e9", "Wed, 21 Oct 2099 07:28:00 GMT", "Mon, 99 Foo 99999 99:99:99 GMT",
             secret(rng), text(rng))
        )  # fmt: skip
    if rng.random() < 0.1:
        headers[rng.choice(("Location", "Set-Cookie", "Date", "X"))] = rng.choice((secret(rng), text(rng)))
    return headers


def changes(rng: random.Random) -> Any:
    """Return a value for a task's changes, which is often nearly valid."""
    if rng.random() < 0.3:
        return value(rng)
    rows: Any = [
        mutated(
            rng, {"action": rng.choice(("add", "remove", " Add")), "phone": rng.choice(("5544991111111", text(rng)))}
        )
        for _ in range(rng.randint(0, 4))
    ]
    if rng.random() < 0.4:
        return json.dumps(rows, default=str)
    return "[" * rng.choice((10, 100_000)) if rng.random() < 0.05 else rows


def policy(rng: random.Random) -> Any:
    """Return a nearly valid policy, as an object or as YAML or JSON."""
    names = (
        "last_seen",
        "photo",
        "description",
        "group_add",
        "online",
        "read_receipts",
        "messages_duration",
        "lastseen",
    )
    made: Any = {
        rng.choice(names): rng.choice(
            ("ALL", "NONE", "enable", {"visible_to": "CONTACT_BLACKLIST", "except": ["5544991111111"]})
        )
        for _ in range(rng.randint(0, 5))
    }
    if rng.random() < 0.7:
        made = _plain(rng, made)
    kind = rng.random()
    if kind < 0.3:
        return json.dumps(made, default=str)
    if kind < 0.6:
        return _cut(rng, yaml.safe_dump(made))
    if kind < 0.65:
        return "photo: " + rng.choice(("[", "{a: ", "? ", "- ")) * 40_000
    return made


def _plain(rng: random.Random, made: dict[str, Any]) -> Any:
    changed = {name: value(rng) if rng.random() < 0.4 else each for name, each in made.items()}
    return changed if rng.random() < 0.8 else value(rng)


def _cut(rng: random.Random, made: str) -> str:
    at = rng.randint(0, len(made))
    return made[:at] + rng.choice(("", "&a ", "*a", "!!python/object:os.system ", "\t", ": ", "- ", "\x00")) + made[at:]


def connection(rng: random.Random) -> dict[str, Any]:
    """Return the fields of a connection, with one or more unusual values."""
    extra: Any = {"client_token": CLIENT_TOKEN}
    fields: dict[str, Any] = {
        "conn_type": "zapi", "login": "instance-1", "password": TOKEN, "host": "", "port": None, "extra": extra,
    }  # fmt: skip
    odd: dict[str, Callable[[], Any]] = {
        "conn_type": lambda: rng.choice(("http", None, "")),
        "login": lambda: rng.choice(("..", None, "a/b", secret(rng), text(rng))),
        "password": lambda: rng.choice((None, "***", f" {TOKEN}", f"{TOKEN}/x", CLIENT_TOKEN, secret(rng), text(rng))),
        "host": lambda: _host(rng),
        "port": lambda: rng.choice((0, 443, 8765, -1, 10**9)),
        "extra": lambda: {
            "client_token": rng.choice((CLIENT_TOKEN, f"{CLIENT_TOKEN}\n", 5, value(rng))),
            "timeout": rng.choice((5, "5", 0, -1, "nan", "inf", 10**400, True, value(rng))),
            "phone": rng.choice(("5544999990000", value(rng))),
        },
    }
    for name in rng.sample(sorted(odd), rng.randint(1, 3)):
        fields[name] = odd[name]()
    fields["extra"] = rng.choice(
        (*[json.dumps(fields["extra"], default=str)] * 8, "[" * rng.choice((10, 100_000)), "null", text(rng))
    )
    return fields


def _host(rng: random.Random) -> str:
    return rng.choice(
        ("https://api.z-api.io", "https://[:::]", "http://[::1]:8765", f"https://u:{TOKEN}@api.z-api.io", "https://h:0",
         "https://api..z-api.io", "".join(rng.choice("https:/[]@.0123456789ab?#%") for _ in range(rng.randint(0, 25))),
         text(rng))
    )  # fmt: skip


def proxy(rng: random.Random) -> str:
    """Return a value for a proxy's environment variable, without null characters and half surrogate pairs."""
    chars = "".join(rng.choice("ab.:@[]/%?#0123456789- \u20ac") for _ in range(rng.randint(0, 20)))
    rest = rng.choice((chars, f"user:{TOKEN}@{chars}", "127.0.0.1:1", text(rng, surrogates=False)))
    scheme = rng.choice(("", "http://", "https://", "socks5://", "socks5h://", "ftp://", "//"))
    return (scheme + rest).replace("\0", "")
