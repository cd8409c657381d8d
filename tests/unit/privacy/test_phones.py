"""Two phones are the same contact only if they are the two forms of a phone in Brazil, Mexico or Argentina."""

from __future__ import annotations

import pytest

from airflow_provider_zapi.privacy.phones import contact_key, hide_phone, normalize_contact, same_contact


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        # Brazil, with and without the ninth digit. The eight digits of a mobile phone begin with 6 to 9.
        ("5544991111111", "554491111111", True),
        ("5511961234567", "551161234567", True),
        ("5544971111111", "554471111111", True),
        ("5544941111111", "554441111111", False),  # a landline
        ("5544921111111", "554421111111", False),
        ("5544991111111", "554591111111", False),  # another area
        ("5544991111111", "554491111112", False),
        ("5504991111111", "550491111111", False),  # no such area code
        # Mexico, with and without 1
        ("5215512345678", "525512345678", True),
        ("5215512345678", "525512345679", False),
        # Argentina, with and without 9
        ("5491123456789", "541123456789", True),
        ("5491123456789", "541123456780", False),
        # In other countries, an additional digit makes a different number.
        ("4915112345678", "49915112345678", False),
        ("351912345678", "3519912345678", False),
        # An identifier of WhatsApp has only one form.
        ("123456789012345@lid", "123456789012345@lid", True),
        ("123456789012345@lid", "123456789012346@lid", False),
        ("5544991111111@lid", "554491111111@lid", False),
    ],
)
def test_two_forms_of_one_number_are_one_contact(first: str, second: str, same: bool) -> None:
    assert same_contact(first, second) is same
    assert same_contact(second, first) is same


@pytest.mark.parametrize(
    "contact", ["5544991111111", "554491111111", "5215512345678", "541123456789", "1@lid", "12345678"]
)
def test_the_key_of_a_key_is_the_key(contact: str) -> None:
    assert contact_key(contact_key(contact)) == contact_key(contact)


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("+55 (44) 99111-1111", "5544991111111"),
        ("55.44.99111.1111", "5544991111111"),
        (" 5544991111111\n", "5544991111111"),
        (5544991111111, "5544991111111"),
        ("12345678", "12345678"),
        ("123456789012345", "123456789012345"),
        ("123456789012345@lid", "123456789012345@lid"),
    ],
)
def test_a_contact_is_digits_or_an_identifier(given: object, sent: str) -> None:
    assert normalize_contact(given) == sent
    assert normalize_contact(sent) == sent


@pytest.mark.parametrize(
    ("phone", "shown"),
    [("5544991111111", "***1111"), ("123456", "***"), ("", "***"), ("1234567\x1b[2J", "***"), ("12345678@lid", "***")],
)
def test_a_phone_shows_its_last_four_digits_at_most(phone: str, shown: str) -> None:
    assert hide_phone(phone) == shown
