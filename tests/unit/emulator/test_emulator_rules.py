"""The emulator's switches for WhatsApp's rules and for faults: how each one changes writes, reads and answers."""

from typing import Any

import httpx
import pytest

from airflow_provider_zapi.emulator import Emulator, Instance
from airflow_provider_zapi.emulator.contacts import lid, spellings
from tests.support import given_up_after

BLACKLIST = "CONTACT_BLACKLIST"
ANA, ANA_SHORT = "5544991111111", "554491111111"
BEN = "554132222222"


def add(*phones: str) -> list[dict[str, str]]:
    return [{"action": "add", "phone": phone} for phone in phones]


def remove(*phones: str) -> list[dict[str, str]]:
    return [{"action": "remove", "phone": phone} for phone in phones]


def read(instance: Instance, setting: str = "last_seen") -> list[str]:
    return instance.records[setting].read()


@pytest.fixture
def switch(instance: Instance) -> Any:
    return lambda **switches: instance.patch({"switches": switches})


@pytest.mark.parametrize(
    ("phone", "expected"),
    [
        ("5544991111111", ("554491111111", "5544991111111")),
        ("554491111111", ("554491111111", "5544991111111")),
        ("554432222222", ("554432222222", "554432222222")),  # a landline
        (
            "5544932222222",
            ("5544932222222", "5544932222222"),
        ),  # a 9 before a landline's digits is not a known number
        ("5215512345678", ("525512345678", "5215512345678")),
        ("525512345678", ("525512345678", "5215512345678")),
        ("5491112345678", ("541112345678", "5491112345678")),
        ("14155550100", ("14155550100", "14155550100")),
    ],
)
def test_both_spellings_of_a_phone_are_one_contact(phone: str, expected: tuple[str, str]) -> None:
    assert spellings(phone) == expected
    assert {lid(spelling) for spelling in expected} == {lid(phone)}


def test_different_phones_have_different_lids() -> None:
    phones = [str(554430000000 + number) for number in range(5000)]
    assert len({lid(phone) for phone in phones}) == 5000
    assert lid(lid(BEN)) == lid(BEN)


def test_changes_apply_in_order_and_repeating_them_changes_nothing(instance: Instance) -> None:
    changes = [*add(ANA, BEN), *remove(ANA)]
    instance.write("last_seen", BLACKLIST, changes)
    assert read(instance) == [BEN]
    before = instance.view()
    instance.write("last_seen", BLACKLIST, add(BEN))
    instance.write("last_seen", BLACKLIST, remove(ANA))
    assert instance.view() == before


def test_each_setting_has_its_own_list(instance: Instance) -> None:
    instance.write("last_seen", BLACKLIST, add(ANA))
    instance.write("photo", BLACKLIST, add(BEN))
    assert (read(instance, "last_seen"), read(instance, "photo")) == ([ANA], [BEN])


@pytest.mark.parametrize(
    ("exact", "list_as", "removed_as", "left"),
    [
        (True, "phone", ANA, 0),
        (True, "phone", ANA_SHORT, 1),
        (True, "phone", lid(ANA), 1),
        (True, "lid", ANA, 1),
        (True, "lid", lid(ANA), 0),
        (False, "phone", ANA_SHORT, 0),
        (False, "lid", ANA, 0),
    ],
)
def test_a_removal_needs_the_identifier_that_a_read_returns(
    instance: Instance, switch: Any, exact: bool, list_as: str, removed_as: str, left: int
) -> None:
    switch(exact_removal=exact, list_as=list_as)
    instance.write("last_seen", BLACKLIST, add(ANA))
    assert instance.write("last_seen", BLACKLIST, remove(removed_as)) is True
    assert len(read(instance)) == left


