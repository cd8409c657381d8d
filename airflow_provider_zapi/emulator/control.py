"""The JSON interface below ``/_emulator/``, which is not part of Z-API.

The application's routes and the OpenAPI document are generated from the table `ROUTES`.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from airflow_provider_zapi import __version__
from airflow_provider_zapi.emulator.checks import InvalidInputError, json_object
from airflow_provider_zapi.emulator.faults import FAULTS
from airflow_provider_zapi.emulator.journal import MATCHED_BY, check_pattern, matching
from airflow_provider_zapi.emulator.openapi import Parameter, document
from airflow_provider_zapi.emulator.schemas import ACCOUNT, FAULT, INSTANCE, NEW_INSTANCE, PATTERN
from airflow_provider_zapi.emulator.state import REMEMBERED, Emulator, Instance
from airflow_provider_zapi.emulator.switches import SWITCH_DEFAULTS, SWITCHES

__all__ = ["ROUTES", "ControlRoute", "JsonResponse", "Stopping", "control_routes", "read_body"]

#: Seconds between two checks for changes by the event stream. It polls, because changes may come from any thread.
_POLL = 0.1
#: After this many checks without a change, the stream sends a comment, to notice whether the browser has gone.
_QUIET_LOOKS = 100
#: The most instances in one page of the list.
_MAX_PAGE = 1_000


class Stopping:
    """A flag that the server sets at shutdown, which ends the open event streams."""

    def __init__(self) -> None:
        self.raised = False


class JsonResponse(Response):
    """Strict JSON in ASCII. Half a surrogate pair, which an escape can contain, could not be sent as UTF-8."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Return the content as JSON."""
        return json.dumps(content, separators=(",", ":"), allow_nan=False).encode("ascii")


@dataclass(frozen=True)
class Asked:
    """One request to the interface, as its handler receives it."""

    emulator: Emulator
    stopping: Stopping
    query: Mapping[str, Any]
    path: Mapping[str, str]
    body: Mapping[str, Any]

    def instance(self) -> Instance:
        """Return the instance in the path.

        :raises KeyError: there is no such instance
        """
        return self.emulator.instance(self.path["id"])


async def _health(asked: Asked) -> Any:
    emulator = asked.emulator
    return {
        "status": "ok",
        "version": __version__,
        "instances": len(emulator.instances),
        "requests_received": emulator.received,
    }


async def _list_instances(asked: Asked) -> Any:
    query, emulator = asked.query, asked.emulator
    search = query.get("search", "").casefold()
    with emulator.lock:
        found = [
            instance
            for instance in emulator.instances.values()
            if search in f"{instance.name}\n{instance.id}\n{instance.phone}".casefold()
        ]
        total, size = len(found), query.get("page_size", _MAX_PAGE)
        start = (query.get("page", 1) - 1) * size
        views = [
            instance.view(query.get("excluded"), query.get("changes", REMEMBERED), query.get("messages", REMEMBERED))
            for instance in found[start : start + size]
        ]
    return {
        "instances": views,
        "total": total,
        "page": query.get("page", 1),
        "page_size": size,
        "switch_defaults": SWITCH_DEFAULTS,
    }


async def _get_instance(asked: Asked) -> Any:
    return asked.instance().view()


async def _put_instance(asked: Asked) -> Any:
    return asked.emulator.put(asked.path["id"], asked.body).view()


async def _patch_instance(asked: Asked) -> Any:
    return asked.emulator.patch(asked.path["id"], asked.body).view()


async def _delete_instance(asked: Asked) -> Any:
    asked.emulator.delete(asked.path["id"])


async def _list_messages(asked: Asked) -> Any:
    return {"messages": asked.instance().messages.last(asked.query.get("last", REMEMBERED))}


async def _get_account(asked: Asked) -> Any:
    return {"switches": asked.emulator.account.switches}


async def _patch_account(asked: Asked) -> Any:
    with asked.emulator.lock:
        asked.emulator.account.patch(asked.body)
    return await _get_account(asked)


async def _list_requests(asked: Asked) -> Any:
    query = asked.query
    pattern = {name: query[name] for name in ("path", "method", "instance") if name in query}
    found = matching(asked.emulator.requests, pattern)
    newest = found[max(len(found) - query.get("last", REMEMBERED), 0) :]
    if not query.get("bodies", True):
        newest = [{**request, "body": None} for request in newest]
    return {"requests": newest}


