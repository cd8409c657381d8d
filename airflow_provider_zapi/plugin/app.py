"""Serve the page's three files, only to people who may see assets. The app owns no data and reads no database.

Airflow leaves the protection of a plugin's app to the app. Without the dependency below, every file would be public.
"""

from __future__ import annotations

from pathlib import Path

from airflow.api_fastapi.core_api.security import requires_access_asset
from fastapi import Depends, FastAPI, HTTPException, Request, Response

__all__ = ["CONTENT_SECURITY_POLICY", "create_app"]

_STATIC = Path(__file__).parent / "static"

#: Name and type of each file, by its path below the page's address.
FILES = {
    "": ("index.html", "text/html; charset=utf-8"),
    "page.css": ("page.css", "text/css; charset=utf-8"),
    "page.js": ("page.js", "text/javascript; charset=utf-8"),
}

#: The methods that the app answers itself, after it has checked who asks.
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT")

#: Scripts can read Airflow's session cookie, so that an injected one would be the visitor. Nothing inline runs here,
#: nothing is loaded from elsewhere, and the browser refuses to make markup of a string.
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
    # An upgrade of this package is seen at the next look.
    "Cache-Control": "no-cache, private",
}


def create_app() -> FastAPI:
    """Return the app: one route for every path and method, so that nothing is answered before the check.

    It answers 401 to anyone who is not logged in, and 403 to anyone who may not see assets.
    """
    app = FastAPI(
        title="WhatsApp privacy",
        dependencies=[Depends(requires_access_asset(method="GET"))],
        # FastAPI would answer these without that dependency.
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
