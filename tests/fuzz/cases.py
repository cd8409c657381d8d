"""Run one case: call something with unusual input, and check the result."""

from __future__ import annotations

import json
import logging
import os
import random
import signal
import traceback
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from airflow_provider_zapi.client import Transport, ZApiClient
from airflow_provider_zapi.exceptions import ZApiError
from airflow_provider_zapi.hooks.zapi import ZApiHook
from airflow_provider_zapi.privacy.changes import parse_changes, parse_value
from airflow_provider_zapi.privacy.phones import normalize_contact
from airflow_provider_zapi.privacy.policy import parse_policy
from airflow_provider_zapi.privacy.settings import LAST_SEEN, SETTINGS
from tests.fuzz import generate
from tests.support import Canned, CannedAdapter, Clock, credentials, leaks, logged

__all__ = ["run_case"]

_TESTS = str(Path(__file__).parents[1])

#: The timeout of a case in seconds. Most cases take a millisecond, but a busy machine can take much longer.
LIMIT = 30


def run_case(seed: int, number: int) -> str | None:
    """Run the case with this number. Return a description of the problem, or None."""
    rng = random.Random(f"{seed}:{number}")
    with _logs() as records:
        try:
            with _bounded():
                problem = rng.choices(_KINDS, weights=_WEIGHTS)[0](rng)
        except ZApiError as error:
            problem = _leaky(error)
        except Exception as error:  # noqa: BLE001 - that is the finding
            return f"{type(error).__name__} left the call:\n{''.join(traceback.format_exception(error))}"
    if problem is None and leaks(*logged(records)):
        problem = "a secret is in the log"
    return problem


def _leaky(error: ZApiError) -> str | None:
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    # The frames of the test hold the secrets, so they are left out.
    frames = [f"{frame.line} {frame.locals}" for frame in told.stack if not frame.filename.startswith(_TESTS)]
    if leaks(str(error), repr(error), repr(vars(error)), *frames):
        return f"a secret is in the {type(error).__name__} or in a frame below it"
    if error.__cause__ or error.__context__:
        return f"the {type(error).__name__} leads to {error.__cause__ or error.__context__!r}"
    controls = [each for each in str(error) if each != "\n" and unicodedata.category(each) == "Cc"]
    return f"the text of the {type(error).__name__} has control characters" if controls else None


@contextmanager
def _bounded() -> Iterator[None]:
    def give_up(number: int, frame: object) -> None:
        raise TimeoutError(f"not done after {LIMIT} seconds")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, LIMIT)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def _logs() -> Iterator[list[logging.LogRecord]]:
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[assignment,method-assign]  # shorter than a class
    root = logging.getLogger("airflow_provider_zapi")
    root.addHandler(handler)
    try:
        yield records
    finally:
        root.removeHandler(handler)


#: One client for all answers, because loading the certificate authorities takes longer than a thousand cases.
_adapter, _clock = CannedAdapter(), Clock()
_client = ZApiClient(
    credentials(), transport=Transport(credentials(), adapter=_adapter, clock=_clock, sleep=_clock.sleep)
)


def _answers(rng: random.Random) -> str | None:
    answers = [generate.answer(rng) for _ in range(rng.randint(1, 4))]
    _adapter.answers, _adapter.requests, _adapter.options = list(answers), [], []
    name, call, succeeds = rng.choice(_CALLS)
    result = call(_client)
    last = answers[min(len(_adapter.requests), len(answers)) - 1]
    if succeeds(last):
        return None
    return f"{name} took {last.status} {last.body!r} for a success: {result!r}"


def _parsed(answer: Canned) -> Any:
    """Parse an answer as strictly as a success must be, but with different code from the package."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len({key for key, _ in pairs}) == len(pairs)
        return dict(pairs)

    body = answer.body
    assert isinstance(body, bytes)
    if not 200 <= answer.status < 300:
        return None
    try:
        return json.loads(body.decode("utf-8-sig"), object_pairs_hook=unique)
    except (AssertionError, RecursionError, ValueError):
        return None


def _without_error(answer: Canned) -> dict[str, Any]:
    payload = _parsed(answer)
    return payload if isinstance(payload, dict) and not payload.get("error") else {}


def _is_list_or_object(answer: Canned) -> bool:
    payload = _parsed(answer)
    return isinstance(payload, list) or (isinstance(payload, dict) and not payload.get("error"))


#: A call, and when its answer is a success.
_CALLS: list[tuple[str, Callable[[ZApiClient], Any], Callable[[Canned], bool]]] = [
    ("set_privacy", lambda client: client.set_privacy(LAST_SEEN, "ALL"), lambda at: _without_error(at).get("success") is True),
    ("status", ZApiClient.status, lambda at: isinstance(dict(_parsed(at)).get("connected"), bool)),
    ("paired_phone", ZApiClient.paired_phone, lambda at: isinstance(_without_error(at).get("phone"), str)),
    ("account", ZApiClient.account, lambda at: isinstance(_without_error(at).get("connected"), bool)),
    (
        "disallowed_contacts",
        lambda client: client.disallowed_contacts(LAST_SEEN),
        lambda at: isinstance(_without_error(at).get("disallowedContacts"), list),
    ),
    ("resolve_contacts", lambda client: client.resolve_contacts(["5544991111111"]), lambda at: isinstance(_parsed(at), list)),
    ("request", lambda client: client.request("GET", "profile-name"), _is_list_or_object),
]  # fmt: skip


def _parameters(rng: random.Random) -> str | None:
    setting = rng.choice(SETTINGS)
    given = rng.choice((rng.choice(setting.values), generate.value(rng)))
    value = parse_value(setting, given, "value")
    if value not in setting.values:
        return f"{given!r} became {value!r}"
    parsed = parse_changes(setting, value, generate.changes(rng), "changes")
    bad = [change for change in parsed if change.action not in ("add", "remove") or not change.phone.isascii()]
    return f"odd changes went through: {bad!r}" if bad else None


def _phones(rng: random.Random) -> str | None:
    given = generate.value(rng)
    try:
        once = normalize_contact(given)
    except ValueError:
        return None
    return None if normalize_contact(once) == once else f"{given!r} became {once!r}, which is not stable"


def _policies(rng: random.Random) -> str | None:
    parse_policy(generate.policy(rng))
    return None


class _HookOf(ZApiHook):
    connection: Any

    def get_connection(self, conn_id: str) -> Any:  # type: ignore[override]  # a class method in Airflow
        return self.connection


def _connections(rng: random.Random) -> str | None:
    hook = _HookOf("zapi_fuzz")
    hook.connection = SimpleNamespace(**generate.connection(rng))
    with hook as client:
        return "a secret is in a repr" if leaks(repr(hook), repr(client)) else None


_PROXY_VARIABLES = [name for both in ("https_proxy", "all_proxy", "no_proxy") for name in (both, both.upper())]


def _proxies(rng: random.Random) -> str | None:
    before = {name: os.environ.pop(name, None) for name in _PROXY_VARIABLES}
    try:
        os.environ[rng.choice(_PROXY_VARIABLES)] = generate.proxy(rng)
        adapter, clock = CannedAdapter(), Clock()
        transport = Transport(credentials(), adapter=adapter, clock=clock, sleep=clock.sleep)
        ZApiClient(credentials(), transport=transport).set_privacy(LAST_SEEN, "ALL")
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
    return None


_KINDS = (_answers, _parameters, _phones, _policies, _connections, _proxies)
_WEIGHTS = (60, 15, 8, 10, 5, 2)
