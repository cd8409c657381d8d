"""Public calls raise only this provider's errors, whatever is in the connection, the proxy variables and the answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from requests.adapters import HTTPAdapter

from airflow_provider_zapi.client import ZApiClient
from airflow_provider_zapi.exceptions import ZApiConfigurationError, ZApiError
from airflow_provider_zapi.hooks.zapi import ZApiHook
from airflow_provider_zapi.privacy.settings import LAST_SEEN
from tests.support import GOOD, Canned, client_with
from tests.unit.test_properties import JSON, STATUSES, TEXTS

HOSTS = TEXTS | st.text("https:/[].@0123456789ab?#", max_size=25) | st.sampled_from(["", "https://[:::]", "http://[::"])
EXTRAS = (
    st.fixed_dictionaries({}, optional={"client_token": JSON, "phone": JSON, "timeout": JSON | st.just(10**400)})
    .map(json.dumps)
    .filter(lambda text: len(text) < 4000)
    | TEXTS
    | st.sampled_from(["[" * 100_000, '{"timeout": ' + "9" * 400 + "}", "null", "{"])
)


def connection(**fields: Any) -> SimpleNamespace:
    usual = {"conn_type": "zapi", "login": "a", "password": "b", "host": "", "port": None, "extra": ""}
    return SimpleNamespace(**{**usual, **fields})


@given(TEXTS, TEXTS, HOSTS, st.none() | st.integers(), EXTRAS)
@example("a", "b", "https://[:::]", None, "")
@example("a", "b", "", None, '{"timeout": ' + "9" * 400 + "}")
@example("a", "b", "", None, "[" * 100_000)
def test_reading_any_connection_raises_only_our_errors(
    login: str, password: str, host: str, port: int | None, extra: str
) -> None:
    given_connection = connection(login=login, password=password, host=host, port=port, extra=extra)
    made = ZApiHook("zapi_test").client_or_refusal(given_connection, mask=False)
    if not isinstance(made, ZApiConfigurationError):
        assert isinstance(made, ZApiClient)
        made.close()


#: The characters that an environment variable can contain.
PROXIES = st.builds(
    str.__add__,
    st.sampled_from(["", "http://", "https://", "socks5://", "socks5h://", "//", "x:"]),
    st.text("ab.:@[]/%?#0123456789-\u20ac ", max_size=20)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
).map(lambda text: text.replace("\0", ""))


@given(st.sampled_from(["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]), PROXIES)
@example("https_proxy", "socks5://127.0.0.1:1")
@example("https_proxy", "http://")
@example("all_proxy", "http://127.0.0.1:99999")
def test_any_proxy_variable_raises_only_our_errors(variable: str, proxy: str) -> None:
    with pytest.MonkeyPatch.context() as environment:
        for name in ("https_proxy", "all_proxy", "no_proxy"):
            environment.delenv(name, raising=False)
            environment.delenv(name.upper(), raising=False)
        environment.setenv(variable, proxy)
        refused = ""
        try:
            client, adapter, _ = client_with(GOOD)
        except ZApiConfigurationError as error:
            refused = error.what
        if refused:
            assert refused.startswith(f"The environment variable {variable.upper()} ")
        else:
            # The client passes on only a proxy from which `requests` can create a connection pool.
            client.set_privacy(LAST_SEEN, "ALL")
            request, options = adapter.requests[0], adapter.options[0]
            HTTPAdapter().get_connection_with_tls_context(request, verify=True, proxies=options["proxies"])


CALLS: list[Callable[[ZApiClient], Any]] = [
    ZApiClient.status,
    ZApiClient.paired_phone,
    ZApiClient.account,
    lambda client: client.disallowed_contacts(LAST_SEEN),
    lambda client: client.resolve_contacts(["5544991111111"]),
    lambda client: client.set_privacy(LAST_SEEN, "ALL"),
    lambda client: client.request("GET", "profile-name"),
]
DATES = st.datetimes().map(str) | st.sampled_from(
    ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "0001-01-01", "9999-12-31T23:59:59"]
)
PAYLOADS = JSON | st.fixed_dictionaries(
    {"connected": st.booleans(), "paymentStatus": TEXTS, "due": DATES | st.integers() | JSON}
)


@given(STATUSES | st.just(200), PAYLOADS)
@example(200, {"connected": True, "paymentStatus": "PAID", "due": "0001-01-01T00:00:00+14:00"})
@example(200, {"connected": True, "paymentStatus": "PAID", "due": "9999-12-31T23:59:59-14:00"})
def test_any_answer_raises_only_our_errors(status: int, payload: Any) -> None:
    for call in CALLS:
        with suppress(ZApiError):
            call(client_with(Canned(json.dumps(payload), status))[0])
