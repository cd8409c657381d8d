"""Run a policy against a simulated number, and record what happens."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse

from airflow_provider_zapi.client import Credentials, Transport, ZApiClient
from airflow_provider_zapi.exceptions import ZApiError
from airflow_provider_zapi.privacy.policy import parse_policy
from airflow_provider_zapi.reconcile import SettingResult, apply_policy, plan_policy
from tests.simulation.number import BLACKLIST, LISTED, SETTINGS, InvalidPhoneError, Number, Person, Record, person
from tests.simulation.profiles import Profile

#: The duration of a call, in virtual seconds.
CALL_SECONDS = 0.15
_BY_PATH = {row[0]: name for name, row in SETTINGS.items()}
_BY_SCOPE = {row[3]: name for name, row in SETTINGS.items() if row[3]}


Answer = tuple[int, Any, dict[str, str]]


class Killed(BaseException):
    """The process was killed."""


@dataclass
class Write:
    """One write that reached the number.

    :param before: the settings before it
    :param after: the settings after it
    :param outcome: applied, refused, ignored or invalid
    """

    name: str
    value: str
    changes: list[tuple[str, str]]
    outcome: str
    before: dict[str, Record]
    after: dict[str, Record]


@dataclass
class World:
    """A number, its clock and its faults."""

    number: Number
    profile: Profile
    rng: random.Random
    now: float = 1000.0
    requests: int = 0
    kill_at: int = 0
    kill_after: bool = False
    writes: list[Write] = field(default_factory=list)
    last_write: float = 0.0
    #: For each setting: the time and result of the last read of its list, and the true list at that time.
    last_read: dict[str, tuple[float, list[str], Record]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    rival_wrote: int = 0
    rival_at: int = 0
    wanted: dict[str, list[int]] = field(default_factory=dict)
    mass_removal_allowed: bool = False

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class SimulatedNetwork(BaseAdapter):
    """A transport that replaces the network. It answers for the world's number."""

    world: World

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        # requests passes the options one by one. None of them matters here.
        status, payload, headers = self._answer(request)
        response = requests.Response()
        response.status_code = status
        response.headers.update(headers)
        response.raw = HTTPResponse(io.BytesIO(json.dumps(payload).encode()), status=status, preload_content=False)
        response.request = request
        response.url = ""
        return response

    def close(self) -> None:
        """Do nothing, because nothing is open."""

    def _answer(self, request: requests.PreparedRequest) -> Answer:
        world = self.world
        world.requests += 1
        world.now += CALL_SECONDS
        killed = world.requests == world.kill_at
        if killed and not world.kill_after:
            raise Killed
        url = urlsplit(str(request.url))
        path = next(
            path for path in (*_BY_PATH, "privacy/disallowed-contacts", "phone-exists-batch") if path in url.path
        )
        answer = self._of(path, parse_qs(url.query), json.loads(request.body or b"{}"))
        if killed:
            raise Killed
        return answer

    def _of(self, path: str, query: Mapping[str, list[str]], body: Any) -> Answer:
        world, profile = self.world, self.world.profile
        if world.rng.random() < profile.busy:
            return 429, {}, {"Retry-After": "2"}
        if path == "phone-exists-batch":
            if world.rng.random() < profile.batch_fails:
                return 503, {}, {}
            world.asked += body["phones"]
            return 200, [world.number.exists(phone) for phone in body["phones"]], {}
        if path == "privacy/disallowed-contacts":
            return self._read(_BY_SCOPE[query["type"][0]])
        name = _BY_PATH[path]
        given = body or {key: values[0] for key, values in query.items()}
        changes = [(change["action"], change["phone"]) for change in given.get("contactsBlacklist", [])]
        return self._write(name, given[SETTINGS[name][1]], changes)

    def _read(self, name: str) -> Answer:
        world = self.world
        if world.rng.random() < world.profile.read_fails:
            return 503, {}, {}
        entries = world.number.read(name, world.now - world.profile.lag(world.rng))
        world.last_read[name] = (world.now, entries, world.number.records[name].copy())
        answer: Answer = (200, {"disallowedContacts": list(entries)}, {})
        met = set(world.number.records[name].people) == set(world.wanted.get(name, []))
        if world.profile.rival == "after read-back" and met and not world.rival_wrote and world.writes:
            self._rival(name)
        return answer

    def _write(self, name: str, value: str, changes: list[tuple[str, str]]) -> Answer:
        world, profile = self.world, self.world.profile
        before = world.number.snapshot()
        if profile.rival == "once" and not world.rival_wrote and world.requests >= world.rival_at:
            self._rival(world.rng.choice(LISTED))
            before = world.number.snapshot()
        outcome = "applied"
        answer: Answer = (200, {"success": True}, {})
        chance = world.rng.random()
        if chance < profile.refused:
            outcome, answer = "refused", (200, {"success": False}, {})
        elif chance < profile.refused + profile.ignored:
            outcome = "ignored"
        else:
            try:
                world.number.write(name, value, changes, world.now)
            except InvalidPhoneError:
                outcome, answer = "invalid", (400, {"error": "Invalid phone"}, {})
            else:
                if world.rng.random() < profile.lost:
                    answer = (504, {}, {})
        world.last_write = world.now
        world.writes.append(Write(name, value, changes, outcome, before, world.number.snapshot()))
        if outcome == "applied" and name in LISTED:
            if profile.rival == "periodic" and len(world.writes) % 2 == 0:
                self._rival(name)
            if profile.rival == "undoes" and changes:
                self._undo(name, before[name])
        return answer

    def _rival(self, name: str) -> None:
        """Change a list as another writer: add a person, or remove a wanted person."""
        world = self.world
        record = world.number.records[name]
        world.rival_wrote += 1
        others = [number for number in world.number.people if number not in record.people]
        if record.value != BLACKLIST:
            return
        if record.people and (world.rng.random() < 0.5 or not others):
            entry = world.rng.choice(list(record.people.values()))
            world.number.write(name, BLACKLIST, [("remove", entry)], world.now)
        elif others:
            phone = world.number.people[world.rng.choice(others)].registered
            world.number.write(name, BLACKLIST, [("add", phone)], world.now)

    def _undo(self, name: str, before: Record) -> None:
        world = self.world
        people = world.number.records[name].people
        changes = [("remove", entry) for number, entry in people.items() if number not in before.people]
        changes += [("add", entry) for number, entry in before.people.items() if number not in people]
        if changes:
            world.rival_wrote += 1
            world.number.write(name, BLACKLIST, changes, world.now)


