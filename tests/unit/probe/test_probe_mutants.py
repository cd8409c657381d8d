"""The probe detects each difference between accounts that the emulator can play, and its report can configure one."""

from __future__ import annotations

import dataclasses
import json
import random
from typing import Any

import jsonschema
import pytest

from airflow_provider_zapi.emulator.probed import not_emulated, switches_of
from airflow_provider_zapi.probe.facts import FILE, facts
from airflow_provider_zapi.probe.report import CONTRADICTS, SETTLED, differences
from tests.killing.combinations import combinations, wrong_with
from tests.probing import ALL_LEVELS, emulated, outcomes, probed, state

TABLE = {row["id"]: row for row in json.loads(FILE.read_text())["facts"]}
SCHEMA = json.loads((FILE.parent / "probe" / "report.schema.json").read_text())
USUAL = probed(emulated())

#: Unusual answers, for the facts whose outcome is an answer.
ANSWERS = {
    "list_scope_unknown": ["200 list", "404 error:not_found"],
    "unknown_path": ["404 empty", "404 error:other", "200 object"],
    "wrong_method": ["404 empty", "200 error:not_found", "405 empty"],
    "value_read": ["200 object", "404 not_json"],
    "read_without_content_type": ["415 empty", "415 error:unsupported_media_type"],
    "write_without_content_type": ["200 success:true", "400 error:other"],
    "body_without_content_type": ["200 list", "400 error:other"],
    "content_type_without_client_token": ["400 error:client_token_not_configured", "403 error:other"],
    "unknown_path_without_client_token": ["400 error:client_token_not_configured", "404 empty"],
    "wrong_method_without_client_token": ["400 error:null_not_allowed", "401 empty"],
    "client_token_wrong": ["401 empty", "403 error:other"],
    "client_token_missing": ["403 error:client_token_not_configured", "400 error:null_not_allowed", "401 empty"],
    "phone_exists_bad": ["200 list", "404 empty"],
    "value_unknown_body": ["200 success:true", "200 success:false", "422 error:other"],
    "value_unknown_query": ["200 success:true", "200 success:false", "422 error:other"],
    "group_add_none": ["200 success:true", "422 empty"],
    "list_beside_other_value": ["200 success:true", "200 success:false"],
    "bad_phone": ["200 success:true", "200 success:false", "400 error:other"],
    "action_unknown": ["200 success:true", "200 success:other"],
    "empty_list": ["200 success:false", "400 error:other"],
    "add": ["200 success:false", "400 error:invalid_phone"],
    "add_again": ["200 success:false", "409 error:other"],
    "remove_absent": ["200 success:false", "400 error:invalid_phone"],
    "blacklist_without_list": ["200 success:false", "400 error:other"],
    "value_set": ["200 success:false", "400 error:other"],
    "value_again": ["200 success:false", "409 error:other"],
}


def mutants() -> list[tuple[str, str, dict[str, Any]]]:
    """Return each fact with each outcome, and the switches that give the emulator that outcome."""
    found = [(name, answer, {"probed": {name: answer}}) for name, answers in ANSWERS.items() for answer in answers]
    for name, row in TABLE.items():
        for outcome, given in row.get("outcomes", {}).items():
            if outcome == outcomes(USUAL).get(name) or not {"probed", "switches"} & given.keys():
                continue
            found.append((name, outcome, given.get("switches") or {"probed": {name: outcome}}))
    return found


MUTANTS = mutants()
#: The contact in its shorter form, which a list can lengthen.
SHORT = dataclasses.replace(ALL_LEVELS, contact="554491111111")
#: Accounts on which a removal has no effect. The probe's contact stays on the list, and the probe reports it.
NOT_REMOVED = [("remove", "ignored"), ("remove", "refused")]
#: Accounts that accept a value for a setting although the user did not state its previous value.
NOT_STATED = [
    (fact, "200 success:true") for fact in ("write_without_content_type", "value_unknown_query", "group_add_none")
]


