"""Simulate a plan, its approval, changes by another writer in between, and the run that applies the approved plan."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_zapi.exceptions import ZApiPlanChangedError
from airflow_provider_zapi.privacy.policy import parse_policy
from airflow_provider_zapi.reconcile import apply_policy, parse_digest, plan_digest, plan_policy, require_plan
from tests.simulation.driver import World, client_of, made
from tests.simulation.number import BLACKLIST, LISTED, SETTINGS, Record, Rules
from tests.simulation.profiles import Profile

PROFILES = (
    Profile("approval"),
    Profile("approval, lids", lids=True),
    Profile("approval, contacts that left", lids=True, gone=0.2),
    Profile("approval, list reads empty", Rules("nothing", comes_back=True), lids=True),
    Profile("approval, list does not come back", Rules("as it was", comes_back=False)),
)
#: Virtual seconds until somebody approves.
ANSWER_SECONDS = 3600.0

#: For each setting with a list: who would be added, who would be removed, and who cannot be added.
Changes = dict[str, tuple[frozenset[int], frozenset[int], frozenset[int]]]


@dataclass
class Approval:
    """The result of one approval.

    :param moves: descriptions of the other writer's changes
    :param matters: whether the plan has changed since, according to the number's state
    :param refused: whether the run refused to apply the plan
    :param writes: the writes that reached the number
    :param wrong: descriptions of changes that were applied but not approved
    """

    seed: int
    profile: str
    moves: list[str] = field(default_factory=list)
    matters: bool = False
    refused: bool = False
    writes: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """Return whether the result breaks the promise."""
        return self.refused is not self.matters or self.refused is not (self.writes == 0) or bool(self.wrong)


def approve(seed: int) -> Approval:
    """Run one approval."""
    profile = PROFILES[seed % len(PROFILES)]
    world, wanted, policy = made(seed, profile)
    found = Approval(seed, profile.name)
    client = client_of(world)
    digest = str(plan_digest(plan_policy(parse_policy(policy), client), client))
    approved = changes(world, wanted)

    world.now += ANSWER_SECONDS
    rival = Rival(world, list(policy))
    rival.act(found.moves)
    if world.rng.random() < 0.1:
        name = world.rng.choice(list(policy))
        policy[name] = wanted_value = another(world.rng, name, policy[name])
        wanted[name] = wanted_value, []
        found.moves.append(f"the policy wants {wanted_value} of {name}")
        found.matters = True
    found.matters |= changes(world, wanted) != approved

    before = world.number.snapshot()
    plan = plan_policy(parse_policy(policy), client)
    try:
        require_plan(plan, client, parse_digest(digest, "expected_plan"))
    except ZApiPlanChangedError:
        found.refused = True
    else:
        apply_policy(plan, client, allow_mass_removal=True, uniform=world.rng.uniform)
        found.wrong = list(not_approved(before, world.number.snapshot(), wanted, approved))
    found.writes = len(world.writes)
    return found


def another(rng: random.Random, name: str, now: Any) -> str:
    """Return a value of a setting that the policy does not want."""
    return rng.choice([value for value in SETTINGS[name][2] if value not in (BLACKLIST, now)])


def changes(world: World, wanted: dict[str, tuple[str, list[int]]]) -> Changes:
    """Return the changes of the policy according to the number's state: its lists, and who is on WhatsApp."""
    number = world.number
    found: Changes = {}
    for name, (value, numbers) in wanted.items():
        if value == BLACKLIST:
            shown = {who.number for entry in number.read(name, world.now) if (who := number.whose(entry)) is not None}
            missing = set(numbers) - shown
            gone = {each for each in missing if not number.people[each].on_whatsapp}
            found[name] = frozenset(missing - gone), frozenset(shown - set(numbers)), frozenset(gone)
    return found


def not_approved(
    before: dict[str, Record], after: dict[str, Record], wanted: dict[str, tuple[str, list[int]]], approved: Changes
) -> list[str]:
    """Return the changes to the number that were not approved."""
    found = [f"{name} was changed" for name in before if name not in wanted and before[name] != after[name]]
    for name, (value, _) in wanted.items():
        if after[name].value != value:
            found.append(f"{name} is {after[name].value}")
        # If another value hid a list, it is not known in advance what comes back.
        if value == BLACKLIST == before[name].value:
            added, removed, _ = approved[name]
            old, new = set(before[name].people), set(after[name].people)
            if new - old != added or old - new != removed:
                found.append(f"{name} lost {len(old - new)} and got {len(new - old)}")
    return found


class Rival:
    """A person who changes settings on the phone.

    :param policy: the names of the settings in the policy
    """

    def __init__(self, world: World, policy: list[str]) -> None:
        self._number, self._rng, self._world = world.number, world.rng, world
        self._others = [name for name in LISTED if name not in policy]
        self._policy = [name for name in LISTED if name in policy]

    def act(self, moves: list[str]) -> None:
        """Change one to three settings, and sometimes restore all of them."""
        before = self._number.snapshot()
        for _ in range(self._rng.randint(1, 3)):
            self._world.now += 1
            self._move(moves)
        if self._rng.random() < 0.25:
            for name, record in before.items():
                self._restore(name, record)
            moves.append("restored")

    def _move(self, moves: list[str]) -> None:
        kind = self._rng.random()
        if kind < 0.15:
            name = self._rng.choice([each for each in SETTINGS if each not in LISTED])
            self._write(name, self._rng.choice(SETTINGS[name][2]), [], moves)
        elif kind < 0.3:
            name = self._rng.choice(LISTED)
            self._write(name, self._rng.choice(SETTINGS[name][2]), [], moves)
        else:
            names = self._others if self._others and kind < 0.45 else self._policy or self._others
            name = self._rng.choice(names)
            people, on_list = self._number.people, self._number.records[name].people
            others = [each for each in people if each not in on_list and people[each].on_whatsapp]
            if on_list and (self._rng.random() < 0.5 or not others):
                self._write(name, BLACKLIST, [("remove", self._rng.choice(list(on_list.values())))], moves)
            elif others:
                self._write(name, BLACKLIST, [("add", people[self._rng.choice(others)].registered)], moves)

    def _write(self, name: str, value: str, writes: list[tuple[str, str]], moves: list[str]) -> None:
        self._number.write(name, value, writes, self._world.now)
        moves.append(f"{name} {value} {' '.join(action for action, _ in writes)}".strip())

    def _restore(self, name: str, record: Record) -> None:
        """Restore a setting, as far as that is possible."""
        self._world.now += 1
        lists = record.people if record.value == BLACKLIST else record.left
        if name in LISTED:
            self._number.write(name, BLACKLIST, [], self._world.now)
            on_list = self._number.records[name].people
            writes = [("remove", entry) for number, entry in on_list.items() if number not in lists]
            writes += [("add", entry) for number, entry in lists.items() if number not in on_list]
            self._number.write(name, BLACKLIST, writes, self._world.now)
        self._number.write(name, record.value, [], self._world.now)
