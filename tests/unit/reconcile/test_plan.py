"""The order of a plan's calls, who can see a setting between them, and what the plan says about that."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from airflow_provider_zapi.privacy.difference import ListChange, ResolvedContact, compare
from airflow_provider_zapi.privacy.policy import SettingPolicy
from airflow_provider_zapi.privacy.settings import LAST_SEEN, MESSAGES_DURATION, SETTINGS
from airflow_provider_zapi.reconcile.plan import FIRST_CALL, Contacts, PolicyPlan, SettingPlan


def contacts(count: int, first: int = 0) -> tuple[str, ...]:
    return tuple(str(4915100000000 + number) for number in range(first, first + count))


def nothing(phones: Iterable[str]) -> dict[str, ResolvedContact]:
    return {phone: ResolvedContact(True, phone, None) for phone in phones}


def plan_of(wanted: tuple[str, ...], present: tuple[str, ...]) -> SettingPlan:
    return SettingPlan(SettingPolicy(LAST_SEEN, "CONTACT_BLACKLIST", wanted), compare(wanted, present, nothing))


@pytest.mark.parametrize("size", [1, 499, FIRST_CALL])
@pytest.mark.parametrize("present", [0, 1, FIRST_CALL])
def test_a_list_that_fits_into_one_call_is_always_sent_completely(size: int, present: int) -> None:
    plan = plan_of(contacts(size), contacts(present))
    assert plan.change is not None
    sent = plan.first_changes(plan.change)
    assert {change.phone for change in sent[:FIRST_CALL] if change.action == "add"} == set(contacts(size))
    assert {change.phone for change in sent if change.action == "remove"} == set(contacts(present)) - set(
        contacts(size)
    )
    assert plan.exposed == ()


@pytest.mark.parametrize(
    ("size", "present", "exposed"),
    [(501, 0, 1), (501, 501, 501), (2000, 0, 1500), (2000, 1900, 1900), (2000, 1000, 1500)],
)
def test_for_a_longer_list_the_plan_says_how_many_contacts_may_see_the_setting(
    size: int, present: int, exposed: int
) -> None:
    plan = plan_of(contacts(size), contacts(present))
    assert plan.change is not None
    assert plan.first_changes(plan.change) == plan.change.changes
    first_call = {change.phone for change in plan.change.changes[:FIRST_CALL]}
    assert set(plan.exposed) == set(contacts(size)) - first_call
    assert len(plan.exposed) == exposed
    [note] = PolicyPlan((plan,), Contacts(nothing)).notes()
    assert f"up to {exposed} of {size} excluded contacts can see it until" in note


def test_a_contact_that_left_whatsapp_is_not_sent() -> None:
    wanted = SettingPolicy(LAST_SEEN, "CONTACT_BLACKLIST", contacts(2))
    plan = SettingPlan(wanted, ListChange(add=contacts(1), not_on_whatsapp=contacts(1, first=1)))
    assert plan.change is not None
    assert [change.phone for change in plan.first_changes(plan.change)] == list(contacts(1))


def test_whatsapp_is_asked_about_each_phone_once() -> None:
    asked: list[str] = []

    def ask(phones: Iterable[str]) -> dict[str, ResolvedContact]:
        new = list(phones)
        asked.extend(new)
        return {phone: ResolvedContact(phone.endswith("1"), None, None) for phone in new[:1]}

    known = Contacts(ask)
    first = known.resolve(contacts(3))
    assert known.resolve(contacts(4)) == first | known.resolve(contacts(4)[3:])
    assert sorted(asked) == list(contacts(4))
    assert known.known_missing(contacts(4)) == {contacts(4)[0], contacts(4)[3]} - {
        phone for phone in contacts(4) if phone.endswith("1")
    }


def test_each_settings_values_are_ordered_from_strictest_to_most_open() -> None:
    openness = {setting.name: [setting.openness(value) for value in setting.values] for setting in SETTINGS}
    for values in openness.values():
        assert values == sorted(values)
        assert (values[0], values[-1]) == (0.0, 1.0)
    # With "disable", messages never disappear, so this value reveals the most.
    assert MESSAGES_DURATION.values[-1] == "disable"
