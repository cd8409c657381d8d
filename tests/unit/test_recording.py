"""A task stores its number's state with the asset, and never fails if it cannot store it."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_zapi.exceptions import ZApiNotConnectedError
from airflow_provider_zapi.recording import StateRecord

TI = SimpleNamespace(dag_id="night", run_id="run", task_id="apply", map_index=-1)


class Stores(dict[str, Any]):
    """An in-memory asset state store, like the one in a task's context."""

    def __getitem__(self, asset: Any) -> Any:
        return super().__getitem__(asset.uri)


class Store(dict[str, Any]):
    def set(self, key: str, value: Any) -> None:
        self[key] = value


class Broken(Store):
    def set(self, key: str, value: Any) -> None:
        raise RuntimeError("a message that names the database")


def record(store: Any) -> StateRecord:
    context: Any = {"ti": TI, "asset_state_store": Stores({"zapi://zapi_sales/privacy": store})}
    return StateRecord(context, "zapi_sales", "apply")


def test_the_name_of_an_error_is_stored_and_the_error_is_raised() -> None:
    store = Store()
    with pytest.raises(ZApiNotConnectedError), record(store).failures():
        raise ZApiNotConnectedError("The text", "of the error")
    assert store["zapi_privacy"]["last"]["error"] == "ZApiNotConnectedError"
    assert "The text" not in str(store)


def test_a_store_that_fails_is_logged_and_does_not_fail_the_task(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        record(Broken()).applied({}, changed=False)
    assert "was not stored with its asset (RuntimeError). The task is not affected" in caplog.text
    assert "database" not in caplog.text


@pytest.mark.parametrize("context", [{}, {"asset_state_store": Stores()}], ids=["before 3.3", "asset not active"])
def test_without_a_store_nothing_is_stored(context: Any, caplog: pytest.LogCaptureFixture) -> None:
    StateRecord(context, "zapi_sales", "apply").applied({}, changed=False)
    assert not caplog.text
