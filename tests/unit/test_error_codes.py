"""Exactly the package's error codes are documented, each with its class, its message and what to do."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from airflow_provider_zapi import exceptions
from airflow_provider_zapi.client.answers import STATUSES, TEXTS, Failure
from scripts.error_codes import VARIABLE, codes_used, default_codes
from tests.unit.test_docs import PROJECT, anchors, code_of, table

PAGE = (PROJECT / "docs" / "errors.md").read_text()
USED = codes_used()
CLASSES = default_codes()
ALL = sorted(USED.keys() | set(CLASSES.values()))


@dataclass
class Section:
    level: int
    text: str

    @property
    def messages(self) -> list[str]:
        return re.findall(r"^> (.*)$", self.text, re.MULTILINE)


SECTIONS = {
    found[2]: Section(len(found[1]), found[3])
    for found in re.finditer(r"^(##+) ([^\n]*)\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL)
}


def class_of(code: str) -> str:
    """Return the class whose code is the longest prefix of this one."""
    begun = [name for name, own in CLASSES.items() if code == own or code.startswith(f"{own}-")]
    return max(begun, key=lambda name: len(CLASSES[name]))


def test_the_page_has_every_code_of_the_package_and_no_other() -> None:
    assert sorted(SECTIONS) == ALL


def test_every_class_has_its_own_code() -> None:
    assert all(CLASSES.values())
    assert len(set(CLASSES.values())) == len(CLASSES)


@pytest.mark.parametrize("code", ALL)
def test_a_code_is_explained_below_its_class(code: str) -> None:
    section, own = SECTIONS[code], CLASSES[class_of(code)]
    assert section.level == (2 if code == own else 3)
    earlier = [name for name in list(SECTIONS)[: list(SECTIONS).index(code) + 1] if SECTIONS[name].level == 2]
    assert earlier[-1] == own
    meaning, _, remedy = section.text.partition("\n**What to do:** ")
    assert re.sub(r"^>.*$", "", meaning, flags=re.MULTILINE).strip().endswith(".")
    assert remedy.strip().endswith(".")


@pytest.mark.parametrize("code", sorted(USED))
def test_a_code_belongs_to_the_class_that_uses_it(code: str) -> None:
    assert {class_of(code)} >= USED[code].classes


@pytest.mark.parametrize(
    "failure", [*(failure for _, failure in TEXTS), *STATUSES.values()], ids=lambda each: each.what
)
def test_a_row_of_the_answers_has_a_code_of_its_class(failure: Failure) -> None:
    own = CLASSES[failure.error.__name__]
    assert not failure.code or failure.code.startswith(f"{own}-")


@pytest.mark.parametrize("code", ALL)
def test_a_quoted_message_is_one_of_the_code(code: str) -> None:
    if code not in CLASSES.values():
        assert SECTIONS[code].messages
    texts = "\n".join(USED[code].strings if code in USED and code not in CLASSES.values() else every_text())
    for message in SECTIONS[code].messages:
        for piece in message.split(VARIABLE):
            assert piece.strip() in texts, piece


def every_text() -> set[str]:
    return set().union(*(use.strings for use in USED.values()))


def test_the_table_has_each_class_and_its_effect_on_the_task() -> None:
    rows = {code_of(name): (code_of(code), outcome) for code, name, outcome in table(PAGE, "code begins with")}
    assert rows == {
        name: (
            code,
            "fails at once" if issubclass(getattr(exceptions, name), exceptions.ZApiPermanentError) else "is retried",
        )
        for name, code in CLASSES.items()
    }


def test_every_code_has_an_anchor() -> None:
    assert {code.lower() for code in ALL} <= anchors(PAGE)


def test_an_error_ends_with_its_code() -> None:
    assert str(exceptions.ZApiAuthenticationError("It broke")).endswith("It broke. [ZAPI-AUTH]")
    specific = exceptions.ZApiAuthenticationError("It broke", "Fix it.", code="ZAPI-AUTH-ADDRESS")
    assert str(specific) == "It broke. Fix it. [ZAPI-AUTH-ADDRESS]"
    assert str(specific.after("2 of 3 were done").without_connection()).endswith(" Fix it. [ZAPI-AUTH-ADDRESS]")


def test_below_a_list_of_mistakes_the_code_has_its_own_line() -> None:
    error = exceptions.ZApiInvalidRequestError(
        "2 mistakes", "Nothing was sent.\n- one\n- two", code="ZAPI-INVALID-POLICY"
    )
    assert str(error).splitlines()[2:] == ["- two", "[ZAPI-INVALID-POLICY]"]
