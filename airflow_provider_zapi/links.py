"""The link that Airflow shows on this provider's tasks."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import BaseOperatorLink

from airflow_provider_zapi.panel import INSTANCES_PAGE

__all__ = ["ZApiPanelLink"]


class ZApiPanelLink(BaseOperatorLink):
    """A link to the instances in the Z-API panel, where you pair a phone or renew a subscription."""

    name = "Z-API panel"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the address of the panel. It is the same for all instances."""
        return INSTANCES_PAGE
