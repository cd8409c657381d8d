"""What Airflow discovers of this provider. Imports nothing of Airflow."""

from typing import Any


def get_provider_info() -> dict[str, Any]:
    """Return the provider's metadata, as Airflow's ``provider_info.schema.json`` describes it."""
    return {
        "package-name": "airflow-provider-zapi",
        "name": "Z-API",
        "description": "WhatsApp privacy settings through the hosted REST API Z-API.",
    }
