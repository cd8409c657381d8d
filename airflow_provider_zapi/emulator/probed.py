"""Behave like a probed account, with the switch ``probed`` and the switches that a report sets.

The probe and the documentation use the same table of facts, but this module does not use their code.
"""

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from airflow_provider_zapi.emulator.checks import InvalidInputError
from airflow_provider_zapi.emulator.contacts import is_identifier, is_phone, lid, spellings
from airflow_provider_zapi.emulator.contract import (
    BLACKLIST,
    DONE,
    INVALID_PHONE,
    SETTING_BY_PATH,
    SETTING_BY_SCOPE,
    Answer,
    Setting,
)

__all__ = ["as_probed", "is_probed", "not_emulated", "read_report", "switches_of"]

FACTS = Path(__file__).parents[1] / "facts.json"
#: The names for kinds of bodies in outcomes, besides ``error:<id of a text>``.
_BODIES: dict[str, Any] = {
    "empty": "",
    "not_json": "<html><body>probed</body></html>",
    "list": [],
    "value": 1,
    "object": {},
    "success:true": {"success": True},
    "success:false": {"success": False},
    "success:other": {"success": "yes"},
}
_OTHER_TEXT = "An unknown error"
#: The settings of an instance whose list shows its last contact twice.
_TWICE: WeakKeyDictionary[Any, set[str]] = WeakKeyDictionary()


@cache
def _table() -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    table = json.loads(FACTS.read_text(encoding="utf-8"))
    return {fact["id"]: fact for fact in table["facts"]}, table["texts"]


def is_probed(value: Any) -> bool:
    """Return whether the switch ``probed`` accepts this value, which maps the ids of facts to outcomes."""
    return isinstance(value, dict) and all(_is_outcome(name, outcome) for name, outcome in value.items())


def _is_outcome(name: str, outcome: Any) -> bool:
    fact = _table()[0].get(name)
    if fact is None or not isinstance(outcome, str):
        return False
    if "outcomes" in fact:
        return bool(fact["outcomes"].get(outcome, {}).get("probed"))
    return "answer" in fact and _answer(outcome, "") is not None


def switches_of(report: object) -> dict[str, Any]:
    """Return the switches that make an instance answer like the account in a report.

    :param report: a parsed report of ``airflow zapi probe``
    :raises InvalidInputError: it is not a report
    """
    answers = report.get("answers") if isinstance(report, dict) else None
    if not isinstance(answers, dict):
        raise InvalidInputError("it is not a report of the probe, because it has no answers")
    switches: dict[str, Any] = {}
    probed: dict[str, str] = {}
    for name, answer in answers.items():
        outcome = answer.get("outcome") if isinstance(answer, dict) else None
        if not isinstance(outcome, str) or name not in _table()[0]:
            continue
        if _is_outcome(name, outcome):
            probed[name] = outcome
        else:
            switches.update(_table()[0][name].get("outcomes", {}).get(outcome, {}).get("switches", {}))
    return {**switches, "probed": probed}


def not_emulated(report: Mapping[str, Any]) -> list[str]:
    """Return the facts of a report whose outcome no switch can play: the instance answers as usual there."""
    found = []
    for name, answer in report["answers"].items():
        outcome = answer.get("outcome") if isinstance(answer, dict) else None
        if not isinstance(outcome, str):
            continue
        fact = _table()[0].get(name, {})
        played = outcome in fact.get("expected", ()) or "switches" in fact.get("outcomes", {}).get(outcome, {})
        if not played and not _is_outcome(name, outcome):
            found.append(name)
    return found


