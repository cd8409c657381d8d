"""Keep HTTP connections open: one for a single instance, or a few that the instances of an account share.

A separate connection for each instance would need a TLS handshake and would load every certificate authority. Together,
these take longer than the calls.
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
    """How to reach an address: certificate authorities, TLS context and proxies, read from the environment once.

    :param base_url: ``https://host[:port]``
    :param conn_id: the Airflow connection, for messages
    :raises ZApiConfigurationError: the environment names a proxy or a file that cannot be used
    """

    def __init__(self, base_url: str, conn_id: str | None) -> None:
        self.verify: bool | str
        self.context: ssl.SSLContext
        self.verify, self.context = authorities(conn_id)
        # Done only once, because reading a large environment takes as long as the rest of a call.
        found = proxies(base_url, conn_id)
        if isinstance(found, ZApiConfigurationError):
            raise found  # raised here, because no local variable of this frame holds a proxy's password
        self.proxies = found


class Wire:
    """A persistent HTTP connection that handles one call at a time. It is not thread-safe.

    :param route: how to reach the address
    :param adapter: replaces the network, in tests
    """

    def __init__(self, route: Route, adapter: BaseAdapter | None = None) -> None:
        self.route = route
        self.session = _Session()
        # `.netrc` would replace headers. The other settings of the environment are read explicitly.
        self.session.trust_env = False
        self._adapter = adapter
        self._mount()

    def serve(self, deadline: Deadline, target: Target) -> None:
        """Use the connection for calls to this target. Each call ends at this deadline."""
        if self._adapter is None:
            self._adapter = DeadlineAdapter(deadline, self.route.context, target)
            self._mount()
        elif isinstance(self._adapter, DeadlineAdapter):
            self._adapter.serve(deadline, target)

    def close(self) -> None:
        """Close the connection. The next call opens a new one."""
        self.session.close()

    def _mount(self) -> None:
        if self._adapter is not None:
            for prefix in ("http://", "https://"):
                self.session.mount(prefix, self._adapter)


class Wires:
    """A pool of kept connections to one address, with one TLS context. It grows to the number in use at the same time.

    A connection is lent to one instance at a time, so a broken answer is never read by another instance.

    :param route: how to reach the address
    :param adapter: returns the replacement of the network, in tests
    """

    def __init__(self, route: Route, adapter: Callable[[], BaseAdapter] | None = None) -> None:
        self._route = route
        self._adapter = adapter
        # The list's `append` and `pop` are thread-safe.
        self._free: deque[Wire] = deque()
        self._all: deque[Wire] = deque()

    @contextmanager
    def lent(self) -> Iterator[Wire]:
        """Lend the free connection that was used last, or a new one."""
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
        """Close the connections that are not lent."""
        for wire in tuple(self._free):
            wire.close()


class _Session(requests.Session):
    """A session that does not follow redirects and does not read their bodies, which would have no size limit."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return None, so that no redirect is followed."""
        return
