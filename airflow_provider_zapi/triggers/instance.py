"""Waits in the triggerer until an instance is connected.

A triggerer runs hundreds of triggers in one event loop. So the connection is looked up without blocking it, and HTTP,
which blocks, happens in a few threads of this module's own: the default ones resolve everybody's host names.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.connection import get_async_connection
from airflow.providers.common.compat.sdk import AirflowNotFoundException
from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_zapi import exceptions
from airflow_provider_zapi.exceptions import (
    ZApiConfigurationError,
    ZApiError,
    ZApiNotConnectedError,
    ZApiTransientError,
    ZApiUnexpectedAnswerError,
)
from airflow_provider_zapi.hooks.zapi import ZApiHook

if TYPE_CHECKING:
    from airflow_provider_zapi.client import ZApiClient

__all__ = ["InstanceConnectedTrigger", "error_of", "is_connected"]

#: A trigger that fires at once can lose its task, which is not stored as deferred yet.
SHORTEST_WAIT = 2.0

#: Reads of this process that are under way at a time. Each takes up to the read timeout where Z-API does not answer.
_threads = ThreadPoolExecutor(max_workers=16, thread_name_prefix="zapi-trigger")

#: What an event tells of an error: the facts that its message is made of.
_FACTS: Mapping[str, type | tuple[type, ...]] = {
    "what": str,
    "advice": str,
    "endpoint": str,
    "conn_id": str,
    "status": int,
    "attempts": int,
    "elapsed": (int, float),
    "retry_after": (int, float),
}


def is_connected(client: ZApiClient) -> bool:
    """Read whether the instance has a WhatsApp session.

    :raises ZApiError: there is no answer, or not this one
    """
    try:
        return client.status().connected
    except ZApiNotConnectedError:
        # The same, said as an error.
        return False


class InstanceConnectedTrigger(BaseTrigger):
    """Fires once: when the instance is connected, or when waiting any longer is no use.

    It only reads, its row in Airflow's database holds the arguments below and no secret, and its event is ``{}`` or
    ``{"error": {...}}``, of which `error_of` makes the error again.

    :param zapi_conn_id: the Z-API connection; looked up for every read, so that a corrected one is used
    :param poke_interval: seconds between two reads, at least 2
    :param max_consecutive_errors: after so many transient errors one after another, the last of them is the result
    :param errors: how many of them there were already
    :param instance: which instance, by its ID or its exact name, if the connection has a whole account
    """

    def __init__(
        self,
        zapi_conn_id: str,
        poke_interval: float,
        max_consecutive_errors: int,
        errors: int = 0,
        instance: str | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's
        self.zapi_conn_id = zapi_conn_id
        self.poke_interval = poke_interval
        self.max_consecutive_errors = max_consecutive_errors
        self.errors = errors
        self.instance = instance

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the triggerer makes this trigger of: the connection's id and plain numbers."""
        return f"{InstanceConnectedTrigger.__module__}.{InstanceConnectedTrigger.__name__}", {
            "zapi_conn_id": self.zapi_conn_id,
            "poke_interval": self.poke_interval,
            "max_consecutive_errors": self.max_consecutive_errors,
            "errors": self.errors,
            "instance": self.instance,
        }

    async def sleep(self, seconds: float) -> None:
        """Wait, without blocking the event loop."""
        await asyncio.sleep(seconds)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Read until there is an answer to give."""
        errors = self.errors
        while True:
            await self.sleep(max(self.poke_interval, SHORTEST_WAIT))
            try:
                connected = await self._read()
                errors = 0
            except ZApiTransientError as error:
                connected = False
                errors += 1
                self.log.warning("%s", error)
                if errors >= self.max_consecutive_errors:
                    yield _event(error)
                    return
            except ZApiError as error:
                yield _event(error)
                return
            if connected:
                yield _event()
                return

    async def _read(self) -> bool:
        # The loop looks again by itself: one attempt, so that a thread is soon free for the next trigger.
        hook = ZApiHook(self.zapi_conn_id, retry=False, instance=self.instance)
        client_of = partial(hook.client_of, mask=False)
        loop = asyncio.get_running_loop()
        client = None
        try:
            with suppress(AirflowNotFoundException):
                # The connection is kept in no variable: a traceback would show it.
                client = await loop.run_in_executor(_threads, client_of, await get_async_connection(self.zapi_conn_id))
            if client is None:
                raise ZApiConfigurationError("The connection does not exist any more", conn_id=self.zapi_conn_id)
            return await loop.run_in_executor(_threads, is_connected, client)
        finally:
            # Also when the task was cleared meanwhile: the thread then gives up by itself.
            hook.cancel()
            if client is not None:
                client.cancel()
                client.close()


def _event(error: ZApiError | None = None) -> TriggerEvent:
    payload: dict[str, Any] = {}
    if error is not None:
        payload["error"] = {"type": type(error).__name__, **{fact: getattr(error, fact) for fact in _FACTS}}
    return TriggerEvent(payload)  # type: ignore[no-untyped-call]  # Airflow's


def error_of(event: Mapping[str, Any] | None) -> ZApiError | None:
    """Return the error that an event of the trigger tells of, or None where the instance is connected."""
    if event == {}:
        return None
    told = event.get("error") if isinstance(event, Mapping) else None
    if isinstance(told, Mapping):
        kind = getattr(exceptions, str(told.get("type")), None)
        facts: dict[str, Any] = {
            fact: told[fact] for fact, accepted in _FACTS.items() if isinstance(told.get(fact), accepted)
        }
        if isinstance(kind, type) and issubclass(kind, ZApiError) and "what" in facts:
            return kind(**facts)
    return ZApiUnexpectedAnswerError(
        "the trigger's event cannot be understood",
        "Worker and triggerer may run different versions of this provider; clear the task.",
    )
