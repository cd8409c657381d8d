"""What it means that an exchange broke: which error it becomes, and whether the call is retried."""

from __future__ import annotations

import http.client
import ssl

import requests
import urllib3

from airflow_provider_zapi.client.answers import Again, Failure
from airflow_provider_zapi.exceptions import ZApiConfigurationError, ZApiUnreachableError
from airflow_provider_zapi.panel import BASE_URL

__all__ = ["BROKEN", "broken_exchange"]

#: What a broken exchange raises; urllib3 lets a ValueError out for a negative chunk size.
BROKEN = (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, ValueError)

_LOOK_AT_THE_NETWORK = "Check the network, DNS and proxy of this machine. Retry later."

#: What a broken exchange means, by the first of these that is found in the error or in what it wraps.
#: The order matters: the causes first, then what wraps any of them.
_EXCHANGES: tuple[tuple[type[BaseException], str, str, Again, str], ...] = (
    (
        ssl.SSLCertVerificationError,
        "the server's certificate was not accepted",
        "Something between this machine and Z-API may have answered. If that is your own proxy, set REQUESTS_CA_BUNDLE "
        "to the file of its certificate authority; verification cannot be switched off.",
        Again.NEVER,
        "ZAPI-UNREACHABLE-CERTIFICATE",
    ),
    (
        requests.exceptions.ProxyError,
        "the proxy did not let the call through",
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
        f"the connection was refused: nothing listens at {BASE_URL}",
        _LOOK_AT_THE_NETWORK,
        Again.ALWAYS,
        "ZAPI-UNREACHABLE-REFUSED",
    ),
    (
        requests.exceptions.ConnectTimeout,
        "no connection could be made in time",
        _LOOK_AT_THE_NETWORK,
        Again.ALWAYS,
        "ZAPI-UNREACHABLE-CONNECT-TIMEOUT",
    ),
    (
        requests.exceptions.SSLError,
        "no TLS connection could be made",
        _LOOK_AT_THE_NETWORK,
        Again.IF_REPEATABLE,
        "ZAPI-UNREACHABLE-TLS",
    ),
    (
        urllib3.exceptions.NewConnectionError,
        "no connection could be made",
        _LOOK_AT_THE_NETWORK,
        Again.ALWAYS,
        "ZAPI-UNREACHABLE-CONNECT",
    ),
    (
        TimeoutError,
        "no whole answer came in time",
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
        "the connection broke before the whole answer came",
        _LOOK_AT_THE_NETWORK,
        Again.IF_REPEATABLE,
        "ZAPI-UNREACHABLE-BROKEN",
    ),
)


#: The words of `http.client` for a proxy's refusal; no class of error tells it from the others.
_PROXY_ASKS_WHO = "Tunnel connection failed: 407"

_PROXY_REFUSED = Failure(
    ZApiConfigurationError,
    "the proxy asks for a user and a password, or does not take those that it was given",
    "Write them into HTTPS_PROXY, before the host of the proxy and an @.",
    code="ZAPI-CONFIG-PROXY-PASSWORD",
)


def broken_exchange(error: BaseException) -> Failure:
    """Return what an exchange that ended in ``error`` means."""
    chain = _chain(error)
    if any(str(link).startswith(_PROXY_ASKS_WHO) for link in chain):
        return _PROXY_REFUSED
    what, advice, again, code = next(
        (what, advice, again, code)
        for kind, what, advice, again, code in _EXCHANGES
        if any(isinstance(link, kind) for link in chain)
    )
    return Failure(ZApiUnreachableError, what, advice, again, code=code)


def _chain(error: BaseException) -> list[BaseException]:
    """Return ``error`` and what it wraps: `requests` and `urllib3` keep it as argument, as ``reason`` or as context."""
    found: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        link = waiting.pop()
        if isinstance(link, BaseException) and link not in found:
            found.append(link)
            waiting += [*link.args, getattr(link, "reason", None), link.__cause__, link.__context__]
    return found
