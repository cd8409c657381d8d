"""Create an emulator with many numbers of one account, with names and in mixed states."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

from airflow_provider_zapi.emulator.checks import InvalidInputError
from airflow_provider_zapi.emulator.state import Emulator

__all__ = ["MAX_NUMBERS", "account_connection", "fleet_emulator", "fleet_numbers"]

#: An emulator with this many numbers takes about a minute to start.
MAX_NUMBERS = 100_000
#: The account security token that all numbers share.
_CLIENT_TOKEN = "demo-client-token"  # noqa: S105 - a made-up value of the demo
_CITIES = ("São Paulo", "Rio de Janeiro", "Maringá", "Curitiba", "Belém", "Recife", "Goiânia", "Porto Alegre")
_KINDS = ("Store {number} {city}", "{city} - Support {number}", "store-{number}", "Sales {city} #{number}")


def fleet_numbers(count: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return the ids and parts of ``count`` numbers. The same count gives the same numbers.

    Half of them have names like ``Store 0001 São Paulo``. Most are connected and paid. Of every 100, 4 have no phone,
    4 have no WhatsApp session, and 2 have a lapsed subscription.

    :param count: 1 to `MAX_NUMBERS`
    :raises InvalidInputError: the count is invalid
    """
    if not 1 <= count <= MAX_NUMBERS:
        raise InvalidInputError(f"the count of numbers must be from 1 to {MAX_NUMBERS}")
    for index in range(1, count + 1):
        number = f"{index:0{max(4, len(str(count)))}}"
        # Odd numbers are stores. Even numbers use the kinds in turn.
        kind = _KINDS[0 if index % 2 else index // 2 % len(_KINDS)]
        yield (
            f"number-{number}",
            {
                "token": f"demo-token-{number}",
                "client_token": _CLIENT_TOKEN,
                "phone": str(5544990000000 + index),
                "name": kind.format(number=number, city=_CITIES[index // 2 % len(_CITIES)]),
                "smartphone_connected": index % 25 != 9,
                "connected": index % 25 != 17,
                "subscription": "lapsed" if index % 50 == 23 else "active",
            },
        )


def fleet_emulator(numbers: int, clock: Callable[[], float] = time.time) -> Emulator:
    """Return an emulator of one account with the numbers of `fleet_numbers`.

    Its integrator token is ``demo-partner-token``, its account security token ``demo-client-token``.
    """
    emulator = Emulator(clock)
    for instance_id, parts in fleet_numbers(numbers):
        emulator.put(instance_id, parts)
    return emulator


def account_connection(url: str, emulator: Emulator) -> str:
    """Return the Airflow connection for the account with all its numbers, as JSON."""
    extra = {"partner_token": emulator.account.partner_token, "client_token": _CLIENT_TOKEN}
    return json.dumps({"conn_type": "zapi", "host": url, "extra": extra})
