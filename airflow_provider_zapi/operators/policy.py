"""The operator that applies a policy to a number and verifies its lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

from airflow.providers.common.compat.sdk import Asset, AssetAlias
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_zapi.connection.form import DEFAULT_CONN_ID
from airflow_provider_zapi.operators.base import ZApiOperator, settings_of_other_tasks
from airflow_provider_zapi.operators.events import last_events, publish, with_alias

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_zapi.client import ZApiClient
    from airflow_provider_zapi.reconcile import PolicyPlan, SettingPlan, SettingResult
    from airflow_provider_zapi.recording import StateRecord

__all__ = ["PRIVACY_ALIAS", "ApplyPrivacyPolicyOperator"]

#: Tasks publish their changes under this alias, because the connection that names the asset is known only at run time.
PRIVACY_ALIAS = AssetAlias("zapi_privacy")

#: Prefix of the event keys that hold the value sent for each setting.
_ASSERTED = "asserted."

#: In seconds. To wait longer, use a second task with mode="plan" and fail_on_drift=True.
MAX_SETTLE = 600

#: The default of ``expected_plan``: no check. It is not None, which a template or an XCom may return.
_NO_PLAN: Any = object()


class ApplyPrivacyPolicyOperator(ZApiOperator):
    """Apply a privacy policy to a WhatsApp number.

    It reads each list of excluded contacts, sends only the differences, and reads it again. Values cannot be read,
    so they are always sent and are not verified (``verified: null``). Other settings do not change.
    On Airflow 3, a run that changed something updates the asset ``zapi://<connection id>/privacy``, or
    ``zapi://<connection id>/<instance id>/privacy`` if the connection covers a whole account.

    :param policy: a mapping such as ``{"last_seen": {"visible_to": "CONTACT_BLACKLIST", "except": ["5544991111111"]},
        "photo": "CONTACTS"}``, the same in YAML or JSON, or the name of a ``.yaml``, ``.yml`` or ``.json`` file beside
        the DAG. (templated)
    :param mode: ``apply``, or ``plan`` to only read the lists and log what would change. (templated)
    :param fail_on_drift: with ``plan``, fail if a list has drifted from the policy
    :param allow_mass_removal: allow the removal of more than half of a list of 10 or more contacts
    :param settle: seconds to wait before a last read of all lists, at most 600; 0 skips this read. Use it
        if Z-API's reads lag behind its writes and somebody else may write too
    :param expected_phone: the number that must be paired with the instance; by default the connection's extra
        ``phone``. If another number is paired, the task fails before anything is sent. (templated)
    :param expected_plan: the ``digest`` that an earlier task with ``mode="plan"`` returned, and that somebody approved.
        The task plans again. If the plan differs, it fails before anything is sent. An empty template is an
        error. (templated)
    :param instance: the ID or exact name of the instance, if the connection covers a whole account. (templated)
    :param zapi_conn_id: the Z-API connection. (templated)
    :raises ZApiPlanChangedError: the plan is not the ``expected_plan``; nothing was changed
    :raises ZApiInvalidRequestError: the policy is invalid (it names all mistakes) or removes too much; nothing was sent
    :raises ZApiConflictError: somebody else changed a list during the run, or a list has drifted (``fail_on_drift``)
    :raises ZApiNotVerifiedError: a list does not show the changes yet; a task retry may help
    :raises ZApiError: a call failed; the message names the settings that failed and those that are done
    """

    template_fields: Sequence[str] = ("policy", "mode", "expected_phone", "expected_plan", "instance", "zapi_conn_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"policy": "yaml"}
    template_ext: Sequence[str] = (".yaml", ".yml", ".json")
    ui_color = "#b8e6cc"
    _policy_file: str = ""
    _plan_given: bool = False

    def __init__(
        self,
        *,
        policy: Mapping[str, Any] | str | XComArg,
        mode: Literal["apply", "plan"] | str = "apply",
        fail_on_drift: bool = False,
        allow_mass_removal: bool = False,
        settle: float = 0,
        expected_phone: str | None = None,
        expected_plan: str | XComArg | None = _NO_PLAN,
        instance: str | XComArg | None = None,
        zapi_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**_with_assets(kwargs, zapi_conn_id, instance))
        self.policy = policy
        if isinstance(policy, str) and policy.endswith(tuple(self.template_ext)):
            # Airflow replaces the name with the file's content.
            self._policy_file = policy
        self.mode = mode
        self.fail_on_drift = fail_on_drift
        self.allow_mass_removal = allow_mass_removal
        self.settle = settle
        self.expected_phone = expected_phone
        if expected_phone is not None:
            self._phone_given = True
        self.expected_plan = None if expected_plan is _NO_PLAN else expected_plan
        if expected_plan is not _NO_PLAN:
            self._plan_given = True
        if instance is not None:
            self.instance = instance
        self.zapi_conn_id = zapi_conn_id

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        """Set a mapped task's inlets and outlets, which Airflow reads before it makes the operators."""
        return super().partial(**_with_assets(kwargs, kwargs.get("zapi_conn_id"), kwargs.get("instance")))

    def execute(self, context: Context) -> dict[str, Any]:
        """Read the policy and the lists, log the plan, and apply it.

        :return: ``{"mode", "changed", "settings"}``. With ``mode="plan"``, it also has a ``digest`` for
            ``expected_plan`` and a ``summary`` in Markdown for the approver. Each setting has ``value``, ``verified``,
            ``verified_at`` and ``rounds``, and for a list the counts ``added``, ``removed``, ``kept``, ``unknown`` and
            ``not_on_whatsapp``. It never holds a phone
        """
        from airflow_provider_zapi.recording import StateRecord

        # The task's parameter is an ID or a name, but the asset has the ID.
        record = StateRecord(
            context, self.zapi_conn_id, str(self.mode), lambda: self._picked or cast("str | None", self.instance)
        )
        with record.failures():
            return self._run(context, record)

    def _run(self, context: Context, record: StateRecord) -> dict[str, Any]:
        from airflow_provider_zapi.exceptions import ZApiInvalidRequestError
        from airflow_provider_zapi.privacy.policy import parse_policy
        from airflow_provider_zapi.reconcile import (
            applied_settings,
            apply_policy,
            parse_digest,
            plan_policy,
            require_plan,
        )

        if self.mode not in ("apply", "plan"):
            raise ZApiInvalidRequestError(
                "mode must be 'apply' or 'plan'", "Nothing was sent.", code="ZAPI-INVALID-PARAMETER"
            )
        name = f"policy {self._policy_file!r}" if self._policy_file else "policy"
        policy, settle = parse_policy(self.policy, name), _seconds(self.settle)
        expected = parse_digest(self.expected_plan, "expected_plan") if self._plan_given else None
        with self.client(self.expected_phone) as client:
            record.digest = client.keyed_digest("policy", policy.canonical().encode())
            plan = plan_policy(policy, client)
            # The table starts on a new line, because the prefix of a log record would shift its first line.
            self.log.info("The plan for connection %s:\n%s", self.zapi_conn_id, plan_table(plan.settings))
            notes = plan.notes(settings_of_other_tasks(self, context))
            for note in notes:
                self.log.info("%s", note)
            if expected is not None:
                require_plan(plan, client, expected, self.zapi_conn_id)
            if self.mode == "plan":
                record.planned(plan)
                return self._planned(plan, client, notes)
            self.warn_about_pool()
            results = apply_policy(plan, client, allow_mass_removal=self.allow_mass_removal, settle=settle)
        settings = applied_settings(results)
        changed = self._publish(context, results)
        record.applied(settings, changed=changed)
        self.log.info(
            "Applied to connection %s: %s.",
            self.zapi_conn_id,
            ", ".join(_told(name, result) for name, result in results.items()),
        )
        return {"mode": "apply", "changed": changed, "settings": settings}

    def _planned(self, plan: PolicyPlan, client: ZApiClient, notes: Sequence[str]) -> dict[str, Any]:
        from airflow_provider_zapi.exceptions import ZApiConflictError
        from airflow_provider_zapi.reconcile import plan_digest, plan_summary, planned_settings

        digest = plan_digest(plan, client)
        if plan.drifted and self.fail_on_drift:
            raise ZApiConflictError(
                f"The lists of {', '.join(plan.drifted)} differ from the policy",
                "The log has the counts. Run a task with mode='apply' to correct them. Nothing was changed.",
                conn_id=self.zapi_conn_id,
                code="ZAPI-CONFLICT-DRIFT",
            )
        return {
            "mode": "plan",
            "changed": False,
            "settings": planned_settings(plan),
            "digest": str(digest),
            "summary": plan_summary(plan, digest, notes),
        }

    def _publish(self, context: Context, results: Mapping[str, SettingResult]) -> bool:
        """Update the asset if a list changed, or a value differs from the one in the last update."""
        from airflow_provider_zapi.assets import privacy_uri

        values = {name: result.value for name, result in results.items()}
        asserted = self._asserted_last(context)
        changed = any(result.added or result.removed for result in results.values()) or any(
            asserted.get(name) != value for name, value in values.items()
        )
        if changed:
            extra = self._number()
            extra |= {f"{_ASSERTED}{name}": value for name, value in {**asserted, **values}.items()}
            for name, result in results.items():
                if result.verified is not None:
                    extra |= {f"{name}.{count}": getattr(result, count) for count in ("added", "removed", "kept")}
            publish(context, PRIVACY_ALIAS, Asset(privacy_uri(self.zapi_conn_id, self._picked)), extra)
        return changed

    def _number(self) -> dict[str, Any]:
        """Return the part of an event that identifies the number."""
        return {"conn_id": self.zapi_conn_id, **({"instance": self._picked} if self._picked else {})}

    def _asserted_last(self, context: Context) -> dict[str, str]:
        for said in last_events(context, PRIVACY_ALIAS, self._number()):
            return {name.removeprefix(_ASSERTED): value for name, value in said.items() if name.startswith(_ASSERTED)}
        return {}


