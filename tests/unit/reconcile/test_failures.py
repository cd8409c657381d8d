"""All failed settings are reported in one error: its class, and its message about each setting."""

from __future__ import annotations

import pytest

from airflow_provider_zapi.exceptions import (
    ZApiConflictError,
    ZApiError,
    ZApiInvalidRequestError,
    ZApiNotVerifiedError,
    ZApiRefusedError,
)
from airflow_provider_zapi.reconcile.failures import combined

ORDER = ["last_seen", "photo", "online", "group_add"]

CASES: list[tuple[str, dict[str, ZApiError], type[ZApiError]]] = [
    ("one transient", {"photo": ZApiRefusedError("refused")}, ZApiRefusedError),
    ("one permanent", {"photo": ZApiConflictError("conflict")}, ZApiConflictError),
    (
        "a permanent before a transient",
        {"last_seen": ZApiConflictError("conflict"), "photo": ZApiNotVerifiedError("not yet")},
        ZApiNotVerifiedError,
    ),
    (
        "two permanent",
        {"photo": ZApiInvalidRequestError("phone"), "last_seen": ZApiConflictError("conflict")},
        ZApiConflictError,
    ),
]


@pytest.mark.parametrize(("failures", "kind"), [row[1:] for row in CASES], ids=[row[0] for row in CASES])
def test_the_error_is_transient_if_any_of_them_is(failures: dict[str, ZApiError], kind: type[ZApiError]) -> None:
    error = combined(failures, done=["online"], order=ORDER)
    assert type(error) is kind
    for name, failure in failures.items():
        assert name in str(error)
        assert failure.what in str(error)


def test_it_says_what_is_done_and_what_was_not_tried() -> None:
    error = combined({"photo": ZApiRefusedError("refused", "Retry later.")}, done=["online", "last_seen"], order=ORDER)
    assert str(error) == (
        "refused. Failed: photo. Done: last_seen, online. Not tried: group_add. A retry sends everything again, which "
        "is safe. Retry later. [ZAPI-REFUSED]"
    )


def test_the_error_has_the_longest_requested_wait() -> None:
    failures = {"photo": ZApiRefusedError("a", retry_after=5.0), "online": ZApiRefusedError("b", retry_after=60.0)}
    assert combined(failures, done=[], order=ORDER).retry_after == 60.0
