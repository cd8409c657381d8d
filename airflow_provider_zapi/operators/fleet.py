"""The operator that applies a policy to many numbers of one account, in one task or in several shards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow.providers.common.compat.sdk import Asset, AssetAlias

from airflow_provider_zapi.connection.form import DEFAULT_CONN_ID
from airflow_provider_zapi.operators.base import ZApiOperator
from airflow_provider_zapi.operators.events import last_events, publish, with_alias

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_zapi.reconcile.account import AccountRun, FleetReport
    from airflow_provider_zapi.reconcile.ledger import Ledger
    from airflow_provider_zapi.reconcile.selection import Shard

__all__ = ["FLEET_ALIAS", "ApplyFleetPolicyOperator", "shards"]

#: Tasks publish under this alias that they set an account's numbers. The connection names the asset.
FLEET_ALIAS = AssetAlias("zapi_fleet")
#: The key of an event that holds how many instances the account lists.
_INSTANCES = "instances"
#: The default of ``expected_plan``: no check. It is not None, which a template or an XCom may return.
_NO_PLAN: Any = object()


def shards(count: int) -> list[list[int]]:
    """Return the shards of an account, for ``ApplyFleetPolicyOperator.partial(...).expand(shard=shards(8))``.

    :param count: the number of shards; a stable digest of its id assigns each instance to one shard
    :raises ValueError: ``count`` is not a whole number from 1 to 1,000
    """
    if type(count) is not int or not 1 <= count <= 1_000:
        raise ValueError("shards() needs a whole number from 1 to 1000")
    return [[index, count] for index in range(count)]


class ApplyFleetPolicyOperator(ZApiOperator):
    """Apply a privacy policy to many WhatsApp numbers of one account.

    It lists the account's instances, selects some, and applies the policy to each as `ApplyPrivacyPolicyOperator` does,
    in a few threads. It tries every selected number, and then fails if some could not be set. On Airflow
    3.3 and newer, a task retry skips the numbers that an earlier try of the same run finished.

    :param policy: as for `ApplyPrivacyPolicyOperator`, or a mapping from name patterns to policies. The first pattern
        that matches a number's name or id applies. A number that matches no pattern is not changed. (templated)
    :param select: a pattern of instance names such as ``"shop-*"``, an instance id, or a list of these; by default all
        instances of the account. (templated)
    :param exclude: the selected instances to skip, in the same form. (templated)
    :param shard: ``(index, count)``: only this part of the account, see `shards`. Only the first of all shards updates
        the asset. (templated)
    :param expected_phones: a mapping from an instance's name or id to the phone that must be paired with it. If another
        phone is paired, the instance is not changed. (templated)
    :param mode: ``apply``, or ``plan`` to only read the lists and count the differences. (templated)
    :param canary: how many numbers must succeed, one by one, before the others begin. If one fails, no other is tried
    :param max_concurrency: how many numbers are handled at the same time, at most 32
    :param min_instances: fail before anything is changed if fewer are selected, in all shards together
    :param max_shrink: fail before anything is changed if the account lost more than this share of its instances since
        the last successful run; needs Airflow 3
    :param fail_on: the outcomes that fail the task, after all numbers were tried; by default ``refused``,
        ``unreachable``, ``wrong_phone`` and ``not_tried``
    :param allow_mass_removal: allow the removal of more than half of a list of 10 or more contacts
    :param expected_plan: the ``digest`` that a task with ``mode="plan"`` returned, and that somebody approved. A number
        whose plan has changed since then is not changed, and counts as ``refused``. (templated)
    :param zapi_conn_id: the Z-API connection, with the account's integrator token. (templated)
    :raises ZApiInvalidRequestError: a parameter is invalid, or too few instances are selected; nothing was sent
    :raises ZApiAuthenticationError: Z-API refused a credential or the caller's address; the run stopped at once
    :raises ZApiTransientError: some numbers could not be set; a task retry may help
    :raises ZApiPermanentError: some numbers could not be set; a task retry would not help
    """

    template_fields: Sequence[str] = (
        "policy",
        "select",
        "exclude",
        "shard",
        "expected_phones",
        "mode",
        "expected_plan",
        "zapi_conn_id",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"policy": "yaml"}
    template_ext: Sequence[str] = (".yaml", ".yml", ".json")
    ui_color = "#9fd9b4"
    _policy_file: str = ""
    _plan_given: bool = False
    _run: AccountRun | None = None

    def __init__(
        self,
        *,
        policy: Mapping[str, Any] | str | XComArg,
        select: str | Sequence[str] | XComArg | None = None,
        exclude: str | Sequence[str] | XComArg | None = None,
        shard: Sequence[int] | str | None = None,
        expected_phones: Mapping[str, str] | XComArg | None = None,
        mode: Literal["apply", "plan"] | str = "apply",
        canary: int = 1,
        max_concurrency: int = 8,
        min_instances: int = 1,
        max_shrink: float = 0.5,
        fail_on: Sequence[str] = ("refused", "unreachable", "wrong_phone", "not_tried"),
        allow_mass_removal: bool = False,
        expected_plan: str | XComArg | None = _NO_PLAN,
        zapi_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**with_alias(kwargs, FLEET_ALIAS))
        self.policy = policy
        if isinstance(policy, str) and policy.endswith(tuple(self.template_ext)):
            # Airflow replaces the name with the file's content.
            self._policy_file = policy
        self.select = select
        self.exclude = exclude
        self.shard = shard
        self.expected_phones = expected_phones
        self.mode = mode
        self.canary = canary
        self.max_concurrency = max_concurrency
        self.min_instances = min_instances
        self.max_shrink = max_shrink
        self.fail_on = fail_on
        self.allow_mass_removal = allow_mass_removal
        self.expected_plan = None if expected_plan is _NO_PLAN else expected_plan
        if expected_plan is not _NO_PLAN:
            self._plan_given = True
        self.zapi_conn_id = zapi_conn_id

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        """Set a mapped task's inlets and outlets, which Airflow reads before it makes the operators."""
        return super().partial(**with_alias(kwargs, FLEET_ALIAS))

    def execute(self, context: Context) -> dict[str, Any]:
        """List the account, handle the selected numbers, and log the outcomes.

        :return: ``{"mode", "instances", "selected", "unmatched", "outcomes", "failed"}``: counts, and the names of up
            to 100 instances for each outcome that is not a success. With ``plan``, it also has a ``digest`` for
            ``expected_plan``, for up to 1,500 numbers. It never holds a phone
        """
        from airflow_provider_zapi.reconcile.account import NO_PLAN, parse_fleet

        parameters = parse_fleet(
            self.policy,
            parameter=f"policy {self._policy_file!r}" if self._policy_file else "policy",
            mode=self.mode,
            select=self.select,
            exclude=self.exclude,
            shard=self.shard,
            expected_phones=self.expected_phones,
            canary=self.canary,
            max_concurrency=self.max_concurrency,
            min_instances=self.min_instances,
            max_shrink=self.max_shrink,
            fail_on=self.fail_on,
            allow_mass_removal=self.allow_mass_removal,
            expected_plan=self.expected_plan if self._plan_given else NO_PLAN,
        )
        ledger = _ledger(context)
        report = self._handled(context, parameters, ledger)
        self.log.info("Connection %s:\n%s", self.zapi_conn_id, outcome_table(report.result))
        if report.error is not None:
            # Airflow stores the result only if the task succeeds.
            context["ti"].xcom_push(key="return_value", value=report.result)
            raise report.error
        if parameters.mode == "apply":
            self._publish(context, report, parameters.shard)
        if ledger is not None:
            ledger.forget()
        return report.result

    def on_kill(self) -> None:
        """Stop sending in all threads. Airflow calls this in a signal handler, so it sets flags without a lock."""
        super().on_kill()
        if self._run is not None:
            self._run.cancel()

    def _handled(self, context: Context, parameters: Any, ledger: Ledger | None) -> FleetReport:
        from airflow_provider_zapi.hooks.zapi import ZApiHook
        from airflow_provider_zapi.reconcile.account import AccountRun
        from airflow_provider_zapi.reconcile.progress import Progress

        with ZApiHook(self.zapi_conn_id).get_account() as account:
            self._run = AccountRun(account, parameters)
            if self._killed:  # before the run was set, so on_kill could not cancel it
                self._run.cancel()
            try:
                return self._run.run(
                    self.zapi_conn_id,
                    earlier=next((event.get(_INSTANCES) for event in self._events(context)), None),
                    ledger=ledger,
                    progress=Progress(lambda told: self.log.info("%s", told)),
                )
            finally:
                # Airflow copies and pickles operators, and credentials can't be copied or pickled.
                self._run = None

    def _events(self, context: Context) -> Any:
        return last_events(context, FLEET_ALIAS, {"conn_id": self.zapi_conn_id})

    def _publish(self, context: Context, report: FleetReport, shard: Shard | None) -> None:
        from airflow_provider_zapi.assets import privacy_uri

        index, count = shard or (0, 1)
        # Two shards that succeed at the same time would both create the asset. The database accepts one of them, and
        # Airflow marks the other task as failed.
        if index != 0:
            return
        extra = {"conn_id": self.zapi_conn_id, _INSTANCES: report.listed, "selected": report.result["selected"]}
        extra |= {"shards": count} if count > 1 else {}
        extra |= {f"outcome.{name}": count for name, count in report.result["outcomes"].items()}
        publish(context, FLEET_ALIAS, Asset(privacy_uri(self.zapi_conn_id)), extra)


def outcome_table(result: Mapping[str, Any]) -> str:
    """Return the outcomes of a run as a table, with the names of the first instances that failed."""
    from airflow_provider_zapi.tables import text_table

    rows = [(name, count, _names(result["failed"].get(name, ()), count)) for name, count in result["outcomes"].items()]
    return text_table([("outcome", "numbers", ""), *rows])


def _names(names: Sequence[str], count: int) -> str:
    shown = ", ".join(names[:5])
    return f"{shown}, ..." if shown and count > 5 else shown


def _ledger(context: Context) -> Ledger | None:
    """Return the record of finished numbers, which survives task retries, or None before Airflow 3.3."""
    store: Any = context.get("task_state_store")
    if store is None:
        return None
    from airflow_provider_zapi.reconcile.ledger import Ledger

    return Ledger(store)