@pytest.mark.parametrize(
    ("ninth_digit", "sent", "read_back"),
    [
        ("as_sent", ANA, ANA),
        ("as_sent", ANA_SHORT, ANA_SHORT),
        ("with", ANA_SHORT, ANA),
        ("without", ANA, ANA_SHORT),
        ("with", BEN, BEN),
        ("with", "525512345678", "5215512345678"),
        ("without", "5491112345678", "541112345678"),
    ],
)
def test_a_list_shows_the_registered_spelling(
    instance: Instance, switch: Any, ninth_digit: str, sent: str, read_back: str
) -> None:
    switch(ninth_digit=ninth_digit)
    instance.write("last_seen", BLACKLIST, add(sent))
    assert read(instance) == [read_back]
    instance.write("last_seen", BLACKLIST, remove(read_back))
    assert read(instance) == []


@pytest.mark.parametrize("switches", [{"list_as": "mixed"}, {"ninth_digit": "mixed"}])
def test_mixed_has_some_of_each_and_is_always_the_same(
    instance: Instance, switch: Any, switches: dict[str, str]
) -> None:
    switch(**switches)
    instance.write("last_seen", BLACKLIST, add(*(str(5544990000000 + number) for number in range(40))))
    kinds = {(name.endswith("@lid"), len(name)) for name in read(instance)}
    assert len(kinds) == 2
    assert read(instance) == read(instance)


def test_an_lid_that_was_added_stays_an_lid(instance: Instance) -> None:
    instance.write("last_seen", BLACKLIST, add(lid(ANA)))
    assert read(instance) == [lid(ANA)]


@pytest.mark.parametrize(
    ("mode", "while_away", "after_return"),
    [("kept", [ANA], [ANA]), ("hidden", [], [ANA]), ("empty", [], []), ("stale", [ANA], [])],
)
def test_a_list_after_another_value_and_back_depends_on_the_switch(
    instance: Instance, switch: Any, mode: str, while_away: list[str], after_return: list[str]
) -> None:
    switch(list_after_leaving=mode)
    instance.write("last_seen", BLACKLIST, add(ANA))
    instance.write("last_seen", "NONE")
    assert read(instance) == while_away
    instance.write("last_seen", BLACKLIST)
    assert read(instance) == after_return


@pytest.mark.parametrize(("empty_list", "done"), [("accepted", True), ("refused", False)])
def test_an_empty_list_is_accepted_or_refused_as_a_whole(
    instance: Instance, switch: Any, empty_list: str, done: bool
) -> None:
    switch(empty_list=empty_list)
    assert instance.write("photo", BLACKLIST) is done
    assert instance.write("photo", BLACKLIST, add(ANA)) is True
    assert instance.write("photo", BLACKLIST, remove(ANA)) is done
    assert read(instance, "photo") == ([] if done else [ANA])


def test_a_conflict_refuses_only_the_next_writes(zapi: httpx.Client, instance: Instance, switch: Any) -> None:
    switch(conflicts=2)
    answers = [zapi.post("privacy/photo", json={"visualizationType": "NONE"}).json() for _ in range(3)]
    assert answers == [{"success": False}, {"success": False}, {"success": True}]
    assert instance.records["photo"].version == 2


def test_another_client_writes_right_before_the_next_write(instance: Instance, switch: Any) -> None:
    instance.write("last_seen", BLACKLIST, add(ANA))
    other = [
        {"setting": "last_seen", "changes": [*add(BEN), *remove(ANA_SHORT)]},
        {"setting": "photo", "value": "NONE"},
    ]
    switch(other_writer=other, conflicts=1)
    assert instance.write("last_seen", BLACKLIST, add("554133333333")) is False
    assert read(instance) == [BEN]
    assert instance.write("last_seen", BLACKLIST, add("554133333333")) is True
    assert read(instance) == [BEN, "554133333333"]
    assert instance.records["photo"].value == "NONE"
    assert [change["by"] for change in instance.history] == ["api", "other client", "other client", "api"]
    assert len(other) == 2, "the caller's list is its own"


