"""The promises of `docs/policy.md`, one for each test, with the emulator."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from airflow_provider_zapi.client import Credentials, Transport, ZApiClient
from airflow_provider_zapi.emulator import RunningEmulator
from airflow_provider_zapi.exceptions import (
    ZApiConflictError,
    ZApiError,
    ZApiInvalidRequestError,
    ZApiRefusedError,
    ZApiUnexpectedAnswerError,
)
from airflow_provider_zapi.privacy.policy import parse_policy
from airflow_provider_zapi.reconcile import SettingResult, apply_policy, plan_policy
from tests.support import CLIENT_TOKEN, TOKEN, Clock

ANA, BEN, CARA, RIVALS = "554132220001", "554132220002", "554132220003", "554132229999"
CROWD = [f"5541322201{number:02d}" for number in range(15)]
REFUSED = {"status": 200, "body": {"success": False}}


def listed(*contacts: str) -> dict[str, Any]:
    return {"visible_to": "CONTACT_BLACKLIST", "except": list(contacts)}


def apply(zapi: RunningEmulator, policy: dict[str, Any], **options: Any) -> tuple[dict[str, SettingResult], Clock]:
    credentials = Credentials("instance-1", TOKEN, CLIENT_TOKEN, zapi.url, "zapi_default")
    clock = Clock()
    with ZApiClient(credentials, transport=Transport(credentials, clock=clock, sleep=clock.sleep)) as client:
        return apply_policy(plan_policy(parse_policy(policy), client), client, **options), clock


def patch(zapi: RunningEmulator, **state: Any) -> None:
    zapi.emulator.instance("instance-1").patch(state)


def setting(zapi: RunningEmulator, name: str) -> dict[str, Any]:
    return dict(zapi.emulator.instance("instance-1").view()["settings"][name])


def calls(zapi: RunningEmulator, end: str) -> list[Any]:
    """Return the bodies of the calls to an endpoint."""
    return [request["body"] for request in zapi.emulator.requests if request["path"].endswith(end)]


def changes(body: Any) -> dict[str, str]:
    given = json.loads(body) if isinstance(body, str) else body
    return {change["phone"]: change["action"] for change in given.get("contactsBlacklist", [])}


@pytest.mark.parametrize("before", ["NONE", "ALL", "CONTACTS", "CONTACT_BLACKLIST"])
@pytest.mark.parametrize("list_after_leaving", ["kept", "hidden", "empty", "stale"])
def test_the_first_write_has_every_wanted_contact(zapi: RunningEmulator, before: str, list_after_leaving: str) -> None:
    patch(
        zapi,
        switches={"list_after_leaving": list_after_leaving},
        settings={"last_seen": {"value": "CONTACT_BLACKLIST", "excluded": [ANA, BEN]}},
    )
    patch(zapi, settings={"last_seen": {"value": before}})
    results, _ = apply(zapi, {"last_seen": listed(ANA, BEN, CARA)})
    first = changes(calls(zapi, "privacy/last-seen")[0])
    assert first == dict.fromkeys((ANA, BEN, CARA), "add")
    assert results["last_seen"].verified is True
    if before == "CONTACT_BLACKLIST":
        # A contact counts as added only if a read has shown that it was missing.
        assert (results["last_seen"].added, results["last_seen"].kept) == (1, 2)


def test_after_a_refused_first_write_only_the_difference_is_sent(
    zapi: RunningEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    patch(
        zapi,
        settings={"last_seen": {"value": "CONTACT_BLACKLIST", "excluded": [ANA]}},
        switches={"conflicts": 1},
    )
    with caplog.at_level(logging.WARNING):
        results, _ = apply(zapi, {"last_seen": listed(ANA, BEN)})
    assert "up to 2 excluded contacts can see it until the list has been read back" in caplog.text
    bodies = calls(zapi, "privacy/last-seen")
    assert [changes(body) for body in bodies] == [dict.fromkeys((ANA, BEN), "add"), {BEN: "add"}]
    assert (results["last_seen"].rounds, results["last_seen"].added) == (2, 1)


def test_a_list_that_another_writer_changed_after_it_was_read_back_is_corrected(zapi: RunningEmulator) -> None:
    rival = {"setting": "last_seen", "changes": [{"action": "add", "phone": RIVALS}]}
    patch(zapi, switches={"other_writer": [{"setting": "photo"}, rival]})
    results, _ = apply(zapi, {"last_seen": listed(ANA), "online": "ALL"})
    assert setting(zapi, "last_seen")["excluded"] == [ANA]
    assert results["last_seen"].rounds == 2
    assert results["last_seen"].verified_at is not None


def test_another_writer_in_every_round_is_a_conflict_that_names_what_is_done(zapi: RunningEmulator) -> None:
    rivals = [
        {"setting": "last_seen", "changes": [{"action": "add", "phone": f"55413222900{number}"}]} for number in range(9)
    ]
    patch(zapi, switches={"other_writer": [{"setting": "photo"}, *rivals]})
    with pytest.raises(
        ZApiConflictError, match=r"somebody else changed it during the run.*Failed: last_seen\. Done: online"
    ):
        apply(zapi, {"last_seen": listed(ANA), "online": "ALL"})


def test_a_contact_that_left_whatsapp_is_left_out_and_named(
    zapi: RunningEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    empty = {"status": 200, "body": {"disallowedContacts": []}}
    invalid = {"status": 400, "body": {"error": "Invalid phone"}}
    patch(zapi, switches={"unregistered_phones": [BEN], "fail_next": [empty, invalid]})
    with caplog.at_level(logging.WARNING):
        results, _ = apply(zapi, {"last_seen": listed(ANA, BEN), "online": "ALL"})
    assert setting(zapi, "last_seen")["excluded"] == [ANA]
    assert (results["last_seen"].not_on_whatsapp, results["last_seen"].added) == (1, 1)
    assert "not on WhatsApp, so they are not on the list: ***0002." in caplog.text
    assert BEN not in caplog.text


def test_a_refused_phone_that_is_on_whatsapp_is_reported_as_a_mistake(zapi: RunningEmulator) -> None:
    patch(zapi, switches={"refused_phones": [BEN]})
    with pytest.raises(ZApiInvalidRequestError, match=r"Z-API refused a phone number.*Done: photo"):
        apply(zapi, {"last_seen": listed(ANA, BEN), "photo": "NONE"})


def test_every_setting_is_tried_and_each_that_failed_is_named(zapi: RunningEmulator) -> None:
    answers = [{"status": 200, "body": {"disallowedContacts": "none"}}] * 2
    patch(zapi, switches={"fail_next": answers, "refused_phones": [BEN]})
    with pytest.raises(ZApiError) as caught:
        apply(zapi, {"last_seen": listed(ANA), "photo": "NONE", "description": listed(BEN), "online": "ALL"})
    error = caught.value
    # The list of last seen was read again before its write. The list of the description could not be written.
    assert "Failed: description." in str(error)
    assert "Done: photo, last_seen, online." in str(error)
    assert setting(zapi, "online")["value"] == "ALL"


def test_a_list_that_cannot_be_read_is_never_written(zapi: RunningEmulator) -> None:
    broken = {"status": 200, "body": {"disallowedContacts": None}}
    done = {"status": 200, "body": {"success": True}}
    # The list is read for the plan, then the other setting is written, then the list is read again before its write.
    patch(zapi, switches={"fail_next": [broken, done, broken]})
    with pytest.raises(ZApiUnexpectedAnswerError, match=r"Failed: last_seen\. Done: photo"):
        apply(zapi, {"last_seen": listed(ANA), "photo": "NONE"})
    assert calls(zapi, "privacy/last-seen") == []


def test_an_error_of_the_whole_instance_ends_the_run_at_once(zapi: RunningEmulator) -> None:
    lapsed = {
        "status": 400,
        "body": {"error": "To continue sending a message, you must subscribe to this instance again"},
    }
    patch(zapi, switches={"fail_next": [lapsed]})
    with pytest.raises(ZApiError, match=r"Failed: photo\. Done: nothing\. Not tried: description, online"):
        apply(zapi, {"photo": "NONE", "description": "CONTACTS", "online": "ALL"})
    assert len(zapi.emulator.requests) == 1


def test_a_mass_removal_from_a_restored_list_is_refused(zapi: RunningEmulator) -> None:
    patch(
        zapi,
        switches={"list_after_leaving": "hidden"},
        settings={"last_seen": {"value": "CONTACT_BLACKLIST", "excluded": CROWD}},
    )
    patch(zapi, settings={"last_seen": {"value": "NONE"}})
    wanted = CROWD[:3] + [f"5541322202{number:02d}" for number in range(10)]
    with pytest.raises(ZApiInvalidRequestError, match=r"would remove 12 of .*13 additions and 0 removals"):
        apply(zapi, {"last_seen": listed(*wanted)})
    assert set(CROWD) <= set(setting(zapi, "last_seen")["excluded"])


@pytest.mark.parametrize("lagging_reads", [1, 2, 4])
def test_a_run_waits_for_reads_that_lag(zapi: RunningEmulator, lagging_reads: int) -> None:
    patch(zapi, switches={"read_lag": lagging_reads})
    results, clock = apply(zapi, {"last_seen": listed(ANA)})
    assert results["last_seen"].verified is True
    assert sum(clock.slept) <= 60


def test_a_run_does_not_wait_for_a_setting_that_was_refused_three_times(zapi: RunningEmulator) -> None:
    patch(zapi, switches={"conflicts": 3})
    with pytest.raises(ZApiRefusedError, match=r"Failed: photo"):
        apply(zapi, {"photo": "NONE"})
    assert len(calls(zapi, "privacy/photo")) == 3


def test_whatsapp_is_asked_about_each_phone_once_in_a_run(zapi: RunningEmulator) -> None:
    patch(
        zapi,
        switches={"list_as": "lid", "read_lag": 1},
        settings={
            name: {"value": "CONTACT_BLACKLIST", "excluded": [ANA, CARA]}
            for name in ("last_seen", "photo", "group_add")
        },
    )
    apply(zapi, {name: listed(ANA, BEN) for name in ("last_seen", "photo", "group_add")})
    asked = [phone for body in calls(zapi, "phone-exists-batch") for phone in body["phones"]]
    assert sorted(asked) == [ANA, BEN]


def test_settle_reads_every_list_once_more_after_the_given_time(zapi: RunningEmulator) -> None:
    results, clock = apply(zapi, {"last_seen": listed(ANA), "photo": listed(BEN), "online": "ALL"}, settle=30)
    assert sum(clock.slept) == 30
    last = [request["path"].rsplit("/", 1)[1] for request in zapi.emulator.requests][-2:]
    assert last == ["disallowed-contacts", "disallowed-contacts"]
    assert all(results[name].verified for name in ("last_seen", "photo"))
