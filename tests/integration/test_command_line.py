"""The command line with the emulator, as `python -m airflow_provider_zapi` and as a subcommand of `airflow`."""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from airflow_provider_zapi.__main__ import main
from airflow_provider_zapi.cli.definition import COMMANDS, EXIT_CODES, FLEET, get_zapi_cli_commands, run
from airflow_provider_zapi.emulator import RunningEmulator
from tests.support import leaks

CONTACT = "5544991111111"
POLICY = f'last_seen: {{visible_to: CONTACT_BLACKLIST, except: ["{CONTACT}"]}}\nphoto: CONTACTS\n'

#: Command, state of the instance, exit code, a part of the output.
CALLS: list[tuple[list[str], dict[str, Any], int, str]] = [
    (["check", "zapi_default"], {}, 0, "connected"),
    (["check", "zapi_default"], {"connected": False}, 3, "not connected: You are not connected."),
    (["check", "zapi_default"], {"subscription": "lapsed"}, 3, "the subscription of this instance lapsed"),
    (["check", "nobody"], {}, 3, "There is no such connection"),
    (["show", "zapi_default"], {}, 0, "last_seen           0"),
    (["show", "zapi_default"], {"connected": False}, 3, "not connected"),
    (["plan", "zapi_default", "policy.yaml"], {"connected": False}, 3, "not connected"),
    (["plan", "zapi_default", "policy.yaml"], {}, 1, "Lists that differ: last_seen"),
    (["plan", "zapi_default", "none.yaml"], {}, 2, "No such file"),
    (["plan", "zapi_default", "bad.yaml"], {}, 2, "unknown setting"),
    (["apply", "zapi_default", "policy.yaml"], {}, 0, "read back"),
]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY)
    (tmp_path / "bad.yaml").write_text("lastseen: ALL\n")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("airflow_db", "files")
@pytest.mark.parametrize(
    ("words", "state", "code", "text"), CALLS, ids=[f"{' '.join(row[0])} {row[1]}" for row in CALLS]
)
def test_a_command_prints_its_findings_and_has_the_right_exit_code(
    zapi: RunningEmulator,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    state: dict[str, Any],
    code: int,
    text: str,
) -> None:
    zapi.emulator.instance("instance-1").patch(state)
    assert main(words) == code
    printed = "".join(capsys.readouterr())
    assert text in printed
    assert CONTACT not in printed
    assert not leaks(printed)


