"""Contacts as WhatsApp knows them: one contact, up to two spellings of its phone, and one ``@lid``."""

import hashlib
import re

#: Country code, the number's parts, and what the longer spelling adds to them (Brazil: behind the area code).
#: A Brazilian landline (eight digits that begin with 2 to 5) has one spelling only.
_DOUBLE_FORMS = (
    ("55", re.compile(r"55(?P<area>\d\d)(?P<extra>9?)(?P<rest>[6-9]\d{7})"), "9"),
    ("52", re.compile(r"52(?P<area>)(?P<extra>1?)(?P<rest>\d{10})"), "1"),
    ("54", re.compile(r"54(?P<area>)(?P<extra>9?)(?P<rest>\d{10})"), "9"),
)
_PHONE = re.compile(r"[0-9]{8,15}")
_LID = re.compile(r"[0-9]+@lid")
#: A group's id as Z-API lists it, or as WhatsApp writes it; older ones hold the founder's phone and a time.
_GROUP = re.compile(r"[0-9]+(-[0-9]+)?(-group|@g\.us)")


def is_phone(text: object) -> bool:
    """Return whether this is a phone as Z-API documents it: only digits, with the country code."""
    return isinstance(text, str) and _PHONE.fullmatch(text) is not None


def is_identifier(text: object) -> bool:
    """Return whether this names a contact: a phone, or an ``@lid`` as a list can hold it."""
    return is_phone(text) or (isinstance(text, str) and _LID.fullmatch(text) is not None)


def is_group(text: object) -> bool:
    """Return whether this names a group, which a message can be sent to and a list cannot hold."""
    return isinstance(text, str) and _GROUP.fullmatch(text) is not None


def spellings(phone: str) -> tuple[str, str]:
    """Return the shorter and the longer spelling of a phone; both are the phone itself if it has one only."""
    for country, pattern, extra in _DOUBLE_FORMS:
        if match := pattern.fullmatch(phone):
            area, rest = match["area"], match["rest"]
            return f"{country}{area}{rest}", f"{country}{area}{extra}{rest}"
    return phone, phone


def lid(identifier: str) -> str:
    """Return the contact's ``@lid``: the same for both spellings of its phone, and itself for an ``@lid``."""
    if identifier.endswith("@lid"):
        return identifier
    digest = hashlib.sha256(spellings(identifier)[0].encode()).digest()
    return f"{int.from_bytes(digest[:6], 'big') + 10**14}@lid"


def is_odd(contact: str) -> bool:
    """Split contacts in two fixed halves by the last digit of their ``@lid``, for the switches' ``mixed``."""
    return int(contact.removesuffix("@lid")[-1]) % 2 == 1
