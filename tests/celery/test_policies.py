"""Policies on a distributed Airflow: a hundred numbers, a worker that dies in the middle, two DAGs on one number."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from tests.airflow.real import database_texts, files
from tests.airflow.support import without_airflows_own
from tests.celery.distributed import CONCURRENCY
from tests.celery.memory import members
from tests.celery.system import DAGS, NUMBERS, ONE, System
from tests.support import leaks

#: The four lists: the name for reading each one, by endpoint.
LISTS = {"last-seen": "lastSeen", "photo": "photo", "description": "description", "group-add": "groupAdd"}
READS = {endpoint: f"GET privacy/disallowed-contacts {scope}" for endpoint, scope in LISTS.items()}
#: The lists in the order in which they are written: without NONE, CONTACT_BLACKLIST is the strictest value.
WRITTEN = ("group-add", "last-seen", "photo", "description")


def written(*endpoints: str) -> list[str]:
    """Return the calls that write lists and read them back."""
    return [call for name in endpoints for call in (f"POST privacy/{name} CONTACT_BLACKLIST", READS[name])]


#: Every list that was read before the last write is read once more.
LAST_LOOK = [READS[name] for name in WRITTEN]
#: All calls of a task, by its policy: stricter values are sent first.
CALLS = {
    "office": [
        *READS.values(),
        *written("group-add"),
        "POST privacy/online SAME_LAST_SEEN",
        "POST privacy/read-receipts disable",
        *written("last-seen", "photo", "description"),
        "POST privacy/messages-duration days7",
        *LAST_LOOK,
    ],
    "night": [
        *READS.values(),
        *written(*WRITTEN),
        "POST privacy/online ALL",
        "POST privacy/read-receipts enable",
        "POST privacy/messages-duration disable",
        *LAST_LOOK,
    ],
}
#: This call is made only if a list differs, so not by every try.
OPTIONAL = "phone-exists-batch"
#: The number of runs of each of the two DAGs for one number.
RUNS_EACH = 4
#: The number of finished numbers when the worker is killed.
DONE_BEFORE = 25


def as_asked(policy: str) -> dict[str, Any]:
    """Return a policy file's settings in the emulator's format."""
    given = yaml.safe_load((DAGS / f"{policy}.yaml").read_text())
    return {
        name: {"value": wanted["visible_to"], "excluded": wanted["except"]}
        if isinstance(wanted, dict)
        else {"value": wanted}
        for name, wanted in given.items()
    }


@dataclass(frozen=True)
class Ran:
    """A run for all numbers: its task instances, the calls to each number, and the numbers' state afterwards."""

    tasks: list[dict[str, Any]]
    calls: dict[str, list[str]]
    settings: list[dict[str, Any]]
    #: Map indexes of the tasks that ran on the worker when it was killed.
    killed: frozenset[int] = frozenset()


def run_all(system: System, policy: str, *, kill: bool) -> Ran:
    """Apply a policy to all numbers. Optionally, kill a worker that handles a number when a quarter is done."""
    airflow, before = system.airflow, len(system.numbers.printed())
    victim = airflow.workers()[0]
    run = airflow.start_run(f"all_{policy}")
    killed: list[int] = []

    def kill_in_the_middle() -> bool | None:
        tasks = airflow.task_instances(run)
        on_worker = members(system.parts.pid(victim))
        running = [task["map_index"] for task in tasks if task["state"] == "running" and task["pid"] in on_worker]
        begun = {number for number, _ in system.numbers.printed()[before:]}
        if sum(task["state"] == "success" for task in tasks) < DONE_BEFORE:
            return None
        if not any(NUMBERS[index] in begun for index in running):
            return None
        system.parts.kill(victim)
        killed.extend(running)
        return True

    if kill:
        airflow.wait_for("a worker in the middle of its tasks", kill_in_the_middle, 180)
    system.wait_for_ends(run, seconds=300)
    calls: dict[str, list[str]] = defaultdict(list)
    for number, call in system.numbers.printed()[before:]:
        if OPTIONAL not in call:
            calls[number].append(call)
    return Ran(airflow.task_instances(run), calls, system.numbers.settings(*NUMBERS), frozenset(killed))


def run_both(system: System) -> tuple[list[str], list[str]]:
    """Start both DAGs for one number several times. Return the states of the runs, and the calls to the number."""
    system.numbers.call("DELETE", "requests")
    runs = [system.airflow.start_run(f"one_{policy}") for _ in range(RUNS_EACH) for policy in CALLS]
    states = system.wait_for_ends(*runs, seconds=120)
    return states, [told(request) for request in system.numbers.requests() if OPTIONAL not in request["path"]]


def told(request: dict[str, Any]) -> str:
    """Return a request in the format of `CALLS`: method, endpoint, and the value that it reads or sets."""
    said = {**request["query"], **(request["body"] or {})}
    value = said.get("visualizationType") or said.get("value") or said["type"]
    return f"{request['method']} {request['path'].partition('***/')[2]} {value}"


