"""The command `probe` with the emulator over loopback. Only its waits are skipped."""

from __future__ import annotations

import argparse
import io
import json
import re
import stat
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from airflow_provider_zapi.__main__ import main
from airflow_provider_zapi.cli.definition import COMMANDS
from airflow_provider_zapi.cli.probing import Outcome, run_probe
from airflow_provider_zapi.client import Credentials
from airflow_provider_zapi.connection.reading import InstanceConnection
from airflow_provider_zapi.emulator import RunningEmulator
from airflow_provider_zapi.emulator.__main__ import main as emulator_main
from airflow_provider_zapi.exceptions import ZApiConfigurationError, ZApiInvalidRequestError
from airflow_provider_zapi.probe.facts import FILE
from airflow_provider_zapi.probe.journal import Before, Journal, Prior, held
from tests.probing import CONTACT, OTHERS, OWN
from tests.support import CLIENT_TOKEN, TOKEN, JumpClock, leaks

SCHEMA = json.loads((FILE.parent / "probe" / "report.schema.json").read_text())


CTRL_C = "\x03"


class Terminal(io.StringIO):
    """A terminal at which somebody types these lines."""

    def isatty(self) -> bool:
        return True

    def readline(self, size: int | None = -1) -> str:  # type: ignore[override]
        line = super().readline()
        if line == f"{CTRL_C}\n":
            raise KeyboardInterrupt
        return line


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    return tmp_path


@pytest.fixture
def number(zapi: RunningEmulator) -> RunningEmulator:
    zapi.emulator.instance("instance-1").patch(
        {"settings": {"last_seen": {"value": "CONTACT_BLACKLIST", "excluded": OTHERS}}}
    )
    return zapi


def typed(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("".join(f"{line}\n" for line in lines)))


def run(zapi: RunningEmulator, *words: str, expected_phone: str | None = None) -> Outcome:
    parser = argparse.ArgumentParser()
    for argument in next(command for command in COMMANDS if command.name == "probe").arguments:
        parser.add_argument(*argument.names, **argument.options)
    target = Credentials("instance-1", TOKEN, CLIENT_TOKEN, zapi.url, "zapi_default")
    connection = InstanceConnection(target, expected_phone, None)
    clock = JumpClock()
    return run_probe(parser.parse_args(["zapi_default", *words]), connection, clock=clock, sleep=clock.sleep)


def seen_by_owner(zapi: RunningEmulator) -> dict[str, Any]:
    settings: dict[str, Any] = zapi.emulator.instance("instance-1").view()["settings"]
    return {name: {**one, "excluded": sorted(one.get("excluded", []))} for name, one in settings.items()}


def one_line(text: str) -> str:
    """Undo the line breaks that fit a string into a terminal."""
    return " ".join(text.split())


def journal(path: Path, settings: dict[str, Before], *written: str, instance_id: str = "instance-1") -> Path:
    """Write the journal that a probe leaves when it is killed."""
    left = Journal(path)
    left.begin(Prior(instance_id, CONTACT, settings, OWN))
    for name in written:
        left.write_follows(name)
    left.close()
    return path


WRITES = ("--refusals", "--writes", "--contact", CONTACT, "--current", "last_seen=CONTACT_BLACKLIST", "--yes")


def test_reads_change_nothing_and_write_a_report_that_was_shown(
    number: RunningEmulator, here: Path, capfd: pytest.CaptureFixture[str], nothing_leaks: None
) -> None:
    before = seen_by_owner(number)
    data, text, code = run(number, "--report", "report.json")
    told = capfd.readouterr().err
    assert code == 0
    assert seen_by_owner(number) == before
    jsonschema.validate(data, SCHEMA)
    written = (here / "report.json").read_text()
    assert json.loads(written) == data
    assert written in told
    assert text.startswith("# Probe report\n\nLevel 0; 20 calls, 0 of them writes; complete.")
    assert "11 more" in text
    assert "needs --refusals" in text
    assert re.findall(r"^ +\d+  (.*)$", told, re.MULTILINE)[0] == "GET status -> 200 object"
    assert not leaks(text, told)
    assert not [each for each in (OWN, *OTHERS) if each in text + told]


