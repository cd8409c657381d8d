"""The pytest plugin, as a project of its own uses it: over loopback, with requests that any client could make."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from airflow_provider_zapi.emulator import InvalidInputError
from airflow_provider_zapi.emulator.pytest import ZApiDouble, zapi, zapi_session

__all__ = ["zapi", "zapi_session"]  # as fixtures: pytest takes plugins of the top conftest.py only


def call(zapi: ZApiDouble, method: str, path: str, **arguments: Any) -> requests.Response:
    [(name, value)] = zapi.connection_env().items()
    assert name == "AIRFLOW_CONN_ZAPI_DEFAULT"
    parts = json.loads(value)
    return requests.request(
        method,
        f"{parts['host']}/instances/{parts['login']}/token/{parts['password']}/{path}",
        headers={"Client-Token": parts["extra"]["client_token"]},
        timeout=10,
        **arguments,
    )


def test_a_change_is_seen_and_asserted(zapi: ZApiDouble) -> None:
    assert zapi.number("zapi_default").privacy["last_seen"] != "NONE"
    assert call(zapi, "POST", "privacy/last-seen", json={"visualizationType": "NONE"}).ok
    assert zapi.number("zapi_default").privacy["last_seen"] == "NONE"
    assert len(zapi.requests) == 1
    zapi.assert_called("privacy/last-seen")
    zapi.assert_called("privacy/last-seen", value="NONE")
    zapi.assert_called("privacy/last-seen", visualizationType="NONE")


@pytest.mark.parametrize(("path", "value"), [("privacy/last-seen", "ALL"), ("privacy/photo", "NONE"), ("seen", "NONE")])
def test_another_call_does_not_satisfy_an_assertion(zapi: ZApiDouble, path: str, value: str) -> None:
    call(zapi, "POST", "privacy/last-seen", json={"visualizationType": "NONE"})
    with pytest.raises(AssertionError, match=r"received were calls of \['privacy/last-seen'\]"):
        zapi.assert_called(path, value=value)


def test_a_value_in_the_query_and_a_list_are_compared(zapi: ZApiDouble) -> None:
    call(zapi, "POST", "privacy/read-receipts?value=disable")
    call(zapi, "POST", "phone-exists-batch", json={"phones": ["5544991111111"]})
    zapi.assert_called("privacy/read-receipts", value="disable")
    zapi.assert_called("phone-exists-batch", phones=["5544991111111"])


def test_so_many_calls_fail_and_change_nothing(zapi: ZApiDouble) -> None:
    zapi.fail(times=2, with_=500)
    before = zapi.number("zapi_default").privacy
    body = {"visualizationType": "NONE"}
    assert [call(zapi, "POST", "privacy/last-seen", json=body).status_code for _ in range(2)] == [500, 500]
    assert zapi.number("zapi_default").privacy == before
    assert call(zapi, "POST", "privacy/last-seen", json=body).ok


def test_what_cannot_be_used_is_refused(zapi: ZApiDouble) -> None:
    with pytest.raises(InvalidInputError, match="only for zapi_default"):
        zapi.number("zapi_other")
    with pytest.raises(InvalidInputError, match="with_"):
        zapi.fail(with_=200)
    with pytest.raises(InvalidInputError, match="times"):
        zapi.fail(times=0)


def test_each_test_has_an_emulator_of_its_own(zapi: ZApiDouble, zapi_session: ZApiDouble) -> None:
    call(zapi_session, "POST", "privacy/last-seen", json={"visualizationType": "NONE"})
    assert zapi_session.number("zapi_default").privacy["last_seen"] == "NONE"
    assert zapi.number("zapi_default").privacy["last_seen"] != "NONE"
    assert not zapi.requests
