"""Two of the kills of `make kills-fleet`."""

import pytest

from tests.killing.fleet import one


@pytest.mark.parametrize("seed", [1, 2])
def test_after_a_kill_only_calls_under_way_are_sent_again(seed: int) -> None:
    assert one(seed) is None