def test_every_level_restores_the_state_before(
    number: RunningEmulator, here: Path, capfd: pytest.CaptureFixture[str], nothing_leaks: None
) -> None:
    before = seen_by_owner(number)
    data, text, code = run(number, *WRITES)
    told = capfd.readouterr().err
    assert (code, data["put_back"], seen_by_owner(number)) == (0, True, before)
    assert list(here.iterdir()) == []
    for heading in ("Level 0: reads.", "Level 1: writes", "Level 2: changes of last seen", "The earlier state"):
        assert f"\n{heading}" in told
    assert "If the next call is not refused: nobody can add this number to a group." in told
    assert "mode 0600" in told
    assert "probe zapi_default --restore zapi-probe-zapi_default.journal" in told
    assert [line for line in (told + text).splitlines() if len(line) > 80] == []
    assert not [each for each in (OWN, CONTACT, *OTHERS) if each in text + told]


def test_a_terminal_is_asked_for_missing_input_and_for_confirmation(
    number: RunningEmulator, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = seen_by_owner(number)
    typed(monkeypatch, "+55 44 99111-1111", "contact_blacklist", "yes", "no")
    data, text, code = run(number, "--writes", "--report", "report.json")
    told = capsys.readouterr().err
    assert (code, data["put_back"], seen_by_owner(number)) == (0, True, before)
    assert "visualizationType=CONTACT_BLACKLIST, contactsBlacklist=[add {contact}]" in one_line(told)
    assert "The contact is ***1111." in told
    assert not (here / "report.json").exists()
    assert "was not written" in text


def test_ctrl_c_at_the_last_question_does_not_lose_the_summary(
    number: RunningEmulator, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed(monkeypatch, CTRL_C)
    _, text, code = run(number, "--report", "report.json")
    assert (code, list(here.iterdir())) == (0, [])
    assert text.startswith("# Probe report")
    assert text.endswith("\nThe report was not written to report.json.\n")


def test_the_reason_why_a_run_ended_is_shown_once(number: RunningEmulator, here: Path) -> None:
    number.emulator.instance("instance-1").patch({"connected": False})
    data, text, code = run(number, "--refusals", "--yes")
    assert (code, data["ended"]) == (3, "the instance is not connected, so nothing was written")
    assert one_line(text).count("more: not reached: the instance is not connected, so nothing was written") == 1


def test_a_confirmed_report_is_written(number: RunningEmulator, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    typed(monkeypatch, "yes")
    run(number, "--report", "report.json")
    assert (here / "report.json").exists()


@pytest.mark.parametrize(
    ("words", "lines", "why"),
    [
        (WRITES[:-1], None, "need --yes without a terminal"),
        (WRITES[:-1], ["no"], "not confirmed"),
        (WRITES[:-1], [CTRL_C], "not confirmed"),
        (["--writes"], [CTRL_C], "--writes needs --contact"),
        (["--writes", "--contact", CONTACT], [""], "--writes needs --current"),
        (["--refusals"], [""], "not confirmed"),
        (["--writes"], None, "--writes needs --contact"),
        (["--writes", "--contact", CONTACT], None, "--writes needs --current"),
        (["--writes", "--contact", "123"], ["ALL"], "--contact cannot be used"),
        (["--writes", "--contact", "123456789012345@lid"], ["ALL"], "must be a phone number"),
        (["--writes", "--contact", CONTACT], ["EVERYBODY"], "not one of its values"),
        (["--current", "last_seen"], None, "SETTING=VALUE"),
        (["--current", "lastseen=ALL"], None, "SETTING=VALUE"),
        (["--current", "group_add=NONE"], None, "an unknown value"),
        (["--compare", "none.json"], None, "No such file"),
        (["--compare", "bad.json"], None, "not a report"),
        (["--restore", "none.journal"], None, "No such file"),
        (["--restore", "bad.json"], None, "not a journal"),
        (["--restore", "bad.json", "--writes"], None, "--restore cannot be used with --writes"),
        (["--report", "missing/report.json"], None, "its directory does not exist"),
        (["--report", "."], None, "it is a directory"),
        ([*WRITES, "--journal", "missing/journal"], None, "No such file or directory"),
        ([*WRITES, "--journal", "bad.json"], None, "already exists"),
    ],
)
def test_invalid_arguments_are_an_error_and_nothing_is_sent(
    words: list[str],
    lines: list[str] | None,
    why: str,
    number: RunningEmulator,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (here / "bad.json").write_text("[]\n")
    if lines is not None:
        typed(monkeypatch, *lines)
    with pytest.raises(ZApiInvalidRequestError, match=re.escape(why)) as caught:
        run(number, *words)
    assert caught.value.status is None
    assert number.emulator.requests == []


def test_a_phone_other_than_the_expected_one_is_not_probed_with_writes(number: RunningEmulator, here: Path) -> None:
    with pytest.raises(ZApiConfigurationError, match="is expected"):
        run(number, *WRITES, expected_phone=CONTACT)
    assert [request["path"].rpartition("/")[2] for request in number.emulator.requests] == ["device"]


def test_differences_from_a_report_are_printed_with_exit_code_1(number: RunningEmulator, here: Path) -> None:
    run(number, "--report", "report.json")
    data, text, code = run(number, "--compare", "report.json")
    assert (data["differences"], text, code) == ([], "0 differences from the report.\n", 0)
    number.emulator.instance("instance-1").patch({"switches": {"probed": {"unknown_path": "404 empty"}}})
    data, text, code = run(number, "--compare", "report.json")
    assert code == 1
    assert data["differences"] == [
        {"fact": "unknown_path", "report": "200 error:not_found", "this_account": "404 empty"}
    ]
    assert text == (
        '- A path that doesn\'t exist\n  in the report: 200, "NOT_FOUND"\n  this account: 404, no body\n\n'
        "1 difference from the report.\n"
    )


def test_a_journal_is_restored_and_deleted(number: RunningEmulator, here: Path) -> None:
    before = seen_by_owner(number)
    settings = {"last_seen": Before("CONTACT_BLACKLIST", tuple(OTHERS)), "online": Before(None, None)}
    path = journal(here / "journal", settings, "last_seen")
    number.emulator.instance("instance-1").patch(
        {"settings": {"last_seen": {"value": "NONE", "excluded": [CONTACT, OTHERS[0]]}}}
    )
    asked_before = len(number.emulator.requests)
    data, text, code = run(number, "--restore", "journal", "--dry-run")
    assert (code, len(number.emulator.requests), path.exists()) == (0, asked_before, True)
    assert "  last seen: CONTACT_BLACKLIST, with 2 excluded contacts\n\nNothing was sent.\n" in text
    data, text, code = run(number, "--restore", "journal")
    assert (data, code) == ({"settings": ["last_seen"], "problems": []}, 0)
    assert text == "Restored: last_seen.\nThe journal journal is deleted.\n"
    assert seen_by_owner(number) == before
    assert not path.exists()
    with pytest.raises(ZApiInvalidRequestError, match="No such file"):
        run(number, "--restore", "journal")


def test_a_journal_that_another_process_uses_is_not_restored(number: RunningEmulator, here: Path) -> None:
    path = journal(here / "journal", {"last_seen": Before("CONTACT_BLACKLIST", tuple(OTHERS))}, "last_seen")
    with held(path), pytest.raises(ZApiInvalidRequestError, match=r"in use. .* is running. Wait until it ends"):
        run(number, "--restore", "journal")
    assert number.emulator.requests == []


def test_a_closed_terminal_does_not_prevent_the_restore(
    number: RunningEmulator, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = seen_by_owner(number)
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed)
    data, _, code = run(number, *WRITES)
    assert (code, data["put_back"], seen_by_owner(number)) == (0, True, before)


def test_a_journal_whose_state_cannot_be_restored_is_kept(number: RunningEmulator, here: Path) -> None:
    settings = {"last_seen": Before("CONTACT_BLACKLIST", tuple(OTHERS))}
    journal(here / "journal", settings, "last_seen")
    number.emulator.instance("instance-1").patch({"switches": {"conflicts": 1000}})
    data, text, code = run(number, "--restore", "journal")
    assert code == 3
    assert data["problems"]
    assert "NOT restored: last seen" in text
    assert stat.S_IMODE((here / "journal").stat().st_mode) == 0o600


def test_a_journal_of_another_instance_is_refused(number: RunningEmulator, here: Path) -> None:
    journal(here / "journal", {}, instance_id="instance-2")
    with pytest.raises(ZApiConfigurationError, match="another instance"):
        run(number, "--restore", "journal")
    assert number.emulator.requests == []


def test_the_output_names_what_was_not_restored_and_how_to_try_again(number: RunningEmulator, here: Path) -> None:
    number.emulator.instance("instance-1").patch({"switches": {"probed": {"remove": "refused"}}})
    data, text, code = run(number, *WRITES)
    assert (data["put_back"], code) == (False, 3)
    assert "probe zapi_default --restore zapi-probe-zapi_default.journal" in text
    assert (here / "zapi-probe-zapi_default.journal").exists()


@pytest.mark.usefixtures("airflow_db")
def test_a_dry_run_prints_every_request_and_sends_none(
    number: RunningEmulator, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["probe", "zapi_default", "--dry-run", *WRITES]) == 0
    printed = capsys.readouterr().out
    assert number.emulator.requests == []
    assert not leaks(printed)
    assert CONTACT not in printed
    lines = printed.splitlines()
    assert [line for line in lines if len(line) > 80] == []
    assert "  GET status (a made-up Client-Token)" in lines
    assert "  POST privacy/messages-duration value=PROBE_UNKNOWN (no Content-Type)" in lines
    assert "visualizationType=CONTACT_BLACKLIST, contactsBlacklist=[remove {other form}]" in one_line(printed)
    assert "POST phone-exists-batch phones=[{contact}]" in printed
    assert printed.endswith("Nothing was sent.\n")
    assert main(["probe", "zapi_default", "--dry-run", "--writes"]) == 0
    assert main(["probe", "zapi_default", "--dry-run", "--current", "last_seen=EVERYBODY"]) == 2


def test_the_emulator_can_start_as_the_account_in_a_report(number: RunningEmulator, here: Path) -> None:
    number.emulator.instance("instance-1").patch({"switches": {"probed": {"wrong_method": "404 empty"}}})
    run(number, "--report", "report.json")
    command = [
        sys.executable,
        "-m",
        "airflow_provider_zapi.emulator",
        "--port",
        "0",
        "--quiet",
        "--as-in",
        "report.json",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[2]
        with urllib.request.urlopen(f"{url}_emulator/instances") as answer:  # noqa: S310 - loopback
            [instance] = json.load(answer)["instances"]
        process.terminate()
    assert instance["switches"]["probed"]["wrong_method"] == "404 empty"
    assert instance["switches"]["phone_exists_answer"] == "list"


def test_the_emulator_refuses_a_file_that_is_not_a_report(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "bad.json").write_text("[]")
    assert [emulator_main(["--as-in", name]) for name in ("bad.json", "none.json")] == [2, 2]
    assert re.search("not a report of the probe.*\n.*none.json cannot be read: No such file", capsys.readouterr().err)