def tasks_in(calls: list[str]) -> list[str] | None:
    """Return the policies of the tasks that made these calls, or None if the tasks interleave."""
    found, rest = [], calls
    while rest:
        policy = next((policy for policy, whole in CALLS.items() if rest[: len(whole)] == whole), None)
        if policy is None:
            return None
        found.append(policy)
        rest = rest[len(CALLS[policy]) :]
    return found


@dataclass(frozen=True)
class Fight:
    """Return the calls of both DAGs to one number, first in its pool, and then without a pool."""

    states: list[str]
    calls: list[str]
    settings: dict[str, Any]
    calls_without_pool: list[str]


@pytest.fixture(scope="module")
def undisturbed(system: System) -> Ran:
    with system.phase("100 numbers"):
        return run_all(system, "office", kill=False)


@pytest.fixture(scope="module")
def fight(system: System) -> Fight:
    with system.phase(f"two DAGs on one number, {RUNS_EACH} runs each"):
        states, calls = run_both(system)
    [settings] = system.numbers.settings(ONE)
    several = {"pool": ONE, "slots": 2 * RUNS_EACH, "include_deferred": False}
    system.airflow.api("PATCH", f"/pools/{ONE}", several)
    _, calls_without_pool = run_both(system)
    return Fight(states, calls, settings, calls_without_pool)


@pytest.fixture(scope="module")
def with_a_kill(system: System, undisturbed: Ran, fight: Fight) -> Ran:
    """Run this after the others, so that they have two workers from the start."""
    with system.phase("100 numbers, a worker killed in the middle"):
        ran = run_all(system, "night", kill=True)
    system.facts["of these, retried after the kill"] = str(len(again(ran)))
    return ran


def again(ran: Ran) -> set[int]:
    """Return the map indexes of the tasks that needed more than one try."""
    return {task["map_index"] for task in ran.tasks if task["try_number"] > 1}


def test_all_numbers_are_as_their_policies_want(undisturbed: Ran) -> None:
    assert [(task["state"], task["try_number"]) for task in undisturbed.tasks] == [("success", 1)] * len(NUMBERS)
    assert undisturbed.settings == [as_asked("office")] * len(NUMBERS)
    assert undisturbed.calls == dict.fromkeys(NUMBERS, without_values(CALLS["office"]))


def test_all_numbers_are_as_their_policies_want_although_a_worker_was_killed(with_a_kill: Ran) -> None:
    assert [task["state"] for task in with_a_kill.tasks] == ["success"] * len(NUMBERS)
    assert with_a_kill.settings == [as_asked("night")] * len(NUMBERS)


def test_the_tasks_of_the_killed_worker_start_again_from_the_beginning(with_a_kill: Ran) -> None:
    lost_tries = again(with_a_kill)
    # One of them may have started between the last look at the tasks and the kill.
    assert lost_tries & with_a_kill.killed
    assert len(lost_tries) <= CONCURRENCY
    whole = without_values(CALLS["night"])
    lost_calls = {}
    for number, calls in with_a_kill.calls.items():
        lost_calls[number], last = calls[: -len(whole)], calls[-len(whole) :]
        assert last == whole, number
        assert lost_calls[number] == whole[: len(lost_calls[number])], number
    assert lost_calls.keys() == set(NUMBERS)
    lost_numbers = {number for number, calls in lost_calls.items() if calls}
    assert lost_numbers
    assert lost_numbers <= {NUMBERS[index] for index in lost_tries}


def without_values(calls: list[str]) -> list[str]:
    """Return the part of each call that the emulator prints."""
    return [call.rpartition(" ")[0] for call in calls]


def test_two_dags_never_interleave_in_a_pool_of_one_slot(fight: Fight) -> None:
    assert fight.states == ["success"] * 2 * RUNS_EACH
    done = tasks_in(fight.calls)
    assert done is not None, fight.calls
    assert sorted(done) == sorted(list(CALLS) * RUNS_EACH)
    assert fight.settings == as_asked(done[-1])


def test_two_dags_interleave_without_that_pool(fight: Fight) -> None:
    assert fight.calls_without_pool
    assert tasks_in(fight.calls_without_pool) is None


@pytest.mark.usefixtures("with_a_kill")
def test_no_file_and_no_column_of_the_database_holds_a_secret(system: System) -> None:
    texts = {**dict(files(system.airflow.home)), **dict(database_texts(system.airflow.database))}
    # The search covered each part's output, a task's log, and the data that Airflow stores about a task.
    assert {f"{name.replace(' ', '-').lower()}.log" for name in system.parts.ready_after} <= texts.keys()
    assert any(name.startswith("logs/dag_id=all_night") for name in texts)
    assert {
        "task_instance.state",
        "xcom.value",
        "log.extra",
        "rendered_task_instance_fields.rendered_fields",
    } <= texts.keys()
    assert {name: found for name, text in texts.items() if (found := leaks(without_airflows_own(text)))} == {}
