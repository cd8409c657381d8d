"""The oracles: rules that every run must keep. Each oracle yields its violations as sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from airflow_provider_zapi.exceptions import ZApiConflictError, ZApiInvalidRequestError, ZApiPermanentError
from tests.simulation.driver import Outcome
from tests.simulation.number import BLACKLIST, STRANGER, Record, sees

__all__ = ["ORACLES", "violations"]


def _wanted_people(outcome: Outcome, name: str) -> set[int]:
    """Return the wanted people of a list who are on WhatsApp."""
    people = outcome.world.number.people
    return {number for number in outcome.policy[name][1] if people[number].on_whatsapp}


def _listed(outcome: Outcome) -> list[str]:
    return [name for name, (value, _) in outcome.policy.items() if value == BLACKLIST]


def a_green_run_has_the_lists_of_the_policy(outcome: Outcome) -> Iterator[str]:
    """A verified list was as wanted at the last read, unless another writer changes it while reads lag."""
    if outcome.results is None or (outcome.profile.rival and outcome.profile.lags):
        return
    for name in _listed(outcome):
        _, _, record = outcome.world.last_read[name]
        if set(record.people) != _wanted_people(outcome, name):
            yield f"{name} is called verified and differs"
        if outcome.results[name].verified is not True:
            yield f"{name} succeeded and is not verified"


def a_green_run_has_the_values_of_the_policy(outcome: Outcome) -> Iterator[str]:
    """Every value is in force when the run ends, unless Z-API confirmed a write that it did not apply."""
    if outcome.results is None or outcome.profile.ignored:
        return
    for name, (value, _) in outcome.policy.items():
        if outcome.world.number.records[name].value != value:
            yield f"{name} is {outcome.world.number.records[name].value} where {value} is wanted"


def no_moment_shows_more_than_the_plan_says(outcome: Outcome) -> Iterator[str]:
    """Between two writes, nobody sees more than in the old or the wanted state, except people that the plan named."""
    world = outcome.world
    if outcome.profile.rival:
        return
    final = {name: record.copy() for name, record in outcome.start.items()}
    for name, (value, _) in outcome.policy.items():
        final[name] = Record(value, dict.fromkeys(_wanted_people(outcome, name), ""))
    first: dict[str, str] = {}
    for write in world.writes:
        first.setdefault(write.name, write.outcome)
        if write.outcome != "applied":
            continue
        for name in ("last_seen", "photo", "description", "group_add", "online"):
            # If the first write is refused, the next write sends only the difference (see the assumptions in the docs).
            base = "last_seen" if write.after[name].value == "SAME_LAST_SEEN" else name
            if first.get(base) in ("refused", "invalid"):
                continue
            for who in (STRANGER, *world.number.people):
                if (
                    sees(write.after, name, who)
                    and not sees(outcome.start, name, who)
                    and not sees(final, name, who)
                    and who not in outcome.exposed.get(base, set())
                ):
                    yield f"{name}: person {who} sees more after a write to {write.name}"
                    return


def no_guard_is_passed(outcome: Outcome) -> Iterator[str]:
    """Without permission, a run never removes more than half of a list of ten or more."""
    if outcome.world.mass_removal_allowed or outcome.profile.rival:
        return
    for name in _listed(outcome):
        start = outcome.start[name]
        there = set(start.people or (start.left if outcome.world.number.rules.comes_back else {}))
        left = set(outcome.world.number.records[name].people)
        if outcome.world.number.records[name].value != BLACKLIST:
            continue
        removed = len(there - left)
        if len(there) >= 10 and removed * 2 > len(there):
            yield f"{name}: {removed} of {len(there)} were removed"


def what_is_no_fault_is_not_red(outcome: Outcome) -> Iterator[str]:
    """Every run succeeds in spite of contacts that left WhatsApp, and of reads that lag by up to 25 seconds."""
    profile = outcome.profile
    harmless = profile.name in ("nothing", "lids") or profile.name.startswith(("list reads", "contacts that left"))
    late = profile.only_lags and not profile.name.endswith("90 s")
    if (harmless or late) and outcome.error is not None and not _is_guard(outcome):
        yield f"it is red: {type(outcome.error).__name__}: {str(outcome.error)[:200]}"


def lag_alone_is_no_permanent_error(outcome: Outcome) -> Iterator[str]:
    """Lagging reads lead to a task retry, however long the lag is."""
    if outcome.profile.only_lags and isinstance(outcome.error, ZApiPermanentError) and not _is_guard(outcome):
        yield f"it is permanent: {outcome.error}"


def a_conflict_is_somebody_else(outcome: Outcome) -> Iterator[str]:
    """A run does not report another writer if there is none."""
    if isinstance(outcome.error, ZApiConflictError) and not outcome.world.rival_wrote:
        yield f"there was no other writer: {outcome.error}"


def every_setting_is_tried(outcome: Outcome) -> Iterator[str]:
    """A setting that fails does not keep the others from being written, and each that failed is named."""
    if outcome.error is None or _is_guard(outcome) or outcome.killed:
        return
    text = str(outcome.error)
    tried = {write.name for write in outcome.world.writes}
    if "Not tried:" in text or "Failed:" not in text:
        # The error is about the whole instance, such as 429, or a call of the plan failed.
        if outcome.profile.busy or outcome.profile.batch_fails or outcome.profile.read_fails:
            return
        yield f"not all were tried: {text[:200]}"
        return
    for name in outcome.policy:
        if name not in tried and f"{name}" not in text:
            yield f"{name} was not tried, and the error does not name it"


def results_are_true(outcome: Outcome) -> Iterator[str]:
    """Counts agree with the reads, and times are the times of the reads."""
    if outcome.results is None:
        return
    for name in _listed(outcome):
        result = outcome.results[name]
        if result.added > len(outcome.policy[name][1]) or min(result.added, result.removed, result.kept) < 0:
            yield f"{name}: impossible counts {result}"
        missing = len(outcome.policy[name][1]) - len(_wanted_people(outcome, name))
        if result.not_on_whatsapp != missing:
            yield f"{name}: {result.not_on_whatsapp} counted as not on WhatsApp instead of {missing}"
        read_at = outcome.world.last_read[name][0]
        if result.verified_at is None or abs(result.verified_at.timestamp() - read_at) > 0.001:
            yield f"{name}: verified_at is not the time of the last read"
        start = outcome.start[name]
        if start.value == BLACKLIST and not outcome.profile.lags and not outcome.world.rival_wrote:
            added = len(_wanted_people(outcome, name) - set(start.people))
            removed = len(set(start.people) - _wanted_people(outcome, name))
            if (result.added, result.removed) != (added, removed) and not outcome.profile.ignored:
                yield f"{name}: +{result.added} -{result.removed} instead of +{added} -{removed}"


def each_phone_is_asked_once(outcome: Outcome) -> Iterator[str]:
    """A run asks WhatsApp about each phone only once."""
    often = [phone for phone, count in Counter(outcome.world.asked).items() if count > 1]
    if often:
        yield f"the run asked about {len(often)} phones more than once"


def lists_are_read_after_the_last_write(outcome: Outcome) -> Iterator[str]:
    """In a successful run, every list was read after the run's last write."""
    if outcome.results is None:
        return
    for name in _listed(outcome):
        if outcome.world.last_read[name][0] < outcome.world.last_write:
            yield f"{name} was not read after the last write"


ORACLES: tuple[Callable[[Outcome], Iterator[str]], ...] = (
    a_green_run_has_the_lists_of_the_policy,
    a_green_run_has_the_values_of_the_policy,
    no_moment_shows_more_than_the_plan_says,
    no_guard_is_passed,
    what_is_no_fault_is_not_red,
    lag_alone_is_no_permanent_error,
    a_conflict_is_somebody_else,
    every_setting_is_tried,
    results_are_true,
    each_phone_is_asked_once,
    lists_are_read_after_the_last_write,
)


def violations(outcome: Outcome) -> list[str]:
    """Return all violations of a run, with the seed and profile to repeat it."""
    return [
        f"seed {outcome.seed}, profile {outcome.profile.name!r}: {oracle.__name__}: {said}"
        for oracle in ORACLES
        for said in oracle(outcome)
    ]


def _is_guard(outcome: Outcome) -> bool:
    return isinstance(outcome.error, ZApiInvalidRequestError) and "would remove" in str(outcome.error)
