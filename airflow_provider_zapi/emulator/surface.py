"""Answer the Z-API calls of an emulated instance. This module does not use sockets."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_zapi.emulator.checks import InvalidInputError, json_object
from airflow_provider_zapi.emulator.contacts import is_group, is_identifier, is_phone, lid
from airflow_provider_zapi.emulator.contract import (
    ANSWER_LOST,
    BATCH_LIMIT,
    BLACKLIST,
    CALLS,
    DONE,
    INSTANCE_NOT_FOUND,
    INVALID_PHONE,
    MISSING_CLIENT_TOKEN,
    NO_SUCH_PATH,
    NOT_CONNECTED,
    NOT_DONE,
    NOT_EMULATED,
    PUBLISHED,
    SETTING_BY_PATH,
    SETTING_BY_SCOPE,
    SUBSCRIPTION_LAPSED,
    WRONG_CONTENT_TYPE,
    WRONG_METHOD,
    Answer,
    Call,
    address_refused,
    client_token_refused,
    refusal,
)
from airflow_provider_zapi.emulator.faults import Fault
from airflow_provider_zapi.emulator.partner import answer_account, is_account_call, subscription
from airflow_provider_zapi.emulator.privacy_list import registered
from airflow_provider_zapi.emulator.probed import as_probed
from airflow_provider_zapi.emulator.state import Emulator, Instance
from airflow_provider_zapi.emulator.switches import SWITCH_DEFAULTS, are_changes

_ADDRESS = re.compile(r"/instances/([^/]+)/token/([^/]+)/(.+)")


@dataclass(frozen=True)
class Incoming:
    """One request. Header names are in lower case, and ``client`` is the caller's address."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    client: str


@dataclass(frozen=True)
class Outcome:
    """The result of a request.

    :param answer: Z-API's answer, or a fault's answer instead of it
    :param instance: the instance, if the path has valid credentials
    :param fault: the fault that affects the call, or None
    """

    answer: Answer
    instance: Instance | None = None
    fault: Fault | None = None


def respond(emulator: Emulator, incoming: Incoming) -> Outcome:
    """Carry out one request to Z-API, unless a fault prevents it."""
    address = _ADDRESS.fullmatch(incoming.path)
    instance_id, token, path = address.groups() if address else (None, None, incoming.path)
    with emulator.lock:
        instance = emulator.instances.get(instance_id) if instance_id else None
        if instance is not None and instance.token != token:
            instance = None
        fault = emulator.take_fault(incoming.method, path, instance.id if instance else None)
        if fault is not None and not fault.kind.done:
            return Outcome(_answer_of(fault), instance, fault)
        if is_account_call(incoming.path):
            return Outcome(answer_account(emulator, incoming), fault=fault)
        result = NO_SUCH_PATH if address is None else as_probed(instance, incoming, path, _answer)
        return Outcome(result, instance, fault)


def _answer_of(fault: Fault) -> Answer:
    given = fault.given
    if fault.kind.name == "html":
        return Answer(given.get("status", 200), "<html><body>Sign in to the network</body></html>")
    if fault.kind.name == "empty":
        return Answer(given.get("status", 200), "")
    body = given.get("body", {"error": "a fault on request"})
    return Answer(given.get("status", 503), body, given.get("headers", {}))


def _answer(instance: Instance | None, incoming: Incoming, path: str) -> Answer:
    """Carry out one call of an instance and return its answer.

    A missing path, a wrong method and a wrong Content-Type are answered before the credentials are checked. The
    recorded text for a missing path comes from a router, so this check comes first. The order of the others is an
    assumption.
    """
    calls = [call for call in CALLS if _matches(call, path)]
    call = next((call for call in calls if call.method == incoming.method), None)
    if call is None:
        methods = [method for method, paths in PUBLISHED.items() if any(one.fullmatch(path) for one in paths)]
        if incoming.method in methods:
            return NOT_EMULATED
        return WRONG_METHOD if calls or methods else NO_SUCH_PATH
    if call.method != "GET" and not _has_content_type(instance, incoming):
        return WRONG_CONTENT_TYPE
    if instance is None:
        return INSTANCE_NOT_FOUND
    refused = _refused(instance, call, incoming)
    if refused is not None:
        return refused
    try:
        result = HANDLERS[call.handler](instance, incoming, path)
    except InvalidInputError as error:
        return refusal(str(error))
    return ANSWER_LOST if call.changes_state and result.done and instance.take("lose_answer") else result