def plan_table(plans: Sequence[SettingPlan]) -> str:
    """Return a plan as a table of the setting, the wanted value, and the changes to its list."""
    from airflow_provider_zapi.tables import text_table

    rows = [(plan.wanted.setting.name, plan.wanted.value, _list_cell(plan)) for plan in plans]
    return text_table([("setting", "wanted", "list"), *rows])


def _list_cell(plan: SettingPlan) -> str:
    change = plan.change
    if change is None:
        if plan.unreadable is not None:
            return "could not be read"
        return "cannot be read" if plan.wanted.setting.list_scope is None else "no list"
    left = change.unknown + change.undecided
    return f"+{len(change.add)} -{len(change.remove)} ={change.kept}{f' ?{left}' if left else ''}"


def _seconds(value: object) -> float:
    """Return the seconds to wait before the last read."""
    from airflow_provider_zapi.exceptions import ZApiInvalidRequestError

    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= MAX_SETTLE:
        return float(value)
    raise ZApiInvalidRequestError(
        f"settle must be a number of seconds from 0 to {MAX_SETTLE}",
        "Nothing was sent.",
        code="ZAPI-INVALID-PARAMETER",
    )


def _told(name: str, result: SettingResult) -> str:
    if result.verified is None:
        return f"{name} set to {result.value}"
    return f"{name} set to {result.value} and its list read back (+{result.added} -{result.removed} ={result.kept})"


def _with_assets(kwargs: dict[str, Any], conn_id: object, instance: object) -> dict[str, Any]:
    """Add the inlets and outlets that an operator needs to read and publish events on Airflow 3.

    If the connection is already known, its asset becomes an inlet too. This makes the asset active: Airflow shows it
    and keeps its state, but emits no event. If the number is known only at run time, the alias is used.
    """
    kwargs = with_alias(kwargs, PRIVACY_ALIAS)
    own = _known_asset(conn_id) if instance is None else None
    if AIRFLOW_V_3_0_PLUS and own:
        kwargs["inlets"] = [own, *(one for one in kwargs["inlets"] if one != own)]
    return kwargs


def _known_asset(conn_id: object) -> Asset | None:
    from airflow_provider_zapi.assets import privacy_uri

    # Jinja, a file name or another task's result is known only at run time. The characters below are those that
    # Airflow allows in a connection's id.
    if not isinstance(conn_id, str) or not conn_id or conn_id.endswith((".yaml", ".yml", ".json")):
        return None
    if not all(character.isalnum() or character in "_#!()-.:/\\" for character in conn_id):
        return None
    return Asset(privacy_uri(conn_id))