def read_report(path: Path) -> dict[str, Any]:
    """Return the report in a file.

    :raises InvalidInputError: the file cannot be read, or is not a report
    """
    try:
        report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidInputError(
            f"--as-in: {path} cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from None
    switches_of(report)
    return report


def as_probed(instance: Any, incoming: Any, path: str, carry_out: Callable[[Any, Any, str], Answer]) -> Answer:
    """Carry out a call according to the instance's switch ``probed``, or as usual.

    :param instance: the instance, or None
    :param incoming: the request
    :param path: its path below the instance's address
    :param carry_out: carries out the call as usual
    """
    probed: Mapping[str, str] = instance.switches["probed"] if instance is not None else {}
    if not probed:
        return carry_out(instance, incoming, path)
    setting = SETTING_BY_PATH.get(path)
    if setting is not None and incoming.method == "POST" and _is_welcome(instance, incoming):
        return _written(instance, incoming, setting, probed, lambda: carry_out(instance, incoming, path))
    result = carry_out(instance, incoming, path)
    fact = _fact_of(instance, incoming, path, result)
    if fact in probed and "outcomes" not in _table()[0][fact]:
        return _instead(result, probed[fact], incoming)
    if result.status != 200:
        return result
    return Answer(200, _reshaped(instance, incoming, path, result.body, probed), result.headers)


def _is_welcome(instance: Any, incoming: Any) -> bool:
    """Return whether a refusal could only be about the write itself, not about credentials or the session."""
    token = instance.client_token
    return (
        bool(instance.switches["address_allowed"])
        and (token is None or incoming.headers.get("client-token") == token)
        and "content-type" in incoming.headers
        and instance.connected
        and instance.subscription == "active"
        and not instance.switches["fail_next"]
    )


def _fact_of(instance: Any, incoming: Any, path: str, result: Answer) -> str:
    token = incoming.headers.get("client-token")
    without = "_without_client_token" if instance.client_token is not None and not token else ""
    # These are answered before the credentials are checked.
    if result.status == 415:
        if without:
            return f"content_type{without}"
        return "body_without_content_type" if incoming.body else "write_without_content_type"
    if result.status == 405:
        read = incoming.method == "GET" and path in SETTING_BY_PATH
        return "value_read" if read and not without else f"wrong_method{without}"
    if isinstance(result.body, dict) and result.body.get("error") == "NOT_FOUND":
        return f"unknown_path{without}"
    if instance.client_token is not None and token != instance.client_token and result.status >= 400:
        return "client_token_wrong" if token else "client_token_missing"
    if incoming.method == "GET" and "content-type" not in incoming.headers:
        return "read_without_content_type"
    if path == "privacy/disallowed-contacts" and incoming.query.get("type") not in SETTING_BY_SCOPE:
        return "list_scope_unknown"
    if path.startswith("phone-exists/") and not is_phone(path.rpartition("/")[2]):
        return "phone_exists_bad"
    return ""


def _written(
    instance: Any, incoming: Any, setting: Setting, probed: Mapping[str, str], carry_out: Callable[[], Answer]
) -> Answer:
    record = instance.records[setting.name]
    value, changes = _given(incoming, setting)
    present = set(record.contacts)
    accepted = False
    for fact in _facts_of_write(instance, setting, value, changes):
        outcome = probed.get(fact)
        if outcome is None:
            continue
        if "outcomes" in _table()[0][fact]:
            special = _special(instance, setting, fact, outcome, changes or [])
            if special is not None:
                return special
        elif outcome == "200 success:true":
            accepted = True
        else:
            return _instead(DONE, outcome, incoming)
    result = carry_out()
    if accepted and not result.done:
        return DONE
    if result.done:
        _afterwards(instance, setting, value, changes, present, probed)
    return result


def _given(incoming: Any, setting: Setting) -> tuple[Any, list[dict[str, Any]] | None]:
    if setting.place == "query":
        return incoming.query.get(setting.parameter), None
    try:
        body = json.loads(incoming.body)
        changes = body.get("contactsBlacklist")
        well_formed = changes is None or all(isinstance(each["phone"], str) for each in changes)
    except (ValueError, RecursionError, AttributeError, TypeError, KeyError):
        return None, None
    return body.get(setting.parameter), changes if well_formed else None


def _facts_of_write(instance: Any, setting: Setting, value: Any, changes: list[dict[str, Any]] | None) -> list[str]:
    """Return the facts that decide the outcome of a write."""
    record = instance.records[setting.name]
    if value not in setting.values:
        if setting.name == "group_add" and value == "NONE":
            return ["group_add_none"]
        return [f"value_unknown_{setting.place}"]
    if value != BLACKLIST:
        if changes:
            return ["list_beside_other_value"]
        return ["value_again" if record.value == value else "value_set"]
    if changes is None:
        return ["blacklist_without_list"]
    if not changes:
        return ["empty_list"]
    bad = [each for each in changes if not is_identifier(each["phone"])]
    if bad:
        return ["lists_after_refusals", "bad_phone"] if len(bad) == len(changes) else ["bad_phone_among_good"]
    return sorted({fact for each in changes if (fact := _fact_of_change(instance, record, each))})


def _fact_of_change(instance: Any, record: Any, change: Mapping[str, Any]) -> str:
    present = lid(change["phone"]) in record.contacts
    if change.get("action") == "add":
        if change["phone"].endswith("@lid") and not present:
            return "lid_as_phone"
        return "add_again" if present else "add"
    if change.get("action") == "remove":
        if not present:
            return "remove_absent"
        return "remove" if change["phone"] in record.excluded() else "remove_other_form"
    return "action_unknown"


def _special(instance: Any, setting: Setting, fact: str, outcome: str, changes: list[dict[str, Any]]) -> Answer | None:
    record = instance.records[setting.name]
    if outcome == "refused":
        return INVALID_PHONE
    if outcome == "ignored":
        return DONE
    if fact == "lists_after_refusals" and outcome == "changed":
        record.write(record.value, [{"action": "add", "phone": instance.phone}])
    if outcome in ("good_done", "accepted"):
        record.write(BLACKLIST, [each for each in changes if is_identifier(each["phone"])])
        return DONE if outcome == "accepted" else INVALID_PHONE
    return None


def _afterwards(
    instance: Any,
    setting: Setting,
    value: Any,
    changes: list[dict[str, Any]] | None,
    present: set[str],
    probed: Mapping[str, str],
) -> None:
    record = instance.records[setting.name]
    if value == BLACKLIST and changes is None and probed.get("list_after_blacklist") == "emptied":
        record.write(BLACKLIST, [{"action": "remove", "phone": each} for each in list(record.contacts)], exact=False)
    again = [each["phone"] for each in changes or [] if each["action"] == "add" and lid(each["phone"]) in present]
    outcome = probed.get("list_after_add_again")
    twice = _TWICE.setdefault(instance, set())
    twice.discard(setting.name)
    if again and outcome == "twice":
        twice.add(setting.name)
    elif again and outcome == "gone":
        record.write(BLACKLIST, [{"action": "remove", "phone": each} for each in again], exact=False)


def _reshaped(instance: Any, incoming: Any, path: str, body: Any, probed: Mapping[str, str]) -> Any:
    if path == "privacy/disallowed-contacts" and isinstance(body, dict):
        return _list_body(instance, incoming, body, probed)
    if path == "phone-exists-batch" and isinstance(body, list):
        return [_row(row, probed) for row in body]
    if not isinstance(body, dict) or path not in ("status", "device", "me"):
        return body
    body = dict(body)
    if path == "status" and probed.get("status_text") == "without_error" and body.get("connected") is True:
        del body["error"]
    for name, (fact, texts) in _FIELDS.items():
        outcome = probed.get(fact, "")
        if name not in body or not fact.startswith(path):
            continue
        if outcome == "missing":
            del body[name]
        elif outcome in texts:
            body[name] = texts[outcome](body[name])
    return body


#: For fields of ``device`` and ``me``, the fact, and how each outcome changes the usual value.
_FIELDS: dict[str, tuple[str, dict[str, Callable[[Any], Any]]]] = {
    "phone": ("device_phone", {"text": lambda phone: f"+{phone}"}),
    "token": ("me_token", {"other": lambda token: "hidden"}),
    "due": (
        "me_due",
        {"seconds": lambda due: due // 1000, "date": lambda due: "2100-01-01", "other": lambda due: None},
    ),
}


def _list_body(instance: Any, incoming: Any, body: dict[str, Any], probed: Mapping[str, str]) -> Any:
    contacts = list(body.get("disallowedContacts", []))
    setting = SETTING_BY_SCOPE[incoming.query["type"]]
    if setting.name in _TWICE.get(instance, ()):
        contacts += contacts[-1:]
    form = probed.get("list_read")
    if form == "bare_list":
        return contacts
    return {"disallowedContacts": [{"phone": each} for each in contacts] if form == "objects" else contacts}


def _row(row: Mapping[str, Any], probed: Mapping[str, str]) -> dict[str, Any]:
    row = dict(row)
    form = probed.get("registered_form")
    if form is not None and is_phone(row["inputPhone"]):
        short, long = spellings(row["inputPhone"])
        row["outputPhone"] = {"as_sent": row["inputPhone"], "shorter": short, "longer": long}[form]
    if probed.get("batch") == "list_with_text":
        row["exists"] = str(row["exists"]).lower()
    if probed.get("batch") == "keys_differ":
        row["phone"] = row.pop("outputPhone")
    if probed.get("batch_lid") == "null":
        row["lid"] = None
    if probed.get("batch_lid") == "missing":
        row.pop("lid", None)
    return row


def _instead(result: Answer, outcome: str, incoming: Any) -> Answer:
    """Return a probed account's answer, or the usual answer if it is of the same kind."""
    usual_object = result.status == 200 and isinstance(result.body, dict) and result.body.get("error") != "NOT_FOUND"
    if outcome == "200 object" and usual_object:
        return result
    sent = incoming.headers.get("client-token") or incoming.client
    return _answer(outcome, sent) or result


def _answer(outcome: str, sent: str) -> Answer | None:
    status, _, kind = outcome.partition(" ")
    if not (status.isascii() and status.isdigit() and 200 <= int(status) <= 599):
        return None
    if kind in _BODIES:
        return Answer(int(status), _BODIES[kind])
    text_id = kind.removeprefix("error:")
    if text_id == kind or (text_id != "other" and text_id not in _table()[1]):
        return None
    text = _table()[1].get(text_id, _OTHER_TEXT)
    return Answer(int(status), {"error": text.replace("*", sent)})
