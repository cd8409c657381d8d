"""Bind a plan to an approval by a digest. Only the same plan has the same digest.

An approval names the digest. The run that applies the policy plans again and sends nothing if the digest differs. So
it applies only the approved plan.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_zapi.exceptions import ZApiInvalidRequestError, ZApiPlanChangedError
from airflow_provider_zapi.privacy.changes import NOTHING_SENT, rendered_none
from airflow_provider_zapi.privacy.phones import contact_key, kind
from airflow_provider_zapi.reconcile.plan import PolicyPlan, SettingPlan
from airflow_provider_zapi.wording import counted

if TYPE_CHECKING:
    from airflow_provider_zapi.client import ZApiClient

__all__ = [
    "MAX_FLEET",
    "PlanDigest",
    "fleet_digest",
    "parse_digest",
    "parse_fleet_digest",
    "plan_digest",
    "require_fleet_plan",
    "require_plan",
]

#: The version of the digested form. Raise it with each change, so that older digests are refused.
_FORM = "plan1"
_PURPOSE = f"airflow-provider-zapi {_FORM}"
_CODE_LENGTH = 64
#: Longer than any digest: 7 settings with 64,000 contacts each make counts of six digits.
_MAX_LENGTH = 120


class PlanDigest(NamedTuple):
    """The digest of a plan. People and XComs use its string.

    :ivar added: the number of contacts that the plan adds to all lists
    :ivar removed: the number of entries that the plan removes
    :ivar code: HMAC-SHA256 of the plan, in hexadecimal
    """

    added: int
    removed: int
    code: str

    def __str__(self) -> str:
        # The string never looks like a number, which native template rendering would convert.
        return f"{_FORM}-add{self.added}-remove{self.removed}-{self.code}"


def plan_digest(plan: PolicyPlan, client: ZApiClient) -> PlanDigest:
    """Return the digest of a plan of this client's instance.

    It covers the instance's id, the policy and the exact changes to each list, in any order. The removals of two forms
    of one number are the same. Its key is a secret of the connection, so nobody can find a phone by guessing.

    :raises ZApiError: a list could not be read, so the plan is not known
    """
    plan.require_readable()
    data = json.dumps([client.instance_id, [_content(each) for each in plan]], separators=(",", ":"))
    changes = [each.change for each in plan if each.change is not None]
    return PlanDigest(
        added=sum(len(change.add) for change in changes),
        removed=sum(len(change.remove) for change in changes),
        code=client.keyed_digest(_PURPOSE, data.encode()),
    )


def _content(plan: SettingPlan) -> list[Any]:
    """Return the plan for one setting as JSON values.

    Entries that stay are left out. Entries that WhatsApp does not identify are only counted. They may have to be
    removed, so a run with such entries cannot succeed.
    """
    wanted, change = plan.wanted, plan.change
    changes = change and [
        sorted(change.add),
        sorted(contact_key(entry) for entry in change.remove),
        sorted(change.not_on_whatsapp),
        change.undecided,
    ]
    return [wanted.setting.name, wanted.value, sorted(wanted.excluded), changes]


def parse_digest(value: object, parameter: str) -> PlanDigest:
    """Read an approved digest.

    :param value: the task's parameter after rendering; surrounding spaces do not matter
    :param parameter: the parameter's name, for messages
    :raises ZApiInvalidRequestError: it is not a digest. An empty template must not disable the check
    """
    text = value.strip() if isinstance(value, str) else ""
    form, added, removed, code = (*text[:_MAX_LENGTH].split("-", 3), "", "", "", "")[:4]
    counts = [count.removeprefix(name) for count, name in ((added, "add"), (removed, "remove"))]
    if form == _FORM and all(count.isascii() and count.isdigit() for count in counts) and _is_code(code):
        digest = PlanDigest(int(counts[0]), int(counts[1]), code)
        if str(digest) == text:
            return digest
    if not isinstance(value, str):
        problem = f"is {kind(value)}"
    elif not text:
        problem = "is an empty string"
    else:
        problem = rendered_none(text) or "is not the digest of a plan"
    raise ZApiInvalidRequestError(
        f"{parameter} {problem}",
        f"Use the 'digest' that mode='plan' returns, or that the plan command prints: {_FORM}-add...-remove..."
        f" and {_CODE_LENGTH} more characters. {NOTHING_SENT}",
    )


def _is_code(text: str) -> bool:
    return len(text) == _CODE_LENGTH and set(text) <= set("0123456789abcdef")


def require_plan(plan: PolicyPlan, client: ZApiClient, expected: PlanDigest, conn_id: str | None = None) -> None:
    """Check that a plan is the approved one.

    :param expected: the approved plan's digest
    :param conn_id: the Airflow connection, for the message
    :raises ZApiPlanChangedError: the plan differs
    :raises ZApiError: a list could not be read, so the plan is not known
    """
    found = plan_digest(plan, client)
    if hmac.compare_digest(str(found), str(expected)):
        return
    if found[:2] == expected[:2]:
        difference = f"both {_told(found)}, but with different contacts"
    else:
        difference = f"the approved one would {_told(expected)}, and this one would {_told(found)}"
    raise ZApiPlanChangedError(
        f"The plan is not the one that was approved: {difference}",
        "Since the approval, somebody changed a list or the policy, or the connection has another instance or instance "
        "token. Plan again, and have the new plan approved. Nothing was changed.",
        conn_id=conn_id,
        code="ZAPI-PLAN-CHANGED",
    )


def _told(digest: PlanDigest) -> str:
    return f"add {counted(digest.added, 'contact')} and remove {digest.removed}"


#: The format of the digests of many numbers.
_FLEET = "fleet1"
#: Hexadecimal characters for an entry's instance and for its plan.
_WHOSE, _PLAN = 10, 16
#: The most numbers in one digest, so that a task's result stays below 48 KiB.
MAX_FLEET = 1_500


def fleet_digest(codes: Mapping[str, str]) -> str:
    """Return one digest of many numbers' plans. It binds each number separately.

    :param codes: the code of each number's `plan_digest`, by instance id; at most `MAX_FLEET`
    """
    return f"{_FLEET}-{''.join(sorted(_whose(number) + code[:_PLAN] for number, code in codes.items()))}"


def parse_fleet_digest(value: object, parameter: str) -> Mapping[str, str]:
    """Read the approved digest of many numbers' plans.

    :param value: the task's parameter after rendering
    :param parameter: the parameter's name, for messages
    :raises ZApiInvalidRequestError: it is not such a digest. An empty template must not disable the check
    """
    text = value.strip() if isinstance(value, str) else ""
    form, _, entries = text.partition("-")
    width = _WHOSE + _PLAN
    if form != _FLEET or not set(entries) <= set("0123456789abcdef") or len(entries) % width:
        problem = f"is {kind(value)}" if not isinstance(value, str) else rendered_none(text) or "is not a digest"
        raise ZApiInvalidRequestError(
            f"{parameter} {problem}",
            f"Use the 'digest' that mode='plan' returns: {_FLEET}-... {NOTHING_SENT}",
        )
    return {entries[at : at + _WHOSE]: entries[at + _WHOSE : at + width] for at in range(0, len(entries), width)}


def require_fleet_plan(plan: PolicyPlan, client: ZApiClient, expected: Mapping[str, str]) -> None:
    """Check that one number's plan is the one approved for it.

    :param expected: the approved plans, from `parse_fleet_digest`
    :raises ZApiPlanChangedError: the plan differs, or this number has no approved plan
    :raises ZApiError: a list could not be read, so the plan is not known
    """
    approved = expected.get(_whose(client.instance_id))
    found = plan_digest(plan, client)
    if approved is not None and hmac.compare_digest(found.code[:_PLAN], approved):
        return
    what = "a different plan was approved for this number" if approved else "no plan was approved for this number"
    raise ZApiPlanChangedError(
        f"The plan is not the one that was approved: {what}, and this one would {_told(found)}",
        "Plan again, and have the new plan approved. This number was not changed.",
        code="ZAPI-PLAN-CHANGED",
    )


def _whose(instance_id: str) -> str:
    return hashlib.sha256(instance_id.encode()).hexdigest()[:_WHOSE]
