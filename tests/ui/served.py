"""Run Airflow's API server below a path, with a login, and with a prepared database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, BrowserContext

from scripts.background import BackgroundProcess, free_ports
from scripts.standalone import airflow_environment

PATH = "/below/a-path"
#: The name and the role of each user. The password is the same as the name.
USERS = {"anna": "admin", "vera": "viewer"}

#: A script that fills the database. It reads a list of numbers from stdin, each with its URI, state and events.
FILL = """
import json, sys
from datetime import datetime, UTC
from airflow.models.asset import AssetActive, AssetEvent, AssetModel
from airflow.utils.session import create_session
from airflow.models.dag import DagModel
from airflow.models.dagbundle import DagBundleModel
from importlib.util import find_spec

with create_session() as session:
    # Events are shown only to users who may see their DAG, so there must be a DAG.
    session.add(DagBundleModel(name="bundle"))
    session.flush()
    session.add(DagModel(dag_id="night", bundle_name="bundle", fileloc="night.py", relative_fileloc="night.py"))
    session.flush()
    for number in json.load(sys.stdin):
        asset = AssetModel(name=number["uri"], uri=number["uri"], group="asset")
        session.add(asset)
        session.flush()
        if number["active"]:
            session.add(AssetActive.for_asset(asset))
        if number["state"] is not None and find_spec("airflow.models.asset_state_store"):
            from airflow.models.asset_state_store import AssetStateStoreModel

            row = AssetStateStoreModel(asset_id=asset.id, key="zapi_privacy", value=json.dumps(number["state"]))
            session.add(row)
        for event in number["events"]:
            session.add(AssetEvent(asset_id=asset.id, timestamp=datetime.now(UTC), **event))
"""


class Server:
    """A running API server. Its address ends with a slash."""

    def __init__(self, port: int) -> None:
        self.origin = f"http://127.0.0.1:{port}"
        self.url = f"{self.origin}{PATH}/"

    def token(self, user: str) -> str:
        answer = httpx.post(f"{self.url}auth/token", json={"username": user, "password": user}, trust_env=False)
        return str(answer.raise_for_status().json()["access_token"])

    def get(self, path: str, user: str | None = None, method: str = "GET") -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token(user)}"} if user else {}
        return httpx.request(method, f"{self.url}{path}", headers=headers, trust_env=False, timeout=30)

    def visit(self, browser: Browser, user: str, **options: Any) -> BrowserContext:
        """Return a browser context in which a user is logged in."""
        context = browser.new_context(locale="en-GB", timezone_id="UTC", reduced_motion="reduce", **options)
        context.add_cookies([{"name": "_token", "value": self.token(user), "url": self.origin}])
        return context


@contextmanager
def served(home: Path, numbers: Sequence[Mapping[str, Any]]) -> Iterator[Server]:
    """Create a database in an empty folder, fill it, and serve it."""
    ports = free_ports(3)
    passwords = home / "passwords.json"
    passwords.write_text(json.dumps({user: user for user in USERS}))
    env = airflow_environment(
        home,
        home,
        (ports[0], ports[1], ports[2]),
        {
            "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{ports[0]}{PATH}",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{user}:{role}" for user, role in USERS.items()),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        },
    )
    airflow = [sys.executable, "-m", "airflow"]
    subprocess.run([*airflow, "db", "migrate"], env=env, check=True, capture_output=True)
    fill = [sys.executable, "-W", "ignore", "-c", FILL]
    subprocess.run(
        fill, env={**env, "_AIRFLOW_PROCESS_CONTEXT": "server"}, input=json.dumps(numbers), text=True, check=True
    )
    server = Server(ports[0])
    with BackgroundProcess(
        "Airflow's API server", [*airflow, "api-server"], env={**os.environ, **env}, log=home / "api.log", grace=6
    ) as process:

        def answers() -> bool | None:
            try:
                return server.get("api/v2/version").is_success or None
            except httpx.TransportError as error:
                raise OSError from error

        process.wait_for("Airflow's API server", answers, 120)
        yield server
