"""What a task of this provider links to in Airflow's pages."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import BaseOperatorLink

from airflow_provider_zapi.panel import INSTANCES_PAGE

__all__ = ["ZApiPanelLink"]


class ZApiPanelLink(BaseOperatorLink):
    """Leads to the instances of the Z-API panel, where a phone is connected and a subscription renewed."""

    name = "Z-API panel"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the panel's address: the same for all instances, since it names none in its own."""
        return INSTANCES_PAGE
