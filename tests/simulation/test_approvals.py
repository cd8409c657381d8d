"""Only the approved plan is applied, or nothing, whatever another writer does in between."""

from __future__ import annotations

from itertools import count

from tests.simulation.approvals import PROFILES, Approval, approve

#: How many refusals and how many approved plans are looked at.
RUNS = 1_000


def test_a_plan_is_refused_only_if_another_writer_changed_something_that_matters() -> None:
    found: list[Approval] = []
    left = {True: RUNS, False: RUNS}
    for seed in count():
        found.append(approve(seed))
        left[found[-1].matters] -= 1
        if max(left.values()) <= 0:
            break
    assert [each for each in found if each.failed] == []
    for profile in PROFILES:
        matters = [each.matters for each in found if each.profile == profile.name]
        # Each outcome must occur, or the test would check nothing.
        assert 0.2 < sum(matters) / len(matters) < 0.8, profile.name
    harmless = [each for each in found if not each.matters]
    assert any("restored" in each.moves for each in harmless)
    assert any("restored" not in each.moves for each in harmless)
