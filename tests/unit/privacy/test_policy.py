"""A policy can be read in any of its forms. The error lists all mistakes, each with its place."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from airflow_provider_zapi.exceptions import ZApiInvalidRequestError
from airflow_provider_zapi.privacy.policy import Policy, SettingPolicy, parse_policy, policy_schema
from airflow_provider_zapi.privacy.settings import LAST_SEEN, ONLINE, PHOTO, READ_RECEIPTS

EXAMPLE = """
last_seen:   {visible_to: CONTACT_BLACKLIST, except: ["+55 44 9111-1111", "554422222222"]}
photo:       CONTACTS
online:      SAME_LAST_SEEN
read_receipts: disable
"""
PARSED = Policy(
    (
        SettingPolicy(LAST_SEEN, "CONTACT_BLACKLIST", ("554491111111", "554422222222")),
        SettingPolicy(PHOTO, "CONTACTS"),
        SettingPolicy(ONLINE, "SAME_LAST_SEEN"),
        SettingPolicy(READ_RECEIPTS, "disable"),
    )
)


@pytest.mark.parametrize(
    "policy", [EXAMPLE, json.dumps(yaml.safe_load(EXAMPLE)), yaml.safe_load(EXAMPLE)], ids=["YAML", "JSON", "mapping"]
)
def test_a_policy_is_the_same_in_every_form(policy: Any) -> None:
    assert parse_policy(policy) == PARSED


@pytest.mark.parametrize(
    ("text", "excluded"),
    [
        ("[5544991111111, 554491111111]", ("5544991111111",)),  # one contact in two forms
        ("['1@lid']", ("1@lid",)),
    ],
)
def test_contacts_in_yaml_are_read_as_they_are_written(text: str, excluded: tuple[str, ...]) -> None:
    policy = parse_policy(f"photo: {{visible_to: contact_blacklist, except: {text}}}")
    assert policy == Policy((SettingPolicy(PHOTO, "CONTACT_BLACKLIST", excluded),))


LISTED = {"visible_to": "CONTACT_BLACKLIST", "except": ["5544991111111"]}

#: A bad policy, and the mistakes that the error lists, each with its place.
MISTAKES: list[tuple[Any, list[str]]] = [
    ("", ["it is None, but must be a mapping"]),
    (None, ["it is None, but must be a mapping"]),
    ("None", ["it is a string, but must be a mapping"]),
    ({}, ["it is an empty mapping"]),
    ([LISTED], ["it is a list"]),
    ("- a", ["it is a list"]),
    ("photo: [", ["line 2, column 1: did not find expected node content"]),
    ("photo: ALL\nphoto: NONE", ["line 2, column 1: the key is repeated"]),
    ("photo: {visible_to: ALL, visible_to: NONE}", ["line 1, column 26: the key is repeated"]),
    ("[a]: b", ["line 1, column 1: a key is not a string"]),
    ("!!python/object:os.system {}", ["it is "]),
    ("a: &a [*a]", ["line 1, column 8: the anchor &a contains itself"]),
    ({"last_sen": "ALL"}, ["last_sen: unknown setting; did you mean last_seen?"]),
    ({"status": "ALL"}, ["status: unknown setting; the settings are last_seen, photo"]),
    ({5: "ALL"}, ["5: unknown setting"]),
    ({"photo": "CONTACT"}, ["photo: is 'CONTACT'. Accepted for profile photo"]),
    (
        {"group_add": "NONE"},
        ["group_add: is 'NONE'. Accepted for who may add to groups: CONTACT_BLACKLIST, CONTACTS, ALL"],
    ),
    ({"photo": None}, ["photo: is None"]),
    ("last_seen: None", ["last_seen: is the string 'None': a template that finds nothing renders as 'None'"]),
    ("photo: \ud800", ["it is neither valid YAML nor valid JSON"]),
    ({"pho\ud800to\x1b[2J": "ALL"}, [r"'pho\ud800to\x1b[2J': unknown setting"]),
    ({("a",) * 3: "ALL"}, ["an object of type tuple: unknown setting"]),
    ("a: *b", ["line 1, column 4: the alias *b has no anchor"]),
    ("photo: ALL\n---\nphoto: ALL", ["line 3, column 1: a second document begins"]),
    ("x" * 16_000_001, ["it is longer than 16,000,000 characters"]),
    ({"photo": True}, ["photo: is true or false"]),
    ({"photo": {"visible_to": "ALL", "excpt": []}}, ["photo.excpt: unknown key; accepted: visible_to, except"]),
    ({"photo": {"except": ["5544991111111"]}}, ["photo: visible_to is missing"]),
    ({"photo": {"visible_to": "NOBODY"}}, ["photo.visible_to: is 'NOBODY'"]),
    ({"photo": {"visible_to": {}}}, ["photo.visible_to: is a mapping"]),
    ({"online": {"visible_to": "ALL", "except": []}}, ["online.except: unknown key; accepted: visible_to"]),
    (
        {"photo": "CONTACT_BLACKLIST"},
        ["photo: CONTACT_BLACKLIST needs contacts under 'except'; for all contacts, use CONTACTS"],
    ),
    ({"photo": {"visible_to": "CONTACT_BLACKLIST", "except": []}}, ["photo: CONTACT_BLACKLIST needs contacts"]),
    (
        {"photo": {"visible_to": "ALL", "except": ["5544991111111"]}},
        ["photo.except: only CONTACT_BLACKLIST has excluded contacts"],
    ),
    ({"photo": {**LISTED, "except": "5544991111111"}}, ["photo.except: is a string, but must be a list of contacts"]),
    ({"photo": {**LISTED, "except": {"5544991111111": 1}}}, ["photo.except: is a mapping"]),
    ({"photo": {**LISTED, "except": ["5544991111111"] * 64_001}}, ["photo.except: has 64001 contacts"]),
    (
        {"last_seen": {**LISTED, "except": ["5544991111111", "12", None]}, "photos": "ALL", "online": "NONE"},
        [
            "last_seen.except[1]: it has 2 digits",
            "last_seen.except[2]: None is not a phone number",
            "photos: unknown setting",
            "online: is 'NONE'",
        ],
    ),
]


@pytest.mark.parametrize(("policy", "mistakes"), MISTAKES, ids=[row[1][0] for row in MISTAKES])
def test_every_mistake_is_listed_with_its_place(policy: Any, mistakes: list[str]) -> None:
    with pytest.raises(ZApiInvalidRequestError) as caught:
        parse_policy(policy)
    message = str(caught.value)
    first, *lines = message.splitlines()
    assert re.fullmatch(r"policy has (1 mistake|[0-9]+ mistakes)\. Nothing was sent\.", first)
    assert [mistake for mistake in mistakes if not any(line.startswith(f"- {mistake}") for line in lines)] == []
    assert len(lines) == len(set(lines))
    assert caught.value.__context__ is None
    assert "991111111" not in message.replace("5544991111111'", "")


#: Each of these crashed the process or took minutes with a parser that recurses into every level.
DEEP = [
    "photo: " + "[" * 40_000,
    "{a: " * 40_000,
    "? " * 40_000,
    "- " * 40_000,
    "[" * 3_000_000,
    "a: &a " + "[*a, " * 40_000,
]


@pytest.mark.parametrize("number", range(len(DEEP)))
def test_a_policy_that_is_nested_too_deeply_is_a_mistake_and_not_a_crash(number: int) -> None:
    # Run this in a separate process, so that a crash does not end the tests.
    code = (
        "from airflow_provider_zapi.exceptions import ZApiInvalidRequestError\n"
        "from airflow_provider_zapi.privacy.policy import parse_policy\n"
        "from tests.unit.privacy.test_policy import DEEP\n"
        f"try:\n    parse_policy(DEEP[{number}])\n"
        "except ZApiInvalidRequestError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(
        r"line 1, column [0-9]+: (it is nested more than 8 levels deep|exceeded maximum nesting depth|a key is not a string|the anchor &a contains itself)",
        done.stdout,
    )


def test_a_mapping_that_holds_itself_is_a_mistake() -> None:
    endless: dict[str, Any] = {"visible_to": "ALL"}
    endless["visible_to"] = endless
    with pytest.raises(ZApiInvalidRequestError, match=r"photo\.visible_to: is a mapping"):
        parse_policy({"photo": endless})


def test_an_anchor_states_a_list_once_for_several_settings() -> None:
    text = """
        last_seen: {visible_to: CONTACT_BLACKLIST, except: &team ["5544991111111", "1@lid"]}
        photo: {visible_to: CONTACT_BLACKLIST, except: *team}
    """
    assert [wanted.excluded for wanted in parse_policy(text).settings] == [("5544991111111", "1@lid")] * 2


def test_a_repeated_mistake_is_listed_once_and_the_message_has_the_files_name() -> None:
    policy = {"photo": {**LISTED, "other": 1}, "pho": "ALL"}
    with pytest.raises(ZApiInvalidRequestError) as caught:
        parse_policy(policy, "policy 'support.yaml'")
    assert str(caught.value) == (
        "policy 'support.yaml' has 2 mistakes. Nothing was sent.\n"
        "- pho: unknown setting; did you mean photo?\n"
        "- photo.other: unknown key; accepted: visible_to, except\n"
        "[ZAPI-INVALID-POLICY]"
    )


def test_many_mistakes_are_counted() -> None:
    with pytest.raises(
        ZApiInvalidRequestError, match=r"(?s)has 100 mistakes\..*\n- and 80 more\n\[ZAPI-INVALID-POLICY\]$"
    ):
        parse_policy({"photo": {**LISTED, "except": ["1"] * 100}})


def test_the_shipped_schema_matches_the_table() -> None:
    shipped = Path(__file__).parents[3] / "docs" / "policy.schema.json"
    assert json.loads(shipped.read_text()) == policy_schema(), "run `make schema`"
    jsonschema.Draft7Validator.check_schema(policy_schema())


def test_the_schema_accepts_the_example_and_refuses_what_the_parser_refuses() -> None:
    validator = jsonschema.Draft7Validator(policy_schema())
    validator.validate(yaml.safe_load(EXAMPLE))
    for policy, _ in MISTAKES:
        if isinstance(policy, dict) and 5 not in policy:
            assert not validator.is_valid(policy), policy
