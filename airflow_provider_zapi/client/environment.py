"""Read certificate authorities and proxies from the environment, once for each client."""

from __future__ import annotations

import os
import ssl

import requests
import urllib3
from urllib3.util.ssl_ import create_urllib3_context

from airflow_provider_zapi.exceptions import ZApiConfigurationError

__all__ = ["authorities", "proxies"]


def authorities(conn_id: str | None) -> tuple[bool | str, ssl.SSLContext]:
    """Return the trusted certificate authorities, from ``REQUESTS_CA_BUNDLE`` or else from the system."""
    context = create_urllib3_context()
    bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    if not bundle:
        context.load_default_certs()
        return True, context
    if not os.path.exists(bundle):
        raise ZApiConfigurationError(
            "REQUESTS_CA_BUNDLE (or CURL_CA_BUNDLE) names a file that does not exist",
            "Set it to a file of certificate authorities, or remove it to use the system's.",
            conn_id=conn_id,
            code="ZAPI-CONFIG-CA-BUNDLE",
        )
    return bundle, context


def proxies(base_url: str, conn_id: str | None) -> dict[str, str] | ZApiConfigurationError:
    """Return the environment's proxy for ``base_url``, or an error if `requests` cannot use the proxy."""
    # Only loopback may use http:// (see Credentials), and loopback needs no proxy.
    if not base_url.startswith("https://"):
        return {}
    found = requests.utils.get_environ_proxies(base_url)
    variable = next((name for name in ("https", "all") if found.get(name)), None)
    if variable is None:
        return {}
    if problem := _proxy_problem(found[variable]):
        # The message does not include the value, because it may hold a password.
        return ZApiConfigurationError(
            f"The environment variable {variable.upper()}_PROXY {problem}",
            "Set it to the address of an HTTP proxy, such as http://proxy.example:3128, or remove it. List hosts that "
            "need no proxy in NO_PROXY.",
            conn_id=conn_id,
            code="ZAPI-CONFIG-PROXY",
        )
    return {"https": found[variable]}


def _proxy_problem(proxy: str) -> str | None:
    try:
        url = urllib3.util.parse_url(requests.utils.prepend_scheme_if_needed(proxy, "http"))  # type: ignore[no-untyped-call]
        (url.host or "").encode("idna")  # name resolution does the same
        # `requests` puts user and password into a header, which accepts only Latin-1.
        "".join(requests.utils.get_auth_from_url(proxy)).encode("latin-1")
    except (urllib3.exceptions.HTTPError, TypeError, ValueError):  # TypeError: a user without a host
        return "is not a URL with a valid host, port, user and password"
    if (url.scheme or "").startswith("socks"):
        return "is the address of a SOCKS proxy, which is not supported"
    if url.scheme not in ("http", "https"):
        return "is neither an http:// nor an https:// URL"
    if not url.host:
        return "does not include a host"
    # Parse the original value, because older versions of `requests` drop port 0.
    given = urllib3.util.parse_url(proxy if "//" in proxy else f"//{proxy}")
    return "has port 0" if given.port == 0 else None
