"""The emulator's ASGI application: Z-API's calls, the JSON interface, the page, and a record of requests."""

import asyncio
import contextlib
import ipaddress
import re
import socket
import struct
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route, request_response
from starlette.types import ASGIApp, Receive, Scope, Send

from airflow_provider_zapi.emulator.contract import NOT_EMULATED, Answer, refusal
from airflow_provider_zapi.emulator.control import JsonResponse, Stopping, control_routes, read_body
from airflow_provider_zapi.emulator.faults import Fault
from airflow_provider_zapi.emulator.journal import REMEMBERED_BODY, hide_secrets, remembered, without_secrets
from airflow_provider_zapi.emulator.state import Emulator, Instance
from airflow_provider_zapi.emulator.surface import Incoming, Outcome, respond

__all__ = ["BODY_LIMIT", "TRANSPORT", "create_app"]

#: The longest body that is accepted, in bytes. It is far more than any call needs.
BODY_LIMIT = 16 * 1024 * 1024
#: The key of the scope under which the server puts the connection's transport, for faults that break the connection.
TRANSPORT = "airflow_provider_zapi.transport"
#: Headers whose values are secret.
_SECRET_HEADERS = ("client-token", "authorization")
#: The page needs only its own inline style and script.
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
    allowed_hosts: Iterable[str] = (),
) -> ASGIApp:
    """Return the application that serves ``emulator``.

    :param emulator: the state to serve
    :param stopping: set by the server to end open event streams
    :param log: called with the record of each Z-API request, which has no secrets; it must not block or raise
    :param sleep: waits, for the switch ``delay`` and the faults
    :param allowed_hosts: the names that a request's ``Host`` may have besides ``localhost`` and IP addresses. Other
        names are refused, so that no web page can reach the emulator through its own domain (DNS rebinding)
    """
    page_text = (Path(__file__).parent / "page.html").read_text(encoding="utf-8")

    async def page(request: Request) -> Response:
        return HTMLResponse(page_text, headers=_PAGE_HEADERS)

    async def wrong_method(request: Request, error: Exception) -> Response:
        return JsonResponse({"error": "this path does not take this method"}, 405, getattr(error, "headers", None))

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
            outcome = Outcome(refusal(f"The body is longer than {BODY_LIMIT} bytes", 413))
        else:
            outcome = respond(emulator, incoming)
        recorded = _record(emulator, incoming, outcome)
        if log is not None:
            log(recorded)
        if outcome.instance is not None and outcome.instance.switches["delay"]:
            await sleep(outcome.instance.switches["delay"])
        response = _response(outcome.answer)
        return response if outcome.fault is None else await _faulty(request, response, outcome.fault, sleep)

    app = Starlette(
        routes=[
            Route("/", page, methods=["GET"]),
            *control_routes(emulator, stopping or Stopping(), BODY_LIMIT),
        ],
        exception_handlers={405: wrong_method},
    )
    # Every other path and method is a call to Z-API.
    app.router.default = request_response(zapi)
    return _guarded(app, {host.lower() for host in allowed_hosts})


def _record(emulator: Emulator, incoming: Incoming, outcome: Outcome) -> dict[str, Any]:
    secrets = _secrets_of(emulator, incoming, outcome.instance)
    body, size = remembered(incoming.body, secrets)
    return emulator.record_request(
        {
            "instance": outcome.instance.id if outcome.instance else None,
            "method": incoming.method[:20],
            "path": hide_secrets(incoming.path, secrets),
            "query": without_secrets(dict(incoming.query), secrets),
            "headers": sorted(incoming.headers),
            "body": body,
            "status": outcome.answer.status,
            "done": outcome.answer.done,
            "emulated": outcome.answer is not NOT_EMULATED,
            "fault": outcome.fault.kind.name if outcome.fault else None,
        },
        size + sum(map(len, (*incoming.query, *incoming.query.values(), *incoming.headers))),
    )


