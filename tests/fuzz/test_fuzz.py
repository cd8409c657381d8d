"""A fixed part of what `make fuzz` tries."""

from __future__ import annotations

import pytest

from tests.fuzz.cases import run_case

COUNT, STEP = 2_000, 500


@pytest.mark.parametrize("first", range(0, COUNT, STEP))
def test_only_our_errors_leave_no_secret_does_and_no_success_is_guessed(first: int) -> None:
    problems = {number: run_case(1, number) for number in range(first, first + STEP)}
    assert {number: problem for number, problem in problems.items() if problem is not None} == {}
