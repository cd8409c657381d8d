"""Parse the policies for many numbers: one for all of them, or one for each name pattern. The first match wins.

"shop-*":   {last_seen: NONE, online: SAME_LAST_SEEN}
"*":        {last_seen: CONTACTS}
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from fnmatch import translate
from typing import Any, TypeGuard

from airflow_provider_zapi.exceptions import ZApiInvalidRequestError
from airflow_provider_zapi.privacy.changes import NOTHING_SENT
from airflow_provider_zapi.privacy.phones import kind
from airflow_provider_zapi.privacy.policy import Policy, load_text, parse_policy
from airflow_provider_zapi.privacy.settings import SETTINGS

__all__ = ["WILDCARDS", "matcher", "parse_policies"]

#: A pattern has one of these characters. Everything else is an exact name or id.
WILDCARDS = frozenset("*?[")

_SETTINGS = {setting.name for setting in SETTINGS}
#: The keys of a setting's mapping. A mapping with only these keys is a setting with a typo in its name, not a policy.
_OF_A_SETTING = {"visible_to", "except"}


def parse_policies(policy: object, parameter: str = "policy") -> tuple[tuple[str, Policy], ...]:
    """Read one policy, or a mapping from name patterns to policies.

    :param policy: a policy as `parse_policy` takes it, a mapping from patterns to such policies, or a string of either
    :param parameter: the policy's name in messages
    :return: the patterns with their policies, in the given order; the pattern of a single policy is ``*``
    :raises ZApiInvalidRequestError: a policy is invalid; the message has all mistakes of the first invalid one
    """
    given = load_text(policy, []) if isinstance(policy, str) else policy
    if not _by_pattern(given):
        return (("*", parse_policy(policy, parameter)),)
    for pattern in given:
        if not isinstance(pattern, str) or not pattern.strip():
            raise ZApiInvalidRequestError(
                f"{parameter}: a name pattern is {kind(pattern)}", f"Use a string such as 'shop-*'. {NOTHING_SENT}"
            )
    return tuple((pattern, parse_policy(each, f"{parameter} for {pattern!r}")) for pattern, each in given.items())


def matcher(patterns: Iterable[str]) -> Callable[[str, str], bool]:
    """Return a function that says whether a name and an id match any of the patterns.

    A pattern matches an equal name or id, or a name with ``*``, ``?`` or ``[...]``. Matching is case-sensitive.
    """
    # A selection may list thousands of ids, so look them up in a set.
    exact = frozenset(patterns)
    names = [re.compile(translate(pattern)).match for pattern in exact if not WILDCARDS.isdisjoint(pattern)]

    def matches(name: str, instance_id: str) -> bool:
        return name in exact or instance_id in exact or any(match(name) for match in names)

    return matches


def _by_pattern(given: object) -> TypeGuard[Mapping[Any, Any]]:
    """Return whether this is a mapping from patterns: no key is a setting, and every value can be a policy."""
    return (
        isinstance(given, Mapping)
        and bool(given)
        and not any(str(key).strip().lower() in _SETTINGS for key in given)
        and all(
            (isinstance(each, Mapping) and not _OF_A_SETTING.issuperset(each))
            or (isinstance(each, str) and ":" in each)
            for each in given.values()
        )
    )
