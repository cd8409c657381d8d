"""The trigger that waits until an instance is connected.

A triggerer runs hundreds of triggers in one event loop, which must not block. Looking up the connection does not block.
HTTP blocks, so it runs in this module's own threads. The default threads stay free, because all triggers use them to
resolve host names.
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

#: In seconds. A trigger that fires too soon can lose its task, because Airflow has not yet stored it as deferred.
SHORTEST_WAIT = 2.0

#: Concurrent reads per process. If Z-API does not answer, each read takes up to the read timeout.
_threads = ThreadPoolExecutor(max_workers=16, thread_name_prefix="zapi-trigger")

#: The facts about an error that an event holds, and their types.
_FACTS: Mapping[str, type | tuple[type, ...]] = {
    "what": str,
    "advice": str,
    "endpoint": str,
    "conn_id": str,
    "status": int,
    "attempts": int,
    "elapsed": (int, float),
    "retry_after": (int, float),
    "code": str,
}


def is_connected(client: ZApiClient) -> bool:
    """Return whether the instance has a WhatsApp session.

    :raises ZApiError: there is no answer, or the answer is invalid
    """
    try:
        return client.status().connected
    except ZApiNotConnectedError:
        # Z-API can also report this as an error.
        return False


class InstanceConnectedTrigger(BaseTrigger):
    """A trigger that fires once: when the instance is connected, or when waiting longer does not help.

    It only reads. Its row in Airflow's database holds the arguments below and no secret. Its event is ``{}`` or
    ``{"error": {...}}``, which `error_of` turns into an error.

    :param zapi_conn_id: the Z-API connection; looked up for every read, so that a correction takes effect
    :param poke_interval: seconds between two reads, at least 2
    :param max_consecutive_errors: after this many transient errors in a row, the trigger fires with the last one
    :param errors: the number of consecutive transient errors so far
    :param instance: the ID or exact name of the instance, if the connection covers a whole account
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
        """Return the trigger's class path and arguments, which hold no secret."""
        return f"{InstanceConnectedTrigger.__module__}.{InstanceConnectedTrigger.__name__}", {
            "zapi_conn_id": self.zapi_conn_id,
            "poke_interval": self.poke_interval,
            "max_consecutive_errors": self.max_consecutive_errors,
            "errors": self.errors,
            "instance": self.instance,
        }

    async def sleep(self, seconds: float) -> None:
        """Wait without blocking the event loop."""
        await asyncio.sleep(seconds)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Read the status until there is a result, then yield it."""
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
        # The loop reads again, so one attempt is enough. A single attempt frees the thread sooner for other triggers.
        hook = ZApiHook(self.zapi_conn_id, retry=False, instance=self.instance)
        client_of = partial(hook.client_or_refusal, mask=False)
        loop = asyncio.get_running_loop()
        client: ZApiClient | ZApiError | None = None
        try:
            with suppress(AirflowNotFoundException):
                # The connection is not kept in a variable, because a traceback would show it. For the same reason, an
                # error leaves the thread as a value.
                client = await loop.run_in_executor(_threads, client_of, await get_async_connection(self.zapi_conn_id))
            if client is None:
                raise ZApiConfigurationError(
                    "The connection no longer exists",
                    conn_id=self.zapi_conn_id,
                    code="ZAPI-CONFIG-NO-CONNECTION",
                )
            if isinstance(client, ZApiError):
                raise client.with_traceback(None)
            return await loop.run_in_executor(_threads, is_connected, client)
        finally:
            # This also stops the thread if the task was cleared in the meantime.
            hook.cancel()
            if client is not None and not isinstance(client, ZApiError):
                client.cancel()
                client.close()


def _event(error: ZApiError | None = None) -> TriggerEvent:
    payload: dict[str, Any] = {}
    if error is not None:
        payload["error"] = {"type": type(error).__name__, **{fact: getattr(error, fact) for fact in _FACTS}}
    return TriggerEvent(payload)  # type: ignore[no-untyped-call]  # Airflow's


def error_of(event: Mapping[str, Any] | None) -> ZApiError | None:
    """Return the error in a trigger's event, or None if the instance is connected."""
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
        "the trigger's event is invalid",
        "The worker and the triggerer may run different versions of this provider. Use the same version, then clear "
        "the task.",
        code="ZAPI-UNEXPECTED-EVENT",
    )
