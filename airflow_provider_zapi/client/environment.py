"""What the environment says about connections: certificate authorities and proxies, read once for each client."""

from __future__ import annotations

import os
import ssl

import requests
import urllib3
from urllib3.util.ssl_ import create_urllib3_context

from airflow_provider_zapi.exceptions import ZApiConfigurationError

__all__ = ["authorities", "proxies"]


def authorities(conn_id: str | None) -> tuple[bool | str, ssl.SSLContext]:
    """Return the authorities that vouch for the server: those of ``REQUESTS_CA_BUNDLE``, else the system's."""
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
    """Return the environment's proxy for ``base_url``, or why `requests` could not use it."""
    # http:// is loopback only (see Credentials), where no proxy belongs.
    if not base_url.startswith("https://"):
        return {}
    found = requests.utils.get_environ_proxies(base_url)
    variable = next((name for name in ("https", "all") if found.get(name)), None)
    if variable is None:
        return {}
    if problem := _proxy_problem(found[variable]):
        # Never the value: it may hold a password.
        return ZApiConfigurationError(
            f"The environment variable {variable.upper()}_PROXY {problem}",
            "Set it to the address of an HTTP proxy, such as http://proxy.example:3128, or remove it. Hosts that need "
            "no proxy belong in NO_PROXY.",
            conn_id=conn_id,
            code="ZAPI-CONFIG-PROXY",
        )
    return {"https": found[variable]}


def _proxy_problem(proxy: str) -> str | None:
    try:
        url = urllib3.util.parse_url(requests.utils.prepend_scheme_if_needed(proxy, "http"))  # type: ignore[no-untyped-call]
        (url.host or "").encode("idna")  # as the look-up of the name does
        # What `requests` makes a header of, which holds Latin-1 only.
        "".join(requests.utils.get_auth_from_url(proxy)).encode("latin-1")
    except (urllib3.exceptions.HTTPError, TypeError, ValueError):  # TypeError: a user, and no host
        return "is not a URL with a valid host, port, user and password"
    if (url.scheme or "").startswith("socks"):
        return "names a SOCKS proxy, which is not supported"
    if url.scheme not in ("http", "https"):
        return "is neither an http:// nor an https:// URL"
    if not url.host:
        return "names no host"
    # Of the text itself: older versions of `requests` drop a port of 0.
    given = urllib3.util.parse_url(proxy if "//" in proxy else f"//{proxy}")
    return "names port 0" if given.port == 0 else None
