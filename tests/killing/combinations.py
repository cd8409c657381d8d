"""Probe accounts with every combination of the emulator's switches that a probe depends on."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from airflow_provider_zapi.emulator.probed import switches_of
from airflow_provider_zapi.probe.report import differences
from airflow_provider_zapi.probe.run import Plan
from tests.probing import CONTACT, emulated, outcomes, probed, state

#: Switches of level 2. They depend on each other, so all of their combinations are tried.
LISTS: dict[str, tuple[Any, ...]] = {
    "exact_removal": (True, False),
    "list_as": ("phone", "lid", "mixed"),
    "ninth_digit": ("as_sent", "with", "without", "mixed"),
    "list_after_leaving": ("kept", "hidden", "empty", "stale"),
    "read_lag": (0, 1, 3),
    "empty_list": ("accepted", "refused"),
}
#: Switches on which nothing else depends, and the outcome in the report for each choice.
OTHERS: dict[str, dict[str, tuple[str, str]]] = {
    "missing_client_token": {
        "not_configured": ("client_token_missing", "400 error:client_token_not_configured"),
        "null_not_allowed": ("client_token_missing", "400 error:null_not_allowed"),
    },
    "phone_exists_answer": {form: ("phone_exists", form) for form in ("list", "object", "object_with_text")},
    "content_type": {
        "required": ("write_without_content_type", "415 error:unsupported_media_type"),
        "required_with_body": ("body_without_content_type", "415 error:unsupported_media_type"),
        "optional": ("body_without_content_type", "200 list"),
    },
}


def combinations() -> Iterator[dict[str, Any]]:
    """Yield each combination of `LISTS`, with the choices of `OTHERS` in turn."""
    turns = {name: itertools.cycle(choices) for name, choices in OTHERS.items()}
    for chosen in itertools.product(*LISTS.values()):
        yield {**dict(zip(LISTS, chosen, strict=True)), **{name: next(turn) for name, turn in turns.items()}}


def wrong_with(switches: dict[str, Any], value: str = "CONTACT_BLACKLIST") -> list[str]:
    """Probe an account with these switches, and return descriptions of the problems."""
    # An account that lost its list on leaving CONTACT_BLACKLIST does not have one with another value.
    contacts: list[str] | None = (
        None if value == "CONTACT_BLACKLIST" or switches["list_after_leaving"] in ("kept", "hidden") else []
    )
    plan = Plan(True, True, {"last_seen": value}, CONTACT)
    emulator = emulated(value, contacts, **switches)
    before = state(emulator)
    report = probed(emulator, plan)
    wrong = [] if state(emulator) == before and report["put_back"] else ["not as before"]
    found = outcomes(report)
    for name, choices in OTHERS.items():
        fact, outcome = choices[switches[name]]
        wrong += [] if found.get(fact) == outcome else [f"{name} is not named"]
    if report["ended"] == "complete":
        wrong += [f"{name} is not named" for name, named in _named(switches, found).items() if not named]
    elif contacts is None or switches["empty_list"] == "accepted":
        wrong.append(f"ended early: {report['ended']}")
    again = probed(emulated(value, contacts, **switches_of(report)), plan)
    return wrong + [f"{name} differs with --as-in" for name, *_ in differences(report, again)]


def _named(switches: dict[str, Any], found: dict[str, str]) -> dict[str, bool]:
    """Return whether a report has the outcomes of the switches of `LISTS`. ``mixed`` may be either."""
    forms = {
        "phone": {"as_sent": ("as_sent",), "with": ("as_sent",), "without": ("shorter",)}.get(
            switches["ninth_digit"], ("as_sent", "shorter")
        ),
        "lid": ("lid",),
        "mixed": ("as_sent", "shorter", "lid"),
    }
    return {
        "list_as": found["entry_form"] in forms[switches["list_as"]],
        "exact_removal": found["remove_other_form"] == ("ignored" if switches["exact_removal"] else "removed"),
        "read_lag": found["read_lag"]
        == ("first_read", "second_read", "third_read", "fourth_read")[switches["read_lag"]],
        "list_after_leaving": found["list_after_leaving"] == switches["list_after_leaving"],
    }
