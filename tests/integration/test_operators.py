"""Each operator against the emulator, which states Z-API's contract on its own."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from airflow_provider_zapi.emulator import RunningEmulator
from airflow_provider_zapi.exceptions import ZApiInvalidRequestError, ZApiUnexpectedAnswerError
from airflow_provider_zapi.operators import privacy as operators
from airflow_provider_zapi.privacy.settings import SETTINGS
from tests.support import leaks

OPERATORS = {
    kind.setting.name: kind
    for name in operators.__all__
    if issubclass(kind := getattr(operators, name), operators.SettingOperator)
}
ADD = {"action": "add", "phone": "+55 44 99111-1111"}


def operator_of(setting: str, value: Any, **parameters: Any) -> operators.SettingOperator:
    kind: Any = OPERATORS[setting]
    return cast(operators.SettingOperator, kind(task_id="set", **{kind.value_parameter: value}, **parameters))


def execute(operator: Any, *tasks: str) -> Any:
    dag = SimpleNamespace(tasks=[SimpleNamespace(task_type=name) for name in tasks])
    return operator.execute(cast(Any, {"dag": dag}))


def state(zapi: RunningEmulator, setting: str) -> dict[str, Any]:
    return cast(dict[str, Any], zapi.emulator.instance("instance-1").view()["settings"][setting])


def test_every_setting_has_an_operator() -> None:
    assert set(OPERATORS) == {setting.name for setting in SETTINGS}


@pytest.mark.parametrize(
    ("setting", "value"), [(setting.name, value) for setting in SETTINGS for value in setting.values]
)
def test_the_emulator_shows_each_value_that_an_operator_sets(zapi: RunningEmulator, setting: str, value: str) -> None:
    result = execute(operator_of(setting, f" {value.lower()} "))
    assert result == {"setting": setting, "value": value, "added": 0, "removed": 0, "calls": 1}
    assert state(zapi, setting)["value"] == value


@pytest.mark.parametrize("setting", [setting.name for setting in SETTINGS if setting.list_scope])
def test_each_list_is_its_own_and_is_read_back(zapi: RunningEmulator, setting: str) -> None:
    assert execute(operator_of(setting, "CONTACT_BLACKLIST", contacts_blacklist=[ADD]))["added"] == 1
    for other in SETTINGS:
        if other.list_scope:
            assert state(zapi, other.name)["exceptions"] == (["5544991111111"] if other.name == setting else [])
    read = operators.GetDisallowedContactsOperator(task_id="read", setting=f" {setting.upper()}")
    assert execute(read) == ["5544991111111"]
    count = operators.GetDisallowedContactsOperator(task_id="count", setting=setting, as_count=True)
    assert execute(count) == 1


UNDOCUMENTED = [
    ("last_seen", "SAME_LAST_SEEN", "Accepted for last seen: ALL, NONE, CONTACTS, CONTACT_BLACKLIST."),
    ("photo", "NOBODY", "Accepted for profile photo"),
    ("description", "all_contacts", "Did you mean CONTACTS?"),
    ("group_add", "NONE", "Accepted for who may add to groups: ALL, CONTACTS, CONTACT_BLACKLIST."),
    ("online", "NONE", "Accepted for online: ALL, SAME_LAST_SEEN."),
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


CONSEQUENCES = [
    # setting, value, other tasks of the DAG, said, not said
    ("last_seen", "NONE", (), ["no longer sees when other people were last seen", "still shows 'online'"], []),
    ("last_seen", "NONE", ("SetOnlinePrivacyOperator",), ["no longer sees when"], ["still shows 'online'"]),
    ("last_seen", "CONTACTS", (), [], ["no longer sees", "still shows"]),
    ("read_receipts", "disable", (), ["no longer sees whether other people read its messages"], []),
    ("read_receipts", "enable", (), [], ["no longer sees"]),
    ("online", "SAME_LAST_SEEN", (), ["sees no 'online' either"], []),
]


@pytest.mark.parametrize(("setting", "value", "tasks", "said", "unsaid"), CONSEQUENCES)
def test_what_whatsapp_does_besides_is_said_once(
    zapi: RunningEmulator,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    setting: str,
    value: str,
    tasks: tuple[str, ...],
    said: list[str],
    unsaid: list[str],
) -> None:
    with caplog.at_level("INFO"):
        execute(operator_of(setting, value), *tasks)
    log = "".join(capfd.readouterr()) or caplog.text
    assert [text for text in said if log.count(text) != 1] == []
    assert [text for text in unsaid if text in log] == []
    assert not leaks(log)
