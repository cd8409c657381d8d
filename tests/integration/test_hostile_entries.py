"""A hostile string that a server sends as a contact or a word never reaches a terminal, a log or an XCom unchanged."""

from __future__ import annotations

import json
import logging
from typing import Any, cast

import pytest

from airflow_provider_zapi.__main__ import main
from airflow_provider_zapi.operators.instance import CheckInstanceOperator
from airflow_provider_zapi.operators.privacy import GetDisallowedContactsOperator
from airflow_provider_zapi.privacy.changes import ContactChange
from airflow_provider_zapi.privacy.settings import LAST_SEEN
from tests.airflow.conftest import connection
from tests.faults import Behaviour, FaultServer, Received, answer, good
from tests.support import TOKEN, Canned, client_with, leaks

pytestmark = pytest.mark.usefixtures("airflow_db")

CONTACTS = ["5544991111111", "123456789012345@lid"]
#: A terminal command, a line break, a bidirectional override, an echoed token, digits that are not ASCII, too many
#: digits, and a space.
HOSTILE = ["\x1b[2J", "5544991111111\nERROR - x", "\u202e5544991111111", TOKEN, "\u0665" * 13, "1" * 40, " "]
LISTED = {"disallowedContacts": [HOSTILE[0], *CONTACTS, *HOSTILE[1:]], "connected": True, "phone": "5544990000000"}


@pytest.fixture
def logs(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG)
    return caplog


def clean(*texts: str) -> bool:
    """Return whether strings have no hostile entry and no control character for a terminal."""
    shown = [line for text in texts for line in text.splitlines()]
    return not leaks(*shown) and not any(
        any(not character.isprintable() for character in line) or "ERROR - x" in line or HOSTILE[4] in line
        for line in shown
    )


def connect(monkeypatch: pytest.MonkeyPatch, server: FaultServer) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ZAPI_DEFAULT", connection(server.url, "instance-1"))


@pytest.mark.parametrize("as_count", [False, True])
def test_an_xcom_has_only_contacts(
    as_count: bool,
    monkeypatch: pytest.MonkeyPatch,
    logs: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with FaultServer(good(LISTED)) as server:
        connect(monkeypatch, server)
        task = GetDisallowedContactsOperator(task_id="task", setting="photo", as_count=as_count)
        result = task.execute(cast(Any, {}))
    assert result == (len(CONTACTS) if as_count else CONTACTS)
    said = [logs.text, *capfd.readouterr()]
    assert any("neither a phone nor an @lid, which are left out: 7" in text for text in said)
    assert not leaks(*said)
    assert not any(entry in text for text in said for entry in HOSTILE[:3])


@pytest.mark.parametrize("output", ["table", "json"])
def test_a_terminal_shows_only_contacts(
    output: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with FaultServer(good(LISTED)) as server:
        connect(monkeypatch, server)
        assert main(["show", "zapi_default", "--contacts", "--output", output]) == 0
    printed = capsys.readouterr().out
    assert clean(printed)
    if output == "json":
        assert json.loads(printed)["lists"]["photo"] == {"exceptions": 9, "contacts": CONTACTS, "unknown": 7}
    else:
        assert "last_seen             9  5544991111111\n" in printed
        assert "unknown entries: 7" in printed


#: For each read, an answer with a hostile string instead of a phone, a reason or a payment status.
WORDS: dict[str, dict[str, Any]] = {
    "phone": {"connected": True, "phone": HOSTILE[0], "due": "2100-01-01", "paymentStatus": "PAID"},
    "reason": {"connected": False, "error": f"{HOSTILE[0]} {HOSTILE[1]}"},
    "payment status": {"connected": True, "phone": CONTACTS[0], "due": "2100-01-01", "paymentStatus": HOSTILE[0]},
}


@pytest.mark.parametrize("words", WORDS)
def test_a_string_from_the_server_is_printable(
    words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with FaultServer(good(WORDS[words])) as server:
        connect(monkeypatch, server)
        main(["check", "zapi_default"])
        main(["show", "zapi_default"])
        printed = "".join(capsys.readouterr())
    assert printed
    assert all(character.isprintable() or character == "\n" for character in printed)


def test_a_payment_status_is_printable_in_an_xcom(monkeypatch: pytest.MonkeyPatch) -> None:
    def body(request: Received) -> bytes:
        return json.dumps(WORDS["payment status"]).encode()

    behaviour: Behaviour = answer(200, body)
    with FaultServer(behaviour) as server:
        connect(monkeypatch, server)
        result = CheckInstanceOperator(task_id="task", require_paid=False).execute(cast(Any, {}))
    assert result["payment_status"].isprintable()


def test_the_client_reads_and_removes_an_entry_exactly_as_it_is() -> None:
    client, adapter, _ = client_with(Canned(LISTED), Canned({"success": True}))
    listed = client.disallowed_contacts(LAST_SEEN)
    assert listed == tuple(cast(Any, LISTED["disallowedContacts"]))
    client.set_privacy(LAST_SEEN, "CONTACT_BLACKLIST", [ContactChange("remove", entry) for entry in listed])
    sent = json.loads(adapter.requests[1].body or b"")["contactsBlacklist"]
    assert [change["phone"] for change in sent] == list(listed)
