"""Convert contacts to the form that Z-API accepts: phone numbers in digits only, or WhatsApp's ``@lid`` identifiers."""

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

#: The characters that people and spreadsheets put between digits.
_FORMATTING = str.maketrans("", "", "+(). -")
_PHONE = re.compile(r"[0-9]{8,15}")
#: A phone that a spreadsheet stored as a decimal number. Removing the point would turn it into a different phone.
_DECIMAL = re.compile(r"\+?[0-9]{8,}\.[0-9]{0,2}")
_TRUNK_ZERO = re.compile(r"\( *0 *\)")
_LID = re.compile(r"[0-9]{1,32}@lid")
_GROUP = re.compile(r"@g\.us|-group$", re.IGNORECASE)


def normalize_contact(value: object) -> str:
    """Return a contact in the form that Z-API accepts: 8 to 15 digits, or ``<digits>@lid``.

    :param value: a string, or an integer of 8 to 15 digits (as native template rendering produces)
    :raises ValueError: the contact is invalid; the message says why and does not include it
    """
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise ValueError(f"{kind(value)} is not a phone number; {ACCEPTED}")
    if isinstance(value, int) and not 0 <= value < 10**15:
        raise ValueError(f"this integer is not a phone number; {ACCEPTED}")
    text = str(value).strip()
    if _LID.fullmatch(text):
        return text
    if _GROUP.search(text):
        raise ValueError(f"this is a group, not a single contact; {ACCEPTED}")
    if _DECIMAL.fullmatch(text):
        raise ValueError(f"it is a decimal number, probably from a spreadsheet; remove the '.0'; {ACCEPTED}")
    if _TRUNK_ZERO.search(text):
        raise ValueError(f"it has a trunk prefix '(0)', which is not dialled from abroad; leave it out; {ACCEPTED}")
    digits = text.translate(_FORMATTING)
    if digits.startswith("0"):
        raise ValueError(f"it begins with 0; leave out 0 or 00 and begin with the country code; {ACCEPTED}")
    if _PHONE.fullmatch(digits):
        return digits
    if not digits:
        raise ValueError(f"it is empty; {ACCEPTED}")
    if not (digits.isascii() and digits.isdigit()):
        raise ValueError(f"it has characters other than digits, spaces and + ( ) . -; {ACCEPTED}")
    raise ValueError(f"it has {len(digits)} digits; {ACCEPTED}")


ACCEPTED = (
    "use country code, area code and number (8 to 15 digits in all), such as '5544991111111', or an identifier such as "
    "'123456789012345@lid'"
)


#: Numbers that have two forms on WhatsApp. No rule says which form is registered, and a list may hold either one.
#: The groups of each pattern leave out the digit that only one of the forms has.
_DOUBLE_FORMS = (
    # Brazil: mobile numbers, with and without the ninth digit. Landlines begin with 2 to 5 and have one form.
    re.compile(r"(55[1-9][1-9])9?([6-9][0-9]{7})"),
    # Mexico, with and without 1; Argentina, with and without 9.
    re.compile(r"(52)1?([2-9][0-9]{9})"),
    re.compile(r"(54)9?([1-9][0-9]{9})"),
)
_EXTRA_DIGITS = ("9", "1", "9")


def contact_key(contact: str) -> str:
    """Return a key that is equal for all forms of one contact. Use it to compare; never send it.

    :param contact: a contact as `normalize_contact` returns it, or as Z-API listed it
    """
    for form in _DOUBLE_FORMS:
        if match := form.fullmatch(contact):
            return match[1] + match[2]
    return contact


def both_forms(contact: str) -> tuple[str, str]:
    """Return the shorter and the longer form of a contact. Both are the contact itself if it has only one form."""
    for form, digit in zip(_DOUBLE_FORMS, _EXTRA_DIGITS, strict=True):
        if match := form.fullmatch(contact):
            return match[1] + match[2], match[1] + digit + match[2]
    return contact, contact


def same_contact(first: str, second: str) -> bool:
    """Return whether two contacts are certainly the same: equal, or two forms of one number.

    A phone and an ``@lid`` may be the same contact too. Only WhatsApp knows (`ZApiClient.resolve_contacts`).
    """
    return contact_key(first) == contact_key(second)


def is_contact(text: str) -> bool:
    """Return whether a string from the server is a phone or an ``@lid``, and so can be shown and stored."""
    return bool(_PHONE.fullmatch(text) or _LID.fullmatch(text))


def split_contacts(entries: Iterable[str]) -> tuple[tuple[str, ...], int]:
    """Return the contacts of a list, and the number of entries that are neither a phone nor an ``@lid``.

    Such entries are never shown, because a server can send anything, such as control characters or an echoed token.
    """
    entries = tuple(entries)
    contacts = tuple(entry for entry in entries if is_contact(entry))
    return contacts, len(entries) - len(contacts)


def hide_phone(phone: str) -> str:
    """Return ``phone`` with all but its last four digits hidden, because a phone is personal data.

    A short phone is hidden completely. So is a string that is not a number, because it may come from the server.
    """
    return f"***{phone[-4:]}" if len(phone) > 6 and phone.isascii() and phone.isdigit() else "***"


def kind(value: object) -> str:
    """Return the kind of a value in words, for a message. The words do not include the value."""
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