async def _get_request(asked: Asked) -> Any:
    return {str(request["number"]): request for request in asked.emulator.requests}[asked.path["number"]]


async def _clear_requests(asked: Asked) -> Any:
    asked.emulator.clear_requests()


async def _verify(asked: Asked) -> Any:
    pattern = check_pattern(dict(asked.body), ("times",))
    times = pattern.pop("times", None)
    if times is not None and (isinstance(times, bool) or not isinstance(times, int) or times < 0):
        raise InvalidInputError("times must be a whole number of at least 0")
    numbers = [request["number"] for request in matching(asked.emulator.requests, pattern)]
    return {
        "verified": bool(numbers) if times is None else len(numbers) == times,
        "count": len(numbers),
        "requests": numbers,
    }


async def _list_faults(asked: Asked) -> Any:
    with asked.emulator.lock:
        faults = [fault.view() for fault in asked.emulator.faults]
    return {
        "faults": faults,
        "kinds": [{"name": kind.name, "doc": kind.doc, "options": kind.options} for kind in FAULTS],
    }


async def _add_fault(asked: Asked) -> Any:
    return asked.emulator.add_fault(dict(asked.body)).view()


async def _remove_faults(asked: Asked) -> Any:
    asked.emulator.remove_faults()


async def _remove_fault(asked: Asked) -> Any:
    number = asked.path["number"]
    asked.emulator.remove_faults(int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 0)


async def _list_switches(asked: Asked) -> Any:
    return {"switches": [switch.view() for switch in SWITCHES]}


async def _reset(asked: Asked) -> Any:
    asked.emulator.reset()


async def _events(asked: Asked) -> Any:
    return StreamingResponse(
        _changes(asked.emulator, asked.stopping),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store"},
    )


async def _openapi(asked: Asked) -> Any:
    return document(ROUTES)


@dataclass(frozen=True)
class ControlRoute:
    """One request of the interface.

    :param query: the parameters that it accepts; others are refused
    :param body: the JSON Schema of its body; None if it does not take a body
    """

    method: str
    path: str
    handler: Callable[[Asked], Awaitable[Any]]
    summary: str
    query: tuple[Parameter, ...] = ()
    body: Mapping[str, Any] | None = None
    parameters: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        names = [part[1:-1] for part in self.path.split("/") if part.startswith("{")]
        object.__setattr__(self, "parameters", tuple(names))


_LAST = Parameter("last", "integer", "How many of the newest")
_CUTS = (
    Parameter("excluded", "integer", "How many contacts of each list"),
    Parameter("changes", "integer", "How many of the newest changes"),
    Parameter("messages", "integer", "How many of the newest messages"),
)

