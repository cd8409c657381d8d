"""The page of facts is generated from the table, and its links work."""

from __future__ import annotations

import re

import pytest

from airflow_provider_zapi.probe.facts import facts
from scripts.docs_facts import PAGE, page


def test_the_page_is_current() -> None:
    assert PAGE.read_text() == page(), "run `make facts`"


#: The questions that the contract leaves open, and the facts that answer them.
UNKNOWN = {
    "the HTTP status of a refused address": "address_refused",
    "the HTTP status of a missing Client-Token": "client_token_missing",
    "the answer to a wrong enum value": "value_unknown_body value_unknown_query group_add_none",
    "CONTACT_BLACKLIST without a list": "blacklist_without_list list_after_blacklist",
    "adding a contact that is on the list": "add_again list_after_add_again",
    "@lid as phone in a change": "lid_as_phone",
    "what the list reads like while another value is in force": "list_after_leaving",
    "whether one bad phone refuses the whole call": "bad_phone_among_good",
    "limits on changes a call and calls a minute": "changes_per_call calls_per_minute",
    "the body of a 429": "too_many_calls",
    "how long after a success a read shows the change": "read_lag",
}


@pytest.mark.parametrize("names", UNKNOWN.values(), ids=UNKNOWN)
def test_every_open_question_is_probed_or_has_a_reason(names: str) -> None:
    for name in names.split():
        assert facts()[name].level is not None or facts()[name].not_probed


def test_every_assumption_of_the_emulator_is_a_fact() -> None:
    text = (PAGE.parent / "emulator.md").read_text()
    chosen = text.partition("### Chosen, because")[2].partition("\n## ")[0]
    rows = [line.rpartition(" | ")[2] for line in chosen.splitlines() if line.startswith("| ")][1:]
    assert len(rows) == 11
    for row in rows:
        names = re.findall("`([a-z_]+)`", row)
        assert names
        assert names == [name for name in names if name in facts()]


def test_the_page_has_each_fact_once() -> None:
    for name in facts():
        assert page().count(f"| `{name}` |") == 1
