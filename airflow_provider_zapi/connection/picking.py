"""Pick one instance of an account by its id or its exact name."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING

from airflow_provider_zapi.catching import caught
from airflow_provider_zapi.connection.form import LABELS
from airflow_provider_zapi.exceptions import ZApiConfigurationError, ZApiInvalidRequestError, ZApiTransientError
from airflow_provider_zapi.privacy.changes import NOTHING_SENT, rendered_none
from airflow_provider_zapi.privacy.phones import kind

if TYPE_CHECKING:
    from airflow_provider_zapi.client import AccountInstance, ZApiAccountClient

__all__ = ["check_instance", "parse_instance", "pick_instance"]

_ACCEPTED = "Give the ID of an instance, or its exact name in the Z-API panel."
#: The longest name that a message shows in full.
_SHOWN = 60


def parse_instance(instance: object) -> str:
    """Return the parameter ``instance`` as a string, without spaces around it.

    :raises ZApiInvalidRequestError: the parameter is invalid; nothing was sent
    """
    if not isinstance(instance, str):
        raise ZApiInvalidRequestError(
            f"instance is {kind(instance)}, but must be a string", f"{_ACCEPTED} {NOTHING_SENT}"
        )
    wanted = " ".join(instance.split())
    if problem := "is empty" if not wanted else rendered_none(wanted):
        raise ZApiInvalidRequestError(f"instance {problem}", f"{_ACCEPTED} {NOTHING_SENT}")
    return wanted


def check_instance(instance: object, instance_id: str, conn_id: str) -> None:
    """Check that ``instance`` names the only instance that a connection has.

    :raises ZApiInvalidRequestError: the parameter is not this instance's id; nothing was sent
    """
    if parse_instance(instance) != instance_id:
        raise ZApiInvalidRequestError(
            "'instance' does not name the instance of this connection",
            f"This connection has one instance, {instance_id}. Leave 'instance' out. To pick instances by ID or name, "
            f"use a connection with the account's {LABELS['partner_token']}. {NOTHING_SENT}",
            conn_id=conn_id,
        )


def pick_instance(account: ZApiAccountClient, instance: object, conn_id: str) -> AccountInstance:
    """Return the instance of an account with this id or this exact name.

    :param instance: the task's parameter, or None
    :raises ZApiConfigurationError: no instance was named
    :raises ZApiInvalidRequestError: there is no such instance, or more than one; nothing was sent to any
    :raises ZApiError: the list of instances could not be read
    """
    if instance is None:
        raise ZApiConfigurationError(
            "The connection covers a whole account, and no instance was named",
            f"{_ACCEPTED[:-1]}, in the parameter 'instance' (on the command line, --instance). {NOTHING_SENT}",
            conn_id=conn_id,
        )
    wanted = parse_instance(instance)
    # Z-API does not document how it searches, or what `total` then counts. So only an exact match in the search results
    # counts. If the results are incomplete, the whole list is read.
    found = caught(lambda: _named(account.instances(query=wanted), wanted), ZApiTransientError)
    if isinstance(found, ZApiTransientError):
        if type(found) is not ZApiTransientError:  # no answer or too many calls
            raise found
        found = []
    if not found:
        listed = list(account.instances())
        found = _named(listed, wanted)
        if not found:
            raise ZApiInvalidRequestError(
                f"instance {_shown(wanted)!r} is not one of the account's {len(listed)} instances",
                f"{_ACCEPTED}{_closest(wanted, listed)} {NOTHING_SENT}",
                conn_id=conn_id,
            )
    if len(found) > 1:
        raise ZApiInvalidRequestError(
            f"instance {_shown(wanted)!r} is ambiguous: {len(found)} instances have this id or name",
            f"Give the ID of one: {', '.join(row.id for row in found[:5])}. {NOTHING_SENT}",
            conn_id=conn_id,
        )
    return found[0]


def _named(instances: Iterable[AccountInstance], wanted: str) -> list[AccountInstance]:
    return [row for row in instances if wanted in (row.id, row.name)]


def _closest(wanted: str, instances: Iterable[AccountInstance]) -> str:
    known = {word.lower(): word for row in instances for word in (row.id, row.name)}
    holding = [word for word in known if wanted.lower() in word]
    matches = holding or get_close_matches(wanted.lower(), known, n=1, cutoff=0.5)
    return f" Did you mean {_shown(known[matches[0]])!r}?" if matches else ""


def _shown(name: str) -> str:
    return name if len(name) <= _SHOWN else f"{name[:_SHOWN]}..."
