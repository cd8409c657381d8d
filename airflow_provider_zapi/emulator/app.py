"""The emulator as an ASGI application: Z-API's calls, the JSON interface, the page, a record of requests."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route, request_response
from starlette.types import ASGIApp, Receive, Scope, Send

from airflow_provider_zapi.emulator.contract import Answer, refusal
from airflow_provider_zapi.emulator.control import JsonResponse, Stopping, control_routes, read_body
from airflow_provider_zapi.emulator.state import Emulator
from airflow_provider_zapi.emulator.surface import Incoming, answer

#: The longest body taken, in bytes: far above what any call needs.
BODY_LIMIT = 16 * 1024 * 1024
#: A longer body is remembered by its length alone, so that the record of requests stays small.
_REMEMBERED_BODY = 64 * 1024
_TOKEN = re.compile(r"(/token/+)[^/]+")
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]", "")
#: The page needs its own inline style and script, and nothing from anywhere else.
_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}


def create_app(
    emulator: Emulator,
    *,
    stopping: Stopping | None = None,
    log: Callable[[dict[str, Any]], None] | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    loopback_only: bool = True,
) -> ASGIApp:
    """Return the application over ``emulator``.

    :param emulator: the state it serves
    :param stopping: raised by the server to end open event streams
    :param log: called with the record of each Z-API request, which holds no secret
    :param sleep: how the switch ``delay`` waits
    :param loopback_only: refuse a ``Host`` that is not loopback, so that no web page can reach the
        emulator under a name of its own (DNS rebinding)
    """
    page_text = (Path(__file__).parent / "page.html").read_text(encoding="utf-8")

    async def page(request: Request) -> Response:
        return HTMLResponse(page_text, headers=_PAGE_HEADERS)

    async def zapi(request: Request) -> Response:
        body = await read_body(request, BODY_LIMIT)
        incoming = Incoming(
            request.method,
            request.scope["path"],
            dict(request.query_params),
            {name.lower(): value for name, value in request.headers.items()},
            body or b"",
            request.client.host if request.client else "unknown",
        )
        if body is None:
            result, instance = refusal(f"The body is longer than {BODY_LIMIT} bytes", 413), None
        else:
            result, instance = answer(emulator, incoming)
        recorded = emulator.record_request(
            {
                "instance": instance.id if instance else None,
                "method": incoming.method,
                "path": hide_token(incoming.path),
                "query": dict(incoming.query),
                "headers": sorted(incoming.headers),
                "body": _remembered(incoming.body),
                "status": result.status,
                "done": result.done,
            }
        )
        if log is not None:
            log(recorded)
        if instance is not None and instance.switches["delay"]:
            await sleep(instance.switches["delay"])
        return _response(result)

    app = Starlette(
        routes=[
            Route("/", page, methods=["GET"]),
            *control_routes(emulator, stopping or Stopping(), BODY_LIMIT),
        ]
    )
    # Whatever is not the emulator's own is Z-API's to answer: any path, under any method.
    app.router.default = request_response(zapi)
    return _loopback_only(app) if loopback_only else app


def hide_token(path: str) -> str:
    """Return a request's path with the instance token replaced, and nothing that could move a cursor."""
    hidden = _TOKEN.sub(r"\1***", path)
    return "".join(character if character.isprintable() else "?" for character in hidden)


def _remembered(body: bytes) -> Any:
    if len(body) > _REMEMBERED_BODY:
        return f"({len(body)} bytes)"
    try:
        return json.loads(body, parse_constant=str) if body else None
    except (ValueError, RecursionError):
        return body.decode("utf-8", "replace")


def _response(result: Answer) -> Response:
    if result.status in (204, 304):
        # These two never have a body, whatever `fail_next` asks for.
        return Response(status_code=result.status, headers=result.headers)
    if isinstance(result.body, str):
        return HTMLResponse(result.body, status_code=result.status, headers=result.headers)
    return JsonResponse(result.body, status_code=result.status, headers=result.headers)


def _loopback_only(app: ASGIApp) -> ASGIApp:
    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            host = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
            if re.sub(r":\d+$", "", host).lower() not in _LOOPBACK:
                refused = JsonResponse(
                    {"error": f"Host {host[:100]} is not this emulator; use 127.0.0.1"}, status_code=421
                )
                await refused(scope, receive, send)
                return
        await app(scope, receive, send)

    return guarded
