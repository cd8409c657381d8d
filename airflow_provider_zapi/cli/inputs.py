"""The connections, policy files, reports and exit codes that the commands share."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import AirflowNotFoundException

from airflow_provider_zapi.catching import caught
from airflow_provider_zapi.cli.definition import ACCOUNT, DIFFERENT, OK, USAGE
from airflow_provider_zapi.exceptions import (
    ZApiConfigurationError,
    ZApiConflictError,
    ZApiError,
    ZApiInvalidRequestError,
    ZApiPlanChangedError,
)

__all__ = ["NOTHING", "Report", "code_of", "connection_of", "policy_text"]

#: Printed in an empty cell of a table.
NOTHING = "-"


@dataclass
class Report:
    """A command's result, as data for ``--output json`` and ``yaml``, and as rows or Markdown for people."""

    data: dict[str, Any]
    rows: list[Sequence[object]]
    code: int = OK
    notes: list[str] = field(default_factory=list)
    #: Text for stderr.
    errors: str = ""
    markdown: str = ""
    #: Printed for people instead of rows and notes.
    text: str | None = None


def code_of(error: ZApiError) -> int:
    """Return the exit code of an error."""
    if isinstance(error, (ZApiConflictError, ZApiPlanChangedError)):
        return DIFFERENT
    # If the error has a status, Z-API refused the call. Otherwise, the arguments or the policy file are wrong.
    return USAGE if isinstance(error, ZApiInvalidRequestError) and error.status is None else ACCOUNT


def connection_of(conn_id: str) -> Any:
    """Return Airflow's connection. Do not keep it in a variable, because a traceback would show it."""
    # Airflow's own commands do the same, because since Airflow 3 only a server reads connections from the database.
    os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "server"
    from airflow.models.connection import Connection

    connection = None
    with suppress(AirflowNotFoundException):
        connection = Connection.get_connection_from_secrets(conn_id)
    if connection is None:
        raise ZApiConfigurationError(
            "There is no such connection",
            f"Create it in Airflow (Admin, Connections) or in the environment variable AIRFLOW_CONN_{conn_id.upper()}.",
            conn_id=conn_id,
            code="ZAPI-CONFIG-NO-CONNECTION",
        )
    return connection


def policy_text(name: str) -> str:
    """Return a policy file's content."""
    text = caught(lambda: Path(name).read_text(encoding="utf-8"), OSError, ValueError)
    if isinstance(text, Exception):
        problem = (text.strerror or "it cannot be read") if isinstance(text, OSError) else "it is not UTF-8 text"
        raise ZApiInvalidRequestError(
            f"policy {name!r} cannot be used: {problem}", "Nothing was sent.", code="ZAPI-INVALID-POLICY-FILE"
        )
    return text
