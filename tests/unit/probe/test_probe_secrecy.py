"""A report contains no data of the account. The journal contains only the data that the restore needs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from airflow_provider_zapi.client import Credentials, Transport
from airflow_provider_zapi.probe.evidence import Naming
from airflow_provider_zapi.probe.facts import FILE
from airflow_provider_zapi.probe.journal import read_journal
from airflow_provider_zapi.probe.report import made, markdown, text_of
from airflow_provider_zapi.probe.run import Plan, planned, probe
from airflow_provider_zapi.probe.wire import Wire
from tests.killing.simulated import Killed, dead_from
from tests.probing import ALL_LEVELS, CONTACT, OTHERS, OWN, emulated, probed, wire_to
from tests.support import CLIENT_TOKEN, TOKEN, Canned, CannedAdapter, Clock, leaks

SCHEMA = json.loads((FILE.parent / "probe" / "report.schema.json").read_text())
NAME, ADDRESS = "Canary Name /+=%", "https://hooks.example/canary?key=/+=%"
PHONES = (OWN, CONTACT, *OTHERS)


def echo(*secrets: str) -> dict[str, Any]:
    """Return an answer that repeats secrets in the keys and values of every place that a call reads."""
    hostile: dict[str, Any] = {secret: [secret, {secret: secret}] for secret in secrets}
    return {
        **hostile,
        "connected": True,
        "error": f"Client-Token {secrets[1]} or {secrets[0]} for {OWN} {NAME}",
        "phone": OWN,
        "token": secrets[0],
        "name": NAME,
        "connectedCallbackUrl": ADDRESS,
        "due": secrets[1],
        "lid": secrets[0],
        "disallowedContacts": [*secrets, NAME],
        "success": secrets[0],
    }


ECHOES: list[tuple[str, Any]] = [
    ("keys and values", echo(TOKEN, CLIENT_TOKEN)),
    ("a list", [TOKEN, CLIENT_TOKEN, NAME, echo(TOKEN, CLIENT_TOKEN)]),
    ("a string", json.dumps(f"{TOKEN} {CLIENT_TOKEN} {ADDRESS}")),
    ("not JSON", f"<html>{TOKEN} {CLIENT_TOKEN} {NAME} {OWN}</html>"),
    ("deep", json.loads("[" * 40 + json.dumps(CLIENT_TOKEN) + "]" * 40)),
    ("many keys", {f"{CLIENT_TOKEN}{number}": TOKEN for number in range(200)}),
]


def parts(*texts: str) -> list[str]:
    """Return the account's data that a string contains."""
    private = (NAME, ADDRESS, "canary", "Canary", "hooks.example", *PHONES, *(phone[-8:] for phone in PHONES))
    return [*leaks(*texts), *(each for text in texts for each in private if each in text)]


@pytest.mark.parametrize("status", [200, 400, 403])
@pytest.mark.parametrize(("body"), [row[1] for row in ECHOES], ids=[row[0] for row in ECHOES])
def test_echoes_of_the_server_are_not_in_the_report_or_on_the_terminal(
    body: Any, status: int, tmp_path: Path, nothing_leaks: None
) -> None:
    answer = Canned(body, status, {TOKEN: CLIENT_TOKEN, "Content-Type": f"text/{TOKEN}", "X-Request-Id": CLIENT_TOKEN})
    clock, lines = Clock(), list[str]()

    def connect(target: Credentials) -> Transport:
        return Transport(target, adapter=CannedAdapter(answer), clock=clock, sleep=clock.sleep)

    credentials = Credentials("instance-1", TOKEN, CLIENT_TOKEN)
    wire = Wire(
        credentials,
        connect=connect,
        clock=clock,
        sleep=clock.sleep,
        tell=lambda request: lines.append(request.line()),
        told=lambda seen: lines.append(f"{seen.answer} {seen!r}"),
    )
    result = probe(ALL_LEVELS, wire, tmp_path / "journal")
    report = made(ALL_LEVELS, wire, result)
    assert report["calls"] > 10
    assert parts(text_of(report), markdown(report), *lines, repr(result), repr(wire.seen)) == []
    jsonschema.validate(report, SCHEMA)
    assert json.loads(text_of(report)) == report