ROUTES: tuple[ControlRoute, ...] = (
    ControlRoute("GET", "health", _health, "Show that it runs, its version, and how many instances it serves."),
    ControlRoute(
        "GET",
        "instances",
        _list_instances,
        "List the instances, without tokens.",
        (
            *_CUTS,
            Parameter("page", "integer", "The page, from 1", minimum=1),
            Parameter("page_size", "integer", f"How many in a page, at most {_MAX_PAGE}", minimum=1, maximum=_MAX_PAGE),
            Parameter("search", "string", "Only instances with this text in their name, id or phone"),
        ),
    ),
    ControlRoute("GET", "instances/{id}", _get_instance, "Show the whole state of an instance, without tokens."),
    ControlRoute(
        "PUT",
        "instances/{id}",
        _put_instance,
        "Create or replace an instance: `token`, `client_token` (or null) and `phone` are required.",
        body=NEW_INSTANCE,
    ),
    ControlRoute(
        "PATCH",
        "instances/{id}",
        _patch_instance,
        "Change the given parts. If one is invalid, nothing changes.",
        body=INSTANCE,
    ),
    ControlRoute("DELETE", "instances/{id}", _delete_instance, "Remove an instance."),
    ControlRoute(
        "GET", "instances/{id}/messages", _list_messages, "List the messages that an instance sent.", (_LAST,)
    ),
    ControlRoute("GET", "account", _get_account, "Show the switches of the account's list of instances."),
    ControlRoute(
        "PATCH", "account", _patch_account, "Change these switches. If one is invalid, nothing changes.", body=ACCOUNT
    ),
    ControlRoute(
        "GET",
        "requests",
        _list_requests,
        f"List the newest requests to Z-API, at most {REMEMBERED}, oldest first, without secrets.",
        (
            _LAST,
            Parameter("path", "string", "Only this path, such as privacy/last-seen"),
            Parameter("method", "string", "Only this method"),
            Parameter("instance", "string", "Only this instance"),
            Parameter("bodies", "boolean", "Whether bodies are shown"),
        ),
    ),
    ControlRoute("GET", "requests/{number}", _get_request, "Show one request."),
    ControlRoute("DELETE", "requests", _clear_requests, "Delete the record of requests."),
    ControlRoute(
        "POST",
        "verify",
        _verify,
        f"Count the requests that match `{'`, `'.join(MATCHED_BY)}`. With `times`, check that the count equals it.",
        body=PATTERN,
    ),
    ControlRoute("GET", "faults", _list_faults, "List the active faults, and the kinds of faults."),
    ControlRoute("POST", "faults", _add_fault, "Make calls fail.", body=FAULT),
    ControlRoute("DELETE", "faults", _remove_faults, "Remove all faults."),
    ControlRoute("DELETE", "faults/{number}", _remove_fault, "Remove one fault."),
    ControlRoute("GET", "switches", _list_switches, "List the switches of an instance and what they accept."),
    ControlRoute("POST", "reset", _reset, "Restore the initial instances, and delete requests and faults."),
    ControlRoute("GET", "events", _events, "Send a server-sent event `change` after changes and requests."),
    ControlRoute("GET", "openapi.json", _openapi, "Describe Z-API's calls and this interface in OpenAPI 3.1."),
)


def control_routes(emulator: Emulator, stopping: Stopping, body_limit: int) -> list[Route]:
    """Return the routes of the JSON interface for ``emulator``."""
    by_path: dict[str, dict[str, ControlRoute]] = {}
    for row in ROUTES:
        by_path.setdefault(row.path, {})[row.method] = row

    def endpoint(methods: Mapping[str, ControlRoute]) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            row = methods.get(request.method)
            if row is None:
                return _error(f"this path accepts {', '.join(methods)}", 405, {"Allow": ", ".join(methods)})
            try:
                query = _read_query(request, row)
                body = await _json_object(request, body_limit) if row.body is not None else {}
                result = await row.handler(Asked(emulator, stopping, query, request.path_params, body))
            except InvalidInputError as error:
                return _error(str(error), 400)
            except KeyError:
                named = ", ".join(f"{name} {value}" for name, value in request.path_params.items())
                return _error(f"nothing found with {named}"[:300], 404)
            if isinstance(result, Response):
                return result
            return Response(status_code=204) if result is None else JsonResponse(result)

        return answer

    async def unknown(request: Request) -> Response:
        return _error("unknown path below /_emulator/; GET /_emulator/openapi.json lists them", 404)

    methods = ["GET", "PUT", "POST", "PATCH", "DELETE", "OPTIONS", "TRACE"]
    return [
        *(Route(f"/_emulator/{path}", endpoint(rows), methods=methods) for path, rows in by_path.items()),
        Route("/_emulator/{rest:path}", unknown, methods=methods),
    ]


async def read_body(request: Request, limit: int) -> bytes | None:
    """Return the request's body, or None if it is longer than ``limit`` bytes."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            return None
    return bytes(body)


def _read_query(request: Request, row: ControlRoute) -> dict[str, Any]:
    accepted = {parameter.name: parameter for parameter in row.query}
    unknown = sorted(request.query_params.keys() - accepted.keys())
    if unknown:
        raise InvalidInputError(
            f"unknown query parameters: {', '.join(unknown)[:200]}; accepted: {', '.join(accepted) or 'none'}"
        )
    return {name: accepted[name].read(text) for name, text in request.query_params.items()}


def _error(text: str, status: int, headers: Mapping[str, str] | None = None) -> JsonResponse:
    return JsonResponse({"error": text}, status_code=status, headers=dict(headers or {}))


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
