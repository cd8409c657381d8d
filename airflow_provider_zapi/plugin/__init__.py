"""The page "WhatsApp privacy" in Airflow 3.1 and newer.

Every process of Airflow imports this module, each task's too. So it imports no FastAPI and reads no file: both wait
until the API server asks for the page.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from airflow.providers.common.compat.sdk import AirflowPlugin

__all__ = ["URL_PREFIX", "ZApiPlugin"]

#: Where the page is, below Airflow's base URL.
URL_PREFIX = "/zapi-privacy"
#: The end of the page's address within Airflow's own pages: ``/plugin/whatsapp-privacy``.
URL_ROUTE = "whatsapp-privacy"


class _MadeWhenAsked:
    """An attribute of the plugin whose value is made at the first look, as `functools.cached_property` of a class."""

    def __init__(self, make: Any) -> None:
        self._make = cache(make)

    def __get__(self, plugin: object, owner: type) -> list[dict[str, Any]]:
        made: list[dict[str, Any]] = self._make()
        return made


def _wanted() -> bool:
    """Return whether this Airflow can show the page, and is not told to leave it out."""
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
            # Relative, so that Airflow's pages find it below a base URL with a path too.
            "href": f"{URL_PREFIX.removeprefix('/')}/",
            "destination": "nav",
            "category": "browse",
            "url_route": URL_ROUTE,
        }
    ]


class ZApiPlugin(AirflowPlugin):
    """What Airflow finds by the entry point of the group ``airflow.plugins``."""

    name = "zapi"
    fastapi_apps = _MadeWhenAsked(_apps)
    external_views = _MadeWhenAsked(_views)
