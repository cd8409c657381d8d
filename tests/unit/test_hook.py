"""The hook turns an Airflow connection into a client, or raises an error that names the field."""

from __future__ import annotations

import json
import pickle
import traceback
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_zapi.exceptions import ZApiConfigurationError
from airflow_provider_zapi.hooks.zapi import ZApiHook
from tests.support import CLIENT_TOKEN, PARTNER_TOKEN, TOKEN, check_error, leaks

pytestmark = pytest.mark.usefixtures("nothing_leaks")

CONNECTION: dict[str, Any] = {
    "conn_type": "zapi",
    "login": "instance-1",
    "password": TOKEN,
    "extra": {"client_token": CLIENT_TOKEN},
}

#: The fields that turn the connection into one for an account.
ACCOUNT: dict[str, Any] = {
    "login": None,
    "password": None,
    "extra": {"partner_token": PARTNER_TOKEN, "client_token": CLIENT_TOKEN},
}


def hook_of(monkeypatch: pytest.MonkeyPatch, connection: dict[str, Any] | str) -> ZApiHook:
    monkeypatch.setenv("AIRFLOW_CONN_ZAPI_TEST", connection if isinstance(connection, str) else json.dumps(connection))
    return ZApiHook("zapi_test")


@pytest.mark.parametrize(
    "connection",
    [
        CONNECTION,
        {**CONNECTION, "extra": json.dumps(CONNECTION["extra"])},
        {**CONNECTION, "host": "", "port": 0, "schema": "unused"},
        {**CONNECTION, "host": "https://api-v2.z-api.io", "port": 443},
        {**CONNECTION, "host": "http://127.0.0.1:8765", "port": 8765},
        {**CONNECTION, "extra": {"client_token": "", "phone": "5544991111111", "timeout": "12.5"}},
        {**CONNECTION, "extra": None},
        f"zapi://instance-1:{TOKEN}@/?client_token=x",
        f"zapi://instance-1:{TOKEN}@http%3A%2F%2F127.0.0.1%3A8765",
    ],
)
def test_a_connection_becomes_a_client(monkeypatch: pytest.MonkeyPatch, connection: dict[str, Any] | str) -> None:
    hook = hook_of(monkeypatch, connection)
    with hook as client:
        assert client.instance_id == "instance-1"
        assert hook.get_conn() is client
        assert not leaks(repr(hook), repr(client), str(hook), str(client))
        assert not leaks(repr(pickle.dumps(hook)))
    assert hook.get_conn() is not client


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"login": None}, "Instance ID is empty"),
    ({"login": None, "password": None}, "Instance ID, Instance token and Integrator token are empty"),
    (
        {"extra": {"partner_token": PARTNER_TOKEN}},
        "Integrator token cannot be used together with Instance ID and Instance token",
    ),
    (
        {"login": None, "extra": {"partner_token": PARTNER_TOKEN}},
        "Integrator token cannot be used together with Instance token",
    ),
    ({**ACCOUNT, "extra": {"partner_token": f"Bearer {PARTNER_TOKEN}"}}, "Integrator token contains a space"),
    ({**ACCOUNT, "extra": {"partner_token": "***"}}, "Integrator token is the placeholder"),
    ({**ACCOUNT, "extra": {"partner_token": 5}}, "Integrator token is not a string"),
    (
        {**ACCOUNT, "extra": {"partner_token": PARTNER_TOKEN, "phone": "5544991111111"}},
        "Expected phone number cannot be used together with Integrator token",
    ),
    ({**ACCOUNT, "extra": {"partner_token": PARTNER_TOKEN, "timeout": 0}}, "Read timeout (seconds)"),
    ({"password": None}, "Instance token is empty"),
    ({"password": "***"}, "Instance token is the placeholder"),
    ({"extra": {"client_token": "a b"}}, "Account security token contains a space"),
    ({"extra": {"client_token": 12345678}}, "Account security token is not a string"),
    ({"extra": {"timeout": "soon"}}, "Read timeout (seconds)"),
    ({"extra": {"timeout": 0}}, "Read timeout (seconds)"),
    ({"extra": {"timeout": -1}}, "Read timeout (seconds)"),
    ({"extra": {"timeout": 121}}, "Read timeout (seconds)"),
    ({"extra": {"timeout": "nan"}}, "Read timeout (seconds)"),
    ({"extra": {"timeout": True}}, "Read timeout (seconds)"),
    ({"extra": {"timeout": 10**400}}, "Read timeout (seconds)"),
    ({"extra": {"timeout": [1]}}, "Read timeout (seconds)"),
    ({"extra": {"phone": 0}}, "Expected phone number (extra 'phone') cannot be used"),
    ({"extra": {"phone": False}}, "Expected phone number (extra 'phone') cannot be used: true or false"),
    ({"extra": {"phone": []}}, "Expected phone number (extra 'phone') cannot be used: a list"),
    ({"extra": {"phone": "12"}}, "Expected phone number (extra 'phone') cannot be used: it has 2 digits"),
    ({"extra": {"phone": "None"}}, "Expected phone number (extra 'phone') cannot be used"),
    ({"password": "***"}, "Instance token is the placeholder that Airflow shows"),
    ({"extra": {"client_token": "***"}}, "Account security token is the placeholder that Airflow shows"),
    (
        {"extra": {"client_token": "RATHER_LONG_SENSITIVE_FIELD_PLACEHOLDER"}},
        "Account security token is the placeholder that Airflow shows",
    ),
    ({"port": 8765}, "Port (unused) must be empty"),
    ({"host": "http://127.0.0.1:8765", "port": 8766}, "Port (unused) must be empty"),
    ({"host": "https://api.z-api.io/x"}, "Base URL must be scheme, host and optional port only"),
    ({"conn_type": "http"}, "the connection is of type 'http'"),
]


