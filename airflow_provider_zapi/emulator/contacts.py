"""WhatsApp's contacts. Each has a phone with up to two spellings, and one ``@lid``."""

import hashlib
import re

#: Country code, parts of the number, and the digit that the longer spelling adds (in Brazil, after the area code).
#: A Brazilian landline (eight digits that begin with 2 to 5) has only one spelling.
_DOUBLE_FORMS = (
    ("55", re.compile(r"55(?P<area>\d\d)(?P<extra>9?)(?P<rest>[6-9]\d{7})"), "9"),
    ("52", re.compile(r"52(?P<area>)(?P<extra>1?)(?P<rest>\d{10})"), "1"),
    ("54", re.compile(r"54(?P<area>)(?P<extra>9?)(?P<rest>\d{10})"), "9"),
)
_PHONE = re.compile(r"[0-9]{8,15}")
_LID = re.compile(r"[0-9]+@lid")
#: A group's id in the forms of Z-API and of WhatsApp. Older ids contain the founder's phone and a timestamp.
_GROUP = re.compile(r"[0-9]+(-[0-9]+)?(-group|@g\.us)")


def is_phone(text: object) -> bool:
    """Return whether this is a phone in the form that Z-API documents: digits only, with the country code."""
    return isinstance(text, str) and _PHONE.fullmatch(text) is not None


def is_identifier(text: object) -> bool:
    """Return whether this is a contact: a phone, or an ``@lid``, which a list can hold too."""
    return is_phone(text) or (isinstance(text, str) and _LID.fullmatch(text) is not None)


def is_group(text: object) -> bool:
    """Return whether this is a group. A message can be sent to a group, but a list cannot hold one."""
    return isinstance(text, str) and _GROUP.fullmatch(text) is not None


def spellings(phone: str) -> tuple[str, str]:
    """Return the shorter and the longer spelling of a phone. Both are the phone itself if it has only one."""
    for country, pattern, extra in _DOUBLE_FORMS:
        if match := pattern.fullmatch(phone):
            area, rest = match["area"], match["rest"]
            return f"{country}{area}{rest}", f"{country}{area}{extra}{rest}"
    return phone, phone


def lid(identifier: str) -> str:
    """Return the contact's ``@lid``, which is the same for both spellings of its phone."""
    if identifier.endswith("@lid"):
        return identifier
    digest = hashlib.sha256(spellings(identifier)[0].encode()).digest()
    return f"{int.from_bytes(digest[:6], 'big') + 10**14}@lid"


def is_odd(contact: str) -> bool:
    """Return whether the last digit of the contact's ``@lid`` is odd, which splits contacts for the value ``mixed``."""
    return int(contact.removesuffix("@lid")[-1]) % 2 == 1