def _has_content_type(instance: Instance | None, incoming: Incoming) -> bool:
    wanted = (instance.switches if instance else SWITCH_DEFAULTS)["content_type"]
    if wanted == "optional" or (wanted == "required_with_body" and not incoming.body):
        return True
    return incoming.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"


def _matches(call: Call, path: str) -> bool:
    if call.takes_segment:
        return path.startswith(call.path) and "/" not in path.removeprefix(call.path) and path != call.path
    return path == call.path


def _refused(instance: Instance, call: Call, incoming: Incoming) -> Answer | None:
    switches = instance.switches
    sent = incoming.headers.get("client-token")
    if not switches["address_allowed"]:
        return address_refused(incoming.client)
    if instance.client_token is not None:
        if not sent:
            return MISSING_CLIENT_TOKEN[switches["missing_client_token"]]
        if sent != instance.client_token:
            return client_token_refused(sent)
    canned = instance.take_failure()
    if canned is not None:
        return Answer(canned["status"], canned.get("body", ""), canned.get("headers", {}))
    if instance.subscription == "lapsed" and call.needs_subscription:
        return SUBSCRIPTION_LAPSED
    if not instance.connected and call.needs_session:
        return NOT_CONNECTED
    return None


def _among(instance: Instance, phones: Iterable[str], switch: str) -> bool:
    listed = instance.switches[switch]
    if not listed:
        return False
    contacts = {lid(phone) for phone in listed}
    return any(lid(phone) in contacts for phone in phones)


def _write_setting(instance: Instance, incoming: Incoming, path: str) -> Answer:
    setting = SETTING_BY_PATH[path]
    # A setting whose value is in the query has no documented body, so no body is read.
    given: Mapping[str, Any] = json_object(incoming.body) if setting.place == "body" else incoming.query
    value = given.get(setting.parameter)
    if value not in setting.values:
        # Z-API's answer to an invalid value was not recorded. A refusal is the safe assumption.
        return refusal(f"{setting.parameter} must be one of {', '.join(setting.values)}")
    changes = given.get("contactsBlacklist") if setting.scope else None
    if changes is None:
        changes = []
    if not are_changes(changes):
        return refusal("contactsBlacklist must be a list of {action: add or remove, phone}")
    if changes and value != BLACKLIST:
        # The list is documented for CONTACT_BLACKLIST only. Its effect with another value was not recorded.
        return refusal(f"contactsBlacklist is accepted with {BLACKLIST} only")
    phones = [change["phone"] for change in changes]
    # It was not recorded whether one invalid phone refuses the whole call (assumed: it does), or whether an `@lid` is
    # accepted as `phone` (assumed: it is, because a removal needs the exact string that the read returned).
    if not all(map(is_identifier, phones)) or _among(instance, phones, "refused_phones"):
        return INVALID_PHONE
    # It was not recorded what happens to a list beyond WhatsApp's limit. Here, the whole call is refused.
    return DONE if instance.write(setting.name, value, changes) else NOT_DONE


def _read_list(instance: Instance, incoming: Incoming, path: str) -> Answer:
    setting = SETTING_BY_SCOPE.get(incoming.query.get("type", ""))
    if setting is None:
        # Z-API's answer was not recorded. A refusal is the safe assumption.
        return refusal(f"type must be one of {', '.join(SETTING_BY_SCOPE)}")
    return Answer(200, {"disallowedContacts": instance.records[setting.name].read()})


def _status(instance: Instance, incoming: Incoming, path: str) -> Answer:
    # A healthy status also has a truthy `error`. This was recorded and is not a mistake.
    error = "You are already connected." if instance.connected else instance.switches["session_down_error"]
    return Answer(
        200,
        {
            "connected": instance.connected,
            "smartphoneConnected": instance.smartphone_connected,
            "error": error,
        },
    )


