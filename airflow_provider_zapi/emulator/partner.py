"""Answer Z-API's call for integrators, which lists the instances of an account."""

from __future__ import annotations

import copy
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_zapi.emulator.checks import InvalidInputError
from airflow_provider_zapi.emulator.contract import NOT_EMULATED, WRONG_CONTENT_TYPE, WRONG_METHOD, Answer, refusal
from airflow_provider_zapi.emulator.switches import SWITCH_BY_NAME, Switch, check_switches

if TYPE_CHECKING:
    from airflow_provider_zapi.emulator.state import Emulator, Instance
    from airflow_provider_zapi.emulator.surface import Incoming

__all__ = [
    "ACCOUNT_SWITCHES",
    "DEMO_PARTNER_TOKEN",
    "MIDDLEWARE",
    "Account",
    "answer_account",
    "is_account_call",
    "subscription",
]

#: The default integrator token.
DEMO_PARTNER_TOKEN = "demo-partner-token"  # noqa: S105 - a made-up value of the demo
#: Z-API does not document the answers to a missing or wrong integrator token. 401 is an assumption.
UNAUTHORIZED = refusal("Unauthorized", 401)
#: The default page size. Z-API does not document it.
_PAGE_SIZE = 10
_MAX_NUMBER = 1_000_000
#: What an instance can run on.
MIDDLEWARE = ("web", "mobile")
_ORDERS = ("stable", "shuffled", "shifting")
_CONTENT_TYPES = ("required", "optional")
_LIST = "/instances"
#: This call creates an instance, which costs money.
_CREATE = "/instances/integrator/on-demand"
#: The eight callback URLs of a row, into which users put secrets.
_CALLBACKS = (
    "delivery",
    "received",
    "disconnected",
    "messageStatus",
    "receivedAndDelivery",
    "presenceChat",
    "connected",
    "receivedStatus",
)

#: The switches of an account's list.
ACCOUNT_SWITCHES = (
    Switch(
        "status",
        "200 or 201",
        lambda value: value in (200, 201) and not isinstance(value, bool),
        200,
        "The status of a page. Z-API documents both.",
    ),
    Switch(
        "order",
        " or ".join(f'"{order}"' for order in _ORDERS),
        lambda value: isinstance(value, str) and value in _ORDERS,
        _ORDERS[0],
        "The order of the list, which Z-API does not document: as created; shuffled, but the same in every request; or "
        "shifted by one row with every request, so that pages miss and repeat instances.",
    ),
    Switch(
        "total_changes",
        SWITCH_BY_NAME["conflicts"].accepts,
        SWITCH_BY_NAME["conflicts"].check,
        0,
        "For this many of the next pages, `total` changes from page to page.",
    ),
    Switch(
        "fail_next",
        SWITCH_BY_NAME["fail_next"].accepts,
        SWITCH_BY_NAME["fail_next"].check,
        [],
        "Answers to the next requests with the integrator token.",
    ),
    Switch(
        "callback_url",
        "a string",
        lambda value: isinstance(value, str) and len(value) <= 500,
        "https://hooks.example",
        "The beginning of each instance's callback URLs.",
    ),
    Switch(
        "content_type",
        " or ".join(f'"{form}"' for form in _CONTENT_TYPES),
        lambda value: isinstance(value, str) and value in _CONTENT_TYPES,
        _CONTENT_TYPES[0],
        "Whether the list needs `Content-Type: application/json` (otherwise 415). Z-API documents that it does, but "
        "Z-API's Postman collection does not send it.",
    ),
)
_BY_NAME = {switch.name: switch for switch in ACCOUNT_SWITCHES}


class Account:
    """The account that owns all instances of an emulator."""

    def __init__(self) -> None:
        self.partner_token: str = DEMO_PARTNER_TOKEN
        self.switches: dict[str, Any] = {switch.name: copy.deepcopy(switch.default) for switch in ACCOUNT_SWITCHES}
        self._listed = 0

    def patch(self, changes: Mapping[str, Any]) -> None:
        """Change switches. If one is invalid, nothing changes.

        :raises InvalidInputError: a name is unknown, or a value is invalid
        """
        self.switches.update(copy.deepcopy(check_switches(dict(changes), _BY_NAME, "an account")))

    def ordered(self, instances: list[Instance]) -> list[Instance]:
        """Return the instances in the order for this request."""
        self._listed += 1
        order = self.switches["order"]
        if order == "shuffled":
            return sorted(instances, key=lambda instance: zlib.crc32(instance.id.encode()))
        if order == "shifting" and instances:
            first = self._listed % len(instances)
            return instances[first:] + instances[:first]
        return instances

    def total(self, instances: int) -> int:
        """Return the ``total`` for a page."""
        left = self.switches["total_changes"]
        if left:
            self.switches["total_changes"] = left - 1
        return instances + int(left % 2)


