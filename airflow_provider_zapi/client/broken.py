"""Turn a failed HTTP exchange into an error, and decide whether the call is retried."""

from __future__ import annotations

import http.client
import ssl

import requests
import urllib3

from airflow_provider_zapi.client.answers import Again, Failure
from airflow_provider_zapi.client.deadline import CancelledError
from airflow_provider_zapi.exceptions import ZApiConfigurationError, ZApiTransientError, ZApiUnreachableError
from airflow_provider_zapi.panel import BASE_URL

__all__ = ["BROKEN", "STOPPED", "broken_exchange"]

#: The errors that a failed exchange raises. urllib3 raises a ValueError for a negative chunk size.
BROKEN = (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, ValueError)

_LOOK_AT_THE_NETWORK = "Check the network, DNS and proxy of this machine. Retry later."

#: The meaning of a failed exchange. The first row applies whose class is the error's or that of an error that it wraps.
#: The order matters: causes come first, then the classes that wrap them.
_EXCHANGES: tuple[tuple[type[BaseException], str, str, Again, str], ...] = (
    (
        ssl.SSLCertVerificationError,
        "the server's certificate is not trusted",
        "Something between this machine and Z-API may have answered. If it is your own proxy, set REQUESTS_CA_BUNDLE "
        "to the file of its certificate authority. Verification cannot be turned off.",
        Again.NEVER,
        "ZAPI-UNREACHABLE-CERTIFICATE",
    ),
    (
        requests.exceptions.ProxyError,
        "the proxy did not forward the call",
        _LOOK_AT_THE_NETWORK,
        Again.ALWAYS,
        "ZAPI-UNREACHABLE-PROXY",
    ),
    (
        urllib3.exceptions.NameResolutionError,
        "the host name could not be resolved",
        _LOOK_AT_THE_NETWORK,
        Again.ALWAYS,
        "ZAPI-UNREACHABLE-DNS",
    ),
    (
        ConnectionRefusedError,
        f"the connection was refused: no server listens at {BASE_URL}",
        _LOOK_AT_THE_NETWORK,
        Again.ALWAYS,
        "ZAPI-UNREACHABLE-REFUSED",
    ),
    (
        requests.exceptions.ConnectTimeout,
        "connecting to the server took too long",
        _LOOK_AT_THE_NETWORK,
        Again.ALWAYS,
        "ZAPI-UNREACHABLE-CONNECT-TIMEOUT",
    ),
    (
        requests.exceptions.SSLError,
        "a TLS connection could not be established",
        _LOOK_AT_THE_NETWORK,
        Again.IF_REPEATABLE,
        "ZAPI-UNREACHABLE-TLS",
    ),
    (
        urllib3.exceptions.NewConnectionError,
        "a connection could not be established",
        _LOOK_AT_THE_NETWORK,
        Again.ALWAYS,
        "ZAPI-UNREACHABLE-CONNECT",
    ),
    (
        TimeoutError,
        "a complete answer did not arrive in time",
        _LOOK_AT_THE_NETWORK,
        Again.IF_REPEATABLE,
        "ZAPI-UNREACHABLE-TIMEOUT",
    ),
    (
        urllib3.exceptions.DecodeError,
        "the answer could not be decompressed",
        _LOOK_AT_THE_NETWORK,
        Again.IF_REPEATABLE,
        "ZAPI-UNREACHABLE-COMPRESSION",
    ),
    (
        BaseException,
        "the connection broke before the complete answer arrived",
        _LOOK_AT_THE_NETWORK,
        Again.IF_REPEATABLE,
        "ZAPI-UNREACHABLE-BROKEN",
    ),
)


STOPPED = Failure(
    ZApiTransientError,
    "the call was cancelled, so nothing more is sent",
    "Changes that were sent before this stay. A retry sends everything again.",
    code="ZAPI-TRANSIENT-CANCELLED",
)

#: The message of `http.client` if a proxy requires a password. There is no separate error class for this.
_PROXY_ASKS_WHO = "Tunnel connection failed: 407"

_PROXY_REFUSED = Failure(
    ZApiConfigurationError,
    "the proxy requires a user and a password, or rejected the ones it got",
    "Set them in HTTPS_PROXY, as user:password@ before the host of the proxy.",
    code="ZAPI-CONFIG-PROXY-PASSWORD",
)


def broken_exchange(error: BaseException) -> Failure:
    """Return the failure of an exchange that ended with ``error``."""
    chain = _chain(error)
    if any(isinstance(link, CancelledError) for link in chain):
        return STOPPED
    if any(str(link).startswith(_PROXY_ASKS_WHO) for link in chain):
        return _PROXY_REFUSED
    what, advice, again, code = next(
        (what, advice, again, code)
        for kind, what, advice, again, code in _EXCHANGES
        if any(isinstance(link, kind) for link in chain)
    )
    return Failure(ZApiUnreachableError, what, advice, again, code=code)


def _chain(error: BaseException) -> list[BaseException]:
    """Return ``error`` and the errors that it wraps in its arguments, ``reason``, cause or context."""
    found: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        link = waiting.pop()
        if isinstance(link, BaseException) and link not in found:
            found.append(link)
            waiting += [*link.args, getattr(link, "reason", None), link.__cause__, link.__context__]
    return found
