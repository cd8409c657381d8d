"""Find the outcomes of facts in the answers to reads and to writes that should be refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_zapi.privacy.phones import is_contact, split_contacts
from airflow_provider_zapi.probe.evidence import NO_ANSWER, Seen
from airflow_provider_zapi.probe.facts import facts

__all__ = ["answered", "cannot_be_probed", "contacts_of", "findings_of_reads", "inconclusive", "requires_client_token"]

#: Answers that depend on the account or the network, and do not settle the fact that was tested.
_BESIDE_THE_POINT = ("not_connected", "restore_session", "subscription", "instance_not_found", "address_refused")
_MILLISECONDS = 1_262_304_000_000  # the year 2010
_BATCH_KEYS = {"exists", "inputPhone", "outputPhone", "lid"}

Answers = Mapping[str, Seen]


#: Answers to the first call after which no other call would find out more.
_REFUSED = (
    "client_token_refused",
    "client_token_not_configured",
    "null_not_allowed",
    "subscription",
    "instance_not_found",
    "address_refused",
)


def cannot_be_probed(seen: Seen) -> str | None:
    """Return why nothing can be found out about an account, by the answer to its first call."""
    if seen.answer == NO_ANSWER:
        return "Z-API cannot be reached"
    if seen.status in (401, 402) or any(seen.answer.endswith(f"error:{each}") for each in _REFUSED):
        return "Z-API refuses this connection, and the command check says why"
    return None


def inconclusive(seen: Seen) -> bool:
    """Return whether an answer settles nothing, because of a broken network, a busy server or a lost session."""
    return (
        seen.answer == NO_ANSWER
        or seen.status in (408, 429)
        or (seen.status or 0) >= 500
        or any(seen.answer.endswith(f"error:{each}") for each in _BESIDE_THE_POINT)
    )


def answered(answers: Answers) -> dict[str, str]:
    """Return the outcome of each fact whose outcome is the answer itself."""
    return {
        name: seen.answer
        for name, seen in answers.items()
        if name in facts() and not facts()[name].outcomes and not inconclusive(seen)
    }


def findings_of_reads(answers: Answers, is_instance_token: Callable[[object], bool]) -> dict[str, str]:
    """Return the outcome of each fact that the reads settled."""
    found = {fact: read(answers[name]) for fact, (name, read) in _READ_FROM.items() if name in answers}
    if "me" in answers:
        found["me_token"] = _me_token(answers["me"], is_instance_token)
    if "batch" in answers:
        found["batch"], found["batch_lid"] = _batch(answers["batch"])
    found["list_read"] = _list_read([seen for name, seen in answers.items() if name in _LISTS])
    found |= answered(answers)
    if not requires_client_token(answers):
        found |= dict.fromkeys(name for name in found if name.endswith("_without_client_token"))
    return {name: outcome for name, outcome in found.items() if outcome is not None}


def requires_client_token(answers: Answers) -> bool:
    """Return whether a call without Client-Token was refused. Otherwise, it does not show what is checked first."""
    missing = answers.get("client_token_missing")
    return missing is not None and missing.refused


_LISTS = ("list_last_seen", "list_photo", "list_description", "list_group_add")


def contacts_of(seen: Seen) -> tuple[str, ...] | None:
    """Return the list in an answer, unchanged, or None if the answer has no list that can be sent back."""
    entries = seen.object.get("disallowedContacts")
    if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
        return None
    contacts, unknown = split_contacts(entries)
    return None if unknown else contacts


def _status_text(seen: Seen) -> str | None:
    if seen.object.get("connected") is not True:
        return None
    return "with_error" if seen.object.get("error") else "without_error"


def _device_phone(seen: Seen) -> str | None:
    if "phone" not in seen.object:
        return None if inconclusive(seen) else "missing"
    phone = seen.object["phone"]
    return "digits" if isinstance(phone, str) and is_contact(phone) and phone.isdigit() else "text"


def _me_token(seen: Seen, is_instance_token: Callable[[object], bool]) -> str | None:
    if "token" not in seen.object:
        return None if inconclusive(seen) else "missing"
    return "instance_token" if is_instance_token(seen.object["token"]) else "other"


def _me_due(seen: Seen) -> str | None:
    if "due" not in seen.object:
        return None if inconclusive(seen) else "missing"
    due = seen.object["due"]
    if isinstance(due, int | float) and not isinstance(due, bool):
        return "milliseconds" if due >= _MILLISECONDS else "seconds"
    return "date" if isinstance(due, str) and due[:4].isdigit() and due[4:5] == "-" else "other"


def _list_read(lists: list[Seen]) -> str | None:
    told = [seen for seen in lists if not inconclusive(seen)]
    if not told:
        return None
    if all(isinstance(seen.payload, list) for seen in told):
        return "bare_list"
    entries = [seen.object.get("disallowedContacts") for seen in told]
    if not all(isinstance(each, list) for each in entries):
        return "other"
    return "list" if all(isinstance(one, str) for each in entries if each for one in each) else "objects"


def _phone_exists(seen: Seen) -> str | None:
    if inconclusive(seen) or seen.status != 200:
        return None if inconclusive(seen) else "other"
    payload: Any = seen.payload
    if isinstance(payload, list):
        return "list" if len(payload) == 1 and _has_exists(payload[0], bool) else "other"
    if _has_exists(payload, bool):
        return "object"
    return "object_with_text" if _has_exists(payload, str) else "other"


def _batch(seen: Seen) -> tuple[str | None, str | None]:
    if inconclusive(seen):
        return None, None
    payload: Any = seen.payload
    if seen.status != 200 or not isinstance(payload, list) or not payload or not isinstance(payload[0], dict):
        return "other", None
    row = payload[0]
    lid = row.get("lid")
    form = "null" if lid is None else "lid" if isinstance(lid, str) and lid.endswith("@lid") else "other"
    kind = "list" if isinstance(row.get("exists"), bool) else "list_with_text"
    return kind if row.keys() >= _BATCH_KEYS - {"lid"} else "keys_differ", form if "lid" in row else "missing"


def _has_exists(row: object, kind: type) -> bool:
    return isinstance(row, dict) and isinstance(row.get("exists"), kind)


#: Facts that one call settles: the call, and what reads its answer.
_READ_FROM: Mapping[str, tuple[str, Callable[[Seen], str | None]]] = {
    "status_text": ("status", _status_text),
    "device_phone": ("device", _device_phone),
    "me_due": ("me", _me_due),
    "phone_exists": ("phone_exists", _phone_exists),
}
