"""No error from a public entry point reveals a secret, even if a reporter prints local variables."""

from __future__ import annotations

import argparse
import asyncio
import json
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import sentry_sdk

from airflow_provider_zapi.cli import commands
from airflow_provider_zapi.exceptions import ZApiError
from airflow_provider_zapi.hooks.zapi import ZApiHook
from airflow_provider_zapi.notifications.zapi import ZApiNotifier
from airflow_provider_zapi.operators.instance import CheckInstanceOperator
from airflow_provider_zapi.operators.policy import ApplyPrivacyPolicyOperator
from airflow_provider_zapi.operators.privacy import (
    GetDisallowedContactsOperator,
    SetDescriptionPrivacyOperator,
    SetGroupAddPrivacyOperator,
    SetLastSeenPrivacyOperator,
    SetMessagesDurationOperator,
    SetOnlinePrivacyOperator,
    SetProfilePhotoPrivacyOperator,
    SetReadReceiptsOperator,
)
from airflow_provider_zapi.sensors.contacts import DisallowedContactsSensor
from airflow_provider_zapi.sensors.instance import ZApiInstanceConnectedSensor
from airflow_provider_zapi.triggers.instance import InstanceConnectedTrigger
from tests.airflow.conftest import connection
from tests.faults import FaultServer, Received, answer
from tests.faults.steps import JSON
from tests.support import CLIENT_TOKEN, TOKEN, leaks

CONTEXT = cast(Any, {})


def task(operator: Any, **parameters: Any) -> Callable[[], object]:
    return lambda: operator(task_id="task", **parameters).execute(CONTEXT)


def sensor(operator: Any, **parameters: Any) -> Callable[[], object]:
    return task(operator, max_consecutive_errors=1, timeout=1, poke_interval=0.01, **parameters)


def command(name: str, **arguments: Any) -> Callable[[], object]:
    # Call the command's function directly, because the command line would print its error instead of raising it.
    return lambda: commands._COMMANDS[name](argparse.Namespace(conn_id="zapi_default", instance=None, **arguments))


def notifier() -> ZApiNotifier:
    return ZApiNotifier(phone="5544991111111", message="failed")


ENTRIES: dict[str, Callable[[], object]] = {
    "hook": lambda: ZApiHook().get_conn().status(),
    "hook, own request": lambda: ZApiHook().get_conn().request("PUT", "profile-name", json={"value": "x"}),
    "last seen": task(SetLastSeenPrivacyOperator, visualization_type="NONE"),
    "photo": task(SetProfilePhotoPrivacyOperator, visualization_type="NONE"),
    "description": task(SetDescriptionPrivacyOperator, visualization_type="NONE"),
    "group add": task(SetGroupAddPrivacyOperator, visualization_type="CONTACTS"),
    "online": task(SetOnlinePrivacyOperator, visualization_type="ALL"),
    "read receipts": task(SetReadReceiptsOperator, value="enable"),
    "messages duration": task(SetMessagesDurationOperator, value="days7"),
    "list": task(GetDisallowedContactsOperator, setting="photo"),
    "policy": task(ApplyPrivacyPolicyOperator, policy={"last_seen": "ALL"}),
    "check": task(CheckInstanceOperator),
    "connected": sensor(ZApiInstanceConnectedSensor, deferrable=False),
    "contacts": sensor(DisallowedContactsSensor, setting="photo", present=["5544991111111"]),
    "trigger": lambda: asyncio.run(InstanceConnectedTrigger("zapi_default", 2, 1)._read()),
    "notifier": lambda: notifier().notify(CONTEXT),
    "notifier, async": lambda: asyncio.run(notifier().async_notify(CONTEXT)),
    "command check": command("check"),
    "command show": command("show", contacts=True),
    "command plan": command("plan", policy="policy.json"),
    "command apply": command("apply", policy="policy.json", allow_mass_removal=False, expect=None),
}


def telling(text: str) -> Callable[[Received], bytes]:
    """Return an error message that repeats the secrets of the request."""

    def body(request: Received) -> bytes:
        return json.dumps({"error": f"{text} {request.target} {request.header('Client-Token')}"}).encode()

    return body


SOON = (("Retry-After", "600"),)
#: Kind of error -> status, message, headers.
ANSWERS: dict[str, tuple[int, str, tuple[tuple[str, str], ...]]] = {
    "ZApiAuthenticationError": (403, "Client-Token x not allowed", ()),
    "ZApiSubscriptionError": (400, "you must subscribe to this instance again", ()),
    "ZApiInstanceNotFoundError": (400, "Instance not found", ()),
    "ZApiInvalidRequestError": (400, "Invalid phone", ()),
    "ZApiNotConnectedError": (400, "You are not connected", ()),
    "ZApiRateLimitError": (429, "too many", SOON),
    "ZApiUnreachableError": (503, "busy", SOON),
    "ZApiUnexpectedAnswerError": (302, "moved", ()),
    "ZApiRefusedError": (200, "no", ()),
}
#: Connections that are refused.
REFUSED: dict[str, dict[str, Any]] = {
    "host": {"host": "https://x/y"},
    "timeout": {"extra": {"client_token": CLIENT_TOKEN, "timeout": "soon"}},
    "another type": {"conn_type": "http"},
    "space": {"password": f"{TOKEN} "},
}


def shown(error: BaseException) -> list[str]:
    """Return everything that a reporter prints about an error, except for the frames of the tests."""
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    texts: list[str] = []
    waiting: list[traceback.TracebackException | None] = [told]
    while waiting:
        if (link := waiting.pop()) is None:
            continue
        waiting += [link.__cause__, link.__context__]
        texts += link.format_exception_only()
        texts += [str(frame.locals) for frame in link.stack if frame.filename != __file__]
    return texts


@pytest.fixture(autouse=True, scope="module")
def sentry() -> None:
    """Sentry puts a frame below each function that runs in a thread, and this frame holds the function's arguments."""
    sentry_sdk.init()


@pytest.fixture(autouse=True)
def policy_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "policy.json").write_text('{"photo": {"visible_to": "CONTACT_BLACKLIST", "except": ["5544991111111"]}}')
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("airflow_db")
@pytest.mark.parametrize(
    ("entry", "kind"),
    # A missing session is not an error for a sensor that waits for one.
    [
        (entry, kind)
        for entry in ENTRIES
        for kind in ANSWERS
        if kind != "ZApiNotConnectedError" or entry not in ("connected", "trigger")
    ],
)
def test_an_error_shows_no_secret(entry: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    status, text, headers = ANSWERS[kind]
    with FaultServer(answer(status, telling(text), (*JSON, *headers))) as server:
        monkeypatch.setenv("AIRFLOW_CONN_ZAPI_DEFAULT", connection(server.url, "instance-1"))
        with pytest.raises(ZApiError) as caught:
            ENTRIES[entry]()
    assert not leaks(*shown(caught.value))


@pytest.mark.usefixtures("airflow_db")
@pytest.mark.parametrize("problem", REFUSED)
@pytest.mark.parametrize("entry", ENTRIES)
def test_a_refused_connection_shows_no_secret(entry: str, problem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ZAPI_DEFAULT", connection("http://127.0.0.1:9", "instance-1", **REFUSED[problem]))
    with pytest.raises(ZApiError) as caught:
        ENTRIES[entry]()
    assert not leaks(*shown(caught.value))
