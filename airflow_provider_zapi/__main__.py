"""Run ``python -m airflow_provider_zapi``, which is the same as ``airflow zapi`` on every supported Airflow."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from airflow_provider_zapi.cli.definition import COMMANDS, DESCRIPTION, EXIT_CODES, FLEET, Command, end, run

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code, one of `EXIT_CODES`."""
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_zapi",
        description=DESCRIPTION,
        epilog="Exit codes: " + "; ".join(f"{code} {meaning}" for code, meaning in EXIT_CODES.items()) + ".",
    )
    parsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add(parsers, COMMANDS)
    fleet = parsers.add_parser(FLEET.name, help=FLEET.help, description=FLEET.help)
    _add(fleet.add_subparsers(dest="subcommand", required=True, metavar="COMMAND"), FLEET.commands)
    given = parser.parse_args(arguments)
    return run(f"{FLEET.name} {given.subcommand}" if given.command == FLEET.name else given.command, given)


def _add(parsers: Any, commands: Sequence[Command]) -> None:
    for command in commands:
        subparser = parsers.add_parser(command.name, help=command.help, description=command.help)
        for argument in command.arguments:
            subparser.add_argument(*argument.names, **argument.options)


if __name__ == "__main__":
    end(main())
