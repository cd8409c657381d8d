"""An emulator, and a client that calls its application without a socket."""

import asyncio
from collections.abc import Iterator

import httpx
import pytest
from starlette.types import ASGIApp

from airflow_provider_zapi.emulator import Emulator, Instance
from airflow_provider_zapi.emulator.app import create_app

NOON = 1_700_000_000.0


class AppTransport(httpx.BaseTransport):
    """Calls an ASGI application from synchronous code."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        async def call() -> httpx.Response:
            transport = httpx.ASGITransport(app=self._app)
            response = await transport.handle_async_request(
                httpx.Request(request.method, request.url, headers=request.headers, content=request.read())
            )
            body = await response.aread()
            return httpx.Response(response.status_code, headers=response.headers, content=body)

        return asyncio.run(call())


@pytest.fixture
def emulator() -> Emulator:
    """Return an emulator with one instance and a clock that does not move."""
    emulator = Emulator(clock=lambda: NOON)
    emulator.put("shop", {"token": "shop-token", "client_token": "shop-client-token", "phone": "5544999990000"})
    return emulator


@pytest.fixture
def instance(emulator: Emulator) -> Instance:
    return emulator.instance("shop")


@pytest.fixture
def slept() -> list[float]:
    """Return the list of waits that the application requests."""
    return []


@pytest.fixture
def http(emulator: Emulator, slept: list[float]) -> Iterator[httpx.Client]:
    """Return a client for the emulator's root address, without credentials."""

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    transport = AppTransport(create_app(emulator, sleep=sleep))
    with httpx.Client(base_url="http://127.0.0.1", transport=transport) as client:
        yield client


@pytest.fixture
def zapi(http: httpx.Client) -> httpx.Client:
    """Return the same client, with the instance's address and credentials."""
    http.base_url = httpx.URL("http://127.0.0.1/instances/shop/token/shop-token")
    http.headers["Client-Token"] = "shop-client-token"
    return http
