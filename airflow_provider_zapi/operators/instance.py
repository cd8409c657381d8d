"""The operator that checks whether an instance is paid, connected, and paired with the right phone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_zapi.connection.form import DEFAULT_CONN_ID
from airflow_provider_zapi.operators.base import ZApiOperator
from airflow_provider_zapi.panel import INSTANCES_PAGE

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_zapi.client import AccountState

__all__ = ["CheckInstanceOperator"]

#: The payment status of a paid subscription. This is assumed: Z-API documents the field, but not its values.
PAID = "PAID"


class CheckInstanceOperator(ZApiOperator):
    """Check that an instance is paid, connected, and paired with the right phone. It only reads.

    Source: Z-API, ``GET me``, ``GET status``, ``GET device``.

    :param min_days_left: fail if the subscription ends in fewer whole days than this; with 0, fail if it has ended.
        (templated)
    :param expected_phone: the number that must be paired with the instance; by default the connection's extra
        ``phone``. Without either, the phone is not checked. (templated)
    :param require_paid: fail unless Z-API's payment status is ``PAID``. Z-API does not document
        the values of this field. If your account shows another value, set this to False
    :param instance: the ID or exact name of the instance, if the connection covers a whole account. (templated)
    :param zapi_conn_id: the Z-API connection. (templated)
    :raises ZApiSubscriptionError: the instance is not paid, or it ends too soon; not retried
    :raises ZApiNotConnectedError: the phone is not connected; a retry may help
    :raises ZApiConfigurationError: another phone is paired; not retried
    :raises ZApiInvalidRequestError: ``min_days_left`` cannot be used; nothing was sent
    """

    template_fields: Sequence[str] = ("min_days_left", "expected_phone", "instance", "zapi_conn_id")
    ui_color = "#cfeaf0"

    def __init__(
        self,
        *,
        min_days_left: int | str | XComArg = 0,
        expected_phone: str | XComArg | None = None,
        require_paid: bool = True,
        instance: str | XComArg | None = None,
        zapi_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.min_days_left = min_days_left
        self.expected_phone = expected_phone
        if expected_phone is not None:
            self._phone_given = True
        self.require_paid = require_paid
        if instance is not None:
            self.instance = instance
        self.zapi_conn_id = zapi_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Read the subscription, the connection and the phone, and fail at the first problem.

        :return: ``{"connected", "due", "days_left", "payment_status"}``, and nothing else
        """
        from airflow_provider_zapi.exceptions import ZApiNotConnectedError
        from airflow_provider_zapi.wording import counted

        wanted = _days(self.min_days_left)
        # Check the subscription first, because Z-API refuses other calls once it has lapsed.
        with self.client(check_phone=False) as client:
            account = client.account()
            left = account.days_left(datetime.now(UTC))
            self._check_subscription(account, left, wanted)
            status = client.status()
            if not status.connected:
                raise ZApiNotConnectedError(
                    f"the instance has no WhatsApp session{f': {status.reason}' if status.reason else ''}",
                    f"Connect the phone again in the Z-API panel ({INSTANCES_PAGE}), then try again.",
                    endpoint="status",
                    conn_id=self.zapi_conn_id,
                )
            self.require_phone(client, self.expected_phone)
        if not account.connected:
            self.log.warning("Z-API's 'me' says that the instance is not connected, but 'status' says that it is.")
        self.log.info(
            "Connection %s: connected; the subscription is %s and ends in %s.",
            self.zapi_conn_id,
            account.payment_status,
            counted(left, "day"),
        )
        return {
            "connected": True,
            "due": account.due.isoformat(),
            "days_left": left,
            "payment_status": account.payment_status,
        }

    def _check_subscription(self, account: AccountState, left: int, wanted: int) -> None:
        from airflow_provider_zapi.exceptions import ZApiSubscriptionError
        from airflow_provider_zapi.wording import counted

        problem = code = ""
        if self.require_paid and account.payment_status.upper() != PAID:
            code = "ZAPI-SUBSCRIPTION-UNPAID"
            problem = f"the subscription's payment status is {account.payment_status}, but must be {PAID}"
        elif left < wanted:
            code = "ZAPI-SUBSCRIPTION-ENDS"
            problem = f"the subscription ends in {counted(left, 'day')} ({account.due:%Y-%m-%d}), fewer than {wanted}"
        if problem:
            raise ZApiSubscriptionError(
                problem,
                f"Renew it in the Z-API panel ({INSTANCES_PAGE}), then try again.",
                endpoint="me",
                conn_id=self.zapi_conn_id,
                code=code,
            )


def _days(value: object) -> int:
    """Return ``min_days_left`` as a number. A template renders it as a string."""
    from airflow_provider_zapi.exceptions import ZApiInvalidRequestError
    from airflow_provider_zapi.privacy.phones import kind

    text = str(value).strip()
    if isinstance(value, (int, str)) and not isinstance(value, bool) and text.isascii() and text.isdigit():
        return int(text)
    raise ZApiInvalidRequestError(
        f"min_days_left is {kind(value)}, but must be a whole number of days",
        "Use 0 or more. Nothing was sent.",
        code="ZAPI-INVALID-PARAMETER",
    )
