"""500 fixed runs keep the oracles' rules, and the simulated number keeps the contract's rules."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from airflow_provider_zapi.privacy.settings import SETTINGS as OURS
from tests.simulation.driver import made, run, run_again, run_policy
from tests.simulation.number import BLACKLIST, SETTINGS, STRANGER, InvalidPhoneError, Number, Person, Rules, sees
from tests.simulation.oracles import violations
from tests.simulation.profiles import PROFILES, Profile

RUNS = 500
EACH = -(-RUNS // len(PROFILES))


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_every_oracle_holds_in_every_run(profile: Profile) -> None:
    for seed in range(EACH):
        outcome = run(seed, profile)
        assert violations(outcome) == []
        if outcome.killed:
            again = run_again(outcome)
            assert (again.error, violations(again)) == (None, [])


def test_profiles_cause_the_faults_in_their_names() -> None:
    """Each profile that can fail a run does fail some, so that the oracles have something to check."""
    assert len({profile.name for profile in PROFILES}) == len(PROFILES) >= 25
    assert any(run(seed, PROFILES[-3]).killed for seed in range(20))
    rivals = [profile for profile in PROFILES if profile.rival]
    assert all(any(run(seed, profile).world.rival_wrote for seed in range(20)) for profile in rivals)


ANA = Person(0, ("5544991111111", "554491111111"), "554491111111", "900@lid", "554491111111")
BEN = Person(1, ("4915100000001",), "4915100000001", "901@lid", "901@lid")
GONE = Person(2, ("4915100000002",), "4915100000002", "902@lid", "4915100000002", on_whatsapp=False)


def number(**rules: Any) -> Number:
    made_up = Number([ANA, BEN, GONE], Rules(**rules))
    made_up.start({name: (row[2][0], []) for name, row in SETTINGS.items()}, 0.0)
    return made_up


def test_a_list_names_people_as_whatsapp_registered_them() -> None:
    one = number()
    one.write("photo", BLACKLIST, [("add", ANA.forms[0]), ("add", BEN.forms[0]), ("add", GONE.forms[0])], 1.0)
    assert one.read("photo", 1.0) == ["554491111111", "901@lid"]


def test_a_removal_matches_only_the_exact_string_that_was_read() -> None:
    one = number()
    one.write("photo", BLACKLIST, [("add", ANA.forms[0])], 1.0)
    one.write("photo", BLACKLIST, [("remove", ANA.forms[0])], 2.0)
    assert one.read("photo", 2.0) == ["554491111111"]
    one.write("photo", BLACKLIST, [("remove", "554491111111")], 3.0)
    assert one.read("photo", 3.0) == []


@pytest.mark.parametrize(
    ("away_reads", "comes_back", "away", "back"),
    [
        ("as it was", True, ["554491111111"], ["554491111111"]),
        ("as it was", False, ["554491111111"], []),
        ("nothing", True, [], ["554491111111"]),
        ("nothing", False, [], []),
    ],
)
def test_a_list_may_still_be_readable_under_another_value_and_may_not_be_restored(
    away_reads: str, comes_back: bool, away: list[str], back: list[str]
) -> None:
    one = number(away_reads=away_reads, comes_back=comes_back)
    one.write("photo", BLACKLIST, [("add", ANA.forms[0])], 1.0)
    one.write("photo", "NONE", [], 2.0)
    assert one.read("photo", 2.0) == away
    one.write("photo", BLACKLIST, [], 3.0)
    assert one.read("photo", 3.0) == back


def test_a_read_that_lags_shows_the_old_list() -> None:
    one = number()
    one.write("photo", BLACKLIST, [("add", ANA.forms[0])], 10.0)
    assert (one.read("photo", 9.9), one.read("photo", 10.0)) == ([], ["554491111111"])


def test_a_call_with_a_phone_that_is_refused_changes_nothing() -> None:
    one = number(missing_refused=True)
    with pytest.raises(InvalidPhoneError):
        one.write("photo", BLACKLIST, [("add", ANA.forms[0]), ("add", GONE.forms[0])], 1.0)
    assert one.records["photo"].value == "ALL"


def test_the_number_has_the_settings_of_the_contract_and_so_has_the_package() -> None:
    assert {each.name: (each.endpoint, each.parameter, set(each.values), each.list_scope) for each in OURS} == {
        name: (path, parameter, set(values), scope) for name, (path, parameter, values, scope) in SETTINGS.items()
    }


SIZES = (0, 1, 501, 2000)
PAIRS = [
    (name, old, new, size)
    for name in ("last_seen", "group_add")
    for old, new in itertools.product(SETTINGS[name][2], SETTINGS[name][2])
    for size in (SIZES if new == BLACKLIST else (1,))
    if not (new == BLACKLIST and size == 0)
]


@pytest.mark.parametrize("before", ["the same list", "another list", "no list"])
@pytest.mark.parametrize(("name", "old", "new", "size"), PAIRS)
def test_the_plan_names_everybody_who_sees_more_at_any_moment(
    name: str, old: str, new: str, size: int, before: str
) -> None:
    people = [
        Person(each, (f"4915{each:08d}",), f"4915{each:08d}", f"{each}@lid", f"4915{each:08d}") for each in range(2500)
    ]
    wanted = list(range(size)) if new == BLACKLIST else []
    there = {"the same list": wanted, "another list": list(range(size, size + 5)), "no list": []}[before]
    for comes_back in (True, False):
        one = Number(people, Rules("as it was", comes_back=comes_back))
        one.start({each: (row[2][0], []) for each, row in SETTINGS.items()} | {name: (old, there)}, 1000.0)
        outcome = run_policy(one, {name: (new, wanted)}, mass_removal_allowed=True)
        assert outcome.error is None
        start, end = outcome.start, one.records
        seen = {
            who
            for write in outcome.world.writes
            for who in (STRANGER, *range(size + 10))
            if sees(write.after, name, who) and not sees(start, name, who) and not sees(end, name, who)
        }
        exposed = outcome.exposed[name]
        assert seen <= exposed
        if size <= 500:
            assert exposed == set()
        if old == "NONE" and new == BLACKLIST and not comes_back:
            # The worst case for the plan: the list is empty.
            assert seen == exposed


def test_two_hundred_kills_at_counted_requests_converge() -> None:
    profile = next(profile for profile in PROFILES if profile.kill)
    kills = 0
    for seed in itertools.count(1000):
        outcome = run(seed, profile)
        if outcome.killed:
            kills += 1
            again = run_again(outcome)
            assert (again.error, violations(again)) == (None, [])
        if kills == 200:
            return


def test_a_seed_repeats_the_same_run() -> None:
    first, second = (run(7, PROFILES[-1]) for _ in range(2))
    assert [(write.name, write.changes) for write in first.world.writes] == [
        (write.name, write.changes) for write in second.world.writes
    ]
    assert made(7, PROFILES[0])[2] != made(8, PROFILES[0])[2]
