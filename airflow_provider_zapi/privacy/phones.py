"""Contacts as Z-API takes them: phone numbers of digits alone, and WhatsApp's own ``@lid`` identifiers."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = [
    "both_forms",
    "contact_key",
    "hide_phone",
    "is_contact",
    "kind",
    "normalize_contact",
    "same_contact",
    "split_contacts",
]

#: What people and spreadsheets put between the digits.
_FORMATTING = str.maketrans("", "", "+(). -")
_PHONE = re.compile(r"[0-9]{8,15}")
#: Digits that a spreadsheet took for a number: removing the point would make another phone of them.
_DECIMAL = re.compile(r"\+?[0-9]{8,}\.[0-9]{0,2}")
_TRUNK_ZERO = re.compile(r"\( *0 *\)")
_LID = re.compile(r"[0-9]{1,32}@lid")
_GROUP = re.compile(r"@g\.us|-group$", re.IGNORECASE)


def normalize_contact(value: object) -> str:
    """Return a contact in the form that Z-API takes: 8 to 15 digits, or ``<digits>@lid``.

    :param value: a text, or an integer of 8 to 15 digits (rendering a template to native types makes them)
    :raises ValueError: it is neither; the message says why and shows nothing of the number
    """
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise ValueError(f"{kind(value)} is no phone number; {ACCEPTED}")
    if isinstance(value, int) and not 0 <= value < 10**15:
        raise ValueError(f"this integer is no phone number; {ACCEPTED}")
    text = str(value).strip()
    if _LID.fullmatch(text):
        return text
    if _GROUP.search(text):
        raise ValueError(f"this is a group, and excluded contacts are single contacts; {ACCEPTED}")
    if _DECIMAL.fullmatch(text):
        raise ValueError(f"it is a decimal number, as spreadsheets write phones; write it without '.0'; {ACCEPTED}")
    if _TRUNK_ZERO.search(text):
        raise ValueError(f"it holds a trunk prefix '(0)', which is not dialled from abroad; leave it out; {ACCEPTED}")
    digits = text.translate(_FORMATTING)
    if digits.startswith("0"):
        raise ValueError(f"it begins with 0; leave out 0 or 00 and begin with the country code; {ACCEPTED}")
    if _PHONE.fullmatch(digits):
        return digits
    if not digits:
        raise ValueError(f"it is empty; {ACCEPTED}")
    if not (digits.isascii() and digits.isdigit()):
        raise ValueError(f"it holds something else than digits and + ( ) . - and spaces; {ACCEPTED}")
    raise ValueError(f"it has {len(digits)} digits; {ACCEPTED}")


ACCEPTED = (
    "accepted are country code, area code and number, 8 to 15 digits in all, such as '5544991111111', or an "
    "identifier such as '123456789012345@lid'"
)


#: Numbers that WhatsApp knows in two forms: which one it registered no rule tells, and a list may hold either.
#: Each pattern leaves out the digit that only one of the forms has.
_DOUBLE_FORMS = (
    # Brazil: a mobile number with and without its ninth digit; a landline begins with 2 to 5 and has no such form.
    re.compile(r"(55[1-9][1-9])9?([6-9][0-9]{7})"),
    # Mexico, with and without 1; Argentina, with and without 9.
    re.compile(r"(52)1?([2-9][0-9]{9})"),
    re.compile(r"(54)9?([1-9][0-9]{9})"),
)
_EXTRA_DIGITS = ("9", "1", "9")


def contact_key(contact: str) -> str:
    """Return what is equal for all forms of one contact, for comparing only: never send it.

    :param contact: a contact as `normalize_contact` returns it, or as a list was read
    """
    for form in _DOUBLE_FORMS:
        if match := form.fullmatch(contact):
            return match[1] + match[2]
    return contact


def both_forms(contact: str) -> tuple[str, str]:
    """Return the shorter and the longer form of a contact; both are the contact itself if it has one form only."""
    for form, digit in zip(_DOUBLE_FORMS, _EXTRA_DIGITS, strict=True):
        if match := form.fullmatch(contact):
            return match[1] + match[2], match[1] + digit + match[2]
    return contact, contact


def same_contact(first: str, second: str) -> bool:
    """Tell whether two contacts are surely one: the same identifier, or two forms of one number.

    An ``@lid`` and a phone may be one contact too, which only WhatsApp can tell (`ZApiClient.resolve_contacts`).
    """
    return contact_key(first) == contact_key(second)


def is_contact(text: str) -> bool:
    """Tell whether a text of the server's is a phone or an ``@lid``, and so can be shown and stored."""
    return bool(_PHONE.fullmatch(text) or _LID.fullmatch(text))


def split_contacts(entries: Iterable[str]) -> tuple[tuple[str, ...], int]:
    """Return the contacts of a list as it was read, and how many of its entries are neither phone nor ``@lid``.

    Those are never shown: a server could have written anything, such as control characters or an echoed token.
    """
    entries = tuple(entries)
    contacts = tuple(entry for entry in entries if is_contact(entry))
    return contacts, len(entries) - len(contacts)


def hide_phone(phone: str) -> str:
    """Return ``phone`` with all but its last four digits hidden (personal data); a short one whole hidden.

    What is no number is hidden whole: it may be a text of the server's.
    """
    return f"***{phone[-4:]}" if len(phone) > 6 and phone.isascii() and phone.isdigit() else "***"


def kind(value: object) -> str:
    """Return what a value is, in words for a message, and nothing of its content."""
    if value is None:
        return "None"
    names = {
        bool: "true or false",
        str: "a string",
        int: "an integer",
        float: "a number with a decimal point",
        dict: "a mapping",
        list: "a list",
    }
    return names.get(type(value), f"an object of type {type(value).__name__}")
