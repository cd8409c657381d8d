"""A double of an HTTP proxy."""

from __future__ import annotations

from tests.faults.server import Behaviour, FaultServer, on_request
from tests.faults.steps import Tunnel, answer

#: A proxy that wants to know who is asking, and one that does not reach the target.
PROXY_REFUSALS: dict[int, Behaviour] = {
    407: answer(407, b"", (("Proxy-Authenticate", 'Basic realm="proxy"'),)),
    502: answer(502, b""),
}


class ProxyServer(FaultServer):
    """Records what it is asked and tunnels CONNECT; with behaviours, plays those instead.

    Every tunnel ends on this machine: at ``to``, or else at the port that was asked for, whatever the host. A
    request that is not CONNECT is recorded too, and answered 405.
    """

    def __init__(self, *behaviours: Behaviour, to: int | None = None) -> None:
        super().__init__(*(behaviours or (on_request(Tunnel(to)),)))
