"""The page of facts is generated from the table, and its links work."""

from __future__ import annotations

from airflow_provider_zapi.probe.facts import facts
from scripts.docs_facts import PAGE, page


def test_the_page_is_current() -> None:
    assert PAGE.read_text() == page(), "run `make facts`"


def test_the_page_has_each_fact_once() -> None:
    for name in facts():
        assert page().count(f"| `{name}` |") == 1