def echoed(body: Any) -> tuple[Any, dict[str, str]]:
    """Add secrets to the keys, values and headers of an answer without changing its meaning."""
    more = {TOKEN: CLIENT_TOKEN, NAME: ADDRESS, CONTACT: OWN, "message": f"{OWN} {NAME} {TOKEN}", "value": CONTACT}
    headers = {TOKEN: CLIENT_TOKEN, "X-Request-Id": TOKEN, f"X-{CONTACT}": NAME, "Server": CLIENT_TOKEN}
    if isinstance(body, list):
        return [{**row, **more, "deep": [[more]]} for row in body], headers
    return ({**more, **body, "deep": [[more]]} if isinstance(body, dict) else body), headers


def test_echoed_secrets_of_a_whole_run_are_nowhere_and_the_journal_has_only_the_state(
    tmp_path: Path,
) -> None:
    lines: list[str] = []
    journal = tmp_path / "journal"
    journals: list[str] = []

    def around(call: int, after: bool) -> None:
        if journal.exists():
            journals.append(journal.read_text())

    wire = wire_to(emulated(), tell=lambda request: lines.append(request.line()), around=around, echo=echoed)
    result = probe(ALL_LEVELS, wire, journal)
    report = made(ALL_LEVELS, wire, result)
    assert (result.ended, result.problems) == ("complete", {})
    assert parts(text_of(report), markdown(report), *lines, *(seen.answer for seen in wire.seen), repr(result)) == []
    jsonschema.validate(report, SCHEMA)
    assert leaks(*journals) == []
    assert [text for text in journals if NAME in text or "hooks.example" in text] == []
    names = {phone for text in journals for phone in re.findall(r"[0-9]{8,}", text)}
    assert {OWN, CONTACT, *OTHERS} < names
    assert len(names - {OWN, CONTACT, *OTHERS}) == 1  # the contact's @lid


def test_a_whole_run_reveals_nothing_about_the_account(tmp_path: Path) -> None:
    lines: list[str] = []
    emulator = emulated()
    emulator.instance("instance-1").patch({"name": NAME})
    wire = wire_to(emulator, tell=lambda request: lines.append(request.line()))
    result = probe(ALL_LEVELS, wire, tmp_path / "journal")
    report = made(ALL_LEVELS, wire, result)
    assert result.ended == "complete"
    assert parts(text_of(report), markdown(report), *lines) == []


def test_the_journal_has_only_the_contact_and_the_state_before(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        probe(ALL_LEVELS, wire_to(emulated(), around=dead_from(45, True)), tmp_path / "journal")
    text = (tmp_path / "journal").read_text()
    prior = read_journal(tmp_path / "journal")
    assert leaks(text) == []
    assert set(re.findall(r"[0-9]{5,}[^\"]*", text)) <= {OWN, CONTACT, *OTHERS, *prior.forms}


def test_a_listing_of_the_plan_has_no_phone() -> None:
    assert parts(*(request.line() for _, request, _ in planned(ALL_LEVELS))) == []
    assert parts(*(repr(request) for _, request, _ in planned(ALL_LEVELS))) == []


def test_equal_strings_look_equal_within_a_report_but_not_across_reports() -> None:
    first, second = Naming(), Naming()
    assert first(CLIENT_TOKEN) == first(CLIENT_TOKEN) != first(TOKEN)
    # If the key were stored, somebody could find a phone by trying all phones.
    assert first(OWN) != second(OWN)


def test_a_report_is_valid_and_marks_equal_answers() -> None:
    report = probed(emulated(), Plan())
    jsonschema.validate(report, SCHEMA)
    equal = {each["probe"]: each["equal_to"] for each in report["evidence"]}
    assert equal["status_again"] == "status"
    assert equal["device"] is None
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**report, "phone": OWN}, SCHEMA)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**report, "ended": f"https://{TOKEN}?"}, SCHEMA)