def _device(instance: Instance, incoming: Incoming, path: str) -> Answer:
    return Answer(
        200,
        {
            "phone": instance.phone,
            "imgUrl": f"https://photos.example/{instance.id}.jpg",
            "about": "Emulated",
            "name": instance.profile_name or instance.name,
            "device": {"sessionName": "Z-API", "device_model": "Z-API"},
            "originalDevice": "iphone",
            "sessionId": 175,
            "isBusiness": False,
        },
    )


#: The callback URLs of `me`, by the event's name.
_CALLBACKS = ("connected", "delivery", "disconnected", "messageStatus", "presenceChat", "received", "initialData")


def _me(instance: Instance, incoming: Incoming, path: str) -> Answer:
    return Answer(
        200,
        {
            "id": instance.id,
            "token": instance.token,
            "name": instance.name,
            **subscription(instance),
            "connected": instance.connected,
            "created": "2020-01-01T00:00:00.000Z",
            **{f"{event}CallbackUrl": f"https://hooks.example/{instance.id}/{event}" for event in _CALLBACKS},
            "receiveCallbackSentByMe": False,
            "callRejectAuto": False,
            "callRejectMessage": "",
            "autoReadMessage": False,
        },
    )


def _existence(instance: Instance, phones: list[str]) -> list[dict[str, Any]]:
    unregistered = {lid(phone) for phone in instance.switches["unregistered_phones"]}
    ninth_digit = instance.switches["ninth_digit"]
    rows = []
    for phone in phones:
        contact = lid(phone) if is_phone(phone) else None
        exists = contact is not None and contact not in unregistered
        rows.append(
            {
                "exists": exists,
                "inputPhone": phone,
                "outputPhone": registered(phone, ninth_digit) if exists else phone,
                "lid": contact if exists else None,
            }
        )
    return rows


def _phone_exists_batch(instance: Instance, incoming: Incoming, path: str) -> Answer:
    phones = json_object(incoming.body).get("phones")
    if not isinstance(phones, list) or not all(isinstance(phone, str) for phone in phones):
        return refusal("phones must be a list of strings")
    if len(phones) > BATCH_LIMIT:
        return refusal(f"phones must be at most {BATCH_LIMIT}")
    if _among(instance, filter(is_phone, phones), "refused_phones"):
        return INVALID_PHONE
    return Answer(200, _existence(instance, phones))


def _phone_exists(instance: Instance, incoming: Incoming, path: str) -> Answer:
    phone = path.rpartition("/")[2]
    if not is_phone(phone) or _among(instance, [phone], "refused_phones"):
        return INVALID_PHONE
    # The documented keys differ from those of the batch call.
    rows = [
        {"exists": row["exists"], "phone": row["outputPhone"], "lid": row["lid"]}
        for row in _existence(instance, [phone])
    ]
    form = instance.switches["phone_exists_answer"]
    if form == "object_with_text":
        rows[0]["exists"] = str(rows[0]["exists"]).lower()
    return Answer(200, rows if form == "list" else rows[0])


def _profile_name(instance: Instance, incoming: Incoming, path: str) -> Answer:
    name = json_object(incoming.body).get("value")
    if not isinstance(name, str) or not name:
        return refusal("value must be a string")
    instance.patch({"profile_name": name[:200]})
    # Z-API documents `value`, not `success`.
    return Answer(200, {"value": True})


def _send_text(instance: Instance, incoming: Incoming, path: str) -> Answer:
    body = json_object(incoming.body)
    phone, message = body.get("phone"), body.get("message")
    if not isinstance(message, str) or not message:
        return refusal("message must be a string")
    if not isinstance(phone, str) or not (is_identifier(phone) or is_group(phone)):
        return INVALID_PHONE
    if is_identifier(phone) and _among(instance, [phone], "refused_phones"):
        return INVALID_PHONE
    number = instance.send(phone, message)["number"]
    message_id = f"message-{number}"
    return Answer(200, {"zaapId": f"zaap-{number}", "messageId": message_id, "id": message_id})


#: The functions that carry out calls, by the name in `Call.handler`.
HANDLERS: dict[str, Callable[[Instance, Incoming, str], Answer]] = {
    "write_setting": _write_setting,
    "read_list": _read_list,
    "status": _status,
    "device": _device,
    "me": _me,
    "phone_exists_batch": _phone_exists_batch,
    "phone_exists": _phone_exists,
    "profile_name": _profile_name,
    "send_text": _send_text,
}
