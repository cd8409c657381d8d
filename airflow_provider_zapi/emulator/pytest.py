"""A pytest plugin with a fresh emulator for each test of your own DAGs.

Put ``pytest_plugins = ["airflow_provider_zapi.emulator.pytest"]`` into the top-level ``conftest.py`` of your tests.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from airflow_provider_zapi.emulator.checks import InvalidInputError
from airflow_provider_zapi.emulator.contract import BLACKLIST
from airflow_provider_zapi.emulator.faults import FAULT_BY_NAME
from airflow_provider_zapi.emulator.journal import matching, path_of
from airflow_provider_zapi.emulator.server import DEMO_INSTANCE, RunningEmulator, running_emulator
from airflow_provider_zapi.emulator.state import Instance

__all__ = ["Number", "ZApiDouble", "zapi", "zapi_session"]


def _demo() -> dict[str, str]:
    return dict(zip(["zapi_default"], DEMO_INSTANCE, strict=True))


@dataclass(frozen=True)
class Number:
    """One WhatsApp number of the emulator. ``instance`` is its state, which a test can read and change directly."""

    instance: Instance

    @property
    def privacy(self) -> dict[str, str]:
        """Return the value of each privacy setting, such as ``{"last_seen": "NONE", ...}``."""
        return {name: parts["value"] for name, parts in self.instance.view()["settings"].items()}

    @property
    def excluded(self) -> dict[str, list[str]]:
        """Return the excluded contacts of each setting that has a list, such as ``{"last_seen": [...], ...}``."""
        settings = self.instance.view()["settings"]
        return {name: parts["excluded"] for name, parts in settings.items() if "excluded" in parts}

    @property
    def messages(self) -> list[tuple[str, str]]:
        """Return the phone and the text of each message that the number sent, oldest first."""
        return [(sent["phone"], sent["message"]) for sent in self.instance.messages]

    def set(self, **settings: str | list[str]) -> None:
        """Change privacy settings as someone with the phone would.

        :param settings: the new value of a setting, such as ``last_seen="ALL"``, or a list of its excluded contacts,
            which also sets the value ``CONTACT_BLACKLIST``
        :raises InvalidInputError: there is no such setting, or it does not have this value
        """
        given = {
            name: {"value": value} if isinstance(value, str) else {"value": BLACKLIST, "excluded": value}
            for name, value in settings.items()
        }
        self.instance.patch({"settings": given})


@dataclass(frozen=True)
class ZApiDouble:
    """The object that the fixtures `zapi` and `zapi_session` pass to a test."""

    running: RunningEmulator
    #: The instance id of each connection id.
    _instances: dict[str, str] = field(default_factory=_demo)

    def connection_env(self) -> dict[str, str]:
        """Return the environment variables that define Airflow connections to the emulator."""
        given = self.running.emulator.snapshot()
        return {
            f"AIRFLOW_CONN_{conn_id.upper()}": json.dumps(
                {
                    "conn_type": "zapi",
                    "host": self.running.url,
                    "login": instance_id,
                    "password": given[instance_id]["token"],
                    "extra": {"client_token": given[instance_id]["client_token"]},
                }
            )
            for conn_id, instance_id in self._instances.items()
        }

    def add_number(self, conn_id: str, phone: str | None = None, name: str | None = None) -> Number:
        """Add a number with its own connection, which `connection_env` then includes.

        :param conn_id: the connection's id
        :param phone: the number's phone; by default a made-up one
        :param name: the number's name; by default the connection's id
        :raises InvalidInputError: the connection exists, or a value is invalid
        """
        if conn_id in self._instances:
            raise InvalidInputError(f"the emulator already has a number for {conn_id!r}")
        count = len(self._instances)
        instance_id = f"instance-{count + 1}"
        instance = self.running.emulator.put(
            instance_id,
            {
                "token": f"token-{count + 1}",
                "client_token": f"client-token-{count + 1}",
                "phone": str(5544999990000 + count) if phone is None else phone,
                "name": conn_id if name is None else name,
            },
        )
        self._instances[conn_id] = instance_id
        return Number(instance)

    def number(self, conn_id: str) -> Number:
        """Return the number behind a connection.

        :param conn_id: the connection's id, such as ``zapi_default``
        :raises InvalidInputError: the emulator has no number for this connection
        """
        return Number(self.running.emulator.instance(self._instance_id(conn_id)))

    @property
    def requests(self) -> list[dict[str, Any]]:
        """Return the received requests, oldest first, without secrets."""
        return self.running.emulator.requests

    def assert_called(
        self, path: str, *, conn_id: str | None = None, times: int | None = None, **parameters: Any
    ) -> None:
        """Fail the test unless a call of this path with these parameters was received. Its answer does not matter.

        :param path: the path after the token, such as ``privacy/last-seen``
        :param conn_id: the connection whose number was called; by default any
        :param times: the expected number of such calls; by default one or more
        :param parameters: parameters in the call's body or query; ``value`` is the value of a privacy setting
        :raises InvalidInputError: the emulator has no number for this connection
        """
        where = {} if conn_id is None else {"instance": self._instance_id(conn_id)}
        calls = found = matching(self.requests, {"path": path, **where})
        for name, value in parameters.items():
            found = [
                call for call in found if any(matching([call], {place: {name: value}}) for place in ("query", "body"))
            ]
        if bool(found) if times is None else len(found) == times:
            return
        called = "was not called" if times is None else f"was called {len(found)} times and not {times} times"
        with_these = f" with {parameters}" if parameters else ""
        raise AssertionError(
            f"{path} {called}{with_these}. Its calls carried {[_carried(call) for call in calls]}. "
            f"The calls received were {[path_of(request) for request in self.requests]}."
        )

    def fail(
        self,
        *,
        path: str | None = None,
        method: str | None = None,
        conn_id: str | None = None,
        times: int | None = None,
        probability: float | None = None,
        seed: int | None = None,
        with_: int | str = 503,
        seconds: float | None = None,
    ) -> None:
        """Make calls fail.

        :param path: the path after the token, such as ``privacy/last-seen`` or ``privacy/*``; by default any
        :param method: the method; by default any
        :param conn_id: the connection whose number is called; by default any
        :param times: how many calls fail, including HTTP retries; by default one, or all if there is a probability
        :param probability: the probability that a call fails, above 0 and at most 1; by default 1
        :param seed: the same seed makes the same calls fail
        :param with_: the status to answer with, 400 to 599, without carrying out the call; or the name of a fault:
            ``reset``, ``html``, ``empty``, ``lost_answer``, ``truncated``, ``delay``, ``drip``
        :param seconds: how long ``delay`` and ``drip`` wait
        :raises InvalidInputError: a value is invalid
        """
        if isinstance(with_, int) and not 400 <= with_ <= 599:
            raise InvalidInputError("with_ must be a status from 400 to 599, or the name of a fault")
        if isinstance(with_, str) and with_ not in FAULT_BY_NAME:
            raise InvalidInputError(f"with_ must be a status, or one of {', '.join(FAULT_BY_NAME)}")
        given: dict[str, Any] = {"fault": with_} if isinstance(with_, str) else {"fault": "status", "status": with_}
        which = {
            "path": path,
            "method": method,
            "instance": None if conn_id is None else self._instance_id(conn_id),
            "times": times,
            "probability": probability,
            "seed": seed,
            "seconds": seconds,
        }
        self.running.emulator.add_fault({**given, **{key: value for key, value in which.items() if value is not None}})

    def reset(self) -> None:
        """Restore the initial number, and delete other numbers, requests and faults."""
        self.running.emulator.reset()
        self._instances.clear()
        self._instances.update(_demo())

    def _instance_id(self, conn_id: str) -> str:
        if conn_id not in self._instances:
            known = ", ".join(self._instances)
            raise InvalidInputError(f"the emulator has no number for {conn_id!r}, only for {known}")
        return self._instances[conn_id]


def _carried(request: Mapping[str, Any]) -> dict[str, Any]:
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
    """Run one emulator for the whole session. Changes of a test stay until it calls ``reset``."""
    yield from _double()