@pytest.mark.usefixtures("airflow_db", "files")
def test_contacts_are_shown_on_request_and_json_can_be_parsed(
    zapi: RunningEmulator, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["apply", "zapi_default", "policy.yaml", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["settings"]["last_seen"]["added"] == 1
    assert main(["show", "zapi_default", "--output", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["lists"]["last_seen"] == {"excluded": 1}
    assert main(["show", "zapi_default", "--contacts", "--output", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["lists"]["last_seen"]["contacts"] == [CONTACT]
    assert main(["show", "zapi_default", "--contacts"]) == 0
    table = capsys.readouterr().out
    assert f"last_seen           1  {CONTACT}" in table
    assert max(map(len, table.splitlines())) <= 80


def printed_plan(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    main(["plan", "zapi_default", "policy.yaml", "-o", "json"])
    return dict(json.loads(capsys.readouterr().out))


@pytest.mark.usefixtures("airflow_db", "files", "zapi")
def test_a_plan_has_its_digest_in_every_form(capsys: pytest.CaptureFixture[str]) -> None:
    digest = printed_plan(capsys)["digest"]
    assert re.fullmatch("plan1-add1-remove0-[0-9a-f]{64}", digest)
    found = {}
    for output in ("table", "yaml", "markdown"):
        assert main(["plan", "zapi_default", "policy.yaml", "-o", output]) == 1
        found[output] = capsys.readouterr().out
    assert yaml.safe_load(found["yaml"])["digest"] == digest
    assert found["table"].endswith(f"\nDigest: {digest}\n")
    assert found["markdown"].startswith("| setting | value | add |")
    assert "| last seen | `CONTACT_BLACKLIST` | 1 | 0 | 0 | 0 |" in found["markdown"]
    assert found["markdown"].endswith(f"\nDigest: `{digest}`\n")
    assert CONTACT not in "".join(found.values())


def writes(zapi: RunningEmulator) -> list[str]:
    reads = ("disallowed-contacts", "phone-exists-batch")
    return [request["path"] for request in zapi.emulator.requests if not request["path"].endswith(reads)]


@pytest.mark.usefixtures("airflow_db", "files")
def test_only_the_expected_plan_is_applied(zapi: RunningEmulator, capsys: pytest.CaptureFixture[str]) -> None:
    digest, instance = printed_plan(capsys)["digest"], zapi.emulator.instance("instance-1")
    instance.patch({"settings": {"last_seen": {"excluded": ["5544993333333"]}}})
    assert main(["apply", "zapi_default", "policy.yaml", "--expect", digest]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert (
        "the approved one would add 1 contact and remove 0, and this one would add 1 contact and remove 1"
        in printed.err
    )
    assert "connection 'zapi_default'" in printed.err
    assert writes(zapi) == []
    instance.patch({"settings": {"last_seen": {"excluded": []}}})
    assert main(["apply", "zapi_default", "policy.yaml", "--expect", digest]) == 0
    assert len(writes(zapi)) == 2


@pytest.mark.usefixtures("airflow_db", "files")
@pytest.mark.parametrize("digest", ["", "None", "plan1"])
def test_an_invalid_digest_is_a_usage_error_and_sends_nothing(
    zapi: RunningEmulator, capsys: pytest.CaptureFixture[str], digest: str
) -> None:
    assert main(["apply", "zapi_default", "policy.yaml", "--expect", digest]) == 2
    assert capsys.readouterr().err.startswith("--expect is ")
    assert zapi.emulator.requests == []


def process(*words: str, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "airflow_provider_zapi", *words], stderr=subprocess.PIPE, text=True, **options
    )


@pytest.mark.usefixtures("airflow_db", "zapi")
@pytest.mark.parametrize(("output", "read"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_stdout_has_only_the_report_even_if_airflow_logs_a_lot(
    monkeypatch: pytest.MonkeyPatch, output: str, read: Callable[[str], Any]
) -> None:
    monkeypatch.setenv("AIRFLOW__LOGGING__LOGGING_LEVEL", "DEBUG")
    printed, logged = process("show", "zapi_default", "-o", output, stdout=subprocess.PIPE).communicate()
    assert read(printed)["lists"]["photo"] == {"excluded": 0}
    assert "debug" in logged.lower()
    assert not leaks(printed, logged)


@pytest.mark.usefixtures("airflow_db", "zapi")
def test_a_command_ends_quietly_if_its_reader_has_left() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = process("show", "zapi_default", stdout=writing)
    os.close(writing)
    assert "Error" not in command.communicate()[1]
    assert command.returncode == 141


def test_an_unexpected_exception_does_not_exit_like_drift(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", argparse.Namespace()) == 3
    assert "AttributeError" in capsys.readouterr().err


def test_the_exit_codes_are_those_of_the_docs() -> None:
    page = (Path(__file__).parents[2] / "docs/cli.md").read_text()
    assert dict(re.findall(r"^\| ([0-9]) \| (.*) \|$", page, re.MULTILINE)) == {
        str(code): meaning for code, meaning in EXIT_CODES.items()
    }


def test_wrong_usage_is_exit_code_2() -> None:
    with pytest.raises(SystemExit) as caught:
        main(["shows"])
    assert caught.value.code == 2


def test_airflow_has_the_same_commands() -> None:
    pytest.importorskip("airflow.cli.cli_config", reason="this Airflow has a different command line")
    [group] = get_zapi_cli_commands()
    assert group.name == "zapi"
    *commands, fleet = group.subcommands
    assert [command.name for command in commands] == [command.name for command in COMMANDS]
    assert [command.name for command in fleet.subcommands] == [command.name for command in FLEET.commands]


#: The imports of DAG files and of Airflow's command line.
MODULES = (
    "operators.privacy",
    "operators.policy",
    "operators.instance",
    "sensors.instance",
    "sensors.contacts",
    "notifications.zapi",
    "hooks.zapi",
    "links",
    "exceptions",
    "cli.definition",
    "triggers.instance",
)
#: Modules that every DAG file imports anyway.
AIRFLOW = (
    "import airflow.triggers.base, airflow.providers.common.compat.connection; "
    "from airflow.providers.common.compat.sdk import BaseHook, BaseNotifier, BaseOperator, BaseSensorOperator, Asset"
)


def test_importing_a_module_for_dags_imports_no_http_and_no_yaml() -> None:
    imports = "; ".join(f"import airflow_provider_zapi.{module}" for module in MODULES)
    code = (
        f"import sys; {AIRFLOW}; before = set(sys.modules); {imports}; "
        "new = {name.split('.')[0] for name in set(sys.modules) - before}; "
        "print(sorted(new & {'requests', 'tenacity', 'urllib3', 'yaml'}), "
        "[name for name in sys.modules if name == 'airflow_provider_zapi.client'])"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[] []"
