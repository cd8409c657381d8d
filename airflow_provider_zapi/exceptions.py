"""The errors of this provider.

Airflow retries a task after a transient error and fails it at once after a permanent one:

    ZApiError
    +-- ZApiTransientError                       a retry may help
    |   +-- ZApiRefusedError                     Z-API accepted the call but did not do it
    |   +-- ZApiNotConnectedError                the instance has no WhatsApp session now
    |   +-- ZApiUnreachableError                 no answer, or an answer that is not from Z-API
    |   +-- ZApiRateLimitError                   too many calls
    |   +-- ZApiNotVerifiedError                 a list does not show the changes yet
    +-- ZApiPermanentError (AirflowFailException)    somebody must change something first
        +-- ZApiConfigurationError               a field of the connection
        +-- ZApiAuthenticationError              a credential, or the caller's address
        +-- ZApiSubscriptionError                the instance's subscription
        +-- ZApiInstanceNotFoundError            the instance id or its token
        +-- ZApiInvalidRequestError              a parameter
        +-- ZApiUnexpectedAnswerError            an answer outside Z-API's contract
        +-- ZApiConflictError                    somebody else changes the same settings
        +-- ZApiPlanChangedError                 the plan is not the one that was approved

Every message ends with a code in brackets, such as ``[ZAPI-AUTH-CLIENT-TOKEN]``. `docs/errors.md` explains each code. A
code never changes its meaning, and it begins with the code of its class (``ZAPI-AUTH``).

No error holds a request, a response, an address or a credential. Each is made only from the facts below. It is raised
while no other error is being handled (see `airflow_provider_zapi.catching`), so its cause and context do not lead to
any of these either.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

from airflow.providers.common.compat.sdk import AirflowFailException

__all__ = [
    "ZApiAuthenticationError",
    "ZApiConfigurationError",
    "ZApiConflictError",
    "ZApiError",
    "ZApiInstanceNotFoundError",
    "ZApiInvalidRequestError",
    "ZApiNotConnectedError",
    "ZApiNotVerifiedError",
    "ZApiPermanentError",
    "ZApiPlanChangedError",
    "ZApiRateLimitError",
    "ZApiRefusedError",
    "ZApiSubscriptionError",
    "ZApiTransientError",
    "ZApiUnexpectedAnswerError",
    "ZApiUnreachableError",
]


class ZApiError(Exception):
    """The base class of this provider's errors.

    :param what: what happened, without a full stop
    :param advice: what to do about it, in full sentences
    :param endpoint: the endpoint's name, such as ``privacy/last-seen``; never its URL, which holds a credential
    :param conn_id: the Airflow connection
    :param status: the HTTP status of the last answer, if there was one
    :param attempts: the number of requests sent for this call
    :param elapsed: seconds that the call took, including waits
    :param retry_after: seconds after which Z-API allows a retry, if it gave them
    :param perhaps_done: whether Z-API may have done what the call asked for, if the call is not idempotent
    :param code: the code that the message ends with; by default the code of the class
    """

    #: The code of errors of this class that do not have a more specific code.
    default_code: ClassVar[str] = "ZAPI"

    def __init__(
        self,
        what: str,
        advice: str = "",
        *,
        endpoint: str | None = None,
        conn_id: str | None = None,
        status: int | None = None,
        attempts: int = 0,
        elapsed: float = 0.0,
        retry_after: float | None = None,
        perhaps_done: bool = False,
        code: str = "",
    ) -> None:
        self.what = what
        self.advice = advice
        self.endpoint = endpoint
        self.conn_id = conn_id
        self.status = status
        self.attempts = attempts
        self.elapsed = elapsed
        self.retry_after = retry_after
        self.perhaps_done = perhaps_done
        self.code = code or self.default_code
        super().__init__(self._message())

    def _message(self) -> str:
        facts = [
            self.endpoint and f"endpoint {self.endpoint}",
            self.conn_id and f"connection '{self.conn_id}'",
            self.status and f"HTTP {self.status}",
            self.attempts > 1 and f"{self.attempts} attempts in {self.elapsed:.1f} s",
            self.retry_after is not None and f"asked to wait {self.retry_after:.0f} s",
        ]
        named = ", ".join(fact for fact in facts if fact)
        # If the message is a list of mistakes, the code gets its own line below the list.
        separator = "\n" if "\n" in self.advice else " "
        return (
            f"{self.what}{f' ({named})' if named else ''}.{f' {self.advice}' if self.advice else ''}"
            f"{separator}[{self.code}]"
        )

    def after(self, done: str) -> Self:
        """Return the same error with a sentence about what was done before it."""
        return self._with(advice=f"{done}. {self.advice}".strip())

    def without_connection(self) -> Self:
        """Return the same error without the connection's id."""
        return self._with(conn_id=None)

    def _with(self, **facts: Any) -> Self:
        return type(self)(**{**self.__dict__, **facts})

    def __reduce__(self) -> tuple[Any, ...]:
        # By default, unpickling calls the class with only the finished message, which loses the facts.
        return _rebuild, (type(self), self.__dict__.copy())


