"""A string from a server or a user cannot block the process: the time to read it is proportional to its length."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
from types import ModuleType

import pytest

import airflow_provider_zapi
from airflow_provider_zapi import exceptions as errors
from benchmarks.growth import NAMES, PARTIAL, TOKEN, worst
from tests.support import Canned, client_with, given_up_after

#: At this length, code with quadratic time takes at least some minutes.
LONG = 1 << 19


@pytest.mark.parametrize("name", NAMES)
def test_the_worst_strings_are_read_quickly(name: str) -> None:
    row = worst()[name]
    for text in row.texts(LONG):
        with given_up_after(minutes=1):
            row.read(text)


def test_row_names_are_unique() -> None:
    assert tuple(worst()) == NAMES


def modules() -> list[ModuleType]:
    # The plugin needs an Airflow that has an API server, and reads no text.
    found = pkgutil.walk_packages(airflow_provider_zapi.__path__, "airflow_provider_zapi.")
    return [
        importlib.import_module(each.name) for each in found if not re.search("emulator|__main__|plugin", each.name)
    ]


def test_every_expression_of_the_package_has_a_row() -> None:
    made = {
        f"{module.__name__.removeprefix('airflow_provider_zapi.')}.{name}"
        for module in modules()
        for name, value in vars(module).items()
        if isinstance(value, re.Pattern)
        or (isinstance(value, tuple) and any(isinstance(each, re.Pattern) for each in value))
    }
    assert made <= {expression for row in worst().values() for expression in row.expressions}


@pytest.mark.parametrize("times", [1, 25_000])
def test_a_part_of_a_token_in_an_answer_is_read_quickly(times: int) -> None:
    """Check a regression: the first 28 of 32 characters took seconds, and each further character doubled the time."""
    client, _, _ = client_with(Canned({"error": f"No instance {PARTIAL} " * times}, 400), instance_token=TOKEN)
    with given_up_after(minutes=1), pytest.raises(errors.ZApiInvalidRequestError, match="No instance ") as caught:
        client.status()
    assert PARTIAL not in str(caught.value)


def test_half_a_secret_at_the_cut_is_not_shown() -> None:
    for before in range(16_384 - len(TOKEN), 16_384):
        client, _, _ = client_with(Canned(json.dumps({"error": " " * before + TOKEN * 9}), 400), instance_token=TOKEN)
        with pytest.raises(errors.ZApiInvalidRequestError) as caught:
            client.status()
        assert TOKEN[:4] not in str(caught.value)
