"""The base class of the operators. It keeps one client per task and stops sending when the task is killed.

Airflow imports the operator modules every time it parses a DAG file, so they import only what parsing needs at the top.
Other imports are inside the functions that use them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, cast

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_zapi.connection.form import DEFAULT_CONN_ID
from airflow_provider_zapi.links import ZApiPanelLink
from airflow_provider_zapi.rendering import is_plain

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, XComArg
    from jinja2 import Environment

    from airflow_provider_zapi.client import ZApiClient
    from airflow_provider_zapi.hooks.zapi import ZApiHook

__all__ = ["ZApiOperator", "settings_of_other_tasks"]

#: Where the docs explain the pool.
POOL_REASON = "docs/operators.md#one-task-at-a-time-on-a-number"


class ZApiOperator(BaseOperator):
    """The base class of the operators that call one Z-API instance.

    This class has no ``__init__``, because Airflow wraps every ``__init__``, which slows down DAG parsing. A subclass
    sets ``zapi_conn_id``, and ``instance`` if it has one. Other attributes have class-level defaults and are set only
    when they differ. ``_hook`` and ``_killed`` change while a task runs. ``_list_given``, ``_phone_given``,
    ``_plan_given`` and ``_policy_file`` record what the DAG passed, which is lost after rendering.
    """

    template_fields: Sequence[str] = ("instance", "zapi_conn_id")
    ui_color = "#d9f2e3"
    operator_extra_links = (ZApiPanelLink(),)
    #: Whether a failed call is retried before its error is raised.
    retry_calls: ClassVar[bool] = True

    #: The Z-API connection.
    zapi_conn_id: str = DEFAULT_CONN_ID
    #: The instance, if the connection covers a whole account.
    instance: str | XComArg | None = None
    #: The id of the instance, once the task has looked it up.
    _picked: str | None = None
    _hook: ZApiHook | None = None
    _killed: bool = False
    _phone_of_connection: str | None = None
    #: Whether the DAG passed an ``expected_phone``.
    _phone_given: bool = False

    def render_template(
        self,
        content: Any,
        context: Context,
        jinja_env: Environment | None = None,
        seen_oids: set[int] | None = None,
    ) -> Any:
        """Return a string without Jinja unchanged, and render everything else as Airflow does."""
        if is_plain(content, self, jinja_env):
            return content
        return super().render_template(content, context, jinja_env, seen_oids)

    @contextmanager
    def client(self, expected_phone: object = None, *, check_phone: bool = True) -> Iterator[ZApiClient]:
        """Look up the connection and yield its client, which stops when the task is killed.

        :param expected_phone: the number that must be paired; by default the connection's extra ``phone``. If another
            number is paired, the task fails before anything is sent
        :param check_phone: whether to compare the numbers; Z-API reports the paired number only while it is connected
        """
        from airflow_provider_zapi.hooks.zapi import ZApiHook

        # ``instance`` is rendered by now, so it is no longer an XComArg.
        hook = ZApiHook(self.zapi_conn_id, retry=self.retry_calls, instance=cast("str | None", self.instance))
        self._hook = hook
        if self._killed:  # before the hook was set, so on_kill could not cancel it
            hook.cancel()
        try:
            with hook as client:
                self._phone_of_connection, self._picked = hook.expected_phone, hook.picked
                if check_phone:
                    self.require_phone(client, expected_phone)
                yield client
        finally:
            # Airflow copies and pickles operators, and credentials can't be copied or pickled.
            self._hook = None

    def require_phone(self, client: ZApiClient, expected_phone: object = None) -> None:
        """Check which number is paired, if this task or its connection expects one.

        :raises ZApiInvalidRequestError: ``expected_phone`` is not a phone number; nothing was sent
        :raises ZApiConfigurationError: another number is paired
        """
        from airflow_provider_zapi.connection.phone import require_phone
        from airflow_provider_zapi.privacy.changes import parse_contact

        if expected_phone is None and not self._phone_given:
            expected = self._phone_of_connection
        else:
            # An empty template must not disable the check.
            expected = parse_contact(expected_phone, "expected_phone")
        if expected is not None:
            require_phone(client, expected, self.zapi_conn_id)

    def warn_about_pool(self) -> None:
        """Log a warning if another task may write to the same number at the same time."""
        if self.pool == "default_pool":
            pool = self.zapi_conn_id if self.instance is None else _pool_name(f"{self.zapi_conn_id}_{self.instance}")
            self.log.warning(
                "This task runs in default_pool, so another task may write to the same number at the same time. Create "
                "a pool with one slot (airflow pools set %s 1 'one task at a time on this number') and give all tasks "
                "of the number pool='%s'. Reason: %s",
                pool,
                pool,
                POOL_REASON,
            )

    def on_kill(self) -> None:
        """Stop sending. Airflow calls this in a signal handler, so it sets flags without a lock."""
        self._killed = True
        if self._hook is not None:
            self._hook.cancel()


def _pool_name(text: str) -> str:
    """Return a valid pool name. Airflow accepts only ASCII, and the name must not need quotes in a shell."""
    return "".join(one if one.isascii() and (one.isalnum() or one in "_-.") else "_" for one in text)


def settings_of_other_tasks(task: ZApiOperator, context: Context) -> set[str]:
    """Return the names of the settings that other tasks of the same DAG set, or may set.

    A policy that is known only at run time, such as a file or another task's result, may set any setting. This task's
    own policy does not count, even if another task plans it.
    """
    from airflow_provider_zapi.privacy.settings import SETTINGS

    names = {setting.name for setting in SETTINGS}
    found: set[str] = set()
    for other in getattr(context.get("dag"), "tasks", ()):
        if other.task_id == task.task_id:
            continue
        kind = getattr(other, "operator_class", type(other))
        if setting := getattr(kind, "setting", None):
            found.add(getattr(setting, "name", ""))
        elif kind.__name__ == "ApplyPrivacyPolicyOperator":
            policy = getattr(other, "policy", None)
            if policy is not None and policy == getattr(task, "policy", None):
                continue
            found |= names.intersection(map(str, policy)) if isinstance(policy, Mapping) else names
    return found & names
