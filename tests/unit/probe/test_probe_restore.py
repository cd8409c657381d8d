"""The probe restores the settings, whatever interrupts level 2."""

from __future__ import annotations

import json
import os
import resource
import signal
import stat
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import jsonschema
import pytest
import requests

from airflow_provider_zapi.exceptions import ZApiInvalidRequestError
from airflow_provider_zapi.probe.facts import FILE
from airflow_provider_zapi.probe.journal import Journal, Prior, held, read_journal
from airflow_provider_zapi.probe.report import made
from airflow_provider_zapi.probe.run import Plan, probe, restored_from
from airflow_provider_zapi.probe.steps import Request
from airflow_provider_zapi.probe.wire import MAX_WRITES
from tests.killing.simulated import Killed, dead_from, random_case, run_case
from tests.probing import ALL_LEVELS, CONTACT, OTHERS, OWN, emulated, outcomes, probed, state, wire_to
from tests.support import Clock

SCHEMA = json.loads((FILE.parent / "probe" / "report.schema.json").read_text())


@pytest.mark.parametrize("seed", range(16))
def test_restore_works_after_a_kill_at_a_random_moment(seed: int) -> None:
    _, emulator, before = run_case(random_case(seed))
    assert state(emulator) == before


@pytest.fixture
def terminal() -> Iterator[None]:
    """Handle Ctrl-C as in a terminal. A process that a shell starts in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("at", [26, 42, 57])
def test_a_signal_ends_the_probe_and_everything_is_restored(number: signal.Signals, at: int, tmp_path: Path) -> None:
    emulator = emulated()
    before = state(emulator)

    def around(call: int, after: bool) -> None:
        # The second signal arrives during the restore and is ignored.
        if call in (at, at + 1) and after:
            os.kill(os.getpid(), number)

    handlers = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    result = probe(ALL_LEVELS, wire_to(emulator, around=around), tmp_path / "journal")
    assert (result.ended, result.problems) == ("interrupted", {})
    assert state(emulator) == before
    assert list(tmp_path.iterdir()) == []
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == handlers


def test_after_an_unexpected_error_everything_is_restored_and_it_is_raised(tmp_path: Path) -> None:
    emulator = emulated()
    before = state(emulator)

    def around(call: int, after: bool) -> None:
        if call == 45 and after:
            raise RuntimeError("unforeseen")

    with pytest.raises(RuntimeError, match="unforeseen"):
        probe(ALL_LEVELS, wire_to(emulator, around=around), tmp_path / "journal")
    assert state(emulator) == before


def test_writes_whose_answers_are_lost_during_a_restore_are_repeated(tmp_path: Path) -> None:
    emulator = emulated()
    before = state(emulator)
    with pytest.raises(Killed):
        probe(ALL_LEVELS, wire_to(emulator, around=dead_from(45, True)), tmp_path / "journal")
    emulator.instance("instance-1").patch({"switches": {"lose_answer": 2}})
    assert restored_from(read_journal(tmp_path / "journal"), wire_to(emulator)) == {}
    assert state(emulator) == before


def test_the_journal_is_on_disk_before_the_first_write_and_private_to_its_owner(tmp_path: Path) -> None:
    emulator, journal = emulated(), tmp_path / "journal"
    with pytest.raises(Killed):
        probe(ALL_LEVELS, wire_to(emulator, around=dead_from(21, False)), journal)
    assert not list(emulator.instance("instance-1").history)
    assert stat.S_IMODE(journal.stat().st_mode) == 0o600
    first, *others = [json.loads(line) for line in journal.read_text().splitlines()]
    assert (first["contact"], first["own"], first["settings"]["last_seen"]) == (
        CONTACT, OWN, {"value": "CONTACT_BLACKLIST", "contacts": OTHERS},
    )  # fmt: skip
    assert others == [{"written": "last_seen"}]


def test_nobody_else_can_read_the_journal_from_its_first_byte(tmp_path: Path) -> None:
    part = tmp_path / "journal.part"
    part.write_text("left by a probe that was killed during its reads")
    part.chmod(0o666)
    before = os.umask(0)
    try:
        journal = Journal(tmp_path / "journal")
        assert (stat.S_IMODE(part.stat().st_mode), part.read_bytes()) == (0o600, b"")
        journal.begin(Prior("instance-1", CONTACT, {}, OWN))
        journal.close()
        part.symlink_to(tmp_path / "elsewhere")
        with pytest.raises(ZApiInvalidRequestError, match="cannot be used"):
            Journal(tmp_path / "journal")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "journal").stat().st_mode) == 0o600
    assert not (tmp_path / "elsewhere").exists()


def test_an_existing_journal_is_not_overwritten_and_nothing_is_sent(tmp_path: Path) -> None:
    (tmp_path / "journal").write_text("{}\n")
    emulator = emulated()
    with pytest.raises(ZApiInvalidRequestError, match="already exists"):
        probe(ALL_LEVELS, wire_to(emulator, around=dead_from(1, False)), tmp_path / "journal")
    assert [path.name for path in tmp_path.iterdir()] == ["journal"]
    assert (tmp_path / "journal").read_text() == "{}\n"


@pytest.mark.parametrize("begun", [False, True])
def test_a_second_probe_does_not_start_while_the_first_one_runs(begun: bool, tmp_path: Path) -> None:
    first = Journal(tmp_path / "journal")
    if begun:
        first.begin(Prior("instance-1", CONTACT, {}, OWN))
        lock = held(tmp_path / "journal")
        with pytest.raises(ZApiInvalidRequestError, match="in use"), lock:
            pass
    with pytest.raises(ZApiInvalidRequestError, match="in use"):
        probe(ALL_LEVELS, wire_to(emulated(), around=dead_from(1, False)), tmp_path / "journal")
    first.close()
    assert [path.name for path in tmp_path.iterdir()] == (["journal"] if begun else [])


@pytest.mark.parametrize("at", [20, 21, 41])
def test_a_full_disk_ends_the_probe_and_everything_is_restored(at: int, tmp_path: Path) -> None:
    emulator, journal = emulated(), tmp_path / "journal"
    before = state(emulator)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def around(call: int, after: bool) -> None:
        if journal.exists():
            # A cut line would spoil the lines after it.
            assert journal.read_text().endswith("}\n")
        if call == at and after:
            # There is space for only a part of the next line.
            size = journal.stat().st_size if journal.exists() else 0
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + 5, limits[1]))

    wire = wire_to(emulator, around=around)
    try:
        result = probe(ALL_LEVELS, wire, journal)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (result.ended, result.problems) == ("the journal cannot be written", {})
    jsonschema.validate(made(ALL_LEVELS, wire, result), SCHEMA)
    assert state(emulator) == before
    assert list(tmp_path.iterdir()) == []


def test_a_journal_that_cannot_be_deleted_is_reported(tmp_path: Path) -> None:
    journal = tmp_path / "journal"

    def around(call: int, after: bool) -> None:
        if journal.is_file() and call > 60:
            journal.unlink()
            journal.mkdir()

    result = probe(ALL_LEVELS, wire_to(emulated(), around=around), journal)
    assert (result.problems, result.journal, result.undeleted) == ({}, None, journal)


@pytest.mark.parametrize("contacts", [None, []])
@pytest.mark.parametrize("leaving", ["kept", "hidden", "empty", "stale"])
def test_an_account_that_refuses_an_empty_list_is_as_before(leaving: str, contacts: list[str] | None) -> None:
    emulator = emulated("CONTACT_BLACKLIST", contacts, list_after_leaving=leaving, empty_list="refused")
    before = state(emulator)
    report = probed(emulator)
    assert (report["put_back"], state(emulator)) == (True, before)
    if contacts is None:
        assert outcomes(report)["list_after_leaving"] == leaving
    else:
        assert report["ended"].startswith("an empty list is not accepted")


def test_a_restore_that_fails_can_be_repeated(tmp_path: Path) -> None:
    emulator = emulated()
    before = state(emulator)
    with pytest.raises(Killed):
        probe(ALL_LEVELS, wire_to(emulator, around=dead_from(45, True)), tmp_path / "journal")

    def around(call: int, after: bool) -> None:
        raise requests.ConnectionError

    unreachable = wire_to(emulator, around=around)
    problems = restored_from(read_journal(tmp_path / "journal"), unreachable)
    assert problems == {"last_seen": "last seen: its list cannot be read; run --restore again"}
    assert unreachable.writes <= MAX_WRITES
    for _ in range(2):
        assert restored_from(read_journal(tmp_path / "journal"), wire_to(emulator)) == {}
        assert state(emulator) == before


def test_a_lost_list_is_restored_even_if_an_empty_list_is_refused_and_reads_still_show_it(tmp_path: Path) -> None:
    emulator = emulated(list_after_leaving="stale", empty_list="refused")
    before = state(emulator)
    left = False

    def tell(request: Request) -> None:
        nonlocal left
        left = left or request.probe == "value_again"
        if left:
            raise Killed

    with pytest.raises(Killed):
        probe(ALL_LEVELS, wire_to(emulator, tell=tell), tmp_path / "journal")
    assert state(emulator)["last_seen"] == {"value": "NONE", "excluded": []}
    assert restored_from(read_journal(tmp_path / "journal"), wire_to(emulator)) == {}
    assert state(emulator) == before


def test_a_restore_waits_as_long_as_a_busy_server_asks(tmp_path: Path) -> None:
    emulator, clock = emulated(), Clock()
    with pytest.raises(Killed):
        probe(ALL_LEVELS, wire_to(emulator, around=dead_from(45, True)), tmp_path / "journal")
    busy = [{"status": 429, "headers": {"Retry-After": "42"}}, {"status": 503}]
    emulator.instance("instance-1").patch({"switches": {"fail_next": busy}})
    assert restored_from(read_journal(tmp_path / "journal"), wire_to(emulator, clock=clock)) == {}
    assert [seconds for seconds in clock.slept if seconds > 1] == [42, 10]
    emulator.instance("instance-1").patch({"switches": {"fail_next": [busy[0]] * 40}})
    problems = restored_from(read_journal(tmp_path / "journal"), wire_to(emulator, clock=clock))
    assert problems == {"last_seen": "last seen: Z-API takes no more calls for now"}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"token": "another"}, "refuses this connection"),
        ({"client_token": "another"}, "refuses this connection"),
        ({"subscription": "lapsed"}, "refuses this connection"),
        ({"switches": {"address_allowed": False}}, "refuses this connection"),
        ({}, "cannot be reached"),
    ],
)
def test_a_connection_that_does_not_work_ends_the_run_after_one_call(
    changes: dict[str, object], why: str, tmp_path: Path
) -> None:
    emulator = emulated()
    emulator.instance("instance-1").patch(changes)

    def around(call: int, after: bool) -> None:
        if not changes:
            raise requests.ConnectionError

    wire = wire_to(emulator, around=around)
    result = probe(ALL_LEVELS, wire, tmp_path / "journal")
    report = made(ALL_LEVELS, wire, result)
    assert (report["calls"], report["writes"], outcomes(report)) == (1, 0, {})
    assert why in report["ended"]
    jsonschema.validate(report, SCHEMA)


def test_an_interrupted_run_reports_what_it_has_found(tmp_path: Path) -> None:
    def around(call: int, after: bool) -> None:
        if call == 10:
            raise KeyboardInterrupt

    result = probe(Plan(), wire_to(emulated(), around=around), tmp_path / "journal")
    assert result.ended == "interrupted"
    assert {"status_text", "device_phone", "list_read", "unknown_path"} < result.found.keys()
    assert "phone_exists" not in result.found


def test_a_last_line_that_a_kill_cut_off_is_ignored(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        probe(ALL_LEVELS, wire_to(emulated(), around=dead_from(45, True)), tmp_path / "journal")
    whole = read_journal(tmp_path / "journal")
    with (tmp_path / "journal").open("a") as file:
        file.write('{"form": "55449')
    assert read_journal(tmp_path / "journal") == whole


@pytest.mark.parametrize(
    "text", ["", "no JSON\n", "[]\n", '{"journal": 2}\n', '{"journal": 1, "instance_id": "x", "contact": "name", "own": null, "settings": {}}\n']
)  # fmt: skip
def test_a_file_that_is_not_a_journal_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text(text)
    with pytest.raises(ZApiInvalidRequestError, match="not a journal"):
        read_journal(tmp_path / "file")


@pytest.mark.parametrize("seed", range(12))
def test_no_run_writes_more_often_than_allowed_or_faster_than_once_a_second(seed: int, tmp_path: Path) -> None:
    case, clock, times = random_case(seed), Clock(), list[float]()
    emulator = emulated(case.value, list(case.contacts), **case.switches)
    wire = wire_to(emulator, clock=clock, tell=lambda request: times.append(clock.now))
    probe(Plan(True, True, {"last_seen": case.value}, CONTACT), wire, tmp_path / "journal")
    assert wire.writes <= MAX_WRITES
    assert all(later - earlier >= 1 for earlier, later in pairwise(times))


def test_reads_are_at_most_20_and_change_nothing(tmp_path: Path) -> None:
    emulator = emulated()
    report = probed(emulator, Plan())
    assert report["calls"] <= 20
    assert report["writes"] == 0
    assert not list(emulator.instance("instance-1").history)


@pytest.mark.parametrize(
    ("changes", "plan", "why"),
    [
        ({"connected": False}, ALL_LEVELS, "the instance is not connected"),
        ({}, Plan(writes=True, current={"last_seen": "CONTACT_BLACKLIST"}, contact=OWN), "the number itself"),
        ({}, Plan(writes=True, current={"last_seen": "CONTACT_BLACKLIST"}, contact=OTHERS[0]), "already on the list"),
        ({"switches": {"unregistered_phones": [CONTACT]}}, ALL_LEVELS, "not on WhatsApp"),
        ({"settings": {"last_seen": {"excluded": [f"55119{n:08}" for n in range(501)]}}}, ALL_LEVELS, "more than 500"),
    ],
)  # fmt: skip
def test_a_change_that_cannot_be_restored_is_not_started(changes: dict[str, object], plan: Plan, why: str) -> None:
    emulator = emulated()
    emulator.instance("instance-1").patch(changes)
    before = state(emulator)
    report = probed(emulator, plan)
    assert why in report["ended"]
    assert state(emulator) == before
