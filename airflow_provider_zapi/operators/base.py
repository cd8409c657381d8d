"""What all tasks of this provider share: one client a task, and silence once the task is killed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_zapi.connection_form import DEFAULT_CONN_ID
from airflow_provider_zapi.hooks.zapi import ZApiHook

if TYPE_CHECKING:
    from airflow_provider_zapi.client import ZApiClient

__all__ = ["ZApiOperator"]


class ZApiOperator(BaseOperator):
    """A task that calls one Z-API instance.

    :param zapi_conn_id: the Z-API connection. (templated)
    """

    template_fields: Sequence[str] = ("zapi_conn_id",)
    ui_color = "#d9f2e3"

    def __init__(self, *, zapi_conn_id: str = DEFAULT_CONN_ID, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.zapi_conn_id = zapi_conn_id
        self._client: ZApiClient | None = None
        self._killed = False

    @contextmanager
    def client(self) -> Iterator[ZApiClient]:
        """Look the connection up and yield its client, which sends nothing more once the task is killed."""
        with ZApiHook(self.zapi_conn_id) as client:
            self._client = client
            if self._killed:  # meanwhile
                client.cancel()
            yield client

    def on_kill(self) -> None:
        """Send nothing more. Airflow calls it in a signal handler, so it sets flags and takes no lock."""
        self._killed = True
        if self._client is not None:
            self._client.cancel()
