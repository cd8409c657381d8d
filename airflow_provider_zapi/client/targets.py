"""The address and the secrets of calls, and the checks on them."""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn, Protocol

from airflow_provider_zapi.exceptions import ZApiConfigurationError
from airflow_provider_zapi.panel import (
    ACCOUNT_SECURITY_TOKEN,
    BASE_URL,
    INSTANCE_ID,
    INSTANCE_TOKEN,
    INSTANCES_PAGE,
    INTEGRATOR_TOKEN,
    SECURITY_PAGE,
)

__all__ = ["DEFAULT_BASE_URL", "AccountCredentials", "Credentials", "Target"]

DEFAULT_BASE_URL = "https://api.z-api.io"

#: Instance ids and tokens are part of every URL's path, where `..` or `/` would lead to another address.
_PATH_SAFE = re.compile(r"[A-Za-z0-9_-]+")
_VISIBLE_ASCII = re.compile(r"[!-~]+")
_LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_BASE_URL = re.compile(
    rf"(?:(https?)://)?({_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:.]+\])(?::([0-9]{{1,5}}))?/?",
    re.IGNORECASE | re.ASCII,
)


class Target(Protocol):
    """The server and the secrets that a `Transport` uses. Its ``repr`` does not show secrets."""

    @property
    def base_url(self) -> str:
        """Return the base URL, ``https://host[:port]``."""

    @property
    def conn_id(self) -> str | None:
        """Return the Airflow connection's id, for messages."""

    @property
    def path_prefix(self) -> str:
        """Return the prefix of each path, which starts with a slash. It is secret."""

    @property
    def secret_headers(self) -> Mapping[str, str]:
        """Return the headers that hold a secret."""

    @property
    def secrets(self) -> tuple[str | None, ...]:
        """Return the values that must never be logged."""


class _OfAccount:
    """The fields that all targets share, and the checks on them."""

    client_token: str | None
    base_url: str
    conn_id: str | None

    def __reduce__(self) -> NoReturn:
        raise TypeError("Z-API credentials cannot be pickled. Pass the connection id and look it up where it is used")

    def _check_shared(self) -> None:
        if self.client_token is not None:
            self._check(
                self.client_token,
                ACCOUNT_SECURITY_TOKEN,
                _VISIBLE_ASCII,
                "visible ASCII characters",
                f"Copy it from {SECURITY_PAGE}.",
                "ZAPI-CONFIG-CLIENT-TOKEN",
            )
        object.__setattr__(self, "base_url", self._checked_base_url())

    def _check(
        self, value: object, name: str, accepted: re.Pattern[str], described: str, source: str, code: str
    ) -> None:
        if not isinstance(value, str) or not value:
            problem = "not a string" if value and not isinstance(value, str) else "empty"
            self._refuse(f"{name} is {problem}", source, code)
        if any(character.isspace() for character in value):
            advice = "Copy only the value, without the characters around it."
            self._refuse(f"{name} contains a space or a line break", advice, code)
        if not accepted.fullmatch(value):
            self._refuse(f"{name} contains a character other than {described}", source, code)

    def _checked_base_url(self) -> str:
        code = "ZAPI-CONFIG-BASE-URL"
        advice = (
            f"Leave it empty for {DEFAULT_BASE_URL}, or enter only scheme, host and optional port, such as "
            "https://api-v2.z-api.io. It must not have a path, user, query or token. The instance's ID belongs in "
            f"{INSTANCE_ID} and its token in {INSTANCE_TOKEN}."
        )
        match = _BASE_URL.fullmatch(self.base_url)
        if not match:
            self._refuse(f"{BASE_URL} must be scheme, host and optional port only", advice, code)
        scheme, host, port = (match[1] or "https").lower(), match[2].lower(), match[3]
        if port and not 0 < int(port) < 65536:
            self._refuse(f"{BASE_URL} has a port that is not between 1 and 65535", advice, code)
        if host.startswith("[") and not _is_ip_address(host):
            self._refuse(f"{BASE_URL} has brackets around something other than an IPv6 address", advice, code)
        if scheme == "http" and not _is_loopback(host):
            self._refuse(
                f"{BASE_URL} starts with http://, which would send the credentials unencrypted",
                "Use https://. http:// is allowed only for a server on this machine (127.0.0.1, localhost), such as "
                "the emulator.",
                code,
            )
        return f"{scheme}://{host}{f':{port}' if port else ''}"

    def _refuse(self, what: str, advice: str, code: str) -> NoReturn:
        raise ZApiConfigurationError(what, advice, conn_id=self.conn_id, code=code)


