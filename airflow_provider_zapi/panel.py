"""Addresses of the Z-API panel, and the labels of the values that users copy from there into the connection.

The connection form and the messages use the same labels, so a message names a field as the form shows it. This module
imports nothing, because operators import it while Airflow parses a DAG file.
"""

from __future__ import annotations

__all__ = [
    "ACCOUNT_SECURITY_TOKEN",
    "BASE_URL",
    "INSTANCES_PAGE",
    "INSTANCE_ID",
    "INSTANCE_TOKEN",
    "INTEGRATOR_TOKEN",
    "SECURITY_PAGE",
]

INSTANCES_PAGE = "https://app.z-api.io/app/instances"
SECURITY_PAGE = "https://app.z-api.io/app/security"

INSTANCE_ID = "Instance ID"
INSTANCE_TOKEN = "Instance token"  # noqa: S105 - its name
INTEGRATOR_TOKEN = "Integrator token"  # noqa: S105 - its name
BASE_URL = "Base URL"
ACCOUNT_SECURITY_TOKEN = "Account security token"  # noqa: S105 - its name
