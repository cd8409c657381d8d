"""Define the commands for Airflow's parser and this package's own.

Airflow imports this module for each of its commands, so it imports only the standard library. A command imports the
rest when it runs.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from typing import Any, NoReturn, TextIO

__all__ = [
    "COMMANDS",
    "DESCRIPTION",
    "EXIT_CODES",
    "FLEET",
    "Argument",
    "Command",
    "Group",
    "end",
    "get_zapi_cli_commands",
    "run",
]

OK, DIFFERENT, USAGE, ACCOUNT = range(4)
#: The exit codes for scripts. If the reader closes stdout early, the code is the shell's code for SIGPIPE.
EXIT_CODES = {
    OK: "as wanted",
    DIFFERENT: "drift: a list differs from the policy, the plan from the approved one, or the account from the report",
    USAGE: "usage: the arguments or the policy file",
    ACCOUNT: "the account or the network: connection, credentials, subscription, not connected, refused, no answer",
}
_READER_LEFT = 128 + 13  # SIGPIPE

DESCRIPTION = "Show WhatsApp numbers on Z-API and set their privacy"


@dataclass(frozen=True)
class Argument:
    """An argument of a command, with its names and its ``argparse`` options."""

    names: tuple[str, ...]
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Command:
    """A command. Its name is the name of its function in `airflow_provider_zapi.cli.commands`."""

    name: str
    help: str
    arguments: tuple[Argument, ...]


@dataclass(frozen=True)
class Group:
    """A group of commands. `run` takes the group's name and the command's name."""

    name: str
    help: str
    commands: tuple[Command, ...]


_CONN_ID = Argument(("conn_id",), {"metavar": "CONN_ID", "help": "an Airflow connection of type Z-API"})
_POLICY = Argument(("policy",), {"metavar": "POLICY", "help": "a YAML or JSON file with the wanted settings"})


def _output(*more: str) -> Argument:
    choices = ("table", "json", "yaml", *more)
    return Argument(
        ("-o", "--output"), {"choices": choices, "default": "table", "help": "output format (default: table)"}
    )


_OUTPUT = _output()
_INSTANCE = Argument(
    ("--instance",),
    {
        "metavar": "INSTANCE",
        "help": "the ID or the exact name of an instance, if the connection covers a whole account",
    },
)


def _flag(name: str, help: str) -> Argument:  # noqa: A002 - argparse's own word
    return Argument((name,), {"action": "store_true", "help": help})


COMMANDS = (
    Command(
        "check", "Check a connection: credentials, phone, subscription. Changes nothing", (_CONN_ID, _INSTANCE, _OUTPUT)
    ),
    Command(
        "show",
        "Show whether a number is connected, and how many excluded contacts each list has",
        (
            _CONN_ID,
            _INSTANCE,
            Argument(("--contacts",), {"action": "store_true", "help": "print the excluded contacts in full"}),
            _OUTPUT,
        ),
    ),
    Command(
        "plan",
        "Show what a policy would change; exit code 1 if a list differs",
        (_CONN_ID, _POLICY, _INSTANCE, _output("markdown")),
    ),
    Command(
        "apply",
        "Apply a policy to a number",
        (
            _CONN_ID,
            _POLICY,
            _INSTANCE,
            Argument(
                ("--expect",),
                {"metavar": "DIGEST", "help": "apply only if the plan still has this digest"},
            ),
            Argument(
                ("--allow-mass-removal",),
                {"action": "store_true", "help": "allow the removal of more than half of a list of 10 or more"},
            ),
            _OUTPUT,
        ),
    ),
    Command(
        "status",
        "Show what Airflow has stored about each number; exit code 1 if a list has drifted. Makes no call to Z-API",
        (
            Argument(("conn_id",), {"metavar": "CONN_ID", "nargs": "?", "help": "only this connection (default: all)"}),
            Argument(
                ("--stale-after",),
                {
                    "type": float,
                    "default": 26.0,
                    "metavar": "HOURS",
                    "help": "age at which a result is stale (default: 26)",
                },
            ),
            _OUTPUT,
        ),
    ),
    Command(
        "probe",
        "Find out how Z-API behaves for this account, and report it. Changes nothing without --refusals and --writes",
        (
            _CONN_ID,
            _flag("--refusals", "also send writes that Z-API should refuse"),
            _flag("--writes", "also change one setting and one contact, and restore them"),
            Argument(("--contact",), {"metavar": "PHONE", "help": "with --writes: the contact to add and remove"}),
            Argument(
                ("--current",),
                {
                    "nargs": "+",
                    "action": "extend",
                    "metavar": "SETTING=VALUE",
                    "help": "the current value of a setting, such as last_seen=CONTACTS, so that it can be restored",
                },
            ),
            _flag("--dry-run", "print every request, but send nothing"),
            _flag("--yes", "do not ask for confirmation"),
            Argument(("--report",), {"metavar": "FILE", "help": "write the report, after showing it"}),
            Argument(("--compare",), {"metavar": "REPORT", "help": "print how the account differs from this report"}),
            Argument(("--journal",), {"metavar": "FILE", "help": "the file that records what must be restored"}),
            Argument(
                ("--restore",), {"metavar": "JOURNAL", "help": "only restore what this journal records, after a kill"}
            ),
            _OUTPUT,
        ),
    ),
)

_ACCOUNT = Argument(("conn_id",), {"metavar": "CONN_ID", "help": "an Airflow connection with an integrator token"})
_NAMES = {"action": "append", "metavar": "PATTERN"}
_CHOICE = (
    Argument(("--select",), {**_NAMES, "help": "only this ID, or names like 'shop-*'; may be repeated"}),
    Argument(("--exclude",), {**_NAMES, "help": "leave these out; may be repeated"}),
)
_RUN = (
    *_CHOICE,
    Argument(("--shard",), {"metavar": "I,N", "help": "only part I of N; I is from 0 to N - 1"}),
    Argument(
        ("--max-concurrency",),
        {"type": int, "default": 8, "metavar": "N", "help": "numbers at the same time, at most 32 (default: 8)"},
    ),
    Argument(
        ("--min-instances",),
        {"type": int, "default": 1, "metavar": "N", "help": "do nothing if fewer are selected (default: 1)"},
    ),
)

FLEET = Group(
    "fleet",
    "Show all numbers of an account and set their privacy",
    (
        Command("list", "List the instances of an account", (_ACCOUNT, *_CHOICE, _OUTPUT)),
        Command(
            "plan",
            "Count the numbers whose lists differ from a policy; exit code 1 if there are any",
            (_ACCOUNT, _POLICY, *_RUN, _OUTPUT),
        ),
        Command(
            "apply",
            "Apply a policy to many numbers",
            (
                _ACCOUNT,
                _POLICY,
                *_RUN,
                Argument(
                    ("--canary",),
                    {
                        "type": int,
                        "default": 1,
                        "metavar": "N",
                        "help": "numbers to try first, one by one (default: 1)",
                    },
                ),
                Argument(
                    ("--allow-mass-removal",),
                    {"action": "store_true", "help": "allow the removal of more than half of a list of 10 or more"},
                ),
                _OUTPUT,
            ),
        ),
    ),
)


def get_zapi_cli_commands() -> list[Any]:
    """Return ``airflow zapi``, which Airflow 3.2 and newer finds in the provider info."""
    from airflow.cli.cli_config import ActionCommand, Arg, GroupCommand

    def actions(commands: tuple[Command, ...], prefix: str = "") -> tuple[Any, ...]:
        return tuple(
            ActionCommand(
                name=command.name,
                help=command.help,
                func=_function(prefix + command.name),
                # Airflow's Arg has no types.
                args=tuple(Arg(each.names, **each.options) for each in command.arguments),  # type: ignore[no-untyped-call]
            )
            for command in commands
        )

    fleet = GroupCommand(name=FLEET.name, help=FLEET.help, subcommands=actions(FLEET.commands, f"{FLEET.name} "))
    return [GroupCommand(name="zapi", help=DESCRIPTION, subcommands=(*actions(COMMANDS), fleet))]


def _function(name: str) -> Any:
    def command(arguments: argparse.Namespace) -> None:
        end(run(name, arguments))

    return command


def run(name: str, arguments: argparse.Namespace) -> int:
    """Run a command, print its result, and return one of `EXIT_CODES`."""
    try:
        with _stdout_kept_for_the_report():
            from airflow_provider_zapi.cli import commands

            code, output, errors = commands.run(name, arguments)
    except Exception:  # noqa: BLE001 - Python would end with 1, which means drift here
        code, output, errors = ACCOUNT, "", traceback.format_exc()
    written = all([_write(sys.stdout, output), _write(sys.stderr, errors)])
    return code if written else _READER_LEFT


@contextmanager
def _stdout_kept_for_the_report() -> Iterator[None]:
    """Redirect stdout to stderr, because Airflow logs to stdout as soon as it is imported.

    This includes the file descriptor, because a log handler keeps its stream.
    """
    with redirect_stdout(sys.stderr):
        if sys.__stdout__ is None:  # closed by the caller
            yield
            return
        sys.__stdout__.flush()
        stdout = os.dup(1)
        os.dup2(2, 1)
        try:
            yield
        finally:
            sys.__stdout__.flush()
            os.dup2(stdout, 1)
            os.close(stdout)


def _write(stream: TextIO, text: str) -> bool:
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        # As Python's docs recommend, so that the flush at exit does not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return False
    return True


def end(code: int) -> NoReturn:
    """End the process with an exit code. What Airflow logs at exit goes to stderr."""
    if sys.__stdout__ is not None:
        os.dup2(2, 1)
    raise SystemExit(code)
