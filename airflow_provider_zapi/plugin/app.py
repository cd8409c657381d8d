"""Serve the page's three files to users who may see assets. The app owns no data and does not read the database.

Airflow does not protect a plugin's app. Without the dependency below, every file would be public.
"""

from __future__ import annotations

from pathlib import Path

from airflow.api_fastapi.core_api.security import requires_access_asset
from fastapi import Depends, FastAPI, HTTPException, Request, Response

__all__ = ["CONTENT_SECURITY_POLICY", "create_app"]

_STATIC = Path(__file__).parent / "static"

#: The name and the type of each file, by path.
FILES = {
    "": ("index.html", "text/html; charset=utf-8"),
    "page.css": ("page.css", "text/css; charset=utf-8"),
    "page.js": ("page.js", "text/javascript; charset=utf-8"),
}

#: The methods that the app answers itself, after it has checked the user.
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT")

#: Scripts can read Airflow's session cookie, so an injected script could act as the visitor. So no inline script runs,
#: nothing is loaded from other sites, and the browser does not turn strings into markup.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'self'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)

HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # After an upgrade of this package, the next visit shows the new page.
    "Cache-Control": "no-cache, private",
}


def create_app() -> FastAPI:
    """Return the app. It has one route for every path and method, so the check comes before every answer.

    It answers 401 to users who are not logged in, and 403 to users who may not see assets.
    """
    app = FastAPI(
        title="WhatsApp privacy",
        dependencies=[Depends(requires_access_asset(method="GET"))],
        # FastAPI would serve these routes without that dependency.
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
    )
    files = {path: ((_STATIC / name).read_bytes(), media_type) for path, (name, media_type) in FILES.items()}

    @app.api_route("/{path:path}", methods=list(METHODS))
    def file(path: str, request: Request) -> Response:
        if path not in files:
            raise HTTPException(404)
        if request.method not in ("GET", "HEAD"):
            raise HTTPException(405, headers={"Allow": "GET, HEAD"})
        content, media_type = files[path]
        return Response(content, media_type=media_type, headers=HEADERS)

    return app
