"""The fields of a Z-API connection, once.

Airflow 3.2 and newer draws the form from the provider's metadata alone, older ones ask the hook; both formats are made
from these rows, so that they cannot drift apart. Imports nothing of Airflow: the metadata is read in all its processes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_zapi.panel import ACCOUNT_SECURITY_TOKEN, BASE_URL, INSTANCE_ID, INSTANCE_TOKEN, INTEGRATOR_TOKEN

__all__ = [
    "AIRFLOW_2_PLACEHOLDER",
    "CONNECTION_TYPE",
    "DEFAULT_CONN_ID",
    "FIELDS",
    "HOOK_NAME",
    "LABELS",
    "Field",
    "conn_fields",
    "ui_field_behaviour",
]

CONNECTION_TYPE = "zapi"
HOOK_NAME = "Z-API"
DEFAULT_CONN_ID = "zapi_default"
#: What the form of Airflow 2.11 holds in place of a stored secret, and takes for "as it was".
AIRFLOW_2_PLACEHOLDER = "RATHER_LONG_SENSITIVE_FIELD_PLACEHOLDER"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the form.

    :param name: the attribute of Airflow's connection, or the key in its Extra where ``custom``
    :param label: what the form calls it; None leaves Airflow's own name
    :param help: what belongs into it
    :param custom: whether it is kept in Extra
    :param secret: whether the form hides what is typed (custom fields; Airflow itself hides the password)
    :param hidden: whether the form leaves the field out
    """

    name: str
    label: str | None = None
    help: str = ""
    custom: bool = False
    secret: bool = False
    hidden: bool = False


FIELDS: tuple[Field, ...] = (
    Field("login", INSTANCE_ID, "From the instance's page in the Z-API panel"),
    Field("password", INSTANCE_TOKEN, "From the same page; it is not the account security token"),
    Field("host", BASE_URL, "Empty for https://api.z-api.io"),
    # Not hidden: the Test button of Airflow 3.3.1 and 3.3.2 fails for a connection saved without a port.
    Field("port", "Port (unused)", "Unused; 443 makes the Test button work on Airflow 3.3.1 and 3.3.2"),
    Field("schema", hidden=True),
    Field(
        "client_token",
        ACCOUNT_SECURITY_TOKEN,
        "From Security in the Z-API panel. Leave it empty as long as the account has not activated it.",
        custom=True,
        secret=True,
    ),
    Field(
        "partner_token",
        INTEGRATOR_TOKEN,
        "Only for a connection with a whole account: in place of the instance's id and token.",
        custom=True,
        secret=True,
    ),
    Field(
        "phone",
        "Expected phone number",
        "The number that has to be paired, with country code; tasks fail if another one is.",
        custom=True,
    ),
    Field(
        "timeout",
        "Read timeout (seconds)",
        "How long to wait for the next byte of an answer, at most 120; 30 if empty.",
        custom=True,
    ),
)

#: What a message calls a field: as the form does, so that the reader finds it.
LABELS: Mapping[str, str] = {field.name: field.label for field in FIELDS if field.label}


def ui_field_behaviour() -> dict[str, Any]:
    """Return what the form does with Airflow's own fields, with the keys of Airflow 3.2's provider metadata."""
    standard = [field for field in FIELDS if not field.custom]
    return {
        "hidden-fields": [field.name for field in standard if field.hidden],
        "relabeling": {field.name: field.label for field in standard if field.label},
        "placeholders": {field.name: field.help for field in standard if field.help},
    }


def conn_fields() -> dict[str, dict[str, Any]]:
    """Return the fields kept in Extra, as Airflow 3.2's provider metadata describes them."""
    # Null beside string makes a field optional; a default would overwrite what the user's Extra holds.
    return {
        field.name: {
            "label": field.label,
            "description": field.help,
            "schema": {"type": ["string", "null"], **({"format": "password"} if field.secret else {})},
        }
        for field in FIELDS
        if field.custom
    }
