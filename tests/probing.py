"""Run the probe with an emulator in the same process, without sockets, and with a clock that only sleeping moves."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse

from airflow_provider_zapi.client import Credentials, Transport
from airflow_provider_zapi.emulator import Emulator
from airflow_provider_zapi.emulator.surface import Incoming, respond
from airflow_provider_zapi.probe.report import made
from airflow_provider_zapi.probe.run import Plan, Result, probe
from airflow_provider_zapi.probe.steps import Request
from airflow_provider_zapi.probe.wire import Wire
from tests.support import CLIENT_TOKEN, TOKEN, Clock

OWN = "5544999990000"
CONTACT = "5544991111111"
OTHERS = ["5544992222222", "5544993333333"]
#: A function that is called with the number of each request, before and after it is carried out.
Hook = Callable[[int, bool], None]
#: Called with an answer's body; returns the body and the headers to answer with.
Echo = Callable[[Any], tuple[Any, dict[str, str]]]


def emulated(value: str = "CONTACT_BLACKLIST", contacts: list[str] | None = None, **switches: Any) -> Emulator:
    """Return an emulator with one instance, whose last seen has this value and this list."""
    emulator = Emulator(clock=lambda: 1_700_000_000.0)
    excluded = OTHERS if contacts is None else contacts
    emulator.put(
        "instance-1",
        {
            "token": TOKEN,
            "client_token": CLIENT_TOKEN,
            "phone": OWN,
            "settings": {"last_seen": {"value": value, "excluded": excluded}},
            "switches": switches,
        },
    )
    return emulator


class EmulatedAdapter(BaseAdapter):
    """A transport that calls an emulator instead of the network.

    :param around: called before and after each request is carried out; what it raises ends the exchange
    :param echo: makes an answer's body and headers of the emulator's
    """

    def __init__(self, emulator: Emulator, target: Credentials, around: Hook, count: list[int], echo: Echo) -> None:
        super().__init__()
        self._emulator = emulator
        self._target = target
        self._around = around
        self._count = count
        self._echo = echo

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        self._count[0] += 1
        self._around(self._count[0], False)
        url = urlsplit(request.url or "")
        body = request.body or b""
        incoming = Incoming(
            request.method or "",
            f"{self._target.path_prefix}{url.path}",
            dict(parse_qsl(url.query)),
            {name.lower(): value for name, value in {**request.headers, **self._target.secret_headers}.items()},
            body.encode() if isinstance(body, str) else body,
            "127.0.0.1",
        )
        result = respond(self._emulator, incoming).answer
        self._around(self._count[0], True)
        body, more = self._echo(result.body)
        raw = body if isinstance(body, str) else json.dumps(body)
        headers = {"Content-Type": "application/json", **result.headers, **more}
        response = requests.Response()
        response.status_code = result.status
        response.headers.update(headers)
        response.raw = HTTPResponse(
            io.BytesIO(raw.encode()), headers=headers, status=result.status, preload_content=False
        )
        response.request = request
        response.url = request.url or ""
        return response

    def close(self) -> None:
        pass


def nothing(number: int, carried_out: bool) -> None:
    pass


def as_it_is(body: Any) -> tuple[Any, dict[str, str]]:
    return body, {}


def wire_to(
    emulator: Emulator,
    *,
    around: Hook = nothing,
    clock: Clock | None = None,
    tell: Callable[[Request], None] = lambda request: None,
    echo: Echo = as_it_is,
) -> Wire:
    """Return a wire to the emulator's instance."""
    clock, count = clock or Clock(), [0]

    def connect(target: Credentials) -> Transport:
        adapter = EmulatedAdapter(emulator, target, around, count, echo)
        return Transport(target, adapter=adapter, clock=clock, sleep=clock.sleep)

    target = Credentials("instance-1", TOKEN, CLIENT_TOKEN)
    return Wire(target, connect=connect, clock=clock, sleep=clock.sleep, tell=tell)


ALL_LEVELS = Plan(True, True, {"last_seen": "CONTACT_BLACKLIST"}, CONTACT)


def probed(emulator: Emulator, plan: Plan = ALL_LEVELS) -> dict[str, Any]:
    """Return the report of a whole run."""
    wire = wire_to(emulator)
    with tempfile.TemporaryDirectory() as folder:
        result = probe(plan, wire, Path(folder) / "journal")
    return made(plan, wire, result)


def outcomes(report: Mapping[str, Any]) -> dict[str, str]:
    """Return the outcome of each fact that was settled in a report."""
    return {name: each["outcome"] for name, each in report["answers"].items() if each["outcome"]}


def state(emulator: Emulator) -> dict[str, Any]:
    """Return the privacy settings as the owner sees them, with unordered lists."""
    settings: dict[str, Any] = emulator.instance("instance-1").view()["settings"]
    return {
        name: {**one, "excluded": sorted(one["excluded"])} if "excluded" in one else one
        for name, one in settings.items()
    }


__all__ = ["Result"]
