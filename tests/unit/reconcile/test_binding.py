"""Equal plans have the same digest and different plans have different ones. It reveals no phone and no secret."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_zapi.client import ZApiClient
from airflow_provider_zapi.exceptions import ZApiInvalidRequestError, ZApiPlanChangedError, ZApiUnreachableError
from airflow_provider_zapi.privacy.difference import ListChange, ResolvedContact
from airflow_provider_zapi.privacy.policy import SettingPolicy, parse_policy
from airflow_provider_zapi.privacy.settings import LAST_SEEN, ONLINE, PHOTO
from airflow_provider_zapi.reconcile import (
    PolicyPlan,
    SettingPlan,
    parse_digest,
    plan_digest,
    plan_policy,
    plan_summary,
    require_plan,
)
from airflow_provider_zapi.reconcile.plan import Contacts
from tests.support import TOKEN, check_error, client_with, leaks

ANA, BEN, CLEO = "5544991111111", "4915100000001", "4915100000002"
BLACKLIST = "CONTACT_BLACKLIST"
CHANGE = ListChange(add=(ANA, BEN), remove=(CLEO, "901@lid"), kept=3, undecided=1, not_on_whatsapp=("4915100000003",))


def nobody(phones: Iterable[str]) -> Mapping[str, ResolvedContact]:
    return {}


def plan_with(change: ListChange | None = CHANGE, **wanted: Any) -> PolicyPlan:
    given = {"setting": LAST_SEEN, "value": BLACKLIST, "excluded": (ANA, BEN, "4915100000003"), **wanted}
    settings = (SettingPlan(SettingPolicy(**given), change), SettingPlan(SettingPolicy(ONLINE, "ALL")))
    return PolicyPlan(settings, Contacts(nobody))


def client(**changes: Any) -> ZApiClient:
    return client_with(**changes)[0]


def digest(plan: PolicyPlan, **changes: Any) -> str:
    return str(plan_digest(plan, client(**changes)))


APPROVED = digest(plan_with())

SAME: dict[str, tuple[PolicyPlan, dict[str, Any]]] = {
    "once more": (plan_with(), {}),
    "additions in another order": (plan_with(CHANGE._replace(add=(BEN, ANA))), {}),
    "removals in another order": (plan_with(CHANGE._replace(remove=("901@lid", CLEO))), {}),
    "the policy in another order": (plan_with(excluded=("4915100000003", BEN, ANA)), {}),
    "an entry more that stays": (plan_with(CHANGE._replace(kept=4)), {}),
    "an entry more that nobody can interpret": (plan_with(CHANGE._replace(unknown=1)), {}),
    "another account security token": (plan_with(), {"client_token": None}),
    "another connection id": (plan_with(), {"conn_id": "zapi_copy"}),
}


@pytest.mark.parametrize(("plan", "changes"), SAME.values(), ids=SAME)
def test_the_digest_does_not_depend_on_anything_else(plan: PolicyPlan, changes: dict[str, Any]) -> None:
    assert digest(plan, **changes) == APPROVED
    require_plan(plan, client(**changes), parse_digest(APPROVED, "expected_plan"))


ANOTHER: dict[str, tuple[PolicyPlan, dict[str, Any]]] = {
    "an addition less": (plan_with(CHANGE._replace(add=(ANA,))), {}),
    "another addition": (plan_with(CHANGE._replace(add=(ANA, "4915100000009"))), {}),
    "a removal more": (plan_with(CHANGE._replace(remove=(*CHANGE.remove, "4915100000009"))), {}),
    "another removal": (plan_with(CHANGE._replace(remove=("4915100000009", "901@lid"))), {}),
    "the same entry twice": (plan_with(CHANGE._replace(remove=(*CHANGE.remove, CLEO))), {}),
    "an addition instead of a removal": (plan_with(CHANGE._replace(add=CHANGE.remove, remove=CHANGE.add)), {}),
    "somebody who came back to WhatsApp": (plan_with(CHANGE._replace(not_on_whatsapp=())), {}),
    "an entry that may be somebody wanted": (plan_with(CHANGE._replace(undecided=2)), {}),
    "nothing to change": (plan_with(ListChange()), {}),
    "no list": (plan_with(None, value="CONTACTS", excluded=()), {}),
    "another value": (plan_with(None, value="NONE", excluded=()), {}),
    "another setting": (plan_with(setting=PHOTO), {}),
    "one exception more in the policy": (plan_with(excluded=(ANA, BEN, CLEO, "4915100000003")), {}),
    "a setting less": (replace(plan_with(), settings=plan_with().settings[:1]), {}),
    "another value of a setting without a list": (
        replace(
            plan_with(), settings=(plan_with().settings[0], SettingPlan(SettingPolicy(ONLINE, "SAME_LAST_SEEN")))
        ),
        {},
    ),
    "another instance": (plan_with(), {"instance_id": "instance-2"}),
    "another instance token": (plan_with(), {"instance_token": "another-token"}),
}  # fmt: skip


@pytest.mark.parametrize(("plan", "changes"), ANOTHER.values(), ids=ANOTHER)
def test_every_other_plan_is_refused(plan: PolicyPlan, changes: dict[str, Any]) -> None:
    with pytest.raises(ZApiPlanChangedError) as caught:
        require_plan(plan, client(**changes), parse_digest(APPROVED, "expected_plan"), "zapi_default")
    check_error(caught.value)
    assert "connection 'zapi_default'" in str(caught.value)
    assert not re.search("[0-9]{5}", str(caught.value))


def test_the_order_of_settings_in_a_policy_does_not_matter() -> None:
    one, two = ({"photo": "NONE", "online": "ALL"}, {"online": "all", "photo": "none"})
    assert list(one) != list(two)
    digests = {digest(plan_policy(parse_policy(policy), client())) for policy in (one, two)}
    assert len(digests) == 1


def test_every_row_has_its_own_digest() -> None:
    digests = {digest(plan, **changes) for plan, changes in ANOTHER.values()}
    assert len(digests | {APPROVED}) == len(ANOTHER) + 1


def test_two_forms_of_one_number_are_the_same_removal() -> None:
    with_ninth, without = (plan_with(ListChange(remove=(entry,))) for entry in ("5544997777777", "554497777777"))
    assert digest(with_ninth) == digest(without)


def test_the_digest_is_keyed_and_has_the_counts() -> None:
    assert re.fullmatch("plan1-add2-remove2-[0-9a-f]{64}", APPROVED)
    data = json.dumps(
        [
            "instance-1",
            [
                ["last_seen", BLACKLIST, sorted([ANA, BEN, "4915100000003"]), [sorted([ANA, BEN]), sorted([CLEO, "901@lid"]), ["4915100000003"], 1]],
                ["online", "ALL", [], None],
            ],
        ],
        separators=(",", ":"),
    )  # fmt: skip
    key = hmac.new(TOKEN.encode(), b"airflow-provider-zapi plan1", hashlib.sha256).digest()
    assert APPROVED.endswith(hmac.new(key, data.encode(), hashlib.sha256).hexdigest())
    assert hashlib.sha256(data.encode()).hexdigest() not in APPROVED
    assert not leaks(APPROVED)


def test_digests_for_different_purposes_differ() -> None:
    one = client()
    assert one.keyed_digest("plan", b"x") == one.keyed_digest("plan", b"x")
    assert len({one.keyed_digest(*given) for given in (("plan", b"x"), ("plan", b"y"), ("else", b"x"))}) == 3


def test_the_error_has_the_counts_of_both_plans() -> None:
    approved = parse_digest(APPROVED, "expected_plan")
    with pytest.raises(ZApiPlanChangedError) as caught:
        require_plan(plan_with(ListChange(add=(ANA,))), client(), approved)
    assert str(caught.value).startswith(
        "The plan is not the one that was approved: the approved one would add 2 contacts and remove 2, and this one "
        "would add 1 contact and remove 0. Since the approval, somebody changed a list or the policy"
    )
    assert str(caught.value).endswith("Nothing was changed. [ZAPI-PLAN-CHANGED]")
    with pytest.raises(ZApiPlanChangedError, match="both add 2 contacts and remove 2, but with different contacts"):
        require_plan(plan_with(CHANGE._replace(add=(ANA, CLEO))), client(), approved)


def test_a_list_that_cannot_be_read_has_no_digest() -> None:
    unreadable = SettingPlan(SettingPolicy(PHOTO, BLACKLIST, (ANA,)), unreadable=ZApiUnreachableError("no answer"))
    plan = replace(plan_with(), settings=(*plan_with().settings, unreadable))
    with pytest.raises(ZApiUnreachableError, match="no answer"):
        require_plan(plan, client(), parse_digest(APPROVED, "expected_plan"))


CODE = APPROVED[-64:]

MALFORMED: list[tuple[object, str]] = [
    (None, "is None"),
    ("None", "is the string 'None': a template that finds nothing renders as 'None'"),
    ("", "is an empty string"),
    ("  ", "is an empty string"),
    (0, "is an integer"),
    (True, "is true or false"),
    ({"digest": APPROVED}, "is a mapping"),
    (str({"digest": APPROVED}), "is not the digest of a plan"),
    (CODE, "is not the digest of a plan"),
    (APPROVED[:-1], "is not the digest of a plan"),
    (f"{APPROVED}0", "is not the digest of a plan"),
    (f"{APPROVED}-", "is not the digest of a plan"),
    (f"{APPROVED}{' ' * 60}x", "is not the digest of a plan"),
    (APPROVED.upper(), "is not the digest of a plan"),
    (APPROVED.replace("plan1", "plan2"), "is not the digest of a plan"),
    (APPROVED.replace("add", ""), "is not the digest of a plan"),
    (APPROVED.replace("add2", "add02"), "is not the digest of a plan"),
    (APPROVED.replace("add2", "add"), "is not the digest of a plan"),
    (APPROVED.replace("add2", "add\N{SUPERSCRIPT TWO}"), "is not the digest of a plan"),
    (f"plan1-add2-remove2-{'g' * 64}", "is not the digest of a plan"),
    # Python refuses to parse a number with this many digits.
    (f"plan1-add{'9' * 5_000}-remove2-{CODE}", "is not the digest of a plan"),
    ("9" * 1_000_000, "is not the digest of a plan"),
]


@pytest.mark.parametrize(("value", "problem"), MALFORMED, ids=[str(value)[:40] for value, _ in MALFORMED])
def test_an_invalid_digest_is_an_error_and_never_disables_the_check(value: object, problem: str) -> None:
    with pytest.raises(ZApiInvalidRequestError) as caught:
        parse_digest(value, "expected_plan")
    assert str(caught.value).startswith(f"expected_plan {problem}. Use the 'digest' that mode='plan' returns")
    assert CODE not in str(caught.value)
    assert caught.value.status is None


def test_spaces_around_a_digest_do_not_matter() -> None:
    assert str(parse_digest(f" {APPROVED}\n", "expected_plan")) == APPROVED


def test_the_summary_is_markdown_with_values_counts_and_notes() -> None:
    plan = plan_with()
    assert plan_summary(plan, plan_digest(plan, client()), ["Mind the gap."]) == (
        "| setting | value | add | remove | keep | left alone |\n"
        "| --- | --- | ---: | ---: | ---: | ---: |\n"
        "| last seen | `CONTACT_BLACKLIST` | 2 | 2 | 3 | 1 |\n"
        "| online | `ALL` |  |  |  |  |\n"
        "\n"
        "- Values cannot be read, so each one is sent, even if it is already in force.\n"
        "- last seen: 1 wanted contact is not on WhatsApp and is not added.\n"
        "- Mind the gap.\n"
        "\n"
        f"Digest: `{APPROVED}`\n"
    )
