"""What all tasks of this provider share: one client a task, and silence once the task is killed.

Whatever a parse of a DAG file does not need is imported where it is used, here and in the other modules of tasks: every
parse pays for these modules anew.
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

#: Where the docs give the reason for a pool.
POOL_REASON = "docs/operators.md#one-task-at-a-time-on-a-number"


class ZApiOperator(BaseOperator):
    """A task that calls one Z-API instance.

    It has no ``__init__``: Airflow wraps that of each class, which would cost more than all else that is ours when a
    DAG file makes a task. A subclass takes and sets ``zapi_conn_id``, and ``instance`` if it was given one. So what an
    object may hold besides has a class attribute as its default, and is set only where it differs: ``_hook`` and
    ``_killed`` while a task runs, and ``_list_given``, ``_phone_given`` and ``_policy_file`` for what rendering would
    hide.
    """

    template_fields: Sequence[str] = ("instance", "zapi_conn_id")
    ui_color = "#d9f2e3"
    operator_extra_links = (ZApiPanelLink(),)
    #: Whether a failed call is tried again before its error is raised.
    retry_calls: ClassVar[bool] = True

    #: The Z-API connection.
    zapi_conn_id: str = DEFAULT_CONN_ID
    #: Which instance of a connection with a whole account.
    instance: str | XComArg | None = None
    #: The id of that instance, once the task has looked it up.
    _picked: str | None = None
    _hook: ZApiHook | None = None
    _killed: bool = False
    _phone_of_connection: str | None = None
    #: Whether the task was given an ``expected_phone``.
    _phone_given: bool = False

    def render_template(
        self,
        content: Any,
        context: Context,
        jinja_env: Environment | None = None,
        seen_oids: set[int] | None = None,
    ) -> Any:
        """Return a text without Jinja as it is, and what Airflow makes of everything else."""
        if is_plain(content, self, jinja_env):
            return content
        return super().render_template(content, context, jinja_env, seen_oids)

    @contextmanager
    def client(self, expected_phone: object = None, *, check_phone: bool = True) -> Iterator[ZApiClient]:
        """Look the connection up and yield its client, which sends nothing more once the task is killed.

        :param expected_phone: the number that has to be paired; by default what the connection's extra ``phone`` says.
            With one, another number fails the task before anything is sent
        :param check_phone: whether it is compared at all; only a connected instance can say which number is paired
        """
        from airflow_provider_zapi.hooks.zapi import ZApiHook

        # Rendered by now.
        hook = ZApiHook(self.zapi_conn_id, retry=self.retry_calls, instance=cast("str | None", self.instance))
        self._hook = hook
        if self._killed:  # meanwhile
            hook.cancel()
        try:
            with hook as client:
                self._phone_of_connection, self._picked = hook.expected_phone, hook.picked
                if check_phone:
                    self.require_phone(client, expected_phone)
                yield client
        finally:
            # Airflow copies and pickles operators; credentials refuse both.
            self._hook = None

    def require_phone(self, client: ZApiClient, expected_phone: object = None) -> None:
        """Check which number is paired, if this task or its connection says which one must be.

        :raises ZApiInvalidRequestError: ``expected_phone`` is not a phone number; nothing was sent
        :raises ZApiConfigurationError: another number is paired
        """
        from airflow_provider_zapi.connection.phone import require_phone
        from airflow_provider_zapi.privacy.changes import parse_contact

        if expected_phone is None and not self._phone_given:
            expected = self._phone_of_connection
        else:
            # Also one that a template left empty: it must not switch the check off.
            expected = parse_contact(expected_phone, "expected_phone")
        if expected is not None:
            require_phone(client, expected, self.zapi_conn_id)

    def warn_about_pool(self) -> None:
        """Log a warning if this task, which writes, may run beside another one that writes to the same number."""
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
        """Send nothing more. Airflow calls it in a signal handler, so it sets flags and takes no lock."""
        self._killed = True
        if self._hook is not None:
            self._hook.cancel()


def _pool_name(text: str) -> str:
    """Return a text as the name of a pool: Airflow accepts ASCII only, and a shell needs no quotes around it."""
    return "".join(one if one.isascii() and (one.isalnum() or one in "_-.") else "_" for one in text)


def settings_of_other_tasks(task: ZApiOperator, context: Context) -> set[str]:
    """Return the names of the settings that other tasks of the same DAG set, or may set.

    A policy that is known only at run time, such as a file or another task's result, may set any of them.
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
            found |= names.intersection(map(str, policy)) if isinstance(policy, Mapping) else names
    return found & names
