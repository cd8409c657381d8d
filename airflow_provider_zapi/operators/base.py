"""What all tasks of this provider share: one client a task, and silence once the task is killed.

Whatever a parse of a DAG file does not need is imported where it is used, here and in the other modules of tasks: every
parse pays for these modules anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_zapi.connection.form import DEFAULT_CONN_ID
from airflow_provider_zapi.links import ZApiPanelLink
from airflow_provider_zapi.rendering import is_plain

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from jinja2 import Environment

    from airflow_provider_zapi.client import ZApiClient

__all__ = ["ZApiOperator", "settings_of_other_tasks"]

#: Where the docs give the reason for a pool.
POOL_REASON = "docs/operators.md#one-task-at-a-time-on-a-number"


class ZApiOperator(BaseOperator):
    """A task that calls one Z-API instance.

    It has no ``__init__``: Airflow wraps that of each class, which would cost more than all else that is ours when a
    DAG file makes a task. A subclass takes and sets ``zapi_conn_id``. So what an instance may hold besides has a class
    attribute as its default, and is set only where it differs: ``_client`` and ``_killed`` while a task runs, and
    ``_list_given``, ``_phone_given``, ``_plan_given`` and ``_policy_file`` for what rendering would hide.
    """

    template_fields: Sequence[str] = ("zapi_conn_id",)
    ui_color = "#d9f2e3"
    operator_extra_links = (ZApiPanelLink(),)
    #: Whether a failed call is tried again before its error is raised.
    retry_calls: ClassVar[bool] = True

    #: The Z-API connection.
    zapi_conn_id: str = DEFAULT_CONN_ID
    _client: ZApiClient | None = None
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

        hook = ZApiHook(self.zapi_conn_id, retry=self.retry_calls)
        with hook as client:
            self._client = client
            if self._killed:  # meanwhile
                client.cancel()
            try:
                self._phone_of_connection = hook.expected_phone
                if check_phone:
                    self.require_phone(client, expected_phone)
                yield client
            finally:
                # Airflow copies and pickles operators; credentials refuse both.
                self._client = None

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
            self.log.warning(
                "This task runs in default_pool, so another task may write to the same number at the same time. Create "
                "a pool with one slot (airflow pools set %s 1 'one task at a time on this number') and give all tasks "
                "of the number pool='%s'. Reason: %s",
                self.zapi_conn_id,
                self.zapi_conn_id,
                POOL_REASON,
            )

    def on_kill(self) -> None:
        """Send nothing more. Airflow calls it in a signal handler, so it sets flags and takes no lock."""
        self._killed = True
        if self._client is not None:
            self._client.cancel()


def settings_of_other_tasks(task: ZApiOperator, context: Context) -> set[str]:
    """Return the names of the settings that other tasks of the same DAG set, or may set.

    A policy that is known only at run time, such as a file or another task's result, may set any of them. The policy of
    this very task, which is planned in one task and applied in another, is not one of another task.
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