def _secrets_of(emulator: Emulator, incoming: Incoming, instance: Instance | None) -> set[str]:
    """Return the secrets that the record must not show: the credentials that were sent, and those of the instance.

    If the request names no instance, these are the credentials of any instance that it contains.
    """
    secrets = {incoming.headers[name].removeprefix("Bearer ") for name in _SECRET_HEADERS if name in incoming.headers}
    secrets.update(re.findall(r"/token/+([^/]+)", incoming.path))
    if instance is not None:
        secrets.update((instance.token, instance.client_token or ""))
    else:
        body = incoming.body[:REMEMBERED_BODY].decode("utf-8", "replace")
        words = set(re.findall(r"[\w-]+", " ".join((incoming.path, body, *incoming.query, *incoming.query.values()))))
        for one in emulator.instances.copy().values():
            secrets.update(words.intersection((one.token, one.client_token)))
    return secrets - {""}


def _response(result: Answer) -> Response:
    if result.status in (204, 304):
        # These two statuses never have a body, even if a fault asks for one.
        return Response(status_code=result.status, headers=result.headers)
    if isinstance(result.body, str):
        return HTMLResponse(result.body, status_code=result.status, headers=result.headers)
    return JsonResponse(result.body, status_code=result.status, headers=result.headers)


class _Broken(Response):
    """An answer that is sent in the way that a fault asks for."""

    def __init__(self, answer: Response, fault: Fault, sleep: Callable[[float], Awaitable[None]]) -> None:
        super().__init__()
        self._answer = answer
        self._fault = fault
        self._sleep = sleep

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer, or the part of it that the fault allows."""
        kind, body = self._fault.kind.name, self._answer.body
        if kind in ("truncated", "drip"):
            start = {"type": "http.response.start", "status": self._answer.status_code}
            await send({**start, "headers": self._answer.raw_headers})
            for number, byte in enumerate(body[: len(body) // 2] if kind == "truncated" else body):
                if number and kind == "drip":
                    await self._sleep(self._fault.given.get("seconds", 1))
                await send({"type": "http.response.body", "body": bytes([byte]), "more_body": True})
            if kind == "drip":
                await send({"type": "http.response.body"})
                return
        await _close(scope, reset=kind == "reset")


async def _faulty(
    request: Request, response: Response, fault: Fault, sleep: Callable[[float], Awaitable[None]]
) -> Response:
    if fault.kind.name == "delay":
        await sleep(fault.given.get("seconds", 1))
    if fault.kind.name in ("truncated", "drip", "reset", "lost_answer"):
        return _Broken(response, fault, sleep)
    return response


async def _close(scope: Scope, *, reset: bool) -> None:
    """Close the connection of a request in the middle of its answer."""
    transport = scope.get(TRANSPORT)
    if transport is None:
        raise ConnectionResetError("the fault must close the connection, but this server does not provide it")
    connection = transport.get_extra_info("socket")
    if reset and connection is not None:
        # With a linger time of zero, closing the socket sends a reset.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if reset:
        transport.abort()
    else:
        transport.close()
    # Wait until the server has noticed, because otherwise it would answer 500.
    await asyncio.sleep(0.01)


def _guarded(app: ASGIApp, allowed: set[str]) -> ASGIApp:
    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = dict(scope["headers"])
            host = headers.get(b"host", b"").decode("latin-1")
            origin = headers.get(b"origin", b"").decode("latin-1")
            refused = None
            if not _is_allowed(host, allowed):
                name = "".join(character if character.isprintable() else "?" for character in host[:100])
                refused = JsonResponse(
                    {"error": f"Host {name} is not this emulator; use 127.0.0.1, or start it with --allowed-host"}, 421
                )
            elif origin and _authority(origin) != host.lower():
                # A page from another site must not change anything here.
                refused = JsonResponse({"error": "Requests from pages of another origin are refused"}, 403)
            if refused is not None:
                await refused(scope, receive, send)
                return
        await app(scope, receive, send)

    return guarded


def _authority(origin: str) -> str | None:
    with contextlib.suppress(ValueError):
        return urlsplit(origin).netloc.lower()
    return None


def _is_allowed(host: str, allowed: set[str]) -> bool:
    name = re.sub(r":\d{1,5}$", "", host).lower()
    if name in ("", "localhost") or name in allowed:
        return True
    try:
        # A page can have an IP address as its host only if it is served from that address.
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True
