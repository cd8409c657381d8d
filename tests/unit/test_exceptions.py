"""Errors carry facts and keep them when pickled. Their branch of the tree decides how a task ends."""

from __future__ import annotations

import pickle

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_zapi import exceptions
from airflow_provider_zapi.exceptions import ZApiError, ZApiPermanentError, ZApiTransientError

FACTS = {
    "endpoint": "privacy/last-seen",
    "conn_id": "zapi_default",
    "status": 503,
    "attempts": 4,
    "elapsed": 12.34,
    "retry_after": 90.0,
    "code": "ZAPI-OF-ITS-OWN",
}
CLASSES = [getattr(exceptions, name) for name in exceptions.__all__]


@pytest.mark.parametrize("kind", CLASSES)
def test_an_error_keeps_its_facts_through_a_pickle(kind: type[ZApiError]) -> None:
    error = kind("Z-API could not answer", "Try again.", **FACTS)  # type: ignore[arg-type]  # one row for six types
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - pickled in the same expression
    assert type(copy) is kind
    assert copy.__dict__ == error.__dict__
    assert str(copy) == str(error)


def test_the_message_says_what_where_and_what_to_do() -> None:
    error = ZApiError("Z-API could not answer", "Try again.", **FACTS)  # type: ignore[arg-type]
    assert str(error) == (
        "Z-API could not answer (endpoint privacy/last-seen, connection 'zapi_default', HTTP 503, "
        "4 attempts in 12.3 s, asked to wait 90 s). Try again. [ZAPI-OF-ITS-OWN]"
    )
    assert str(ZApiError("It broke")) == "It broke. [ZAPI]"
    assert str(ZApiError("It broke", attempts=1, elapsed=1.0)) == "It broke. [ZAPI]"
    assert str(ZApiError("It broke", attempts=2, elapsed=1.0)) == "It broke (2 attempts in 1.0 s). [ZAPI]"


def test_an_error_before_anything_was_sent_took_no_attempt_and_no_time() -> None:
    error = ZApiError("It broke")
    assert (error.attempts, error.elapsed) == (0, 0.0)


def test_an_error_says_what_was_done_before_it() -> None:
    error = ZApiError("It broke", "Try again.", status=503).after("500 of 900 changes were made before this, and stay")
    assert str(error) == "It broke (HTTP 503). 500 of 900 changes were made before this, and stay. Try again. [ZAPI]"


@pytest.mark.parametrize("kind", CLASSES)
def test_only_permanent_errors_skip_the_tasks_retries(kind: type[ZApiError]) -> None:
    permanent = issubclass(kind, ZApiPermanentError)
    assert issubclass(kind, AirflowFailException) is permanent
    if kind is not ZApiError:
        assert permanent is not issubclass(kind, ZApiTransientError)


def test_the_tree_in_the_docstring_matches_the_classes() -> None:
    assert exceptions.__doc__ is not None
    for kind in CLASSES:
        depth = len([base for base in kind.__mro__ if issubclass(base, ZApiError)]) - 1
        line = "    " + {0: "", 1: "+-- "}.get(depth, "|   +-- ") + kind.__name__
        assert any(
            drawn.rstrip().startswith((line, line.replace("|   ", "    "))) for drawn in exceptions.__doc__.splitlines()
        ), line