def is_account_call(path: str) -> bool:
    """Return whether a path belongs to an account and not to an instance."""
    return path.removesuffix("/") in (_LIST, _CREATE)


def answer_account(emulator: Emulator, incoming: Incoming) -> Answer:
    """Answer a call of the account: return one page of its instances, or say that the call is not emulated.

    Only 405 and 415 are documented. As for an instance's calls, it is an assumption that they come before the check of
    credentials.
    """
    if incoming.path.removesuffix("/") == _CREATE:
        return NOT_EMULATED if incoming.method == "POST" else WRONG_METHOD
    if incoming.method != "GET":
        return WRONG_METHOD
    content_type = incoming.headers.get("content-type", "").partition(";")[0].strip().lower()
    with emulator.lock:
        account = emulator.account
        if account.switches["content_type"] == "required" and content_type != "application/json":
            return WRONG_CONTENT_TYPE
        if incoming.headers.get("authorization") != f"Bearer {account.partner_token}":
            return UNAUTHORIZED
        if account.switches["fail_next"]:
            canned = account.switches["fail_next"].pop(0)
            return Answer(canned["status"], canned.get("body", ""), canned.get("headers", {}))
        try:
            return Answer(account.switches["status"], _page(emulator, account, incoming.query))
        except InvalidInputError as error:
            return refusal(str(error))


def subscription(instance: Instance) -> dict[str, Any]:
    """Return an instance's ``due`` (milliseconds since 1970) and ``paymentStatus``.

    The values of ``paymentStatus`` are not documented.
    """
    active = instance.subscription == "active"
    # January 1 of 2100 or 2020.
    return {
        "due": 4_102_444_800_000 if active else 1_577_836_800_000,
        "paymentStatus": "PAID" if active else "PENDING",
    }


def _page(emulator: Emulator, account: Account, query: Mapping[str, str]) -> dict[str, Any]:
    page, size = _number(query, "page", 1), _number(query, "pageSize", _PAGE_SIZE)
    wanted, middleware = query.get("query", "").casefold(), query.get("middleware")
    if middleware is not None and middleware not in MIDDLEWARE:
        raise InvalidInputError(f"middleware must be one of {', '.join(MIDDLEWARE)}")
    found = [
        instance
        for instance in emulator.instances.values()
        if (wanted in instance.name.casefold() or wanted in instance.id.casefold())
        and middleware in (None, _middleware(instance))
    ]
    total = account.total(len(found))
    listed = account.ordered(found)[(page - 1) * size : page * size]
    return {
        "total": total,
        "totalPage": -(-total // size),
        "pageSize": size,
        "page": page,
        "content": [_row(instance, account) for instance in listed],
    }


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    # Python refuses to read a number of thousands of digits.
    if not (text.isascii() and text.isdigit() and len(text) <= 20) or not 1 <= int(text) <= _MAX_NUMBER:
        raise InvalidInputError(f"{name} must be a number from 1 to {_MAX_NUMBER}")
    return int(text)


def _row(instance: Instance, account: Account) -> dict[str, Any]:
    address = account.switches["callback_url"]
    return {
        "token": instance.token,
        "tenant": "demo-tenant",
        "created": "2024-01-01T12:00:00.000Z",
        **subscription(instance),
        **{f"{name}CallbackUrl": f"{address}/{instance.id}/{name}" for name in _CALLBACKS},
        "phoneConnected": instance.smartphone_connected,
        "whatsappConnected": instance.connected,
        "middleware": _middleware(instance),
        "name": instance.name,
        "id": instance.id,
    }


def _middleware(instance: Instance) -> str:
    """Return ``mobile`` for about one in ten instances, always the same ones, and ``web`` for the others."""
    return MIDDLEWARE[zlib.crc32(instance.id.encode()) % 10 == 0]
