"""Parameters as templates render them, and parameters that are refused before any request."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_zapi.exceptions import ZApiInvalidRequestError
from airflow_provider_zapi.privacy.changes import ContactChange, parse_changes, parse_value
from airflow_provider_zapi.privacy.settings import CONTACT_BLACKLIST, LAST_SEEN
from tests.support import check_error

pytestmark = pytest.mark.usefixtures("nothing_leaks")

ADD = {"action": "add", "phone": "5544991111111"}

VALUES_REFUSED: list[tuple[Any, str]] = [
    (None, "is None"),
    (True, "is true or false"),
    (1, "is an integer"),
    ("", "is an empty string"),
    ("None", "is the string 'None': a template that finds nothing renders as 'None'"),
    (" None\n", "is the string 'None'"),
    ("CONTACT_BLACKLST", "Did you mean CONTACT_BLACKLIST?"),
    ("nobody", "Accepted for last seen: NONE, CONTACT_BLACKLIST, CONTACTS, ALL."),
    ("5544991111111", "is a string with digits"),
    ("None ALL", "Accepted for last seen"),
]


@pytest.mark.parametrize(("value", "text"), VALUES_REFUSED)
def test_an_unknown_value_is_refused(value: Any, text: str) -> None:
    with pytest.raises(ZApiInvalidRequestError) as caught:
        parse_value(LAST_SEEN, value, "visualization_type")
    assert str(caught.value).startswith("visualization_type is ")
    assert text in str(caught.value)
    assert str(caught.value).endswith("Nothing was sent. [ZAPI-INVALID-VALUE]")
    check_error(caught.value)


@pytest.mark.parametrize("value", ["NONE", "none", " nOne "])
def test_none_in_any_other_case_is_a_value(value: str) -> None:
    assert parse_value(LAST_SEEN, value, "visualization_type") == "NONE"


@pytest.mark.parametrize("value", ["CONTACTS", " contacts\n", "Contacts"])
def test_case_and_surrounding_spaces_of_a_value_do_not_matter(value: str) -> None:
    assert parse_value(LAST_SEEN, value, "visualization_type") == "CONTACTS"


CHANGES_REFUSED: list[tuple[Any, str, str]] = [
    # the parameter, the place that the message names, a part of the message
    ("None", "contacts_blacklist", "the string 'None': a template that finds nothing renders as 'None'"),
    ("", "contacts_blacklist", "an empty string"),
    ("5544991111111", "contacts_blacklist", "a string that is not a JSON array"),
    ('{"action": "add", "phone": "5544991111111"}', "contacts_blacklist", "a string that is not a JSON array"),
    ("[" * 100_000, "contacts_blacklist", "a string that is not a JSON array"),
    (ADD, "contacts_blacklist", "a mapping"),
    (True, "contacts_blacklist", "true or false"),
    (5544991111111, "contacts_blacklist", "an integer"),
    (1.5, "contacts_blacklist", "decimal point"),
    (b"[]", "contacts_blacklist", "type bytes"),
    (
        '[{"action": "add", "action": "remove", "phone": "5544991111111"}]',
        "contacts_blacklist",
        "holds an item with the same key twice",
    ),
    (["5544991111111"], "contacts_blacklist[0]", "is a string"),
    ([ADD, None], "contacts_blacklist[1]", "is None"),
    ([{"action": "add"}], "contacts_blacklist[0]", "lacks 'phone'"),
    ([{"phone": "5544991111111"}], "contacts_blacklist[0]", "lacks 'action'"),
    ([{**ADD, "phones": 1}], "contacts_blacklist[0]", "Did you mean phone?"),
    ([{**ADD, "action": "ad"}], "contacts_blacklist[0].action", "Did you mean add?"),
    ([{**ADD, "action": None}], "contacts_blacklist[0].action", "is None"),
    ([{**ADD, "phone": None}], "contacts_blacklist[0].phone", "None is not a phone number"),
    ([{**ADD, "phone": True}], "contacts_blacklist[0].phone", "true or false is not a phone number"),
    ([{**ADD, "phone": 5544991111111.0}], "contacts_blacklist[0].phone", "decimal point"),
    ([{**ADD, "phone": 1234567}], "contacts_blacklist[0].phone", "it has 7 digits"),
    ([{**ADD, "phone": 10**15}], "contacts_blacklist[0].phone", "integer"),
    ([{**ADD, "phone": 10**6000}], "contacts_blacklist[0].phone", "integer"),
    ([{**ADD, "phone": -5544991111111}], "contacts_blacklist[0].phone", "integer"),
    ([{**ADD, "phone": ""}], "contacts_blacklist[0].phone", "it is empty"),
    ([{**ADD, "phone": "1234567"}], "contacts_blacklist[0].phone", "it has 7 digits"),
    ([{**ADD, "phone": "1234567890123456"}], "contacts_blacklist[0].phone", "it has 16 digits"),
    ([{**ADD, "phone": "٥٥٤٤٩٩١١١١١١١"}], "contacts_blacklist[0].phone", "characters other than digits"),
    ([{**ADD, "phone": "call me"}], "contacts_blacklist[0].phone", "characters other than digits"),
    ([{**ADD, "phone": "120363019502650977-group"}], "contacts_blacklist[0].phone", "a group"),
    ([{**ADD, "phone": "120363019502650977@g.us"}], "contacts_blacklist[0].phone", "a group"),
    ([{**ADD, "phone": "@lid"}], "contacts_blacklist[0].phone", "characters other than digits"),
    ([{**ADD, "phone": "5544991111111.0"}], "contacts_blacklist[0].phone", "probably from a spreadsheet"),
    ([{**ADD, "phone": "5544991111111."}], "contacts_blacklist[0].phone", "probably from a spreadsheet"),
    ([{**ADD, "phone": "+5544991111111.00"}], "contacts_blacklist[0].phone", "probably from a spreadsheet"),
    ([{**ADD, "phone": "5.54499E+12"}], "contacts_blacklist[0].phone", "characters other than digits"),
    ([{**ADD, "phone": "+55 (0) 44 99111-1111"}], "contacts_blacklist[0].phone", "trunk prefix '(0)'"),
    ([{**ADD, "phone": "+49 ( 0 ) 151 1234567"}], "contacts_blacklist[0].phone", "trunk prefix '(0)'"),
    ([{**ADD, "phone": "044 99111-1111"}], "contacts_blacklist[0].phone", "it begins with 0"),
    ([{**ADD, "phone": "0055 44 99111-1111"}], "contacts_blacklist[0].phone", "it begins with 0"),
    ([{**ADD, "phone": "+0 55 44 99111-1111"}], "contacts_blacklist[0].phone", "it begins with 0"),
    (
        [ADD, {**ADD, "action": "remove"}],
        "contacts_blacklist[1]",
        "would remove a contact that an earlier item would add",
    ),
    ([ADD] * 10_001, "contacts_blacklist", "holds 10001 changes"),
]


@pytest.mark.parametrize(("changes", "place", "text"), CHANGES_REFUSED, ids=[str(row[2]) for row in CHANGES_REFUSED])
def test_an_invalid_list_is_refused(changes: Any, place: str, text: str) -> None:
    with pytest.raises(ZApiInvalidRequestError) as caught:
        parse_changes(LAST_SEEN, CONTACT_BLACKLIST, changes, "contacts_blacklist")
    message = str(caught.value)
    assert message.startswith(f"{place} ")
    assert text in message
    assert "Nothing was sent. [ZAPI-INVALID-" in message
    assert "4991111111" not in message.replace("5544991111111'", "").replace('5544991111111"', "")
    check_error(caught.value)


def test_a_list_that_was_lost_in_rendering_is_refused() -> None:
    with pytest.raises(ZApiInvalidRequestError, match="contacts_blacklist is None"):
        parse_changes(LAST_SEEN, CONTACT_BLACKLIST, None, "contacts_blacklist", given=True)


@pytest.mark.parametrize("value", ["ALL", "NONE", "CONTACTS"])
def test_a_list_with_another_value_is_refused(value: str) -> None:
    with pytest.raises(ZApiInvalidRequestError, match="Only CONTACT_BLACKLIST has excluded contacts"):
        parse_changes(LAST_SEEN, value, [ADD], "contacts_blacklist")


@pytest.mark.parametrize(
    "changes",
    [
        [{"action": " Add ", "phone": "+55 (44) 9.9111-1111 "}],
        [{"action": "add", "phone": 5544991111111}],
        ({"action": "add", "phone": "5544991111111"},),
        '[{"action": "add", "phone": "5544991111111"}]',
        ' [{"action": "add", "phone": 5544991111111}]\n',
        [ADD, {"action": "ADD", "phone": "+5544991111111"}],
    ],
)
def test_every_form_that_a_template_renders_is_one_change(changes: Any) -> None:
    parsed = parse_changes(LAST_SEEN, CONTACT_BLACKLIST, changes, "contacts_blacklist")
    assert parsed == (ContactChange("add", "5544991111111"),)


LONG, SHORT = "5544991111111", "554491111111"


@pytest.mark.parametrize(("action", "sent"), [("add", [LONG]), ("remove", [LONG, SHORT])])
def test_two_forms_of_a_number_are_one_addition_and_two_removals(action: str, sent: list[str]) -> None:
    # A removal matches only the exact string on the list, and that string may have either form.
    changes = [{"action": action, "phone": phone} for phone in (LONG, SHORT, LONG)]
    parsed = parse_changes(LAST_SEEN, CONTACT_BLACKLIST, changes, "contacts_blacklist")
    assert [change.phone for change in parsed] == sent


def test_an_lid_is_not_changed() -> None:
    changes = [{"action": "remove", "phone": "123456789012345@lid"}]
    parsed = parse_changes(LAST_SEEN, CONTACT_BLACKLIST, changes, "contacts_blacklist")
    assert parsed == (ContactChange("remove", "123456789012345@lid"),)


@pytest.mark.parametrize("value", ["ALL", CONTACT_BLACKLIST])
@pytest.mark.parametrize("changes", [None, [], "[]"])
def test_an_empty_list_has_no_changes(value: str, changes: Any) -> None:
    assert parse_changes(LAST_SEEN, value, changes, "contacts_blacklist") == ()