@pytest.mark.parametrize(("fact", "outcome", "switches"), MUTANTS, ids=[f"{row[0]} {row[1]}" for row in MUTANTS])
def test_the_probe_reports_a_mutant_of_the_emulator_and_the_report_can_be_emulated(
    fact: str, outcome: str, switches: dict[str, Any]
) -> None:
    emulator = emulated(**switches)
    before = state(emulator)
    plan = SHORT if outcome == "longer" else ALL_LEVELS
    report = probed(emulator, plan)
    assert outcomes(report)[fact] == outcome
    assert fact in [name for name, *_ in differences(USUAL, report)]
    put_back = (fact, outcome) not in NOT_REMOVED + NOT_STATED
    assert report["put_back"] is (None if report["writes"] == 0 else put_back)
    if (fact, outcome) not in NOT_REMOVED:
        assert state(emulator) == before
    jsonschema.validate(report, SCHEMA)
    assert differences(report, probed(emulated(**switches_of(report)), plan)) == []


@pytest.mark.parametrize("value", ["CONTACT_BLACKLIST", "CONTACTS"])
@pytest.mark.parametrize("switches", random.Random(17).sample(list(combinations()), 8), ids=str)
def test_a_combination_of_switches_is_reported_restored_and_emulated_again(
    switches: dict[str, Any], value: str
) -> None:
    # `make kills` tries all of them.
    assert wrong_with(switches, value) == []


def test_an_account_without_a_client_token_does_not_show_what_is_checked_first() -> None:
    report = probed(emulated(probed={"client_token_missing": "200 object"}))
    assert [name for name in outcomes(report) if name.endswith("_without_client_token")] == []


def test_an_outcome_that_cannot_be_emulated_is_reported() -> None:
    answers = {"list_read": "other", "add": "200 success:true", "entry_form": "lid", "status_text": "with_error"}
    report: dict[str, Any] = {
        "answers": {
            **{name: {"outcome": each} for name, each in answers.items()},
            "new": {"outcome": "word"},
            "bad": {"outcome": []},
        }
    }
    assert not_emulated(report) == ["list_read", "new"]
    assert switches_of(report) == {"probed": {"add": "200 success:true"}, "list_as": "lid"}


def test_every_probed_fact_has_mutants() -> None:
    assert len(MUTANTS) >= 40
    assert {name for name, *_ in MUTANTS} == {fact.id for fact in facts().values() if fact.level is not None}
    assert ANSWERS.keys() == {name for name, row in TABLE.items() if row.get("answer")}


def test_the_emulator_without_switches_matches_the_assumptions_of_the_table() -> None:
    assert {name for name, answer in USUAL["answers"].items() if answer["outcome"] is None} == {
        fact.id for fact in facts().values() if fact.level is None
    }
    assert [name for name, answer in USUAL["answers"].items() if answer["as_assumed"] is False] == []
    assert {answer["verdict"] for answer in USUAL["answers"].values()} == {SETTLED, "not settled"}
    assert differences(USUAL, probed(emulated(**switches_of(USUAL)))) == []


def test_only_a_difference_from_a_documented_fact_is_a_contradiction() -> None:
    report = probed(emulated(probed={"wrong_method": "404 empty", "value_unknown_body": "200 success:true"}))
    assert report["answers"]["wrong_method"]["verdict"] == CONTRADICTS
    assert report["answers"]["value_unknown_body"]["verdict"] == SETTLED
    assert report["answers"]["value_unknown_body"]["as_assumed"] is False


def test_the_table_is_consistent() -> None:
    for row in TABLE.values():
        assert row["grade"] in ("documented", "seen", "inferred", "probed")
        assert ("level" in row) != ("not_probed" in row)
        if "level" in row:
            assert row["expected"]
            assert ("outcomes" in row) != ("answer" in row)
            if "outcomes" in row:
                assert set(row["expected"]) <= row["outcomes"].keys()