@dataclass
class Outcome:
    """A finished run, for the oracles.

    :param policy: the wanted value and the wanted people on the list, by setting
    :param exposed: the people who, according to the plan, may see a setting during the run, by setting
    """

    seed: int
    profile: Profile
    world: World
    policy: dict[str, tuple[str, list[int]]]
    start: dict[str, Record]
    began: datetime
    exposed: dict[str, set[int]] = field(default_factory=dict)
    results: dict[str, SettingResult] | None = None
    error: ZApiError | None = None
    killed: bool = False


_CREDENTIALS = Credentials("instance-1", "canary-instance-token_0", None, "http://127.0.0.1:9", "zapi_default")
_NETWORK = SimulatedNetwork()
_clients: list[ZApiClient] = []


class _Clock:
    """The clock of the current world, because one client serves all runs of a process."""

    def __call__(self) -> float:
        return _NETWORK.world.now

    def sleep(self, seconds: float) -> None:
        _NETWORK.world.sleep(seconds)


def client_of(world: World) -> ZApiClient:
    """Connect the client to this world, and return it."""
    _NETWORK.world = world
    if not _clients:
        clock = _Clock()
        transport = Transport(_CREDENTIALS, adapter=_NETWORK, clock=clock, sleep=clock.sleep)
        _clients.append(ZApiClient(_CREDENTIALS, transport=transport))
    return _clients[0]


def _now() -> datetime:
    return datetime.fromtimestamp(_NETWORK.world.now, UTC)


def sizes(rng: random.Random) -> int:
    """Return a random length for a wanted list. Most are short; some need several calls."""
    drawn = rng.random()
    if drawn < 0.01:
        return rng.choice((501, 2000))
    return rng.randint(10, 20) if drawn < 0.5 else rng.randint(1, 6)


