"""Selecting the numbers of a run: by name, by id, by shard, and from an account's list that is too short."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from airflow_provider_zapi.exceptions import ZApiInvalidRequestError, ZApiUnexpectedAnswerError
from airflow_provider_zapi.privacy.policies import parse_policies
from airflow_provider_zapi.reconcile.outcomes import Outcome
from airflow_provider_zapi.reconcile.selection import Selection, check_listing, choose, parse_patterns, parse_shard
from tests.support import given_up_after

POLICY = {"last_seen": "NONE"}


@dataclass(frozen=True)
class Row:
    id: str
    name: str
    connected: bool = True
    paid: bool | None = True


ROWS = [Row("A1", "shop-1"), Row("A2", "shop-2"), Row("B1", "bar [1]"), Row("B2", "Shop-3"), Row("C1", "")]


def chosen(policy: object = POLICY, rows: Any = ROWS, **parameters: Any) -> list[str]:
    return [number.instance.id for number in choose(rows, parse_policies(policy), **parameters).numbers]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, ["A1", "A2", "B1", "B2", "C1"]),
        ({"select": "shop-*"}, ["A1", "A2"]),
        ({"select": ["A1", "bar [1]"]}, ["A1", "B1"]),
        ({"select": '["A1", "C1"]'}, ["A1", "C1"]),
        ({"select": "[sS]hop-*", "exclude": "A2"}, ["A1", "B2"]),
        ({"exclude": ["shop-?", "C1"]}, ["B1", "B2"]),
    ],
)
def test_instances_are_selected_by_pattern_name_or_id(parameters: dict[str, Any], expected: list[str]) -> None:
    assert chosen(**parameters) == expected


def test_a_selection_may_list_tens_of_thousands_of_ids() -> None:
    rows = [Row(f"id-{index}", f"shop-{index}") for index in range(30_000)]
    with given_up_after(minutes=1):
        assert len(chosen(rows=rows, select=[row.id for row in rows], exclude=[row.name for row in rows[1:]])) == 1


@pytest.mark.parametrize("given", ["", "None", [], ["A1", ""], 7, {"A1": 1}, ["A1", None]])
def test_a_selection_that_a_template_left_empty_is_an_error(given: object) -> None:
    with pytest.raises(ZApiInvalidRequestError, match="select must be"):
        parse_patterns(given, "select")


@pytest.mark.parametrize("parameter", ["select", "exclude"])
def test_a_name_that_the_account_does_not_list_is_an_error(parameter: str) -> None:
    with pytest.raises(ZApiInvalidRequestError, match=f"{parameter} names an instance .* 'shop-9'"):
        chosen(**{parameter: ["A1", "shop-9"]})


def test_the_first_matching_pattern_decides_the_policy_and_numbers_without_one_are_counted() -> None:
    policies = parse_policies({"shop-1": {"photo": "NONE"}, "shop-*": POLICY, "[bS]*": {"online": "ALL"}})
    selection = choose(ROWS, policies)
    wanted = {number.instance.id: number.policy.settings[0].setting.name for number in selection.numbers}
    assert wanted == {"A1": "photo", "A2": "last_seen", "B1": "online", "B2": "online"}
    assert (selection.listed, selection.matched, selection.unmatched) == (5, 5, 1)


def test_a_policy_for_each_pattern_can_be_a_string() -> None:
    assert chosen("shop-*: {last_seen: NONE}\nA1: {photo: NONE}") == ["A1", "A2"]


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ({"last_sen": "NONE"}, "did you mean last_seen"),
        ({"last_sen": {"visible_to": "NONE"}}, "did you mean last_seen"),
        ({"shop-*": {"last_sen": "NONE"}}, r"policy for 'shop-\*' has 1 mistake"),
        ({"": POLICY}, "a name pattern is"),
    ],
)
def test_a_mistake_in_a_policy_is_reported_with_its_place(policy: object, said: str) -> None:
    with pytest.raises(ZApiInvalidRequestError, match=said):
        parse_policies(policy)


def test_numbers_that_are_not_connected_or_not_paid_are_skipped_and_unknown_ones_are_tried() -> None:
    rows = [Row("A", "a", connected=False), Row("B", "b", paid=False, connected=False), Row("C", "c", paid=None)]
    numbers = choose(rows, parse_policies(POLICY)).numbers
    assert [number.outcome for number in numbers] == [Outcome.NOT_CONNECTED, Outcome.LAPSED, None]


def test_each_instance_is_always_in_the_same_shard() -> None:
    rows = [Row(f"id-{index}", "") for index in range(1000)]
    shards = [set(chosen(rows=rows, shard=(index, 8))) for index in range(8)]
    assert sum(map(len, shards)) == len(set.union(*shards)) == 1000
    assert min(map(len, shards)) > 80
    assert set(chosen(rows=rows[::-2], shard=(3, 8))) == shards[3] & {row.id for row in rows[::-2]}


@pytest.mark.parametrize("given", [(2, 8), [2, 8], "(2, 8)", "[2, 8]", " 2,8 "])
def test_a_shard_can_be_rendered_by_a_template(given: object) -> None:
    assert parse_shard(given) == (2, 8)


@pytest.mark.parametrize("given", [(8, 8), (-1, 8), (0, 0), "8", "", "None", (True, 2), (0,), 3, {"0": 8}])
def test_an_invalid_shard_is_an_error(given: object) -> None:
    with pytest.raises(ZApiInvalidRequestError, match="shard must be"):
        parse_shard(given)


def test_expected_phones_are_looked_up_by_name_or_id() -> None:
    phones = {"A1": "+55 44 99111-1111", "bar [1]": "554422222222"}
    numbers = choose(ROWS, parse_policies(POLICY), expected_phones=phones).numbers
    assert [number.phone for number in numbers] == ["5544991111111", None, "554422222222", None, None]


@pytest.mark.parametrize(
    ("phones", "said"),
    [
        ("A1", "expected_phones is"),
        ({"A1": "abc"}, r"expected_phones\['A1'\]: it"),
        ({"Z9": "5544991234567"}, "expected_phones names an instance"),
    ],
)
def test_an_invalid_expected_phone_is_an_error(phones: object, said: str) -> None:
    with pytest.raises(ZApiInvalidRequestError, match=said) as raised:
        chosen(expected_phones=phones)
    assert "5544991234567" not in str(raised.value)


@pytest.mark.parametrize(
    ("listed", "matched", "earlier", "fine"),
    [(100, 5, None, True), (100, 4, None, False), (50, 50, 100, True), (49, 49, 100, False), (5, 5, 0, True)],
)
def test_an_account_that_lists_too_few_instances_is_not_changed(
    listed: int, matched: int, earlier: int | None, fine: bool
) -> None:
    selection = Selection(listed, matched, (), 0)
    if fine:
        check_listing(selection, 5, earlier, 0.5)
    else:
        with pytest.raises((ZApiInvalidRequestError, ZApiUnexpectedAnswerError), match="Nothing was sent"):
            check_listing(selection, 5, earlier, 0.5)
