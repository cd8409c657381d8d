"""Many numbers over real sockets: the operator, its threads and the command line with an emulated account."""

from __future__ import annotations

import json
import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_zapi.__main__ import main
from airflow_provider_zapi.client import AccountCredentials, ZApiAccountClient
from airflow_provider_zapi.emulator import RunningEmulator, fleet_emulator, running_emulator
from airflow_provider_zapi.exceptions import ZApiAuthenticationError, ZApiError, ZApiInvalidRequestError
from airflow_provider_zapi.operators.fleet import ApplyFleetPolicyOperator, shards
from airflow_provider_zapi.reconcile.account import AccountRun, FleetParameters, parse_fleet
from tests.support import CLIENT_TOKEN, PARTNER_TOKEN, TOKEN, leaks

pytestmark = pytest.mark.usefixtures("nothing_leaks")

NUMBERS = 300
VALUE = {"last_seen": "NONE"}
CONTACT = "5544991111111"
LIST = {"photo": {"visible_to": "CONTACT_BLACKLIST", "except": [CONTACT]}}


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningEmulator]:
    emulator = fleet_emulator(NUMBERS)
    emulator.account.partner_token = PARTNER_TOKEN
    emulator.account.patch({"callback_url": f"https://hooks.example/{TOKEN}?{CLIENT_TOKEN}"})
    for number, instance in enumerate(emulator.instances.values()):
        instance.patch({"client_token": CLIENT_TOKEN, "token": f"{TOKEN}-{number}"})
    with running_emulator(emulator) as served:
        extra = {"partner_token": PARTNER_TOKEN, "client_token": CLIENT_TOKEN}
        connection = {"conn_type": "zapi", "host": served.url, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_ZAPI_ACCOUNT", json.dumps(connection))
        yield served


class Pushed:
    """A task instance that stores its XComs in memory."""

    def __init__(self) -> None:
        self.xcoms: dict[str, Any] = {}
        self.context: Any = {"ti": self}

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcoms[key] = value


class ThreadClock:
    """The real time, but sleeping only moves the clock of the thread that sleeps."""

    def __init__(self) -> None:
        self._jumped = threading.local()

    def __call__(self) -> float:
        return time.monotonic() + getattr(self._jumped, "by", 0.0)

    def sleep(self, seconds: float) -> None:
        self._jumped.by = getattr(self._jumped, "by", 0.0) + seconds


def operator(**parameters: Any) -> ApplyFleetPolicyOperator:
    return ApplyFleetPolicyOperator(
        task_id="fleet", zapi_conn_id="zapi_account", **{"policy": VALUE, "max_concurrency": 16, **parameters}
    )


def set_to(running: RunningEmulator, value: str = "NONE") -> set[str]:
    return {each.id for each in running.emulator.instances.values() if each.records["last_seen"].value == value}


def ready(running: RunningEmulator) -> set[str]:
    return {
        each.id
        for each in running.emulator.instances.values()
        if each.connected and each.smartphone_connected and each.subscription == "active"
    }


def calls(running: RunningEmulator) -> int:
    """Return the number of calls to instances, without the calls to the account."""
    return sum(request["path"].endswith("/privacy/last-seen") for request in running.emulator.requests)


def test_the_policy_is_applied_to_all_numbers_that_are_ready(running: RunningEmulator) -> None:
    result = operator().execute({})
    assert result["outcomes"] == {"asserted": 270, "not_connected": 24, "lapsed": 6}
    assert (result["instances"], result["selected"], result["unmatched"]) == (300, 300, 0)
    assert set_to(running) == ready(running)
    histories = [len(each.history) for each in running.emulator.instances.values() if each.id in ready(running)]
    assert set(histories) == {1}


def test_a_list_is_verified_then_unchanged_and_a_plan_sends_nothing(running: RunningEmulator) -> None:
    some = {"policy": LIST, "select": "Store 00*"}
    stores = {each.id for each in running.emulator.instances.values() if each.name.startswith("Store 00")}
    count = len(stores & ready(running))
    assert operator(**some, mode="plan").execute({})["outcomes"]["drifted"] == count
    assert not any(each.history for each in running.emulator.instances.values())
    assert operator(**some).execute({})["outcomes"]["proven"] == count
    assert operator(**some).execute({})["outcomes"]["unchanged"] == count


def test_each_pattern_has_its_own_policy(running: RunningEmulator) -> None:
    result = operator(policy={"Store *": VALUE, "store-*": {"last_seen": "CONTACTS"}}).execute({})
    stores = {each.id for each in running.emulator.instances.values() if each.name.startswith("Store ")}
    assert set_to(running) == stores & ready(running)
    assert result["unmatched"] == 300 - result["selected"] > 0


def test_shards_change_each_number_once(running: RunningEmulator) -> None:
    results = [operator(shard=shard).execute({}) for shard in shards(4)]
    assert sum(result["selected"] for result in results) == 300
    assert {result["instances"] for result in results} == {300}
    assert set_to(running) == ready(running)
    assert max(len(each.history) for each in running.emulator.instances.values()) == 1


@pytest.mark.parametrize("canary", [0, 1])
def test_a_wrong_client_token_costs_one_call_of_one_number(
    running: RunningEmulator, monkeypatch: pytest.MonkeyPatch, canary: int
) -> None:
    extra = {"partner_token": PARTNER_TOKEN, "client_token": "another"}
    connection = {"conn_type": "zapi", "host": running.url, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_ZAPI_ACCOUNT", json.dumps(connection))
    task = Pushed()
    with pytest.raises(ZApiAuthenticationError, match="refused the Client-Token"):
        operator(canary=canary).execute(task.context)
    assert calls(running) == 1
    assert task.xcoms["return_value"]["outcomes"]["not_tried"] == 269


def test_nothing_is_sent_if_the_policy_or_the_selection_has_a_mistake(running: RunningEmulator) -> None:
    for mistake in (
        {"policy": {"last_seen": "NOBODY"}},
        {"select": "None"},
        {"select": "nobody"},
        {"select": "nobody*"},
        {"shard": "(9, 8)"},
        {"mode": "try"},
        {"canary": -1},
        {"max_concurrency": 33},
        {"max_shrink": 2},
        {"fail_on": ["asserted"]},
    ):
        with pytest.raises(ZApiInvalidRequestError, match="Nothing was sent"):
            operator(**mistake).execute({})
    assert calls(running) == 0


#: The behaviours of a number, each with its outcome.
FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "refused phone": ({"status": 400, "body": {"error": "Invalid phone"}}, "refused"),
    "refused": ({"status": 200, "body": {"error": "something else"}}, "refused"),
    "unknown": ({"status": 404, "body": {"error": "Instance not found"}}, "refused"),
    "lapsed": ({"status": 400, "body": {"error": "you must subscribe to this instance again"}}, "lapsed"),
    "not connected": ({"status": 400, "body": {"error": "You are not connected."}}, "not_connected"),
    "broken": ({"status": 503, "body": ""}, "unreachable"),
    "a portal": ({"status": 200, "body": "<html>"}, "unreachable"),
    "lost": ({}, "unreachable"),  # The change is made, but the answer is a 504.
}
ATTEMPTS = 4


@pytest.mark.parametrize("seed", range(3))
def test_with_faults_in_5_percent_of_the_numbers_the_outcomes_are_exact(running: RunningEmulator, seed: int) -> None:
    chance = random.Random(seed)
    expected = Counter({"asserted": 270, "not_connected": 24, "lapsed": 6})
    for name in chance.sample(sorted(ready(running)), 15):
        answer, outcome = chance.choice(list(FAULTS.values()))
        # Half of them fail in every attempt. The other half fail once, and only an HTTP retry helps them.
        times = chance.choice([1, ATTEMPTS])
        switches = {"fail_next": [answer] * times} if answer else {"lose_answer": times}
        running.emulator.instance(name).patch({"switches": switches})
        if times == ATTEMPTS or answer.get("status") in (400, 404):
            expected.update({"asserted": -1, outcome: 1})
    result = account_run(running, parse_fleet(VALUE, canary=0, max_concurrency=16), clock=ThreadClock()).result
    assert result["outcomes"] == {name: count for name, count in expected.items() if count}


def account_run(running: RunningEmulator, parameters: FleetParameters, clock: ThreadClock | None = None) -> Any:
    options: dict[str, Any] = {"clock": clock, "sleep": clock.sleep} if clock else {}
    credentials = AccountCredentials(PARTNER_TOKEN, CLIENT_TOKEN, running.url, "zapi_account")
    with ZApiAccountClient(credentials, **options) as account:
        return AccountRun(account, parameters).run("zapi_account")


def test_the_task_fails_after_all_numbers_were_tried(
    running: RunningEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    refused = sorted(ready(running))[7]
    answer = FAULTS["unknown"][0]
    running.emulator.instance(refused).patch({"switches": {"fail_next": [answer]}})
    task = Pushed()
    with caplog.at_level(logging.INFO), pytest.raises(AirflowFailException, match=r"asserted: 269, .*refused: 1"):
        operator().execute(task.context)
    assert calls(running) == 270
    name = running.emulator.instance(refused).name
    assert task.xcoms["return_value"]["failed"]["refused"] == [name]
    assert f"{name} is refused: Z-API does not have an instance" in caplog.text
    assert not leaks(caplog.text, json.dumps(task.xcoms))


def test_a_cancelled_run_sends_only_what_its_threads_have_already_started(running: RunningEmulator) -> None:
    at_most = 8
    seen: list[int] = []
    credentials = AccountCredentials(PARTNER_TOKEN, CLIENT_TOKEN, running.url, "zapi_account")
    with ZApiAccountClient(credentials) as account:
        run = AccountRun(account, parse_fleet(VALUE, max_concurrency=at_most))

        def cancel(handled: int, failed: int, total: int) -> None:
            if handled >= 100 and not seen:
                run.cancel()
                seen.append(calls(running))

        report = run.run("zapi_account", progress=cancel)
    assert calls(running) <= seen[0] + at_most
    assert report.result["outcomes"]["not_tried"] > 100
    assert isinstance(report.error, ZApiError)


def test_a_killed_task_sends_nothing_more_in_any_thread(running: RunningEmulator) -> None:
    task, pushed, seen = operator(max_concurrency=8), Pushed(), list[int]()

    def kill() -> None:
        while calls(running) < 50:
            threading.Event().wait(0.005)
        task.on_kill()
        seen.append(calls(running))

    # Airflow 2 runs a task in the main thread only.
    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(ZApiError, match="not_tried"):
        task.execute(pushed.context)
    killer.join()
    assert calls(running) <= seen[0] + 8
    assert pushed.xcoms["return_value"]["outcomes"]["not_tried"] > 100


def test_a_task_that_was_killed_before_it_started_sends_nothing(running: RunningEmulator) -> None:
    task = operator()
    task.on_kill()
    with pytest.raises(ZApiError, match="cancelled"):
        task.execute(Pushed().context)
    assert not running.emulator.requests


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "policy.yaml").write_text("last_seen: NONE\n")
    (tmp_path / "list.yaml").write_text(json.dumps(LIST))
    (tmp_path / "bad.yaml").write_text("lastseen: ALL\n")
    monkeypatch.chdir(tmp_path)


#: Command, exit code, a part of the output.
COMMANDS: list[tuple[list[str], int, str]] = [
    (["list"], 0, "Instances: 300. Connected: 276. Not lapsed: 294."),
    (["list", "--select", "store-*", "--exclude", "*8*"], 0, "number-0012  store-0012"),
    (["plan", "policy.yaml"], 0, "asserted           270  -"),
    (["plan", "list.yaml", "--select", "Store *"], 1, "drifted"),
    (["apply", "policy.yaml", "--shard", "0,3", "--canary", "2"], 0, "Instances of the account: 300. Selected: "),
    (["apply", "bad.yaml"], 2, "unknown setting"),
    (["apply", "policy.yaml", "--select", "nobody"], 2, "select names an instance"),
    (["apply", "policy.yaml", "--max-concurrency", "99"], 2, "max_concurrency must be"),
]


@pytest.mark.usefixtures("airflow_db", "files", "running")
@pytest.mark.parametrize(("words", "code", "text"), COMMANDS, ids=[" ".join(row[0]) for row in COMMANDS])
def test_a_fleet_command_prints_its_findings_and_has_the_right_exit_code(
    capfd: pytest.CaptureFixture[str], words: list[str], code: int, text: str
) -> None:
    command, *rest = words
    assert main(["fleet", command, "zapi_account", *rest]) == code
    printed = "".join(capfd.readouterr())
    assert text in printed
    assert not leaks(printed)


@pytest.mark.usefixtures("airflow_db", "files")
def test_the_report_of_a_failed_run_is_on_stdout_and_its_error_on_stderr(
    running: RunningEmulator, capfd: pytest.CaptureFixture[str]
) -> None:
    running.emulator.instance("number-0001").patch({"switches": {"fail_next": [FAULTS["unknown"][0]]}})
    assert main(["fleet", "apply", "zapi_account", "policy.yaml", "-o", "yaml"]) == 3
    printed = capfd.readouterr()
    assert yaml.safe_load(printed.out)["outcomes"]["not_tried"] == 269
    assert "The canary 'Store 0001 São Paulo' failed" in printed.err


def approve(running: RunningEmulator, **parameters: Any) -> str:
    """Plan a list for all numbers that can be read, and return the digest."""
    planned = operator(policy=LIST, mode="plan", **parameters).execute(Pushed().context)
    assert planned["outcomes"]["drifted"] == 270
    digest: str = planned["digest"]
    assert len(json.dumps(planned)) < 48 * 1024
    assert CONTACT not in json.dumps(planned)
    return digest


def with_list(running: RunningEmulator) -> set[str]:
    return {each.id for each in running.emulator.instances.values() if each.records["photo"].contacts}


def test_the_approved_plan_is_applied_to_every_number(running: RunningEmulator) -> None:
    digest = approve(running)
    result = operator(policy=LIST, expected_plan=digest).execute(Pushed().context)
    assert result["outcomes"]["proven"] == 270
    assert len(with_list(running)) == 270


def test_only_a_number_that_changed_after_the_approval_is_refused(running: RunningEmulator) -> None:
    digest = approve(running)
    changed = running.emulator.instance("number-0005")
    changed.patch({"settings": {"photo": {"value": "CONTACT_BLACKLIST", "excluded": ["5544992222222"]}}})
    pushed = Pushed()
    with pytest.raises(ZApiError, match="approved"):
        operator(policy=LIST, expected_plan=digest).execute(pushed.context)
    outcomes = pushed.xcoms["return_value"]["outcomes"]
    assert (outcomes["proven"], outcomes["refused"]) == (269, 1)
    assert changed.records["photo"].excluded() == ["5544992222222"]


def test_a_number_that_nobody_approved_is_refused(running: RunningEmulator) -> None:
    planned = operator(policy=LIST, mode="plan", exclude=["number-0007"]).execute(Pushed().context)
    digest = planned["digest"]
    pushed = Pushed()
    with pytest.raises(ZApiError, match="no plan was approved"):
        operator(policy=LIST, expected_plan=digest).execute(pushed.context)
    assert "number-0007" not in with_list(running)
    assert pushed.xcoms["return_value"]["outcomes"]["refused"] == 1


@pytest.mark.parametrize("given", [None, "", "None", "plan1-add1-remove0-00", "fleet1-123", 5])
def test_an_invalid_digest_sends_nothing(running: RunningEmulator, given: Any) -> None:
    with pytest.raises(ZApiInvalidRequestError, match="expected_plan"):
        operator(policy=LIST, expected_plan=given).execute(Pushed().context)
    assert not running.emulator.requests
