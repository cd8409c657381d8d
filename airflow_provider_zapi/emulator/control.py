"""The JSON interface below ``/_emulator/``: instances, switches, requests and events. Not part of Z-API."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from airflow_provider_zapi.emulator.checks import InvalidInputError, json_object
from airflow_provider_zapi.emulator.state import Emulator
from airflow_provider_zapi.emulator.switches import SWITCH_DEFAULTS

#: How often the event stream looks for a change, in seconds: changes may come from any thread.
_POLL = 0.1
#: A comment goes out after so many quiet looks, so that a gone browser is noticed.
_QUIET_LOOKS = 100


class Stopping:
    """Tells the open event streams to end; the server raises it when it shuts down."""

    def __init__(self) -> None:
        self.raised = False


class JsonResponse(Response):
    """JSON in ASCII: half a surrogate pair, which an escape can bring in, could not go out as UTF-8."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Return the content as JSON."""
        return json.dumps(content, separators=(",", ":")).encode("ascii")


def control_routes(emulator: Emulator, stopping: Stopping, body_limit: int) -> list[Route]:
    """Return the routes of the JSON interface over ``emulator``."""

    async def instances(request: Request) -> Response:
        try:
            limit = _count(request, "exceptions")
        except InvalidInputError as error:
            return _error(str(error), 400)
        with emulator.lock:
            views = [one.view(limit) for one in emulator.instances.values()]
        return JsonResponse({"instances": views, "switch_defaults": SWITCH_DEFAULTS})

    async def instance(request: Request) -> Response:
        instance_id = request.path_params["id"]
        try:
            if request.method == "PUT":
                emulator.put(instance_id, await _json_object(request, body_limit))
            elif instance_id not in emulator.instances:
                return _error(f"there is no instance {instance_id}", 404)
            elif request.method == "PATCH":
                emulator.instance(instance_id).patch(await _json_object(request, body_limit))
            elif request.method == "DELETE":
                emulator.delete(instance_id)
                return Response(status_code=204)
        except InvalidInputError as error:
            return _error(str(error), 400)
        return JsonResponse(emulator.instance(instance_id).view())

    async def requests(request: Request) -> Response:
        if request.method == "DELETE":
            emulator.clear_requests()
            return Response(status_code=204)
        try:
            last = _count(request, "last")
        except InvalidInputError as error:
            return _error(str(error), 400)
        received = emulator.requests
        return JsonResponse({"requests": received if last is None else received[max(len(received) - last, 0) :]})

    async def events(request: Request) -> Response:
        return StreamingResponse(
            _changes(emulator, stopping),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store"},
        )

    async def unknown(request: Request) -> Response:
        return _error("no such path below /_emulator/; see docs/emulator.md", 404)

    return [
        Route("/_emulator/instances", instances, methods=["GET"]),
        Route("/_emulator/instances/{id}", instance, methods=["GET", "PUT", "PATCH", "DELETE"]),
        Route("/_emulator/requests", requests, methods=["GET", "DELETE"]),
        Route("/_emulator/events", events, methods=["GET"]),
        Route("/_emulator/{rest:path}", unknown, methods=["GET", "PUT", "POST", "PATCH", "DELETE"]),
    ]


async def read_body(request: Request, limit: int) -> bytes | None:
    """Return the request's body, or None if it is longer than ``limit`` bytes."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            return None
    return bytes(body)


def _count(request: Request, name: str) -> int | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 6:
        raise InvalidInputError(f"{name} must be a count of at most six digits")
    return int(text)


def _error(text: str, status: int) -> JsonResponse:
    return JsonResponse({"error": text}, status_code=status)


async def _json_object(request: Request, limit: int) -> dict[str, Any]:
    body = await read_body(request, limit)
    if body is None:
        raise InvalidInputError(f"the body must be at most {limit} bytes")
    return json_object(body)


async def _changes(emulator: Emulator, stopping: Stopping) -> AsyncIterator[str]:
    seen, quiet = None, 0
    while not stopping.raised:
        revision = emulator.revision
        if revision != seen:
            seen, quiet = revision, 0
            yield f"event: change\ndata: {json.dumps({'revision': revision})}\n\n"
        quiet += 1
        if quiet % _QUIET_LOOKS == 0:
            yield ": still here\n\n"
        await asyncio.sleep(_POLL)
