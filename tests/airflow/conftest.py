"""An emulator, the connections to its instances, and the DAGs of the tests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_zapi.emulator import RunningEmulator, fleet_emulator, running_emulator
from tests.airflow.support import DAGS, dag_bag
from tests.support import CLIENT_TOKEN, PARTNER_TOKEN, TOKEN

#: The emulator's instance for each connection id.
NUMBERS = {"zapi_default": "instance-1", "zapi_sales": "instance-2", "zapi_support": "instance-3"}


def connection(url: str, instance: str, **changes: Any) -> str:
    fields = {
        "conn_type": "zapi",
        "login": instance,
        "password": TOKEN,
        "host": url,
        "extra": {"client_token": CLIENT_TOKEN},
    }
    return json.dumps({**fields, **changes})


@pytest.fixture(scope="session")
def emulator_server() -> Iterator[RunningEmulator]:
    with running_emulator() as running:
        yield running


@pytest.fixture
def zapi(emulator_server: RunningEmulator, monkeypatch: pytest.MonkeyPatch) -> RunningEmulator:
    """Return the emulator with its three instances reset and without recorded requests."""
    for conn_id, instance in NUMBERS.items():
        parts = {"token": TOKEN, "client_token": CLIENT_TOKEN, "phone": "5544999990000"}
        emulator_server.emulator.put(instance, parts)
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", connection(emulator_server.url, instance))
    emulator_server.emulator.clear_requests()
    return emulator_server


@pytest.fixture(scope="session")
def dags(airflow_db: None) -> dict[str, Any]:
    bag = dag_bag(DAGS)
    assert not bag.import_errors
    return dict(bag.dags)


@pytest.fixture(scope="session")
def pools(airflow_db: None) -> None:
    """Create the pools that the examples and the how-tos name, as a user does."""
    from airflow.models import Pool
    from airflow.utils.session import create_session

    with create_session() as session:
        session.add_all(
            Pool(pool=number, slots=1, description="", include_deferred=False) for number in (*NUMBERS, "zapi_account")
        )


@pytest.fixture
def account(pools: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningEmulator]:
    """Yield an account with 100 numbers as ``zapi_account``. 90 are connected and paid. Its secrets are canaries."""
    emulator = fleet_emulator(100)
    emulator.account.partner_token = PARTNER_TOKEN
    emulator.account.patch({"callback_url": f"https://hooks.example/{TOKEN}?{CLIENT_TOKEN}"})
    for number, instance in enumerate(emulator.instances.values()):
        instance.patch({"client_token": CLIENT_TOKEN, "token": f"{TOKEN}-{number}"})
    with running_emulator(emulator) as running:
        extra = {"partner_token": PARTNER_TOKEN, "client_token": CLIENT_TOKEN}
        fields = {"conn_type": "zapi", "host": running.url, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_ZAPI_ACCOUNT", json.dumps(fields))
        yield running
