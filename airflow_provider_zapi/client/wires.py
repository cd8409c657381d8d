"""Kept connections: one for one instance, or a few that many instances of an account take turns on.

An instance that had a connection of its own would cost a TLS handshake and the loading of every certificate authority,
which together cost more than its calls.
"""

from __future__ import annotations

import ssl
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import requests
from requests.adapters import BaseAdapter

from airflow_provider_zapi.client.deadline import Deadline, DeadlineAdapter
from airflow_provider_zapi.client.environment import authorities, proxies
from airflow_provider_zapi.client.targets import Target
from airflow_provider_zapi.exceptions import ZApiConfigurationError

__all__ = ["Route", "Wire", "Wires"]


class Route:
    """How an address is reached, read from the environment once: certificate authorities, TLS context, proxies.

    :param base_url: ``https://host[:port]``
    :param conn_id: the Airflow connection, for messages
    :raises ZApiConfigurationError: the environment names a proxy or a file that cannot be used
    """

    def __init__(self, base_url: str, conn_id: str | None) -> None:
        self.verify: bool | str
        self.context: ssl.SSLContext
        self.verify, self.context = authorities(conn_id)
        # Once: with many variables in the environment the look at them takes as long as the rest of a call.
        found = proxies(base_url, conn_id)
        if isinstance(found, ZApiConfigurationError):
            raise found  # from here, where no local variable holds a proxy's password
        self.proxies = found


class Wire:
    """One kept connection, for one call at a time. Not for use by several threads at once.

    :param route: how the address is reached
    :param adapter: replaces the network, in tests
    """

    def __init__(self, route: Route, adapter: BaseAdapter | None = None) -> None:
        self.route = route
        self.session = _Session()
        # `.netrc` would replace headers. The environment's other settings are read here one by one.
        self.session.trust_env = False
        self._adapter = adapter
        self._mount()

    def serve(self, deadline: Deadline, target: Target) -> None:
        """Take the next calls for this target, each of which ends at this deadline."""
        if self._adapter is None:
            self._adapter = DeadlineAdapter(deadline, self.route.context, target)
            self._mount()
        elif isinstance(self._adapter, DeadlineAdapter):
            self._adapter.serve(deadline, target)

    def close(self) -> None:
        """Close the connection; the next call opens a new one."""
        self.session.close()

    def _mount(self) -> None:
        if self._adapter is not None:
            for prefix in ("http://", "https://"):
                self.session.mount(prefix, self._adapter)


class Wires:
    """A pool of kept connections to one address, with one TLS context: as many as are in use at the same time.

    A connection is lent to one instance at a time, so a broken answer is never read by another instance.

    :param route: how the address is reached
    :param adapter: makes what replaces the network, in tests
    """

    def __init__(self, route: Route, adapter: Callable[[], BaseAdapter] | None = None) -> None:
        self._route = route
        self._adapter = adapter
        # Its `append` and `pop` are safe between threads.
        self._free: deque[Wire] = deque()
        self._all: deque[Wire] = deque()

    @contextmanager
    def lent(self) -> Iterator[Wire]:
        """Lend a connection: the one used last, if one is free, else a new one."""
        try:
            wire = self._free.pop()
        except IndexError:
            wire = Wire(self._route, self._adapter() if self._adapter else None)
            self._all.append(wire)
        try:
            yield wire
        finally:
            self._free.append(wire)

    def __len__(self) -> int:
        return len(self._all)

    def close(self) -> None:
        """Close the connections that nobody uses."""
        for wire in tuple(self._free):
            wire.close()


class _Session(requests.Session):
    """A session that follows no redirect and does not read the body of one, which has no bound there."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return no target, whatever the answer says."""
        return
