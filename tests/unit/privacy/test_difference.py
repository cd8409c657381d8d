"""Lists are compared by contact. An entry that cannot be identified stays on the list."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from airflow_provider_zapi.client import ResolvedContact
from airflow_provider_zapi.privacy.difference import ListChange, compare

A, A_SHORT, A_LID = "5544991111111", "554491111111", "1001@lid"
B, B_LID = "4915112345678", "1002@lid"
C = "351912345678"

#: The form of each contact that WhatsApp registered. No rule predicts the form of B.
REGISTERED = {
    A: ResolvedContact(True, A_SHORT, A_LID),
    A_SHORT: ResolvedContact(True, A_SHORT, A_LID),
    B: ResolvedContact(True, "49151123456780", B_LID),
    C: ResolvedContact(True, C, None),
}
GONE = "14155550000"


def resolve(phones: Iterable[str]) -> dict[str, ResolvedContact]:
    return {phone: REGISTERED.get(phone, ResolvedContact(False, None, None)) for phone in phones}


CASES: list[tuple[str, list[str], list[str], ListChange, bool]] = [
    # name, wanted contacts, present contacts, the changes, whether the comparison must ask WhatsApp
    ("both empty", [], [], ListChange(), False),
    ("equal", [A, B], [B, A], ListChange(kept=2), False),
    ("all new", [A, B], [], ListChange(add=(A, B)), False),
    ("all gone", [], [A, B], ListChange(remove=(A, B)), False),
    ("another form", [A], [A_SHORT], ListChange(kept=1), False),
    ("removed as it was read", [], [A_SHORT], ListChange(remove=(A_SHORT,)), False),
    ("a phone listed as @lid", [A], [A_LID], ListChange(kept=1), True),
    ("an @lid listed as phone", [A_LID], [A_SHORT], ListChange(kept=1), True),
    ("a form that only WhatsApp knows", [B], ["49151123456780"], ListChange(kept=1), True),
    ("another contact's @lid", [A], [B_LID], ListChange(add=(A,), remove=(B_LID,)), True),
    ("only @lids", [A_LID], [B_LID], ListChange(add=(A_LID,), remove=(B_LID,)), False),
    ("wanted twice, as phone and as @lid", [A, A_LID], [A_LID], ListChange(kept=1), True),
    ("an entry that nobody can read", [A], [A, "status@broadcast", ""], ListChange(kept=1, unknown=2), False),
    ("an @lid that may be the missing one", [C], ["1003@lid"], ListChange(add=(C,), undecided=1), True),
    ("a phone that may be the missing @lid", ["1003@lid"], [C], ListChange(add=("1003@lid",), undecided=1), True),
    (
        "a number that is not on WhatsApp has no @lid",
        [GONE],
        ["1003@lid"],
        ListChange(remove=("1003@lid",), not_on_whatsapp=(GONE,)),
        True,
    ),
]


@pytest.mark.parametrize(
    ("wanted", "present", "change", "asked"), [row[1:] for row in CASES], ids=[row[0] for row in CASES]
)
def test_lists_are_compared_by_contact(wanted: list[str], present: list[str], change: ListChange, asked: bool) -> None:
    questions: list[list[str]] = []

    def asking(phones: Iterable[str]) -> dict[str, ResolvedContact]:
        questions.append(list(phones))
        return resolve(questions[-1])

    assert compare(wanted, present, asking) == change
    assert any(questions) is asked


def test_an_entry_without_an_answer_from_whatsapp_is_undecided() -> None:
    assert compare([A], ["1003@lid"], lambda phones: {}) == ListChange(add=(A,), undecided=1)


def test_additions_are_sent_before_removals() -> None:
    change = ListChange(add=(A,), remove=(B,))
    assert [(step.action, step.phone) for step in change.changes] == [("add", A), ("remove", B)]