@dataclass(frozen=True)
class Credentials(_OfAccount):
    """The address and the credentials of one Z-API instance.

    :param instance_id: the instance's id (letters, digits, ``_`` and ``-``)
    :param instance_token: the instance's token (the same characters); it is part of every URL
    :param client_token: the account security token, sent as the header ``Client-Token``; None if the account has none
    :param base_url: ``https://host[:port]``; a host without a scheme gets https; ``http://`` is for loopback only
    :param conn_id: the Airflow connection, for messages
    :raises ZApiConfigurationError: a value is invalid; the message names the field and never shows the value
    """

    instance_id: str = field(repr=False)
    instance_token: str = field(repr=False)
    client_token: str | None = field(default=None, repr=False)
    base_url: str = field(default=DEFAULT_BASE_URL, repr=False)
    conn_id: str | None = None

    def __post_init__(self) -> None:
        self._check(
            self.instance_id,
            INSTANCE_ID,
            _PATH_SAFE,
            "letters, digits, '_' and '-'",
            f"Copy it from {INSTANCES_PAGE}.",
            "ZAPI-CONFIG-INSTANCE-ID",
        )
        self._check(
            self.instance_token,
            INSTANCE_TOKEN,
            _PATH_SAFE,
            "letters, digits, '_' and '-'",
            f"Copy it from {INSTANCES_PAGE}. It is not the account security token.",
            "ZAPI-CONFIG-INSTANCE-TOKEN",
        )
        self._check_shared()

    @property
    def secrets(self) -> tuple[str | None, ...]:
        """Return the values that must never be logged."""
        return self.instance_token, self.client_token

    @property
    def path_prefix(self) -> str:
        """Return the prefix of each path. It is secret, because it holds the instance token."""
        return f"/instances/{self.instance_id}/token/{self.instance_token}"

    @property
    def secret_headers(self) -> Mapping[str, str]:
        """Return the headers that hold a secret. They are added only when a request is sent."""
        return {} if self.client_token is None else {"Client-Token": self.client_token}

    def keyed_digest(self, purpose: str, data: bytes) -> str:
        """Return the HMAC-SHA256 of data in hexadecimal, keyed with the instance token.

        Without the token, nobody can find short data, such as a phone, by trying all values.

        :param purpose: what the digest is for; digests of different purposes never match
        """
        # Each purpose has its own key. The key is not kept in a variable, because a traceback would show it.
        return hmac.digest(hmac.digest(self.instance_token.encode(), purpose.encode(), "sha256"), data, "sha256").hex()


@dataclass(frozen=True)
class AccountCredentials(_OfAccount):
    """The address and the credentials of a Z-API account.

    The integrator token gives access to the account's list of instances.

    :param partner_token: the integrator token, sent as the header ``Authorization``
    :param client_token: the account security token that its instances share; None if the account has none
    :param base_url: as in `Credentials`
    :param conn_id: the Airflow connection, for messages
    :raises ZApiConfigurationError: a value is invalid; the message names the field and never shows the value
    """

    partner_token: str = field(repr=False)
    client_token: str | None = field(default=None, repr=False)
    base_url: str = field(default=DEFAULT_BASE_URL, repr=False)
    conn_id: str | None = None

    def __post_init__(self) -> None:
        self._check(
            self.partner_token,
            INTEGRATOR_TOKEN,
            _VISIBLE_ASCII,
            "visible ASCII characters",
            "You get it from Z-API's support. It is not an instance token, and it does not start with 'Bearer'.",
            "ZAPI-CONFIG-INTEGRATOR-TOKEN",
        )
        self._check_shared()

    @property
    def secrets(self) -> tuple[str | None, ...]:
        """Return the values that must never be logged."""
        return self.partner_token, self.client_token

    @property
    def path_prefix(self) -> str:
        """Return an empty prefix, because an account's paths start at the host."""
        return ""

    @property
    def secret_headers(self) -> Mapping[str, str]:
        """Return the header with the integrator token. These calls do not take a Client-Token."""
        return {"Authorization": f"Bearer {self.partner_token}"}


def _is_loopback(host: str) -> bool:
    return ipaddress.ip_address(host.strip("[]")).is_loopback if _is_ip_address(host) else host == "localhost"


def _is_ip_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
