"""``zapi-emulator`` and ``python -m airflow_provider_zapi.emulator``: serve until Ctrl+C."""

import argparse
import contextlib
import ipaddress
import json
import shlex
import ssl
import sys
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from airflow_provider_zapi import __version__
from airflow_provider_zapi.emulator.checks import InvalidInputError
from airflow_provider_zapi.emulator.console import Console
from airflow_provider_zapi.emulator.fleet import account_connection, fleet_numbers
from airflow_provider_zapi.emulator.probed import not_emulated, read_report, switches_of
from airflow_provider_zapi.emulator.server import DEMO_INSTANCE, listen, serve, url_of
from airflow_provider_zapi.emulator.state import Emulator
from airflow_provider_zapi.emulator.statefile import load, save, saved_to

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
#: How many numbers get a printed connection. The others are reached through the account's connection.
_MAX_SHOWN = 20
_INSTANCE = "[PHONE=]ID:TOKEN[:CLIENT_TOKEN]"


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(prog="zapi-emulator", description="A local stand-in for Z-API.")
    parser.add_argument("--version", action="version", version=f"zapi-emulator {__version__}")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8765, help="port; 0 picks a free one (default: %(default)s)")
    parser.add_argument(
        "--allowed-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a host name that callers may use, such as the name of a compose service; repeatable",
    )
    parser.add_argument(
        "--instance",
        action="append",
        metavar=_INSTANCE,
        help="an instance to serve, repeatable; without CLIENT_TOKEN, none is required (default: a demo instance)",
    )
    parser.add_argument(
        "--state", type=Path, metavar="FILE", help="load the instances from this file, and save them to it"
    )
    parser.add_argument(
        "--tls",
        type=Path,
        metavar="FILE",
        help="serve HTTPS, and write the certificate authority to this file, for REQUESTS_CA_BUNDLE",
    )
    parser.add_argument(
        "--numbers",
        type=int,
        metavar="N",
        help="serve N instances of one account, with names and in mixed states, instead of the demo instance",
    )
    parser.add_argument(
        "--as-in", type=Path, metavar="REPORT", help="behave like the account in this report of `airflow zapi probe`"
    )
    parser.add_argument("--quiet", action="store_true", help="do not print a line for each request")
    return parser.parse_args(arguments)


def _instances(given: Sequence[str] | None) -> dict[str, dict[str, Any]]:
    if not given:
        return dict(DEMO_INSTANCE)
    instances: dict[str, dict[str, Any]] = {}
    for number, text in enumerate(given):
        phone, equals, rest = text.rpartition("=") if "=" in text.partition(":")[0] else ("", "", text)
        instance_id, *tokens = rest.split(":", 2)
        if len(tokens) not in (1, 2):
            raise InvalidInputError(f"--instance must be {_INSTANCE}")
        if instance_id in instances:
            raise InvalidInputError(f"--instance has {instance_id} twice")
        instances[instance_id] = {
            "token": tokens[0],
            "client_token": tokens[1] if len(tokens) == 2 else None,
            "phone": phone if equals else str(5544999990000 + number),
        }
    return instances


def _connections(emulator: Emulator, url: str, shown: int) -> list[str]:
    lines = []
    for number, (instance_id, parts) in enumerate(islice(emulator.snapshot().items(), shown)):
        name = "DEFAULT" if number == 0 else instance_id.upper().replace("-", "_")
        connection = {"conn_type": "zapi", "host": url, "login": instance_id, "password": parts["token"]}
        if parts["client_token"] is not None:
            connection["extra"] = {"client_token": parts["client_token"]}
        lines.append(f"AIRFLOW_CONN_ZAPI_{name}={shlex.quote(json.dumps(connection))}")
    if len(emulator.instances) > shown:
        # A separate connection for each of many numbers would fill the screen.
        lines.append(f"AIRFLOW_CONN_ZAPI_ACCOUNT={shlex.quote(account_connection(url, emulator))}")
    return lines


def _line(request: dict[str, Any]) -> str:
    at = time.strftime("%H:%M:%S", time.localtime(request["time"]))
    notes = [f"fault: {request['fault']}"] if request["fault"] else []
    if not request["emulated"]:
        notes.append("not emulated")
    return f"{at} {request['method']} {request['path']} {request['status']}{''.join(f' ({note})' for note in notes)}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM. Return the exit code: 0, 1 (cannot listen, read or write) or 2 (usage)."""
    options = parse(arguments)
    emulator = Emulator()
    doing = f"cannot read {options.state}: "
    try:
        if options.state is None or not load(options.state, emulator):
            instances = _instances(options.instance) if options.numbers is None or options.instance else {}
            if options.numbers is not None:
                instances |= fleet_numbers(options.numbers)
            emulator.replace_all(instances)
        elif options.instance or options.numbers is not None:
            raise InvalidInputError(f"{options.state} already has instances; leave out --instance and --numbers")
        doing = f"cannot read {options.as_in}: "
        if options.as_in is not None:
            report = read_report(options.as_in)
            probed = switches_of(report)
            if names := not_emulated(report):
                print(f"emulator: not emulated from {options.as_in}: {', '.join(names)}", file=sys.stderr)
            for instance in emulator.instances.values():
                instance.patch({"switches": probed})
        if options.state is not None:
            # If the file cannot be written, report it at the start and not at the end.
            doing = f"cannot write {options.state}: "
            save(options.state, emulator)
        # Other machines and containers need an address, or a name that leads to this machine.
        name = next(iter(options.allowed_host), None if _is_any(options.host) else options.host)
        context: ssl.SSLContext | None = None
        if options.tls is not None:
            doing = f"cannot write {options.tls}: "
            context = _tls(options.tls, [*_LOOPBACK, *filter(None, [name]), *options.allowed_host])
        doing = f"cannot listen on {options.host}:{options.port}: "
        listening = listen(options.host, options.port)
    except (InvalidInputError, OSError, OverflowError) as error:
        known = isinstance(error, InvalidInputError)
        print(f"emulator: {'' if known else doing}{getattr(error, 'strerror', None) or error}", file=sys.stderr)
        return 2 if known else 1
    console = Console()
    url = url_of(listening, tls=context is not None, host=name if options.allowed_host else None)
    console.print(f"Z-API emulator: {url}/ (open it in a browser; Ctrl+C stops it)")
    shown = _MAX_SHOWN if options.numbers is None else len(options.instance or "1")
    for line in _connections(emulator, url, shown):
        console.print(line)
    if context is None and (options.allowed_host or not ipaddress.ip_address(listening.getsockname()[0]).is_loopback):
        console.print(
            "Airflow on another machine or in a container needs https: add --tls FILE and --allowed-host NAME."
        )
    if context is not None:
        console.print(f"REQUESTS_CA_BUNDLE={shlex.quote(str(options.tls.absolute()))}")
    try:
        with listening, saved_to(options.state, emulator) if options.state else contextlib.nullcontext():
            serve(
                emulator,
                listening,
                log=None if options.quiet else lambda request: console.print(_line(request)),
                allowed_hosts=[*options.allowed_host, options.host],
                tls=context,
            )
    except OSError as error:
        print(f"emulator: cannot write {options.state}: {error.strerror or error}", file=sys.stderr)
        return 1
    finally:
        console.close()
    return 0


def _is_any(host: str) -> bool:
    """Return whether a host means all addresses, so that nobody can call it."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def _tls(path: Path, names: Sequence[str]) -> ssl.SSLContext:
    from airflow_provider_zapi.emulator.tls import server_context

    return server_context(path, names)


if __name__ == "__main__":
    sys.exit(main())
