"""Properties that hold for every answer, body, parameter, secret, phone and Retry-After, tested with many examples.

Every run uses the same examples (derandomised), so that only a change of the code can change the result.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from airflow_provider_zapi.client import InstanceStatus
from airflow_provider_zapi.client.answers import Failure, read_answer, success_is_true
from airflow_provider_zapi.client.redaction import Redactor
from airflow_provider_zapi.exceptions import ZApiError, ZApiInvalidRequestError
from airflow_provider_zapi.privacy.changes import parse_changes, parse_value
from airflow_provider_zapi.privacy.phones import normalize_contact
from airflow_provider_zapi.privacy.settings import CONTACT_BLACKLIST, LAST_SEEN
from tests.support import FORMS, GOOD, Canned, certain_part, client_with

settings.register_profile(
    "fixed",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("fixed")

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
#: Objects that are nearly a success.
NEARLY = st.fixed_dictionaries(
    {}, optional={"success": JSON | st.just(True), "error": JSON, "connected": JSON, "disallowedContacts": JSON}
)
STATUSES = st.integers(100, 599)
#: Secrets at least as long as Z-API's shortest, because base64 of a shorter one could match by chance.
SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=40)
TEXTS = st.text(max_size=30)


def read(status: int, body: bytes, retry_after: str | None = None) -> Any:
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return read_answer(status, headers, body, success_is_true, Redactor([]).scrub, 1_800_000_000.0)


@given(STATUSES, JSON | NEARLY)
@example(200, {"success": True})
@example(200, {"success": 1})
@example(299, {"success": True, "error": 0})
def test_only_an_object_with_success_true_is_a_success(status: int, payload: Any) -> None:
    succeeds = (
        200 <= status < 300
        and isinstance(payload, dict)
        and payload.get("success") is True
        and not payload.get("error")
    )
    result = read(status, json.dumps(payload).encode())
    assert (result is None) is succeeds
    assert succeeds or (isinstance(result, Failure) and issubclass(result.error, ZApiError))


@given(JSON | NEARLY)
def test_a_status_and_a_list_are_never_guessed(payload: Any) -> None:
    answer = Canned(json.dumps(payload))
    connected = payload.get("connected") if isinstance(payload, dict) else None
    try:
        status = client_with(answer)[0].status()
    except ZApiError:
        assert not isinstance(connected, bool)
    else:
        assert isinstance(status, InstanceStatus)
        assert status.connected is connected
    contacts = payload.get("disallowedContacts") if isinstance(payload, dict) else None
    try:
        listed = client_with(answer)[0].disallowed_contacts(LAST_SEEN)
    except ZApiError:
        pass
    else:
        assert list(listed) == contacts


@given(STATUSES, st.binary(max_size=200), st.none() | st.text(max_size=20))
@example(200, b"\xff\xfe{", "9" * 400)
@example(503, b'{"error": "\\ud800 {text} {0}"}', "Mon, 99 Foo 99999 99:99:99 GMT")
def test_any_bytes_can_be_read(status: int, body: bytes, retry_after: str | None) -> None:
    result = read(status, body, retry_after)
    if not isinstance(result, Failure):
        # Hypothesis takes constants such as '{"success":true}' from the code.
        assert status < 300
        assert json.loads(body)["success"] is True
        return
    assert result.what.isprintable()
    assert result.retry_after is None or result.retry_after > 0


@given(STATUSES, TEXTS)
def test_any_error_string_can_be_shown(status: int, text: str) -> None:
    client = client_with(Canned(json.dumps({"error": text, "success": False}), status))[0]
    with pytest.raises(ZApiError) as caught:
        client.set_privacy(LAST_SEEN, "ALL")
    assert str(caught.value).isprintable()
    assert len(caught.value.what) < 400


#: Any value that a template can render. Changes are often nearly valid.
PHONES = st.text("0123456789+(). -@lid", max_size=20) | TEXTS | st.integers() | JSON
CHANGES = (
    JSON
    | TEXTS
    | st.lists(
        st.fixed_dictionaries({"action": st.sampled_from(["add", " Remove"]) | TEXTS, "phone": PHONES}), max_size=4
    )
    | st.lists(st.dictionaries(st.sampled_from(["action", "phone", "phones"]), PHONES), max_size=3)
)
VALUES = st.sampled_from([*LAST_SEEN.values, " contact_blacklist"]) | JSON


def set_last_seen(value: Any, changes: Any) -> list[Any]:
    """Run the same steps as the operator, and return the bodies of the requests."""
    client, adapter, _ = client_with(GOOD)
    spelled = parse_value(LAST_SEEN, value, "visualization_type")
    client.set_privacy(LAST_SEEN, spelled, parse_changes(LAST_SEEN, spelled, changes, "contacts_blacklist"))
    return [json.loads(request.body or b"null") for request in adapter.requests]


@given(VALUES, CHANGES)
@example(CONTACT_BLACKLIST, [{"action": "add", "phone": 10**6000}])
@example(CONTACT_BLACKLIST, json.dumps([{"action": "add", "phone": "5544991111111"}]))
@example(CONTACT_BLACKLIST, "[" + "1" * 5000 + "]")
def test_parameters_lead_to_a_valid_request_or_to_an_error_that_names_them(value: Any, changes: Any) -> None:
    refused, bodies = "", []
    try:
        bodies = set_last_seen(value, changes)
    except ZApiInvalidRequestError as error:
        refused = str(error)
    if refused:
        assert refused.startswith(("visualization_type ", "contacts_blacklist"))
        assert re.search(r" Nothing was sent\. \[ZAPI-INVALID-[A-Z-]+\]$", refused)
        return
    [body] = bodies
    assert body["visualizationType"] in LAST_SEEN.values
    listed = body.get("contactsBlacklist", [])
    assert body.keys() == {"visualizationType", *(["contactsBlacklist"] if listed else [])}
    assert not listed or body["visualizationType"] == CONTACT_BLACKLIST
    for change in listed:
        assert change.keys() == {"action", "phone"}
        assert change["action"] in ("add", "remove")
        phone = change["phone"]
        digits = phone.removesuffix("@lid")
        assert digits.isascii()
        assert digits.isdigit()
        assert phone != digits or 8 <= len(digits) <= 15
    phones = [change["phone"] for change in listed]
    assert len(phones) == len(set(phones))


@given(PHONES)
@example("+55 (44) 9.9111-1111")
@example("123456789012345@lid")
def test_a_normalized_contact_does_not_change(value: Any) -> None:
    try:
        once = normalize_contact(value)
    except ValueError:
        return
    assert normalize_contact(once) == once


@given(SECRETS, TEXTS, TEXTS, st.sampled_from(sorted(FORMS)))
@example("50%+/=\\\"'<&*", "", "", "JSON in JSON")
@example("*" * 8, "*", "*", "raw")
def test_scrubbing_leaves_no_secret_in_any_form(secret: str, before: str, after: str, form: str) -> None:
    written = FORMS[form](secret)
    scrubbed = Redactor([secret]).scrub(before + written + after)
    assert certain_part(form, written) not in scrubbed
    assert secret not in scrubbed


@given(
    SECRETS, SECRETS, st.lists(st.sampled_from(["first", "second", " ", "*", "/token/", "Client-Token: "]), max_size=8)
)
def test_scrubbing_leaves_neither_of_two_secrets(first: str, second: str, parts: list[str]) -> None:
    text = "".join({"first": first, "second": second}.get(part, part) for part in parts)
    scrubbed = Redactor([first, second]).scrub(text)
    assert first not in scrubbed
    assert second not in scrubbed


ENCODERS: list[Callable[[bytes], bytes]] = [base64.b64encode, base64.urlsafe_b64encode]


@given(SECRETS, st.binary(max_size=5), st.binary(max_size=5), st.sampled_from(ENCODERS))
def test_scrubbing_leaves_no_base64_of_a_string_with_the_secret(
    secret: str, before: bytes, after: bytes, encode: Callable[[bytes], bytes]
) -> None:
    scrubbed = Redactor([secret]).scrub(encode(before + secret.encode() + after).decode())
    # The rest decodes to the neighbours of the secret and at most its first and last character.
    left = "".join(scrubbed.replace("\u2022", "*").split("***"))
    assert len(left) * 3 // 4 <= len(before) + len(after) + 4


@given(SECRETS.filter(lambda secret: len(secret) > 3), TEXTS)
def test_a_string_without_a_secret_does_not_change(secret: str, text: str) -> None:
    if not any(mark in text.lower() for mark in ("token", secret.lower(), "%", "&", "\\")):
        assert Redactor([secret]).scrub(text) == text
