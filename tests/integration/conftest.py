"""The emulator for these tests, and an emulated account that has many numbers."""

import json
from collections.abc import Iterator

import pytest

from airflow_provider_zapi.emulator import RunningEmulator, fleet_emulator, running_emulator
from tests.airflow.conftest import emulator_server as emulator_server
from tests.airflow.conftest import zapi as zapi
from tests.support import CLIENT_TOKEN, PARTNER_TOKEN, TOKEN


@pytest.fixture
def fleet() -> Iterator[RunningEmulator]:
    """Run an emulated account whose secrets are canaries."""
    emulator = fleet_emulator(230)
    emulator.account.partner_token = PARTNER_TOKEN
    emulator.account.patch({"callback_url": f"https://hooks.example/{TOKEN}?{CLIENT_TOKEN}"})
    for number, instance in enumerate(emulator.instances.values()):
        instance.patch({"client_token": CLIENT_TOKEN, "token": f"{TOKEN}-{number}"})
    with running_emulator(emulator) as served:
        yield served


@pytest.fixture
def account_id(fleet: RunningEmulator, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the id of the Airflow connection for that account."""
    extra = {"partner_token": PARTNER_TOKEN, "client_token": CLIENT_TOKEN}
    connection = {"conn_type": "zapi", "host": fleet.url, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_ZAPI_ACCOUNT", json.dumps(connection))
    return "zapi_account"
