"""A server that breaks HTTP on purpose, for tests of the client.

    with FaultServer(FAULTS["reset"], FAULTS["drip_body"], good()) as server:
        ...  # the third request to server.url succeeds

``server`` has the sockets and threads, ``steps`` the parts of behaviours, ``table`` the named rows (``contract_rows``
makes the rows from Z-API's contract), ``tls`` the certificates and ``proxy`` a CONNECT proxy.
"""

from tests.faults.contract_rows import ENCODINGS, RECORDED_BODIES, STATUSES, redirect, retry_after_rows
from tests.faults.proxy import PROXY_REFUSALS, ProxyServer
from tests.faults.server import (
    Behaviour,
    FaultServer,
    Received,
    Step,
    Wire,
    dead_port,
    on_connect,
    on_request,
)
from tests.faults.steps import answer, good, http_date
from tests.faults.table import (
    BODIES,
    CONNECTION_FAULTS,
    FAULTS,
    FRAMING_FAULTS,
    GOOD,
    PLAIN_HTTP_ON_TLS_PORT,
    REDIRECTS,
    drip_body,
    drip_chunk_line,
    drip_headers,
    endless_interim,
)
from tests.faults.tls import Certificates, certificates

__all__ = [
    "BODIES",
    "CONNECTION_FAULTS",
    "ENCODINGS",
    "FAULTS",
    "FRAMING_FAULTS",
    "GOOD",
    "PLAIN_HTTP_ON_TLS_PORT",
    "PROXY_REFUSALS",
    "RECORDED_BODIES",
    "REDIRECTS",
    "STATUSES",
    "Behaviour",
    "Certificates",
    "FaultServer",
    "ProxyServer",
    "Received",
    "Step",
    "Wire",
    "answer",
    "certificates",
    "dead_port",
    "drip_body",
    "drip_chunk_line",
    "drip_headers",
    "endless_interim",
    "good",
    "http_date",
    "on_connect",
    "on_request",
    "redirect",
    "retry_after_rows",
]
