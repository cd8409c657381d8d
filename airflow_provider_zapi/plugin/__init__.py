"""The page "WhatsApp privacy" in Airflow 3.1 and newer.

Every Airflow process imports this module, including each task. So it does not import FastAPI or read files until the
API server asks for the page.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from airflow.providers.common.compat.sdk import AirflowPlugin

__all__ = ["URL_PREFIX", "ZApiPlugin"]

#: The path of the page's app, below Airflow's base URL.
URL_PREFIX = "/zapi-privacy"
#: The last part of the page's address in Airflow's UI: ``/plugin/whatsapp-privacy``.
URL_ROUTE = "whatsapp-privacy"


class _MadeWhenAsked:
    """An attribute of the plugin that is computed on first access, like `functools.cached_property` for a class."""

    def __init__(self, make: Any) -> None:
        self._make = cache(make)

    def __get__(self, plugin: object, owner: type) -> list[dict[str, Any]]:
        made: list[dict[str, Any]] = self._make()
        return made


def _wanted() -> bool:
    """Return whether this Airflow can show the page and its configuration does not disable it."""
    from airflow.configuration import conf
    from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_1_PLUS

    return AIRFLOW_V_3_1_PLUS and conf.getboolean("zapi", "privacy_page", fallback=True)


def _apps() -> list[dict[str, Any]]:
    if not _wanted():
        return []
    from airflow_provider_zapi.plugin.app import create_app

    return [{"app": create_app(), "url_prefix": URL_PREFIX, "name": "WhatsApp privacy"}]


def _views() -> list[dict[str, Any]]:
    if not _wanted():
        return []
    return [
        {
            "name": "WhatsApp privacy",
            # The address is relative, so that it also works if Airflow's base URL has a path.
            "href": f"{URL_PREFIX.removeprefix('/')}/",
            "destination": "nav",
            "category": "browse",
            "url_route": URL_ROUTE,
        }
    ]


class ZApiPlugin(AirflowPlugin):
    """The plugin that Airflow loads through the entry point in the group ``airflow.plugins``."""

    name = "zapi"
    fastapi_apps = _MadeWhenAsked(_apps)
    external_views = _MadeWhenAsked(_views)
