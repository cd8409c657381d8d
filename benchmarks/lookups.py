"""A secrets backend that counts how often Airflow looks up each connection."""

from __future__ import annotations

from airflow.secrets import BaseSecretsBackend

#: The connections as JSON, by id, and the number of lookups of each.
CONNECTIONS: dict[str, str] = {}
COUNTS: dict[str, int] = {}


class CountingBackend(BaseSecretsBackend):
    """A secrets backend that returns connections from ``CONNECTIONS``."""

    def get_conn_value(self, conn_id: str, team_name: str | None = None) -> str | None:
        """Return a connection as JSON, and count the lookup."""
        COUNTS[conn_id] = COUNTS.get(conn_id, 0) + 1
        return CONNECTIONS.get(conn_id)
