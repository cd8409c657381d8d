"""Which numbers of an account a run is about, and which policy goes with each."""

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
        """The instance's id."""

    @property
    def name(self) -> str:
        """Its name, as people gave it: not unique, and possibly empty."""

    @property
    def connected(self) -> bool:
        """Whether it has a WhatsApp session."""

    @property
    def paid(self) -> bool | None:
        """Whether its subscription is paid; None if Z-API does not say."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A number of a run.

    :param instance: as the account lists it
    :param policy: what it has to be like
    :param phone: the phone that has to be paired with it, if one must
    :param outcome: why it is left out, if the list says so already
    """

    instance: Listed
    policy: Policy
    phone: str | None = None
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """What a run is about.

    :param listed: how many instances the account lists
    :param matched: how many of them are selected, in all shards together
    :param numbers: those of this shard that a policy matches
    :param unmatched: those of this shard that no policy matches, which are left alone
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
    :param exclude: what to leave out of these
    :param shard: the part to keep, by a stable digest of the id
    :param expected_phones: the phone that has to be paired, by the instance's name or id
    :raises ZApiInvalidRequestError: a parameter cannot be used, or names an instance that the account does not list
    """
    wanted, unwanted = parse_patterns(select, "select"), parse_patterns(exclude, "exclude") or ()
    phones = _phones(expected_phones)
    names = {text for instance in instances for text in (instance.id, instance.name)}
    for parameter, given in (("select", wanted or ()), ("exclude", unwanted), ("expected_phones", phones)):
        for text in given:
            if text not in names and (parameter == "expected_phones" or WILDCARDS.isdisjoint(text)):
                raise ZApiInvalidRequestError(
                    f"{parameter} names an instance that the account does not list: {text[:80]!r}",
                    f"Give its name or id as the Z-API panel shows it, or a pattern such as 'shop-*'. {_NOTHING_SENT}",
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
    """Check that the account lists as much as it should: a list that lost most of its rows is more likely a mistake.

    :param min_instances: how many must be selected at least, in all shards together
    :param earlier: how many the account listed in an earlier run, if one is known
    :param max_shrink: the part of them that may be missing now, from 0 to 1
    :raises ZApiInvalidRequestError: too few are selected; nothing was sent to any number
    :raises ZApiUnexpectedAnswerError: the account lists too few; nothing was sent to any number
    """
    if selection.matched < min_instances:
        raise ZApiInvalidRequestError(
            f"the selection has {counted(selection.matched, 'instance')} of {selection.listed}, and min_instances is "
            f"{min_instances}",
            f"Compare select and exclude with the names in the Z-API panel. {_NOTHING_SENT}",
        )
    if earlier and selection.listed < earlier * (1 - max_shrink):
        raise ZApiUnexpectedAnswerError(
            f"The account lists {counted(selection.listed, 'instance')}, and listed {earlier} in an earlier run",
            f"If that is right, run this once with max_shrink=1. {_NOTHING_SENT}",
        )


def parse_patterns(given: object, parameter: str) -> tuple[str, ...] | None:
    """Return name patterns or ids from one string, from a list, or from a JSON list in a string (from a template).

    :raises ZApiInvalidRequestError: it is neither
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
            f"{parameter} must be a name pattern such as 'shop-*', an instance id, or a list of these",
            f"Leave it out for all instances. A template that finds nothing renders as 'None'. {_NOTHING_SENT}",
        )
    return tuple(item.strip() for item in items)


def parse_shard(given: object) -> Shard | None:
    """Return a shard, ``(index, count)`` or a string such as ``"(0, 8)"``, as a template delivers it.

    :raises ZApiInvalidRequestError: it is neither, or the index is not from 0 to count - 1
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
    # An instance that is not paid does not stay connected for long.
    return Outcome.LAPSED if instance.paid is False else None if instance.connected else Outcome.NOT_CONNECTED


def _phones(given: Any) -> dict[str, str]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise ZApiInvalidRequestError(
            f"expected_phones is {kind(given)}", f"Use a mapping from instance names or ids to phones. {_NOTHING_SENT}"
        )
    phones: dict[str, str] = {}
    for name, phone in given.items():
        checked = caught(partial(normalize_contact, phone), ValueError)
        if isinstance(checked, ValueError):
            raise ZApiInvalidRequestError(f"expected_phones[{str(name)[:80]!r}]: {checked}", _NOTHING_SENT)
        phones[str(name)] = checked
    return phones
