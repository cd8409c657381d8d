"""Simulate kills of the process after a random call. Accounts and their states are random."""

from __future__ import annotations

import contextlib
import random
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_provider_zapi.emulator import Emulator
from airflow_provider_zapi.probe.journal import read_journal
from airflow_provider_zapi.probe.run import Plan, probe, restored_from
from tests.probing import CONTACT, OTHERS, emulated, state, wire_to

#: A number of calls that no run reaches.
CALLS = 80


class Killed(BaseException):
    """The process was killed. Nothing catches this exception, and no further call is sent."""


@dataclass(frozen=True)
class Case:
    """One account, and the moments at which the probe and the first restore are killed."""

    value: str
    contacts: tuple[str, ...]
    switches: dict[str, Any]
    refusals: bool
    kill_at: int
    carried_out: bool
    kill_restoring_at: int | None


def random_case(seed: int) -> Case:
    """Return the case of a seed."""
    choose = random.Random(seed)
    leaving = choose.choice(["kept", "hidden", "empty", "stale"])
    value = choose.choice(["CONTACT_BLACKLIST", "CONTACT_BLACKLIST", "ALL", "NONE", "CONTACTS"])
    # If leaving CONTACT_BLACKLIST loses the list, an account with another value does not have one.
    holds = value == "CONTACT_BLACKLIST" or leaving in ("kept", "hidden")
    contacts = tuple(choose.sample([*OTHERS, "5511987654321", "123456789012345@lid"], choose.randint(0, 4)))
    probed = {
        name: outcome
        for name, outcome in (
            ("list_after_blacklist", "emptied"),
            ("list_after_add_again", "gone"),
            ("bad_phone_among_good", choose.choice(["good_done", "accepted", "ignored"])),
            ("bad_phone", "200 success:true"),
            ("remove_other_form", "refused"),
            ("empty_list", "400 error:other"),
        )
        if choose.random() < 0.15
    }
    switches = {
        "list_after_leaving": leaving,
        "list_as": choose.choice(["phone", "phone", "lid", "mixed"]),
        "ninth_digit": choose.choice(["as_sent", "with", "without", "mixed"]),
        "read_lag": choose.choice([0, 0, 0, 1, 2]),
        "exact_removal": choose.random() < 0.7,
        "probed": probed,
    }
    case = Case(
        value,
        contacts if holds else (),
        switches,
        choose.random() < 0.5,
        choose.randint(19, CALLS),
        choose.random() < 0.5,
        choose.randint(1, 6) if choose.random() < 0.3 else None,
    )
    # Otherwise a list that is empty from the start looks like one that was emptied.
    if case.contacts and choose.random() < 0.3:
        case.switches["empty_list"] = "refused"
    return case


def run_case(case: Case) -> tuple[bool, Emulator, dict[str, Any]]:
    """Run the probe until it is killed, then ``--restore`` until there is nothing left to restore.

    :return: whether the probe was killed, the emulator, and its settings before
    """
    emulator = emulated(case.value, list(case.contacts), **case.switches)
    before = state(emulator)
    plan = Plan(case.refusals, True, {"last_seen": case.value}, CONTACT)
    with tempfile.TemporaryDirectory() as folder:
        journal = Path(folder) / "journal"
        try:
            probe(plan, wire_to(emulator, around=dead_from(case.kill_at, case.carried_out)), journal)
        except Killed:
            pass
        else:
            return False, emulator, before
        if journal.exists():
            if case.kill_restoring_at is not None:
                with contextlib.suppress(Killed):
                    restored_from(
                        read_journal(journal), wire_to(emulator, around=dead_from(case.kill_restoring_at, True))
                    )
            # The last call of level 1 may change another setting, whose value nobody stated. It cannot be restored.
            assert "last_seen" not in restored_from(read_journal(journal), wire_to(emulator))
    return True, emulator, before


def dead_from(number: int, carried_out: bool) -> Any:
    """Return a function that kills the process at a request, either before or after it is executed."""

    def around(at: int, after: bool) -> None:
        if at > number or (at == number and after >= carried_out):
            raise Killed

    return around
