"""Pages of the Z-API panel that messages and links name. Imports nothing: operators read it while a DAG is parsed."""

from __future__ import annotations

__all__ = ["INSTANCES_PAGE", "SECURITY_PAGE"]

INSTANCES_PAGE = "https://app.z-api.io/app/instances"
SECURITY_PAGE = "https://app.z-api.io/app/security"
