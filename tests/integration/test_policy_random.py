"""A task succeeds only if the policy is met, with random policies, lists, faults, conflicts and other writers.

Each run depends only on its seed. To repeat one, use ``-k seed17-``.
"""

from __future__ import annotations

import random
import threading
from typing import Any

import pytest

from airflow_provider_zapi.client import Credentials, Transport, ZApiClient
from airflow_provider_zapi.emulator import RunningEmulator
from airflow_provider_zapi.exceptions import ZApiError
from airflow_provider_zapi.privacy.phones import normalize_contact
from airflow_provider_zapi.privacy.policy import Policy, parse_policy
from airflow_provider_zapi.privacy.settings import SETTINGS
from airflow_provider_zapi.reconcile import apply_policy, plan_policy
from tests.support import CLIENT_TOKEN, TOKEN, Clock

RUNS = 200


def phone(rng: random.Random) -> str:
    country = rng.choice(["brazil", "brazil", "mexico", "argentina", "elsewhere"])
    tail = "".join(rng.choice("0123456789") for _ in range(7))
    return {
        "brazil": f"5544{rng.choice(['9', ''])}{rng.choice('6789')}{tail}",
        "mexico": f"52{rng.choice(['1', ''])}55{rng.choice('23456789')}{tail}",
        "argentina": f"54{rng.choice(['9', ''])}11{rng.choice('23456789')}{tail}",
        "elsewhere": f"4915{rng.choice('0123')}{tail}",
    }[country]


def random_policy(rng: random.Random, pool: list[str]) -> dict[str, Any]:
    policy: dict[str, Any] = {}
    for setting in rng.sample(SETTINGS, rng.randint(1, len(SETTINGS))):
        value = rng.choice(setting.values)
        if value == "CONTACT_BLACKLIST":
            contacts = rng.sample(pool, rng.randint(1, min(20, len(pool))))
            policy[setting.name] = {"visible_to": value, "except": contacts}
        else:
            policy[setting.name] = value
    return policy


def random_switches(rng: random.Random, pool: list[str]) -> dict[str, Any]:
    switches: dict[str, Any] = {
        "list_as": rng.choice(["phone", "lid", "mixed"]),
        "ninth_digit": rng.choice(["as_sent", "with", "without", "mixed"]),
        "list_after_leaving": rng.choice(["kept", "hidden", "empty", "stale"]),
        "empty_list": rng.choice(["accepted", "refused"]),
        "exact_removal": rng.choice([True, True, False]),
        "conflicts": rng.choice([0, 0, 0, 1, 2, 5]),
        "lose_answer": rng.choice([0, 0, 1, 3]),
        "read_lag": rng.choice([0, 0, 0, 1]),
    }
    if rng.random() < 0.3:
        writes = [
            {
                "setting": rng.choice(["last_seen", "photo", "description", "group_add"]),
                "changes": [{"action": rng.choice(["add", "remove"]), "phone": rng.choice(pool)}],
            }
            for _ in range(rng.randint(1, 5))
        ]
        switches["other_writer"] = writes
    if rng.random() < 0.2:
        faults = [
            {"status": 503, "body": {}},
            {"status": 200, "body": {"success": False}},
            {"status": 200, "body": "<html>"},
        ]
        switches["fail_next"] = [rng.choice(faults) for _ in range(rng.randint(1, 6))]
    if rng.random() < 0.1:
        switches["refused_phones"] = [rng.choice(pool)]
    return switches


def client_of(running: RunningEmulator) -> ZApiClient:
    credentials = Credentials("instance-1", TOKEN, CLIENT_TOKEN, running.url, "zapi_default")
    clock = Clock()
    return ZApiClient(credentials, transport=Transport(credentials, clock=clock, sleep=clock.sleep))


def apply(running: RunningEmulator, policy: Policy, seed: int) -> bool:
    """Apply a policy. Return True if it succeeded, and False if it failed with an error of the provider."""
    rng = random.Random(seed)
    with client_of(running) as client:
        try:
            apply_policy(plan_policy(policy, client), client, allow_mass_removal=True, uniform=rng.uniform)
        except ZApiError:
            return False
    return True


