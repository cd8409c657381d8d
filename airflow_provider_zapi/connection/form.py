"""The fields of a Z-API connection.

Airflow 3.2 and newer builds the form from the provider's metadata only. Older versions ask the hook. Both are generated
from these rows, so they cannot differ. Every Airflow process reads the metadata, so this module imports nothing from
Airflow.
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
#: Airflow 2.11's form shows this for a stored secret, and reads it as "unchanged".
AIRFLOW_2_PLACEHOLDER = "RATHER_LONG_SENSITIVE_FIELD_PLACEHOLDER"


@dataclass(frozen=True, slots=True)
class Field:
    """Describe one form field.

    :param name: the attribute of Airflow's connection, or the key in Extra if ``custom``
    :param label: its label in the form; None keeps Airflow's own name
    :param help: what to enter
    :param custom: whether Extra stores it
    :param secret: whether the form hides what is typed. This applies to custom fields; Airflow itself hides the
        password
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
    # The port is shown, because the Test button of Airflow 3.3.1 and 3.3.2 fails for a connection without one.
    Field("port", "Port (unused)", "Unused; 443 makes the Test button work on Airflow 3.3.1 and 3.3.2"),
    Field("schema", hidden=True),
    Field(
        "client_token",
        ACCOUNT_SECURITY_TOKEN,
        "From Security in the Z-API panel. Leave it empty if the account has not activated it.",
        custom=True,
        secret=True,
    ),
    Field(
        "partner_token",
        INTEGRATOR_TOKEN,
        "For a connection with a whole account. Use it instead of the instance's ID and token.",
        custom=True,
        secret=True,
    ),
    Field(
        "phone",
        "Expected phone number",
        "The number that must be paired, with country code. Tasks fail if another number is paired.",
        custom=True,
    ),
    Field(
        "timeout",
        "Read timeout (seconds)",
        "How long to wait for the next byte of an answer. At most 120; the default is 30.",
        custom=True,
    ),
)

#: The name of a field in messages: its label in the form.
LABELS: Mapping[str, str] = {field.name: field.label for field in FIELDS if field.label}


def ui_field_behaviour() -> dict[str, Any]:
    """Return how the form shows Airflow's own fields, as Airflow 3.2's provider metadata."""
    standard = [field for field in FIELDS if not field.custom]
    return {
        "hidden-fields": [field.name for field in standard if field.hidden],
        "relabeling": {field.name: field.label for field in standard if field.label},
        "placeholders": {field.name: field.help for field in standard if field.help},
    }


def conn_fields() -> dict[str, dict[str, Any]]:
    """Return the fields stored in Extra, as Airflow 3.2's provider metadata."""
    # Null next to string makes a field optional. A default would overwrite the user's Extra.
    return {
        field.name: {
            "label": field.label,
            "description": field.help,
            "schema": {"type": ["string", "null"], **({"format": "password"} if field.secret else {})},
        }
        for field in FIELDS
        if field.custom
    }
