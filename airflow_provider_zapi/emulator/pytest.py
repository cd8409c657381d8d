"""A pytest plugin: a fresh emulator for each test of your own DAGs.

Put ``pytest_plugins = ["airflow_provider_zapi.emulator.pytest"]`` into the ``conftest.py`` at the top of your tests.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from airflow_provider_zapi.emulator.checks import InvalidInputError
from airflow_provider_zapi.emulator.contract import SETTING_BY_PATH
from airflow_provider_zapi.emulator.server import DEMO_INSTANCE, RunningEmulator, running_emulator
from airflow_provider_zapi.emulator.state import Instance

__all__ = ["Number", "ZApiDouble", "zapi", "zapi_session"]

#: Connection id -> instance id.
_NUMBERS = dict(zip(["zapi_default"], DEMO_INSTANCE, strict=True))


@dataclass(frozen=True)
class Number:
    """One WhatsApp number of the emulator; ``instance`` is its state, to look at and to change directly."""

    instance: Instance

    @property
    def privacy(self) -> dict[str, str]:
        """The value of each privacy setting, such as ``{"last_seen": "NONE", ...}``."""
        return {name: parts["value"] for name, parts in self.instance.view()["settings"].items()}


@dataclass(frozen=True)
class ZApiDouble:
    """What the fixtures `zapi` and `zapi_session` give to a test."""

    running: RunningEmulator

    def connection_env(self) -> dict[str, str]:
        """Return the environment variables that lead Airflow's connections to the emulator."""
        return {
            f"AIRFLOW_CONN_{conn_id.upper()}": json.dumps(
                {
                    "conn_type": "zapi",
                    "host": self.running.url,
                    "login": instance_id,
                    "password": DEMO_INSTANCE[instance_id]["token"],
                    "extra": {"client_token": DEMO_INSTANCE[instance_id]["client_token"]},
                }
            )
            for conn_id, instance_id in _NUMBERS.items()
        }

    def number(self, conn_id: str) -> Number:
        """Return the number behind a connection.

        :param conn_id: the connection's id, ``zapi_default``
        :raises InvalidInputError: the emulator has no number for this connection
        """
        if conn_id not in _NUMBERS:
            raise InvalidInputError(f"the emulator has no number for {conn_id!r}, only for {', '.join(_NUMBERS)}")
        return Number(self.running.emulator.instance(_NUMBERS[conn_id]))

    @property
    def requests(self) -> list[dict[str, Any]]:
        """The requests received, oldest first, without secrets."""
        return self.running.emulator.requests

    def assert_called(self, path: str, **parameters: Any) -> None:
        """Fail the test unless a call of this path with these parameters was received, whatever its answer was.

        :param path: the path after the token, such as ``privacy/last-seen``
        :param parameters: what the call carried in its body or query; ``value`` is the value of a privacy setting
        """
        setting = SETTING_BY_PATH.get(path)
        wanted = {
            setting.parameter if setting and name == "value" else name: value for name, value in parameters.items()
        }
        calls = [_sent(request) for request in self.requests if request["path"].endswith(f"/token/***/{path}")]
        if not any({**call, **wanted} == call for call in calls):
            received = [request["path"].rpartition("/token/***/")[2] for request in self.requests]
            raise AssertionError(
                f"no call of {path} with {wanted}; its calls carried {calls}; received were calls of {received}"
            )

    def fail(self, *, times: int = 1, with_: int = 503) -> None:
        """Answer the next calls, whatever their path, with an error; none of them changes anything.

        :param times: how many calls, HTTP retries included
        :param with_: the status to answer, 400 to 599
        :raises InvalidInputError: the status or the count cannot be used
        """
        if not 400 <= with_ <= 599:
            raise InvalidInputError("with_ must be a status from 400 to 599")
        if not 1 <= times <= 1000:
            raise InvalidInputError("times must be from 1 to 1000")
        answers = [{"status": with_, "body": {"error": "A fault that the test asked for"}}] * times
        for instance_id in _NUMBERS.values():
            self.running.emulator.instance(instance_id).patch({"switches": {"fail_next": answers}})


def _sent(request: Mapping[str, Any]) -> dict[str, Any]:
    body = request["body"]
    return {**request["query"], **(body if isinstance(body, dict) else {})}


def _double() -> Iterator[ZApiDouble]:
    with running_emulator() as running:
        yield ZApiDouble(running)


@pytest.fixture
def zapi() -> Iterator[ZApiDouble]:
    """Run an emulator for this test only."""
    yield from _double()


@pytest.fixture(scope="session")
def zapi_session() -> Iterator[ZApiDouble]:
    """Run one emulator for the whole session: what a test changes stays."""
    yield from _double()
