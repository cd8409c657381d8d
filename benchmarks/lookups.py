"""A secrets backend for the calls: Airflow asks it for every connection, and it counts."""

from __future__ import annotations

from airflow.secrets import BaseSecretsBackend

#: Connections by their ids, as JSON, and how often each was looked up.
CONNECTIONS: dict[str, str] = {}
COUNTS: dict[str, int] = {}


class CountingBackend(BaseSecretsBackend):
    """Answers from ``CONNECTIONS``."""

    def get_conn_value(self, conn_id: str, team_name: str | None = None) -> str | None:
        """Return a connection as JSON."""
        COUNTS[conn_id] = COUNTS.get(conn_id, 0) + 1
        return CONNECTIONS.get(conn_id)
