"""Each operator with the emulator, which implements Z-API's contract independently."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from airflow_provider_zapi.emulator import RunningEmulator
from airflow_provider_zapi.exceptions import (
    ZApiInvalidRequestError,
    ZApiNotVerifiedError,
    ZApiUnexpectedAnswerError,
)
from airflow_provider_zapi.operators import privacy as operators
from airflow_provider_zapi.operators.base import POOL_REASON
from airflow_provider_zapi.operators.policy import ApplyPrivacyPolicyOperator
from airflow_provider_zapi.privacy.settings import SETTINGS
from tests.support import leaks

PROJECT = Path(__file__).parents[2]

OPERATORS = {
    kind.setting.name: kind
    for name in operators.__all__
    if issubclass(kind := getattr(operators, name), operators.SettingOperator)
}
ADD = {"action": "add", "phone": "+55 44 99111-1111"}


def operator_of(setting: str, value: Any, **parameters: Any) -> operators.SettingOperator:
    kind: Any = OPERATORS[setting]
    return cast(operators.SettingOperator, kind(task_id="set", **{kind.value_parameter: value}, **parameters))


def execute(operator: Any, *others: Any) -> Any:
    """Run an operator as a task of a DAG that also has the other tasks."""
    return operator.execute(cast(Any, {"dag": SimpleNamespace(tasks=[operator, *others])}))


def state(zapi: RunningEmulator, setting: str) -> dict[str, Any]:
    return cast(dict[str, Any], zapi.emulator.instance("instance-1").view()["settings"][setting])


def test_every_setting_has_an_operator() -> None:
    assert set(OPERATORS) == {setting.name for setting in SETTINGS}


@pytest.mark.parametrize(
    ("setting", "value"), [(setting.name, value) for setting in SETTINGS for value in setting.values]
)
def test_the_emulator_shows_each_value_that_an_operator_sets(zapi: RunningEmulator, setting: str, value: str) -> None:
    result = execute(operator_of(setting, f" {value.lower()} "))
    assert result == {"setting": setting, "value": value, "sent_add": 0, "sent_remove": 0, "calls": 1}
    assert state(zapi, setting)["value"] == value


@pytest.mark.parametrize("setting", [setting.name for setting in SETTINGS if setting.list_scope])
def test_each_setting_has_its_own_list_which_is_read_back(zapi: RunningEmulator, setting: str) -> None:
    assert execute(operator_of(setting, "CONTACT_BLACKLIST", contacts_blacklist=[ADD]))["sent_add"] == 1
    for other in SETTINGS:
        if other.list_scope:
            assert state(zapi, other.name)["excluded"] == (["5544991111111"] if other.name == setting else [])
    read = operators.GetDisallowedContactsOperator(task_id="read", setting=f" {setting.upper()}")
    assert execute(read) == ["5544991111111"]
    count = operators.GetDisallowedContactsOperator(task_id="count", setting=setting, as_count=True)
    assert execute(count) == 1


UNDOCUMENTED = [
    ("last_seen", "SAME_LAST_SEEN", "Accepted for last seen: NONE, CONTACT_BLACKLIST, CONTACTS, ALL."),
    ("photo", "NOBODY", "Accepted for profile photo"),
    ("description", "all_contacts", "Did you mean CONTACTS?"),
    ("group_add", "NONE", "Accepted for who may add to groups: CONTACT_BLACKLIST, CONTACTS, ALL."),
    ("online", "NONE", "Accepted for online: SAME_LAST_SEEN, ALL."),
    ("online", "SAME_AS_LAST_SEEN", "Did you mean SAME_LAST_SEEN?"),
    ("read_receipts", True, "value is true or false"),
    ("read_receipts", "enabled", "Did you mean enable?"),
    ("messages_duration", "90days", "Did you mean days90?"),
    ("messages_duration", 90, "value is an integer"),
]


@pytest.mark.parametrize(("setting", "value", "text"), UNDOCUMENTED)
def test_an_undocumented_value_is_refused_before_sending(
    zapi: RunningEmulator, setting: str, value: Any, text: str
) -> None:
    with pytest.raises(ZApiInvalidRequestError) as caught:
        execute(operator_of(setting, value))
    assert text in str(caught.value)
    assert not zapi.emulator.requests


@pytest.mark.parametrize("name", ["online", "lastSeen", "last seen", "", None, 1])
def test_a_setting_without_a_list_is_refused_before_sending(zapi: RunningEmulator, name: Any) -> None:
    with pytest.raises(
        ZApiInvalidRequestError, match=r"^setting is .*Accepted: last_seen, photo, description, group_add\."
    ):
        execute(operators.GetDisallowedContactsOperator(task_id="read", setting=name))
    assert not zapi.emulator.requests


def test_a_malformed_list_is_an_error(zapi: RunningEmulator) -> None:
    answer = {"status": 200, "body": {"disallowedContacts": None}}
    zapi.emulator.instance("instance-1").patch({"switches": {"fail_next": [answer]}})
    with pytest.raises(ZApiUnexpectedAnswerError):
        execute(operators.GetDisallowedContactsOperator(task_id="read", setting="photo"))


def test_add_and_remove_of_one_contact_in_two_forms_is_refused(zapi: RunningEmulator) -> None:
    changes = [{"action": "add", "phone": "5544991111111"}, {"action": "remove", "phone": "554491111111"}]
    with pytest.raises(ZApiInvalidRequestError, match=r"contacts_blacklist\[1\] would remove a contact"):
        execute(operator_of("photo", "CONTACT_BLACKLIST", contacts_blacklist=changes))
    assert not zapi.emulator.requests


def policy_task(policy: Any) -> Any:
    return ApplyPrivacyPolicyOperator(task_id="other", policy=policy)


def online_task() -> Any:
    return operators.SetOnlinePrivacyOperator(task_id="other", visualization_type="SAME_LAST_SEEN")


CONSEQUENCES: list[tuple[str, str, tuple[Callable[[], Any], ...], list[str], list[str]]] = [
    # setting, value, other tasks of the DAG, what the log contains, what it does not contain
    ("last_seen", "NONE", (), ["no longer sees when other people were last seen", "still shows 'online'"], []),
    ("last_seen", "NONE", (online_task,), ["no longer sees when"], ["still shows 'online'"]),
    ("last_seen", "NONE", (lambda: policy_task({"online": "SAME_LAST_SEEN"}),), [], ["still shows 'online'"]),
    ("last_seen", "NONE", (lambda: policy_task({"photo": "NONE"}),), ["still shows 'online'"], []),
    # If the settings come from a file or another task's result, they are known only when that task runs.
    ("last_seen", "NONE", (lambda: policy_task("support.yaml"),), [], ["still shows 'online'"]),
    ("last_seen", "CONTACTS", (), [], ["no longer sees", "still shows"]),
    ("read_receipts", "disable", (), ["no longer sees whether other people read its messages"], []),
    ("read_receipts", "enable", (), [], ["no longer sees"]),
    ("online", "SAME_LAST_SEEN", (), ["no longer see the online status"], []),
]


@pytest.mark.parametrize(("setting", "value", "tasks", "said", "unsaid"), CONSEQUENCES)
def test_side_effects_are_logged_once(
    zapi: RunningEmulator,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    setting: str,
    value: str,
    tasks: tuple[Callable[[], Any], ...],
    said: list[str],
    unsaid: list[str],
) -> None:
    with caplog.at_level("INFO"):
        execute(operator_of(setting, value), *(task() for task in tasks))
    log = "".join(capfd.readouterr()) or caplog.text
    assert [text for text in said if log.count(text) != 1] == []
    assert [text for text in unsaid if text in log] == []
    assert not leaks(log)


def test_a_policy_logs_side_effects(
    zapi: RunningEmulator, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level("INFO"):
        execute(policy_task({"last_seen": "NONE", "online": "ALL", "read_receipts": "disable"}))
    log = "".join(capfd.readouterr()) or caplog.text
    for sentence in (
        "no longer sees when other people",
        "no longer sees whether",
        "Online is ALL, so this number still",
    ):
        assert log.count(sentence) == 1


REMOVE = {"action": "remove", "phone": "5544992222222"}

READ_BACK: list[tuple[str, dict[str, Any], list[dict[str, str]], str]] = [
    # the case, the emulator's state, the changes, a part of the message ("" if the list has the changes)
    ("all there", {"settings": {"photo": {"excluded": ["5544992222222"]}}}, [ADD, REMOVE], ""),
    ("there in another form", {"switches": {"list_as": "lid"}}, [ADD], ""),
    ("a late read", {"switches": {"read_lag": 1}}, [ADD], "does not show 1 of 1 additions, and still shows 0 of 0"),
    (
        "removed in a form that is not the listed one",
        {"settings": {"photo": {"excluded": ["554492222222"]}}},
        [REMOVE],
        "still shows 1 of 1 removals",
    ),
    (
        "not on WhatsApp",
        {"switches": {"unregistered_phones": ["5544991111111"], "read_lag": 1}},
        [ADD],
        "not on WhatsApp",
    ),
]


@pytest.mark.parametrize(
    ("state", "changes", "message"), [row[1:] for row in READ_BACK], ids=[row[0] for row in READ_BACK]
)
def test_with_verify_the_list_shows_every_change_or_the_task_fails(
    zapi: RunningEmulator, state: dict[str, Any], changes: list[dict[str, str]], message: str
) -> None:
    zapi.emulator.instance("instance-1").patch(state)
    operator = operator_of("photo", "CONTACT_BLACKLIST", contacts_blacklist=changes, verify=True)
    if message:
        with pytest.raises(ZApiNotVerifiedError, match=message):
            execute(operator)
    else:
        assert execute(operator)["verified"] is True
    reads = [request for request in zapi.emulator.requests if request["path"].endswith("disallowed-contacts")]
    assert len(reads) == 1


def test_a_value_cannot_be_read_back(zapi: RunningEmulator) -> None:
    assert execute(operator_of("photo", "ALL", verify=True))["verified"] is None
    assert "verified" not in execute(operator_of("photo", "ALL"))


@pytest.mark.parametrize("pool", ["default_pool", "zapi_default"])
@pytest.mark.parametrize(
    "operator", [operators.SetLastSeenPrivacyOperator, ApplyPrivacyPolicyOperator], ids=lambda kind: str(kind.__name__)
)
def test_a_task_that_writes_without_a_pool_logs_a_warning_that_names_one(
    zapi: RunningEmulator,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    operator: Any,
    pool: str,
) -> None:
    given = {"policy": {"photo": "ALL"}} if operator is ApplyPrivacyPolicyOperator else {"visualization_type": "ALL"}
    execute(operator(task_id="set", pool=pool, **given))
    log = "".join(capfd.readouterr()) or caplog.text
    assert log.count("airflow pools set zapi_default 1") == (pool == "default_pool")


def test_the_reason_for_a_pool_is_where_the_warning_says() -> None:
    page, anchor = POOL_REASON.split("#")
    headings = re.findall(r"^#+ (.*)$", (PROJECT / page).read_text(), re.MULTILINE)
    assert anchor in [heading.lower().replace(" ", "-") for heading in headings]


def test_a_mistake_in_a_policy_file_is_reported_with_the_files_name(zapi: RunningEmulator) -> None:
    operator = policy_task("support.yaml")
    operator.policy = "photo: CONTACT\npho: ALL\n"  # Airflow replaces the file's name with its content
    with pytest.raises(ZApiInvalidRequestError) as caught:
        execute(operator)
    first, *mistakes, code = str(caught.value).splitlines()
    assert first == "policy 'support.yaml' has 2 mistakes. Nothing was sent."
    assert [line[:9] for line in mistakes] == ["- pho: un", "- photo: "]
    assert code == "[ZAPI-INVALID-POLICY]"
    assert not zapi.emulator.requests


SUCCESSES: list[tuple[Callable[[], Any], str]] = [
    (lambda: operator_of("photo", "NONE"), "connection zapi_default: profile photo is set to NONE."),
    (lambda: operator_of("online", "ALL"), "connection zapi_default: online is set to ALL."),
    (
        lambda: operator_of("photo", "CONTACT_BLACKLIST", contacts_blacklist=[ADD]),
        "connection zapi_default: profile photo is set to CONTACT_BLACKLIST, with 1 addition and 0 removals of excluded",
    ),
    (lambda: policy_task({"photo": "NONE"}), "Applied to connection zapi_default: photo set to NONE."),
]


@pytest.mark.parametrize(("operator", "said"), SUCCESSES, ids=[said for _, said in SUCCESSES])
def test_the_log_of_a_success_names_the_connection_and_counts_only_list_changes(
    zapi: RunningEmulator,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    operator: Callable[[], Any],
    said: str,
) -> None:
    with caplog.at_level("INFO"):
        execute(operator())
    assert said in ("".join(capfd.readouterr()) or caplog.text)
