"""A fixed part of the cases of `make fuzz` passes."""

from __future__ import annotations

import pytest

from tests.fuzz.cases import run_case

COUNT, STEP = 2_000, 500


@pytest.mark.parametrize("first", range(0, COUNT, STEP))
def test_random_input_raises_only_our_errors_leaks_no_secret_and_is_never_a_false_success(first: int) -> None:
    problems = {number: run_case(1, number) for number in range(first, first + STEP)}
    assert {number: problem for number, problem in problems.items() if problem is not None} == {}
