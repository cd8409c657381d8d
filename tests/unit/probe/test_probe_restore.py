"""The probe restores the settings, whatever interrupts level 2."""

from __future__ import annotations

import json
import os
import signal
import stat
from itertools import pairwise
from pathlib import Path

import pytest

from airflow_provider_zapi.exceptions import ZApiInvalidRequestError
from airflow_provider_zapi.probe.journal import read_journal
from airflow_provider_zapi.probe.run import Plan, probe, restored_from
from airflow_provider_zapi.probe.wire import MAX_WRITES
from tests.killing.simulated import Killed, dead_from, random_case, run_case
from tests.probing import ALL_LEVELS, CONTACT, OTHERS, OWN, emulated, probed, state, wire_to
from tests.support import Clock


@pytest.mark.parametrize("seed", range(16))
def test_restore_works_after_a_kill_at_a_random_moment(seed: int) -> None:
    _, emulator, before = run_case(random_case(seed))
    assert state(emulator) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("at", [24, 40, 55])
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
        probe(ALL_LEVELS, wire_to(emulator, around=dead_from(19, False)), journal)
    assert not list(emulator.instance("instance-1").history)
    assert stat.S_IMODE(journal.stat().st_mode) == 0o600
    first, *others = [json.loads(line) for line in journal.read_text().splitlines()]
    assert (first["contact"], first["own"], first["settings"]["last_seen"]) == (
        CONTACT, OWN, {"value": "CONTACT_BLACKLIST", "contacts": OTHERS},
    )  # fmt: skip
    assert others == [{"written": "last_seen"}]


def test_an_existing_journal_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "journal").write_text("{}\n")
    emulator = emulated()
    with pytest.raises(ZApiInvalidRequestError, match="already exists"):
        probe(ALL_LEVELS, wire_to(emulator), tmp_path / "journal")
    assert (tmp_path / "journal").read_text() == "{}\n"
    assert not list(emulator.instance("instance-1").history)


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
