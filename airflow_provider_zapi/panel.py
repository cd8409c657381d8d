"""What users find in the Z-API panel and type into the connection: its pages, and what messages call its values.

The connection form takes its labels from here, so that a message names a field as the form shows it. Imports nothing:
operators read it while a DAG is parsed.
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