def _rebuild(kind: type[ZApiError], facts: dict[str, Any]) -> ZApiError:
    return kind(**facts)


class ZApiTransientError(ZApiError):
    """A retry may help, after ``retry_after`` seconds if Z-API sent them."""

    default_code = "ZAPI-TRANSIENT"


class ZApiRefusedError(ZApiTransientError):
    """Z-API did not do what the call asked for. It answered ``success: false``, or an unknown error."""

    default_code = "ZAPI-REFUSED"


class ZApiNotConnectedError(ZApiTransientError):
    """The instance has no WhatsApp session now. The phone must reconnect."""

    default_code = "ZAPI-NOT-CONNECTED"


class ZApiUnreachableError(ZApiTransientError):
    """Z-API sent no answer, a server error, or an incomplete answer; or the answer is not from Z-API."""

    default_code = "ZAPI-UNREACHABLE"


class ZApiRateLimitError(ZApiTransientError):
    """Z-API refused a call because there were too many (429)."""

    default_code = "ZAPI-RATE-LIMIT"


class ZApiNotVerifiedError(ZApiTransientError):
    """Z-API accepted every change to a list, but the list does not show all of them yet."""

    default_code = "ZAPI-NOT-VERIFIED"


class ZApiPermanentError(ZApiError, AirflowFailException):
    """A retry would not help. Airflow fails the task at once without using its retries."""

    default_code = "ZAPI-PERMANENT"


class ZApiConfigurationError(ZApiPermanentError):
    """A field of the Airflow connection, or of the environment, cannot be used."""

    default_code = "ZAPI-CONFIG"


class ZApiAuthenticationError(ZApiPermanentError):
    """Z-API refused a credential, or the caller's address. The message says which."""

    default_code = "ZAPI-AUTH"


class ZApiSubscriptionError(ZApiPermanentError):
    """The instance's subscription lapsed, or a payment is due."""

    default_code = "ZAPI-SUBSCRIPTION"


class ZApiInstanceNotFoundError(ZApiPermanentError):
    """Z-API does not have an instance with this id and token."""

    default_code = "ZAPI-INSTANCE-NOT-FOUND"


class ZApiInvalidRequestError(ZApiPermanentError):
    """A parameter is invalid. If the error has a ``status``, Z-API refused it; otherwise nothing was sent."""

    default_code = "ZAPI-INVALID"


class ZApiUnexpectedAnswerError(ZApiPermanentError):
    """An answer does not follow Z-API's contract, so it does not prove a success."""

    default_code = "ZAPI-UNEXPECTED"


class ZApiConflictError(ZApiPermanentError):
    """Somebody else changes the same settings. A list differs in ways that this run did not cause."""

    default_code = "ZAPI-CONFLICT"


class ZApiPlanChangedError(ZApiPermanentError):
    """The plan is not the one that was approved; nothing was changed."""

    default_code = "ZAPI-PLAN-CHANGED"
