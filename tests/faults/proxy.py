"""A double of an HTTP proxy."""

from __future__ import annotations

from tests.faults.server import Behaviour, FaultServer, on_request
from tests.faults.steps import Tunnel, answer

#: A proxy that requires a password, and one that cannot reach the target.
PROXY_REFUSALS: dict[int, Behaviour] = {
    407: answer(407, b"", (("Proxy-Authenticate", 'Basic realm="proxy"'),)),
    502: answer(502, b""),
}


class ProxyServer(FaultServer):
    """Records requests, and answers CONNECT with a tunnel, or with the given behaviours.

    Every tunnel ends on this machine: at ``to``, or else at the requested port, whichever host was requested. Any other
    request is recorded too, and gets status 405.
    """

    def __init__(self, *behaviours: Behaviour, to: int | None = None) -> None:
        super().__init__(*(behaviours or (on_request(Tunnel(to)),)))
