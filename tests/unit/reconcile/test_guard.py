"""The guard against removing most of a list: its base, the removals that count, and its message."""

from __future__ import annotations

import pytest

from airflow_provider_zapi.exceptions import ZApiInvalidRequestError
from airflow_provider_zapi.privacy.difference import ListChange
from airflow_provider_zapi.reconcile.guard import RemovalGuard


def entries(first: int, count: int) -> tuple[str, ...]:
    return tuple(str(5544990000000 + number) for number in range(first, first + count))


def refused(guard: RemovalGuard, change: ListChange) -> bool:
    try:
        guard.check(change)
    except ZApiInvalidRequestError:
        return True
    return False


CASES: list[tuple[str, int, int, int, bool]] = [
    # name, kept entries, how many of them the run may have added, entries to remove, whether the guard refuses
    ("half of ten", 5, 0, 5, False),
    ("more than half of ten", 4, 0, 6, True),
    ("all of nine", 0, 0, 9, False),
    ("all of ten", 0, 0, 10, True),
    # The list had between 9 and 15 entries before the run. 9 removals are too many for a list of 15.
    ("most of what may have been there", 6, 6, 9, True),
    # The restored list also has wanted contacts, in addition to the twelve to remove.
    ("most of a list that came back", 13, 13, 12, True),
    ("few of a list that came back", 20, 13, 5, False),
    ("few of a short list that came back", 13, 13, 2, False),
]


@pytest.mark.parametrize(
    ("kept", "added", "removed", "expected"), [row[1:] for row in CASES], ids=[row[0] for row in CASES]
)
def test_removing_more_than_half_of_the_list_is_refused(kept: int, added: int, removed: int, expected: bool) -> None:
    guard = RemovalGuard("last_seen.except", allowed=False)
    change = ListChange(remove=entries(0, removed), kept=kept)
    guard.look(change, added)
    assert refused(guard, change) is expected


def test_removals_of_all_rounds_are_counted() -> None:
    guard = RemovalGuard("last_seen.except", allowed=False)
    guard.look(ListChange(kept=12), 0)
    first = ListChange(remove=entries(0, 4), kept=8)
    guard.check(first)
    guard.sent(first.remove)
    assert not refused(guard, ListChange(remove=entries(4, 2), kept=6))
    assert refused(guard, ListChange(remove=entries(4, 3), kept=5))
    # Removing the same entry a second time does not count as another removal.
    assert not refused(guard, ListChange(remove=entries(0, 4), kept=8))


def test_the_base_is_the_first_read_that_is_not_empty() -> None:
    guard = RemovalGuard("last_seen.except", allowed=False)
    guard.look(ListChange(add=entries(0, 3)), 0)
    guard.look(ListChange(kept=3, remove=entries(3, 12)), 3)
    guard.look(ListChange(kept=100), 3)
    assert refused(guard, ListChange(kept=3, remove=entries(3, 12)))


def test_an_allowed_mass_removal_is_not_refused() -> None:
    guard = RemovalGuard("last_seen.except", allowed=True)
    change = ListChange(remove=entries(0, 100))
    guard.look(change, 0)
    assert not refused(guard, change)


def test_a_refusal_says_what_was_sent_before() -> None:
    guard = RemovalGuard("last_seen.except", allowed=False)
    change = ListChange(remove=entries(0, 12), kept=1)
    guard.look(change, 0)
    with pytest.raises(ZApiInvalidRequestError) as caught:
        guard.check(change, "Sent before: 3 additions.")
    assert str(caught.value) == (
        "last_seen.except would remove 12 of 13 contacts from the list. Sent before: 3 additions. A wrong policy would "
        "show the number to all of them. If the policy is right, set allow_mass_removal. "
        "[ZAPI-INVALID-MASS-REMOVAL]"
    )
