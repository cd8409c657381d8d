"""What can be typed, once: Airflow's command and this package's own parser are made from these rows.

Airflow imports this module for every command of its own, so that it imports nothing; a command imports what it needs
when it runs.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from typing import Any

__all__ = ["COMMANDS", "DESCRIPTION", "Argument", "Command", "get_zapi_cli_commands", "run"]

DESCRIPTION = "Look at WhatsApp numbers on Z-API and set their privacy"


@dataclass(frozen=True)
class Argument:
    """One argument of a command: its names, and the options that ``argparse`` knows for it."""

    names: tuple[str, ...]
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Command:
    """One command: its name is that of the function in `airflow_provider_zapi.cli.commands`."""

    name: str
    help: str
    arguments: tuple[Argument, ...]


_CONN_ID = Argument(("conn_id",), {"metavar": "CONN_ID", "help": "an Airflow connection of type Z-API"})
_POLICY = Argument(("policy",), {"metavar": "POLICY", "help": "a YAML or JSON file with the wanted settings"})
_OUTPUT = Argument(
    ("-o", "--output"), {"choices": ("table", "json"), "default": "table", "help": "how to print it (default: table)"}
)

COMMANDS = (
    Command("check", "Try a connection: credentials, phone, subscription. Changes nothing", (_CONN_ID, _OUTPUT)),
    Command(
        "show",
        "Show whether a number is connected, and its lists of exceptions",
        (
            _CONN_ID,
            Argument(("--contacts",), {"action": "store_true", "help": "name the contacts of the lists, in full"}),
            _OUTPUT,
        ),
    ),
    Command("plan", "Show what a policy would change; exit code 1 if a list differs", (_CONN_ID, _POLICY, _OUTPUT)),
    Command(
        "apply",
        "Make a number's privacy what a policy says",
        (
            _CONN_ID,
            _POLICY,
            Argument(
                ("--allow-mass-removal",),
                {"action": "store_true", "help": "let more than half of a list of 10 or more be removed"},
            ),
            _OUTPUT,
        ),
    ),
)


def get_zapi_cli_commands() -> list[Any]:
    """Return ``airflow zapi``, as Airflow 3.2 and newer asks for it by the provider info."""
    from airflow.cli.cli_config import ActionCommand, Arg, GroupCommand

    subcommands = tuple(
        ActionCommand(
            name=command.name,
            help=command.help,
            func=_function(command.name),
            # Airflow's Arg has no types.
            args=tuple(Arg(each.names, **each.options) for each in command.arguments),  # type: ignore[no-untyped-call]
        )
        for command in COMMANDS
    )
    return [GroupCommand(name="zapi", help=DESCRIPTION, subcommands=subcommands)]


def _function(name: str) -> Any:
    def command(arguments: argparse.Namespace) -> None:
        raise SystemExit(run(name, arguments))

    return command


def run(name: str, arguments: argparse.Namespace) -> int:
    """Run a command and return its exit code: 0, 1 (drift, or not connected) or 2 (usage or connection)."""
    from airflow_provider_zapi.cli import commands

    return commands.run(name, arguments)