def contact_of(entry: str) -> str:
    """Return the contact of an entry on the emulator's list, from the emulator's own data."""
    from airflow_provider_zapi.emulator.contacts import lid

    return lid(entry)


def met(running: RunningEmulator, policy: Policy) -> bool:
    """Return whether the emulator's state meets the policy, compared by contact."""
    settings = running.emulator.instance("instance-1").view()["settings"]
    return all(
        settings[wanted.setting.name]["value"] == wanted.value
        and (
            not wanted.excluded
            or {contact_of(entry) for entry in settings[wanted.setting.name]["excluded"]}
            == {contact_of(contact) for contact in wanted.excluded}
        )
        for wanted in policy.settings
    )


def writes(running: RunningEmulator) -> list[dict[str, Any]]:
    return [
        request
        for request in running.emulator.requests
        if request["method"] == "POST" and not request["path"].endswith("phone-exists-batch")
    ]


def start(running: RunningEmulator, rng: random.Random, pool: list[str]) -> None:
    settings: dict[str, Any] = {}
    for setting in SETTINGS:
        settings[setting.name] = {"value": rng.choice(setting.values)}
        if setting.list_scope:
            settings[setting.name]["excluded"] = sorted(
                {contact_of(entry): entry for entry in rng.sample(pool, rng.randint(0, len(pool)))}.values()
            )
    instance = running.emulator.instance("instance-1")
    instance.patch({"settings": settings, "switches": random_switches(rng, pool)})


@pytest.mark.parametrize("seed", range(RUNS), ids=lambda seed: f"seed{seed}-")
def test_a_run_succeeds_only_if_the_lists_match_the_policy(zapi: RunningEmulator, seed: int) -> None:
    rng = random.Random(seed)
    pool = list({contact_of(number): number for number in (phone(rng) for _ in range(30))}.values())
    start(zapi, rng, pool)
    policy = parse_policy(random_policy(rng, pool))

    if not apply(zapi, policy, seed):
        # Run the task retries. The faults are used up by then, so one of the retries succeeds.
        zapi.emulator.instance("instance-1").patch(
            {"switches": {"refused_phones": [], "fail_next": [], "conflicts": 0}}
        )
        assert any(apply(zapi, policy, seed + attempt) for attempt in range(1, 4))
    assert met(zapi, policy)

    zapi.emulator.instance("instance-1").patch({"switches": {"other_writer": [], "lose_answer": 0, "read_lag": 0}})
    zapi.emulator.clear_requests()
    assert apply(zapi, policy, seed)
    sent = writes(zapi)
    assert len(sent) == len(policy.settings)
    assert not any("remove" in str(request["body"]) for request in sent)


@pytest.mark.parametrize("seed", range(20), ids=lambda seed: f"seed{seed}-")
def test_two_policies_at_the_same_time_never_both_report_a_false_success(zapi: RunningEmulator, seed: int) -> None:
    rng = random.Random(1000 + seed)
    pool = list({contact_of(number): number for number in (phone(rng) for _ in range(12))}.values())
    policies = [
        parse_policy({"last_seen": {"visible_to": "CONTACT_BLACKLIST", "except": rng.sample(pool, rng.randint(1, 12))}})
        for _ in range(2)
    ]
    succeeded = [False, False]

    def run(number: int) -> None:
        succeeded[number] = apply(zapi, policies[number], seed * 2 + number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if all(succeeded):
        assert any(met(zapi, policy) for policy in policies)


def test_a_plan_sends_no_write(zapi: RunningEmulator) -> None:
    rng = random.Random(7)
    pool = [phone(rng) for _ in range(30)]
    for seed in range(20):
        start(zapi, random.Random(seed), pool)
        zapi.emulator.instance("instance-1").patch({"switches": {"fail_next": [], "refused_phones": []}})
        with client_of(zapi) as client:
            plan_policy(parse_policy(random_policy(rng, pool)), client)
    assert zapi.emulator.requests
    assert writes(zapi) == []


def test_the_emulator_accepts_normalized_contacts(zapi: RunningEmulator) -> None:
    rng = random.Random(3)
    for _ in range(50):
        number = phone(rng)
        assert normalize_contact(number) == number
