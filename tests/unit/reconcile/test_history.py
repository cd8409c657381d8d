"""The history distinguishes another writer's change from a read that lags behind."""

from __future__ import annotations

import pytest

from airflow_provider_zapi.reconcile.history import ReadHistory

A, B, C, X = "5544990000001", "5544990000002", "5544990000003", "5544990000009"

Read = tuple[str, list[str], list[str], list[str]]

CASES: list[tuple[str, list[Read], bool]] = [
    # name, reads (whether our writes were in force, entries, unwanted ones, removed ones), whether another writer did it
    ("nothing changes", [("in force", [A], [], []), ("in force", [A], [], [])], False),
    ("an entry that nothing explains", [("in force", [A], [], []), ("in force", [A, X], [X], [])], True),
    ("an entry that vanished", [("in force", [A, B], [], []), ("in force", [A], [], [])], True),
    ("an entry that we removed", [("in force", [A, B], [B], []), ("in force", [A], [], [B])], False),
    ("a list that comes back", [("before", [], [], []), ("in force", [A, X], [X], [])], False),
    (
        "a read that lags behind an earlier one",
        [("before", [X], [X], []), ("in force", [A], [], [X]), ("in force", [A, X], [X], [X])],
        False,
    ),
    (
        "a stale read lacks what we added",
        [("before", [A], [], []), ("in force", [A, B], [], []), ("before", [A], [], []), ("in force", [A, B], [], [])],
        False,
    ),
]


@pytest.mark.parametrize(("reads", "foreign"), [row[1:] for row in CASES], ids=[row[0] for row in CASES])
def test_only_a_state_that_was_not_seen_before_proves_another_writer(reads: list[Read], foreign: bool) -> None:
    history = ReadHistory()
    for state, present, unwanted, removed in reads:
        if state == "before":
            history.look_before(present)
        else:
            history.look(present, unwanted, removed)
    assert history.foreign is foreign
