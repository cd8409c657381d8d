"""An account of 2,000 numbers in eight shards on two workers, one of which dies in the middle."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest

from airflow_provider_zapi.emulator.partner import DEMO_PARTNER_TOKEN
from tests.airflow.real import database_texts, files
from tests.celery.memory import members
from tests.celery.system import ACCOUNT_NUMBERS, System

SHARDS = 8
#: ``max_concurrency`` of a shard, and the calls to a number, as in dags/zapi_shards.py.
AT_ONCE = 4
CALLS = ("POST privacy/last-seen", "POST privacy/messages-duration")
#: The number of calls when the worker is killed: a quarter of all calls.
CALLS_BEFORE = ACCOUNT_NUMBERS * len(CALLS) // 4
#: The values of the two settings. Together they show the shard.
LAST_SEEN, DURATION = ("NONE", "CONTACTS"), ("days90", "days7", "hours24", "disable")


@dataclass(frozen=True)
class Ran:
    """The run: its task instances and their results, the calls to each number, and the numbers afterwards."""

    tasks: list[dict[str, Any]]
    #: The logs of the task instances that did not succeed.
    logs: list[str]
    results: list[dict[str, Any]]
    calls: Counter[str]
    numbers: list[dict[str, Any]]
    #: Map indexes of the tasks that ran on the worker when it was killed.
    killed: frozenset[int]


@pytest.fixture(scope="module")
def ran(system: System) -> Ran:
    airflow, account = system.airflow, system.account
    victim, _ = airflow.workers()
    killed: list[int] = []

    def kill_in_the_middle() -> bool | None:
        if len(account.printed()) < CALLS_BEFORE:
            return None
        on_worker = members(system.parts.pid(victim))
        tasks = airflow.task_instances(run)
        running = [task["map_index"] for task in tasks if task["state"] == "running" and task["pid"] in on_worker]
        if not running:
            return None
        system.parts.kill(victim)
        killed.extend(running)
        return True

    with system.phase("2,000 numbers in 8 shards, a worker killed in the middle"):
        run = airflow.start_run("shards")
        airflow.wait_for("a worker in the middle of its shards", kill_in_the_middle, 120)
        system.wait_for_ends(run, seconds=300)
    tasks = sorted(airflow.task_instances(run), key=lambda task: int(task["map_index"]))
    results = [airflow.returned("shards", task) for task in tasks]
    calls = Counter(number for number, _ in account.printed())
    numbers = [each for page in (1, 2) for each in account.call("GET", f"instances?page={page}")["instances"]]
    extra = sum(calls.values()) - len(CALLS) * len(calls)
    system.facts["of these, retried shards"] = str(sum(task["try_number"] > 1 for task in tasks))
    system.facts["calls repeated after the kill"] = str(extra)
    logs = [airflow.task_log(run, task) for task in tasks if task["state"] != "success"]
    return Ran(tasks, logs, [result or {} for result in results], calls, numbers, frozenset(killed))


def shard_of(number: dict[str, Any]) -> int | None:
    """Return the shard that set a number's values, or None if the number was never changed."""
    seen, duration = (number["settings"][name]["value"] for name in ("last_seen", "messages_duration"))
    return None if seen == "ALL" else LAST_SEEN.index(seen) * len(DURATION) + DURATION.index(duration)


def ready(number: dict[str, Any]) -> bool:
    return bool(number["connected"] and number["smartphone_connected"] and number["subscription"] == "active")


def test_every_number_has_the_values_of_its_shard_although_a_worker_was_killed(ran: Ran) -> None:
    assert not ran.logs, ran.logs[0]
    assert [task["state"] for task in ran.tasks] == ["success"] * SHARDS
    assert len(ran.numbers) == ACCOUNT_NUMBERS
    assert [number["id"] for number in ran.numbers if ready(number) != (shard_of(number) is not None)] == []
    assert sum(result["selected"] for result in ran.results) == ACCOUNT_NUMBERS
    assert {result["instances"] for result in ran.results} == {ACCOUNT_NUMBERS}
    changed = Counter(shard_of(number) for number in ran.numbers if ready(number))
    assert [result["outcomes"]["asserted"] for result in ran.results] == [changed[shard] for shard in range(SHARDS)]


def test_each_number_is_changed_by_one_shard_only(ran: Ran) -> None:
    # A second shard would have changed at least one of the two settings again.
    for number in ran.numbers:
        settings = Counter(change["setting"] for change in number["history"])
        assert set(settings.values()) <= {1}, number["id"]


def test_a_retried_shard_repeats_only_the_calls_that_were_in_progress(ran: Ran) -> None:
    tried_again = {task["map_index"] for task in ran.tasks if task["try_number"] > 1}
    assert tried_again & ran.killed
    repeated = {number for number, count in ran.calls.items() if count > len(CALLS)}
    assert {shard_of(number) for number in ran.numbers if number["id"] in repeated} <= tried_again
    assert len(repeated) <= AT_ONCE * len(tried_again)
    assert max(ran.calls.values()) <= 2 * len(CALLS)
    assert ran.calls.keys() == {number["id"] for number in ran.numbers if ready(number)}


@pytest.mark.usefixtures("ran")
def test_no_file_and_no_column_of_the_database_holds_a_secret_of_the_account(system: System) -> None:
    texts = {**dict(files(system.airflow.home)), **dict(database_texts(system.airflow.database))}
    for emulator in (system.account, system.numbers):
        del texts[emulator.log.name]  # it prints the connection that leads to it
    assert any(name.startswith("logs/dag_id=shards") for name in texts)
    secrets = (DEMO_PARTNER_TOKEN, "demo-client-token", "demo-token-", "hooks.example")
    assert {name: secret for name, text in texts.items() for secret in secrets if secret in text} == {}
