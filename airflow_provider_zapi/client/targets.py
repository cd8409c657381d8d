"""Hold and check the address and the secrets of calls."""

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

#: Every URL's path holds both. `..` or `/` there would lead to another address.
_PATH_SAFE = re.compile(r"[A-Za-z0-9_-]+")
_VISIBLE_ASCII = re.compile(r"[!-~]+")
_LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_BASE_URL = re.compile(
    rf"(?:(https?)://)?({_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:.]+\])(?::([0-9]{{1,5}}))?/?",
    re.IGNORECASE | re.ASCII,
)


class Target(Protocol):
    """Say what a `Transport` calls. Its ``repr`` shows no secret."""

    @property
    def base_url(self) -> str:
        """``https://host[:port]``."""

    @property
    def conn_id(self) -> str | None:
        """The Airflow connection, for messages."""

    @property
    def path_prefix(self) -> str:
        """The prefix of each path, which starts with a slash. It is secret."""

    @property
    def secret_headers(self) -> Mapping[str, str]:
        """The headers that hold a secret."""

    @property
    def secrets(self) -> tuple[str | None, ...]:
        """Values that must never be logged."""


class _OfAccount:
    """Hold and check the fields that all targets share."""

    client_token: str | None
    base_url: str
    conn_id: str | None

    def __reduce__(self) -> NoReturn:
        raise TypeError("Z-API credentials are not pickled: pass the connection id and look it up where it is used")

    def _check_shared(self) -> None:
        if self.client_token is not None:
            self._check(
                self.client_token,
                ACCOUNT_SECURITY_TOKEN,
                _VISIBLE_ASCII,
                "visible ASCII characters",
                f"It is found under {SECURITY_PAGE}.",
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
            advice = "Copy only the value, without what surrounds it."
            self._refuse(f"{name} holds a space or a line break", advice, code)
        if not accepted.fullmatch(value):
            self._refuse(f"{name} holds a character other than {described}", source, code)

    def _checked_base_url(self) -> str:
        code = "ZAPI-CONFIG-BASE-URL"
        advice = (
            f"Leave it empty for {DEFAULT_BASE_URL}, or give only scheme, host and optional port, such as "
            "https://api-v2.z-api.io: no path, user, query or token. The instance's id belongs in "
            f"{INSTANCE_ID} and its token in {INSTANCE_TOKEN}."
        )
        match = _BASE_URL.fullmatch(self.base_url)
        if not match:
            self._refuse(f"{BASE_URL} must be scheme, host and optional port only", advice, code)
        scheme, host, port = (match[1] or "https").lower(), match[2].lower(), match[3]
        if port and not 0 < int(port) < 65536:
            self._refuse(f"{BASE_URL} names a port outside 1 to 65535", advice, code)
        if host.startswith("[") and not _is_ip_address(host):
            self._refuse(f"{BASE_URL} names something other than an IPv6 address in brackets", advice, code)
        if scheme == "http" and not _is_loopback(host):
            self._refuse(
                f"{BASE_URL} begins with http://, which would send the credentials unencrypted",
                "Use https://. Only a server on this machine (127.0.0.1, localhost), such as the emulator, "
                "may be called by http://.",
                code,
            )
        return f"{scheme}://{host}{f':{port}' if port else ''}"

    def _refuse(self, what: str, advice: str, code: str) -> NoReturn:
        raise ZApiConfigurationError(what, advice, conn_id=self.conn_id, code=code)


@dataclass(frozen=True)
class Credentials(_OfAccount):
    """Describe one Z-API instance: its address and credentials.

    :param instance_id: the instance's id (letters, digits, ``_`` and ``-``)
    :param instance_token: the instance's token (the same characters); it is part of every URL
    :param client_token: the account security token, sent as header ``Client-Token``; None if the account has none
    :param base_url: ``https://host[:port]``; a bare host gets https; ``http://`` is accepted for loopback only
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
            f"It is listed under {INSTANCES_PAGE}.",
            "ZAPI-CONFIG-INSTANCE-ID",
        )
        self._check(
            self.instance_token,
            INSTANCE_TOKEN,
            _PATH_SAFE,
            "letters, digits, '_' and '-'",
            f"It is listed under {INSTANCES_PAGE}; it is not the account security token.",
            "ZAPI-CONFIG-INSTANCE-TOKEN",
        )
        self._check_shared()

    @property
    def secrets(self) -> tuple[str | None, ...]:
        """Values that must never be logged."""
        return self.instance_token, self.client_token

    @property
    def path_prefix(self) -> str:
        """The prefix of each path that is sent. It is secret: it holds the instance token."""
        return f"/instances/{self.instance_id}/token/{self.instance_token}"

    @property
    def secret_headers(self) -> Mapping[str, str]:
        """The headers that hold a secret; they are added only when sending."""
        return {} if self.client_token is None else {"Client-Token": self.client_token}

    def keyed_digest(self, purpose: str, data: bytes) -> str:
        """Return the HMAC-SHA256 of data in hexadecimal, keyed with the instance token.

        Computing it needs the token, so nobody can guess short data, such as a phone.

        :param purpose: what the digest is for; digests of different purposes never match
        """
        # Each purpose has its own key. No variable holds it: a traceback would show it.
        return hmac.digest(hmac.digest(self.instance_token.encode(), purpose.encode(), "sha256"), data, "sha256").hex()


@dataclass(frozen=True)
class AccountCredentials(_OfAccount):
    """Describe a Z-API account. Its integrator token reads the list of instances.

    :param partner_token: the integrator token, sent as header ``Authorization``
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
            "Z-API's support hands it out; it is neither an instance token nor a header with 'Bearer' in it.",
            "ZAPI-CONFIG-INTEGRATOR-TOKEN",
        )
        self._check_shared()

    @property
    def secrets(self) -> tuple[str | None, ...]:
        """Values that must never be logged."""
        return self.partner_token, self.client_token

    @property
    def path_prefix(self) -> str:
        """Empty: an account's paths start at the host."""
        return ""

    @property
    def secret_headers(self) -> Mapping[str, str]:
        """The header with the integrator token; these calls take no Client-Token."""
        return {"Authorization": f"Bearer {self.partner_token}"}


def _is_loopback(host: str) -> bool:
    return ipaddress.ip_address(host.strip("[]")).is_loopback if _is_ip_address(host) else host == "localhost"


def _is_ip_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
