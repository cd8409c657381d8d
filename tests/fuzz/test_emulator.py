"""The emulator handles about 2,000 random requests. `make fuzz-emulator` sends more."""

import pytest

from tests.fuzz.emulator import run


@pytest.mark.filterwarnings("ignore")
def test_no_random_request_breaks_the_emulator_or_its_document() -> None:
    [line] = run(seed_=20, count=70)
    assert int(line.partition(" ")[0].replace(",", "")) >= 2_000
