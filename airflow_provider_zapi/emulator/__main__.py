"""``python -m airflow_provider_zapi.emulator``: serve until Ctrl+C."""

import argparse
import json
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from airflow_provider_zapi.emulator.checks import InvalidInputError
from airflow_provider_zapi.emulator.probed import read_switches
from airflow_provider_zapi.emulator.server import DEMO_INSTANCE, listen, serve, url_of
from airflow_provider_zapi.emulator.state import Emulator

_LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_zapi.emulator", description="A local stand-in for Z-API."
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8765, help="0 picks a free one (default: %(default)s)")
    parser.add_argument(
        "--instance",
        action="append",
        metavar="ID:TOKEN[:CLIENT_TOKEN]",
        help="an instance to serve, repeatable; without CLIENT_TOKEN it requires none (default: a demo)",
    )
    parser.add_argument(
        "--as-in", type=Path, metavar="REPORT", help="behave as the account of this report of `airflow zapi probe`"
    )
    parser.add_argument("--quiet", action="store_true", help="no line per request")
    return parser.parse_args(arguments)


def _instances(given: Sequence[str] | None) -> dict[str, dict[str, Any]]:
    if not given:
        return dict(DEMO_INSTANCE)
    instances: dict[str, dict[str, Any]] = {}
    for number, text in enumerate(given):
        instance_id, *tokens = text.split(":", 2)
        if len(tokens) not in (1, 2):
            raise InvalidInputError("--instance must be ID:TOKEN or ID:TOKEN:CLIENT_TOKEN")
        instances[instance_id] = {
            "token": tokens[0],
            "client_token": tokens[1] if len(tokens) == 2 else None,
            "phone": str(5544999990000 + number),
        }
    return instances


def _connection(url: str, instance_id: str, parts: dict[str, Any]) -> str:
    connection = {"conn_type": "zapi", "host": url, "login": instance_id, "password": parts["token"]}
    if parts["client_token"] is not None:
        connection["extra"] = {"client_token": parts["client_token"]}
    return json.dumps(connection)


def _print_request(request: dict[str, Any]) -> None:
    at = time.strftime("%H:%M:%S", time.localtime(request["time"]))
    print(f"{at} {request['method']} {request['path']} {request['status']}", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM; return the exit code: 0, 1 (cannot listen) or 2 (usage)."""
    options = _parse(arguments)
    emulator = Emulator()
    try:
        instances = _instances(options.instance)
        probed = read_switches(options.as_in) if options.as_in else {}
        for instance_id, parts in instances.items():
            emulator.put(instance_id, parts).patch({"switches": probed})
        listening = listen(options.host, options.port)
    except (InvalidInputError, OSError, OverflowError) as error:
        where = "" if isinstance(error, InvalidInputError) else f"cannot listen on {options.host}:{options.port}: "
        print(f"emulator: {where}{getattr(error, 'strerror', None) or error}", file=sys.stderr)
        return 2 if isinstance(error, InvalidInputError) else 1
    with listening:
        url = url_of(listening)
        print(f"Z-API emulator: {url}/ (a page to look at; Ctrl+C ends it)")
        for number, (instance_id, parts) in enumerate(instances.items()):
            name = "DEFAULT" if number == 0 else instance_id.upper().replace("-", "_")
            print(f"AIRFLOW_CONN_ZAPI_{name}={shlex.quote(_connection(url, instance_id, parts))}")
        sys.stdout.flush()
        serve(
            emulator,
            listening,
            log=None if options.quiet else _print_request,
            loopback_only=options.host in _LOOPBACK_HOSTS,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
