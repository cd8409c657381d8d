"""Contacts as Z-API takes them: phone numbers of digits alone, and WhatsApp's own ``@lid`` identifiers."""

from __future__ import annotations

import re

__all__ = ["kind", "normalize_contact"]

#: What people and spreadsheets put between the digits.
_FORMATTING = str.maketrans("", "", "+(). -")
_PHONE = re.compile(r"[0-9]{8,15}")
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
        raise ValueError(f"this is a group, and exceptions are single contacts; {ACCEPTED}")
    digits = text.translate(_FORMATTING)
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


def kind(value: object) -> str:
    """Return what a value is, in words for a message, and nothing of its content."""
    if value is None:
        return "None"
    names = {
        bool: "true or false",
        str: "a text",
        int: "an integer",
        float: "a number with a decimal point",
        dict: "a mapping",
        list: "a list",
    }
    return names.get(type(value), f"an object of type {type(value).__name__}")
