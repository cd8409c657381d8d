"""The metadata by which Airflow discovers this provider. Each Airflow process reads it, so it imports nothing."""

from __future__ import annotations

from typing import Any

from airflow_provider_zapi import __version__
from airflow_provider_zapi.connection.form import CONNECTION_TYPE, HOOK_NAME, conn_fields, ui_field_behaviour

__all__ = ["get_provider_info"]

_INTEGRATION = "Z-API"


def get_provider_info() -> dict[str, Any]:
    """Return the provider's metadata, as Airflow's ``provider_info.schema.json`` describes it."""
    return {
        # The name must have hyphens, like the distribution. With underscores, `airflow providers list` fails.
        "package-name": "airflow-provider-zapi",
        "name": "Z-API",
        "description": "The privacy settings of WhatsApp numbers, through the hosted REST API Z-API.",
        "versions": [__version__],
        "integrations": [
            {
                "integration-name": _INTEGRATION,
                "external-doc-url": "https://developer.z-api.io/",
                "tags": ["service"],
            }
        ],
        "connection-types": [
            {
                "connection-type": CONNECTION_TYPE,
                "hook-class-name": "airflow_provider_zapi.hooks.zapi.ZApiHook",
                "hook-name": HOOK_NAME,
                "ui-field-behaviour": ui_field_behaviour(),
                "conn-fields": conn_fields(),
            }
        ],
        "asset-uris": [{"schemes": ["zapi"], "handler": "airflow_provider_zapi.assets.sanitize_uri"}],
        "hooks": [{"integration-name": _INTEGRATION, "python-modules": ["airflow_provider_zapi.hooks.zapi"]}],
        "operators": [
            {
                "integration-name": _INTEGRATION,
                "python-modules": [
                    "airflow_provider_zapi.operators.privacy",
                    "airflow_provider_zapi.operators.policy",
                    "airflow_provider_zapi.operators.fleet",
                    "airflow_provider_zapi.operators.instance",
                ],
            }
        ],
        "sensors": [
            {
                "integration-name": _INTEGRATION,
                "python-modules": ["airflow_provider_zapi.sensors.instance", "airflow_provider_zapi.sensors.contacts"],
            }
        ],
        "triggers": [{"integration-name": _INTEGRATION, "python-modules": ["airflow_provider_zapi.triggers.instance"]}],
        "notifications": ["airflow_provider_zapi.notifications.zapi.ZApiNotifier"],
        "extra-links": ["airflow_provider_zapi.links.ZApiPanelLink"],
        "config": {
            "zapi": {
                "description": "Settings of the Z-API provider.",
                "options": {
                    "privacy_page": {
                        "description": 'Show the page "WhatsApp privacy" in Airflow 3.1 and newer.',
                        "version_added": None,
                        "type": "boolean",
                        "example": None,
                        "default": "True",
                    }
                },
            }
        },
        # Only Airflow 3.2 and newer read this. On older versions, use `python -m airflow_provider_zapi`.
        "cli": ["airflow_provider_zapi.cli.definition.get_zapi_cli_commands"],
    }