def made(seed: int, profile: Profile) -> tuple[World, dict[str, tuple[str, list[int]]], dict[str, Any]]:
    """Create a number and a policy from a seed. Return the world, the wanted people by list, and the policy."""
    rng = random.Random(f"{profile.name} {seed}")
    chosen = rng.sample(list(SETTINGS), rng.randint(1, len(SETTINGS)))
    count = max([sizes(rng) for _ in range(3)]) + 12
    people = [
        person(
            rng,
            number,
            lids=profile.lids,
            on_whatsapp=rng.random() >= profile.gone,
            lid_told=rng.random() >= profile.lids_untold,
        )
        for number in range(count)
    ]
    number = Number(people, profile.rules)
    there = [each.number for each in people if each.on_whatsapp]
    states = {
        name: (rng.choice(row[2]), rng.sample(there, min(len(there), rng.choice((0, 1, 5, 12, 15)))) if row[3] else [])
        for name, row in SETTINGS.items()
    }
    world = World(number, profile, rng)
    number.start(states, world.now)
    wanted: dict[str, tuple[str, list[int]]] = {}
    policy: dict[str, Any] = {}
    for name in chosen:
        value = BLACKLIST if name in LISTED and rng.random() < 0.7 else rng.choice(SETTINGS[name][2])
        if value != BLACKLIST:
            wanted[name], policy[name] = (value, []), value
            continue
        numbers = rng.sample(range(count), min(count, sizes(rng)))
        if rng.random() < 0.6:
            # Most policies change little.
            numbers = list({*states[name][1][rng.randint(0, 3) :], *numbers})
        wanted[name] = value, numbers
        policy[name] = {"visible_to": value, "except": [_written(rng, people[each]) for each in numbers]}
    world.wanted = {name: numbers for name, (value, numbers) in wanted.items() if value == BLACKLIST}
    world.rival_at = rng.randint(1, 12)
    world.mass_removal_allowed = rng.random() < 0.5
    return world, wanted, policy


def _written(rng: random.Random, who: Person) -> str:
    return rng.choice(who.forms)


def run(seed: int, profile: Profile) -> Outcome:
    """Run a policy once."""
    world, wanted, policy = made(seed, profile)
    if profile.kill:
        world.kill_at, world.kill_after = world.rng.randint(1, 14), world.rng.random() < 0.5
    return _run(seed, profile, world, wanted, policy)


def run_again(outcome: Outcome) -> Outcome:
    """Run the policy of a run once more, from the start and without faults."""
    _, wanted, policy = made(outcome.seed, outcome.profile)
    quiet = Profile("nothing", outcome.profile.rules)
    world = World(outcome.world.number, quiet, random.Random(outcome.seed), outcome.world.now + 60)
    world.wanted, world.mass_removal_allowed = outcome.world.wanted, True
    return _run(outcome.seed, quiet, world, wanted, policy)


def run_policy(number: Number, wanted: dict[str, tuple[str, list[int]]], *, mass_removal_allowed: bool) -> Outcome:
    """Run a given policy against a given number, without faults."""
    world = World(number, Profile("nothing", number.rules), random.Random(0), mass_removal_allowed=mass_removal_allowed)
    policy: dict[str, Any] = {
        name: {"visible_to": value, "except": [number.people[each].registered for each in numbers]}
        if numbers
        else value
        for name, (value, numbers) in wanted.items()
    }
    return _run(0, world.profile, world, wanted, policy)


def _run(
    seed: int, profile: Profile, world: World, wanted: dict[str, tuple[str, list[int]]], policy: dict[str, Any]
) -> Outcome:
    client = client_of(world)
    # The waits between attempts are drawn from the module's own generator.
    random.seed(seed)
    outcome = Outcome(seed, profile, world, wanted, world.number.snapshot(), _now())
    try:
        plan = plan_policy(parse_policy(policy), client)
        outcome.exposed = {
            each.wanted.setting.name: {
                who.number for contact in each.exposed if (who := world.number.whose(contact)) is not None
            }
            for each in plan
        }
        outcome.results = apply_policy(
            plan, client, allow_mass_removal=world.mass_removal_allowed, uniform=world.rng.uniform, now=_now
        )
    except ZApiError as error:
        outcome.error = error
    except Killed:
        outcome.killed = True
    return outcome