def test_reads_lag_behind_a_write(instance: Instance, switch: Any) -> None:
    switch(read_lag=2)
    instance.write("last_seen", BLACKLIST, add(ANA))
    assert [read(instance) for _ in range(3)] == [[], [], [ANA]]
    instance.write("last_seen", BLACKLIST, add(BEN))
    assert [read(instance) for _ in range(3)] == [[ANA], [ANA], [ANA, BEN]]


def test_each_failure_answers_one_authenticated_call_before_anything_is_applied(
    zapi: httpx.Client, instance: Instance, switch: Any
) -> None:
    switch(
        fail_next=[
            {"status": 429, "body": {"error": "slow down"}, "headers": {"Retry-After": "7"}},
            {"status": 200, "body": "<html>portal</html>"},
            {"status": 204, "body": "ignored"},
        ]
    )
    body = {"visualizationType": "NONE"}
    refused = zapi.post("privacy/photo", json=body, headers={"Client-Token": "wrong"})
    first, second, third = (zapi.post("privacy/photo", json=body) for _ in range(3))
    assert refused.status_code == 403
    assert (first.status_code, first.json(), first.headers["Retry-After"]) == (
        429,
        {"error": "slow down"},
        "7",
    )
    assert (second.text, second.headers["Content-Type"]) == (
        "<html>portal</html>",
        "text/html; charset=utf-8",
    )
    assert (third.status_code, third.content) == (204, b"")
    assert instance.records["photo"].value == "ALL"
    assert zapi.post("privacy/photo", json=body).json() == {"success": True}


def test_a_lost_answer_leaves_the_write_done(zapi: httpx.Client, instance: Instance, switch: Any) -> None:
    switch(lose_answer=1, conflicts=1)
    body = {"visualizationType": "NONE"}
    assert zapi.get("status").status_code == 200
    assert zapi.post("privacy/photo", json=body).json() == {"success": False}
    assert zapi.post("privacy/photo", json=body).status_code == 504
    assert instance.records["photo"].value == "NONE"
    assert zapi.post("privacy/photo", json=body).status_code == 200


def test_a_delay_waits_after_the_call_was_carried_out(zapi: httpx.Client, switch: Any, slept: list[float]) -> None:
    zapi.get("status")
    switch(delay=2.5)
    zapi.get("status")
    assert slept == [2.5]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "privacy/photo", {"visualizationType": BLACKLIST, "contactsBlacklist": add(BEN, ANA_SHORT)}),
        ("POST", "privacy/photo", {"visualizationType": BLACKLIST, "contactsBlacklist": add(BEN, "+5544")}),
        ("POST", "phone-exists-batch", {"phones": [BEN, ANA_SHORT]}),
        ("POST", "send-text", {"phone": ANA, "message": "hello"}),
    ],
)
def test_a_refused_phone_refuses_the_whole_call(
    zapi: httpx.Client, instance: Instance, switch: Any, method: str, path: str, body: Any
) -> None:
    switch(refused_phones=[ANA])
    response = zapi.request(method, path, json=body)
    assert (response.status_code, response.json()) == (400, {"error": "Invalid phone"})
    assert instance.records["photo"].value == "ALL"


def test_a_list_as_long_as_whatsapp_allows_is_fast(zapi: httpx.Client, instance: Instance) -> None:
    phones = [str(554430000000 + number) for number in range(64_000)]
    instance.patch({"settings": {"photo": {"value": BLACKLIST, "excluded": phones}}})
    # If each change scanned the list, this would take hours.
    with given_up_after(minutes=2):
        for phone in phones[:-1]:
            instance.write("photo", BLACKLIST, remove(phone))
    answer = zapi.get("privacy/disallowed-contacts", params={"type": "photo"}).json()
    assert answer["disallowedContacts"] == phones[-1:]


def test_history_and_messages_are_limited(emulator: Emulator, instance: Instance) -> None:
    for number in range(600):
        instance.write("photo", ("NONE", "ALL")[number % 2])
        instance.send(ANA, str(number))
    view = instance.view()
    assert len(view["history"]) == len(view["messages"]) == 500
    assert view["messages"][-1]["message"] == "599"
