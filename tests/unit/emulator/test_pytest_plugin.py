"""The pytest plugin, used as in a user's project: over loopback, with requests that any client could make."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from airflow_provider_zapi.emulator import InvalidInputError
from airflow_provider_zapi.emulator.pytest import ZApiDouble, zapi, zapi_session

__all__ = ["zapi", "zapi_session"]  # as fixtures, because pytest loads plugins from the top conftest.py only


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
    with pytest.raises(AssertionError, match=r"calls received were \['privacy/last-seen'\]"):
        zapi.assert_called(path, value=value)


def test_a_value_in_the_query_and_a_list_are_compared(zapi: ZApiDouble) -> None:
    call(zapi, "POST", "privacy/read-receipts?value=disable")
    call(zapi, "POST", "phone-exists-batch", json={"phones": ["5544991111111"]})
    zapi.assert_called("privacy/read-receipts", value="disable")
    zapi.assert_called("phone-exists-batch", phones=["5544991111111"])


def test_the_given_number_of_calls_fail_and_change_nothing(zapi: ZApiDouble) -> None:
    zapi.fail(times=2, with_=500)
    before = zapi.number("zapi_default").privacy
    body = {"visualizationType": "NONE"}
    assert [call(zapi, "POST", "privacy/last-seen", json=body).status_code for _ in range(2)] == [500, 500]
    assert zapi.number("zapi_default").privacy == before
    assert call(zapi, "POST", "privacy/last-seen", json=body).ok


def test_invalid_input_is_refused(zapi: ZApiDouble) -> None:
    with pytest.raises(InvalidInputError, match="only for zapi_default"):
        zapi.number("zapi_other")
    with pytest.raises(InvalidInputError, match="with_"):
        zapi.fail(with_=200)
    with pytest.raises(InvalidInputError, match="times"):
        zapi.fail(times=0)


def test_each_test_has_its_own_emulator(zapi: ZApiDouble, zapi_session: ZApiDouble) -> None:
    call(zapi_session, "POST", "privacy/last-seen", json={"visualizationType": "NONE"})
    assert zapi_session.number("zapi_default").privacy["last_seen"] == "NONE"
    assert zapi.number("zapi_default").privacy["last_seen"] != "NONE"
    assert not zapi.requests


def test_each_added_number_has_its_own_connection(zapi: ZApiDouble) -> None:
    added = zapi.add_number("zapi_sales", phone="5544988887777")
    assert set(zapi.connection_env()) == {"AIRFLOW_CONN_ZAPI_DEFAULT", "AIRFLOW_CONN_ZAPI_SALES"}
    parts = json.loads(zapi.connection_env()["AIRFLOW_CONN_ZAPI_SALES"])
    url = f"{parts['host']}/instances/{parts['login']}/token/{parts['password']}/privacy/photo"
    headers = {"Client-Token": parts["extra"]["client_token"]}
    assert requests.post(url, json={"visualizationType": "NONE"}, headers=headers, timeout=10).ok
    assert added.privacy["photo"] == zapi.number("zapi_sales").privacy["photo"] == "NONE"
    assert zapi.number("zapi_default").privacy["photo"] == "ALL"
    zapi.assert_called("privacy/photo", conn_id="zapi_sales", value="NONE")
    with pytest.raises(AssertionError, match="not called"):
        zapi.assert_called("privacy/photo", conn_id="zapi_default")
    with pytest.raises(InvalidInputError, match="already"):
        zapi.add_number("zapi_sales")


def test_calls_are_counted(zapi: ZApiDouble) -> None:
    zapi.assert_called("privacy/photo", times=0)
    for _ in range(2):
        call(zapi, "POST", "privacy/photo", json={"visualizationType": "NONE"})
    zapi.assert_called("privacy/photo", times=2, value="NONE")
    with pytest.raises(AssertionError, match=r"^privacy/photo was called 2 times and not 1 times"):
        zapi.assert_called("privacy/photo", times=1)


def test_a_fault_affects_only_the_calls_that_it_names(zapi: ZApiDouble) -> None:
    body = {"visualizationType": "NONE"}
    zapi.fail(path="privacy/ph*", method="post", with_=502)
    assert call(zapi, "POST", "privacy/last-seen", json=body).ok
    assert call(zapi, "POST", "privacy/photo", json=body).status_code == 502
    assert call(zapi, "POST", "privacy/photo", json=body).ok
    zapi.fail(with_="reset")
    with pytest.raises(requests.ConnectionError):
        call(zapi, "GET", "status")


def test_the_same_seed_makes_the_same_calls_fail(zapi: ZApiDouble) -> None:
    def statuses() -> list[int]:
        zapi.reset()
        zapi.fail(probability=0.5, seed=7)
        return [call(zapi, "GET", "status").status_code for _ in range(20)]

    assert statuses() == statuses()
    assert set(statuses()) == {200, 503}


def test_a_test_can_set_a_number_and_read_its_messages(zapi: ZApiDouble) -> None:
    number = zapi.number("zapi_default")
    number.set(photo=["5544991111111"], online="SAME_LAST_SEEN")
    assert number.privacy["photo"] == "CONTACT_BLACKLIST"
    assert number.excluded["photo"] == ["5544991111111"]
    assert number.privacy["online"] == "SAME_LAST_SEEN"
    call(zapi, "POST", "send-text", json={"phone": "5544991111111", "message": "Hello"})
    assert number.messages == [("5544991111111", "Hello")]


def test_a_reset_restores_the_initial_state(zapi_session: ZApiDouble) -> None:
    zapi_session.number("zapi_default").set(last_seen="NONE")
    zapi_session.add_number("zapi_other")
    zapi_session.fail(times=5)
    zapi_session.reset()
    assert zapi_session.number("zapi_default").privacy["last_seen"] == "ALL"
    assert set(zapi_session.connection_env()) == {"AIRFLOW_CONN_ZAPI_DEFAULT"}
    assert not zapi_session.requests
    assert call(zapi_session, "GET", "status").ok