@pytest.mark.parametrize(("changes", "text"), REFUSED, ids=[row[1] for row in REFUSED])
def test_the_error_about_an_invalid_connection_names_the_field(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], text: str
) -> None:
    hook = hook_of(monkeypatch, {**CONNECTION, **changes})
    with pytest.raises(ZApiConfigurationError) as caught:
        hook.get_conn()
    assert str(caught.value).startswith(text)
    assert "connection 'zapi_test'" in str(caught.value)
    check_error(caught.value)
    # This holds even if Airflow prints the local variables of each frame.
    told = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    below = [frame for frame in told.stack if frame.filename != __file__]
    assert not leaks(str([frame.locals for frame in below]))
    assert hook.test_connection() == (False, str(caught.value).replace(" (connection 'zapi_test')", ""))


class HookOf(ZApiHook):
    """A hook with its own lookup, for connections that newer versions of Airflow refuse to define."""

    connection: Any

    def get_connection(self, conn_id: str) -> Any:  # type: ignore[override]  # a class method in Airflow
        return self.connection


@pytest.mark.parametrize("extra", ["[1]", "{", "no JSON", "null", "[" * 100_000], ids=lambda extra: extra[:7])
def test_an_extra_that_is_not_an_object_is_refused(extra: str) -> None:
    hook = HookOf("zapi_test")
    hook.connection = SimpleNamespace(**{**CONNECTION, "host": None, "port": None, "extra": extra})
    with pytest.raises(ZApiConfigurationError, match="Extra is not a JSON object"):
        hook.get_conn()


def test_an_unknown_key_in_extra_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    hook = hook_of(monkeypatch, {**CONNECTION, "extra": {"clientToken": CLIENT_TOKEN}})
    hook.get_conn()
    # Airflow 2 logs with the standard library, and Airflow 3 prints with structlog.
    said = caplog.text + "".join(capfd.readouterr())
    assert "'clientToken'. Known keys: client_token, partner_token, phone, timeout." in said
    assert not leaks(said)
