"""Select the numbers of an account, and assign a policy to each."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from airflow_provider_zapi.catching import caught
from airflow_provider_zapi.exceptions import ZApiInvalidRequestError, ZApiUnexpectedAnswerError
from airflow_provider_zapi.privacy.phones import kind, normalize_contact
from airflow_provider_zapi.privacy.policies import WILDCARDS, matcher
from airflow_provider_zapi.privacy.policy import Policy
from airflow_provider_zapi.reconcile.outcomes import Outcome
from airflow_provider_zapi.wording import counted

__all__ = ["Chosen", "Listed", "Selection", "Shard", "check_listing", "choose", "parse_patterns", "parse_shard"]

_NOTHING_SENT = "Nothing was sent to any number."
_SHARD = re.compile(r"\s{0,4}[\[(]?\s{0,4}([0-9]{1,6})\s{0,4},\s{0,4}([0-9]{1,6})\s{0,4}[\])]?\s{0,4}", re.ASCII)

#: The index of a part of the account, and how many parts there are.
Shard = tuple[int, int]


class Listed(Protocol):
    """One instance, as the account lists it."""

    @property
    def id(self) -> str:
        """Return the instance's id."""

    @property
    def name(self) -> str:
        """Return its name. People choose it, so it may be empty or not unique."""

    @property
    def connected(self) -> bool:
        """Return whether it has a WhatsApp session."""

    @property
    def paid(self) -> bool | None:
        """Return whether its subscription is paid, or None if Z-API does not say."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A selected number.

    :param instance: its instance in the account's list
    :param policy: its policy
    :param phone: the phone that must be paired with it, or None
    :param outcome: the reason why it is skipped, if the account's list already shows one
    """

    instance: Listed
    policy: Policy
    phone: str | None = None
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """The selected numbers of a run.

    :param listed: the number of instances that the account lists
    :param matched: the number of selected instances, in all shards together
    :param numbers: the selected numbers of this shard that have a policy
    :param unmatched: the number of selected instances of this shard that match no policy; they are not changed
    """

    listed: int
    matched: int
    numbers: tuple[Chosen, ...]
    unmatched: int


def choose(
    instances: Sequence[Listed],
    policies: Sequence[tuple[str, Policy]],
    *,
    select: object = None,
    exclude: object = None,
    shard: Shard | None = None,
    expected_phones: object = None,
) -> Selection:
    """Select numbers by name or id, and give each the first policy whose pattern matches.

    :param select: patterns of names (``*``, ``?``, ``[...]``), or ids; None for all
    :param exclude: the selected instances to skip, in the same form
    :param shard: the shard to keep; a stable digest of its id assigns each instance to one shard
    :param expected_phones: the phone that must be paired, by the instance's name or id
    :raises ZApiInvalidRequestError: a parameter is invalid, or names an instance that the account does not list
    """
    wanted, unwanted = parse_patterns(select, "select"), parse_patterns(exclude, "exclude") or ()
    phones = _phones(expected_phones)
    names = {text for instance in instances for text in (instance.id, instance.name)}
    for parameter, given in (("select", wanted or ()), ("exclude", unwanted), ("expected_phones", phones)):
        for text in given:
            if text not in names and (parameter == "expected_phones" or WILDCARDS.isdisjoint(text)):
                raise ZApiInvalidRequestError(
                    f"{parameter} names an instance that the account does not list: {text[:80]!r}",
                    f"Use its name or ID as the Z-API panel shows it, or a pattern such as 'shop-*'. {_NOTHING_SENT}",
                )
    included, excluded = matcher(("*",) if wanted is None else wanted), matcher(unwanted)
    matched = [each for each in instances if included(each.name, each.id) and not excluded(each.name, each.id)]
    by_pattern = [(matcher((pattern,)), policy) for pattern, policy in policies]
    numbers, unmatched = [], 0
    for instance in matched:
        if shard is not None and _part(instance.id, shard[1]) != shard[0]:
            continue
        policy = next((policy for fits, policy in by_pattern if fits(instance.name, instance.id)), None)
        if policy is None:
            unmatched += 1
        else:
            phone = phones.get(instance.id) or phones.get(instance.name)
            numbers.append(Chosen(instance, policy, phone, _left_out(instance)))
    return Selection(len(instances), len(matched), tuple(numbers), unmatched)


def check_listing(selection: Selection, min_instances: int, earlier: int | None, max_shrink: float) -> None:
    """Check that the account lists enough instances. If many are missing, the list is probably wrong.

    :param min_instances: the fewest instances that must be selected, in all shards together
    :param earlier: the number of instances that the account listed in an earlier run, if known
    :param max_shrink: the share of them that may be missing now, from 0 to 1
    :raises ZApiInvalidRequestError: too few instances are selected; nothing was sent to any number
    :raises ZApiUnexpectedAnswerError: the account lists too few instances; nothing was sent to any number
    """
    if selection.matched < min_instances:
        raise ZApiInvalidRequestError(
            f"the selection has {counted(selection.matched, 'instance')} of {selection.listed}, but min_instances is "
            f"{min_instances}",
            f"Compare select and exclude with the names in the Z-API panel. {_NOTHING_SENT}",
        )
    if earlier and selection.listed < earlier * (1 - max_shrink):
        raise ZApiUnexpectedAnswerError(
            f"The account lists {counted(selection.listed, 'instance')}, but listed {earlier} in an earlier run",
            f"If this is correct, run once with max_shrink=1. {_NOTHING_SENT}",
        )


def parse_patterns(given: object, parameter: str) -> tuple[str, ...] | None:
    """Return name patterns or ids from a string, a list, or a JSON array in a string (from a template).

    :raises ZApiInvalidRequestError: ``given`` is not any of these
    """
    if given is None:
        return None
    if isinstance(given, str) and given.lstrip().startswith("["):
        loaded = caught(partial(json.loads, given), ValueError, RecursionError)
        given = loaded if isinstance(loaded, list) else given
    items = [given] if isinstance(given, str) else given
    if (
        not isinstance(items, Sequence)
        or isinstance(items, bytes)
        or not items
        or not all(isinstance(item, str) and item.strip() and item.strip() != "None" for item in items)
    ):
        raise ZApiInvalidRequestError(
            f"{parameter} must be a name pattern such as 'shop-*', an instance ID, or a list of these",
            f"Leave it out to select all instances. A template that finds nothing renders as 'None'. {_NOTHING_SENT}",
        )
    return tuple(item.strip() for item in items)


def parse_shard(given: object) -> Shard | None:
    """Return a shard from ``(index, count)``, or from a string such as ``"(0, 8)"`` that a template rendered.

    :raises ZApiInvalidRequestError: ``given`` is neither, or the index is not from 0 to count - 1
    """
    if given is None:
        return None
    if isinstance(given, str) and (found := _SHARD.fullmatch(given)):
        given = (int(found[1]), int(found[2]))
    if isinstance(given, Sequence) and not isinstance(given, (str, bytes)) and len(given) == 2:
        index, count = given
        if type(index) is int and type(count) is int and 0 <= index < count:
            return index, count
    raise ZApiInvalidRequestError(
        "shard must be (index, count), with an index from 0 to count - 1", f"Use shards(8). {_NOTHING_SENT}"
    )


def _part(instance_id: str, count: int) -> int:
    return int.from_bytes(hashlib.sha256(instance_id.encode("utf-8", "surrogatepass")).digest()[:8]) % count


def _left_out(instance: Listed) -> Outcome | None:
    # Payment comes first, because an unpaid instance does not stay connected for long.
    return Outcome.LAPSED if instance.paid is False else None if instance.connected else Outcome.NOT_CONNECTED


def _phones(given: Any) -> dict[str, str]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise ZApiInvalidRequestError(
            f"expected_phones is {kind(given)}", f"Use a mapping from instance names or IDs to phones. {_NOTHING_SENT}"
        )
    phones: dict[str, str] = {}
    for name, phone in given.items():
        checked = caught(partial(normalize_contact, phone), ValueError)
        if isinstance(checked, ValueError):
            raise ZApiInvalidRequestError(f"expected_phones[{str(name)[:80]!r}]: {checked}", _NOTHING_SENT)
        phones[str(name)] = checked
    return phones
