"""Decide which calls fail on request, how, and how often. This module does not use sockets or a clock."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from airflow_provider_zapi.emulator.checks import InvalidInputError, json_size, require_names
from airflow_provider_zapi.emulator.headers import can_be_sent

__all__ = ["FAULTS", "FAULT_BY_NAME", "MAX_SECONDS", "Fault", "FaultKind", "read_fault"]

#: The longest wait that a fault accepts, in seconds.
MAX_SECONDS = 60
_MAX_TIMES = 1_000_000


@dataclass(frozen=True)
class FaultKind:
    """One way to fail.

    :param name: its name in the JSON interface and in the pytest plugin
    :param doc: what the caller sees
    :param done: whether the call is carried out first
    :param options: the options that it accepts besides those of every fault
    """

    name: str
    doc: str
    done: bool
    options: tuple[str, ...] = ()


FAULTS = (
    FaultKind(
        "status",
        "Answers with `status` (default 503), and with `body` and `headers` if they are given.",
        False,
        ("status", "body", "headers"),
    ),
    FaultKind("html", "Answers with an HTML page, as a proxy does. `status` is 200 by default.", False, ("status",)),
    FaultKind("empty", "Answers with an empty body. `status` is 200 by default.", False, ("status",)),
    FaultKind("reset", "Resets the connection without an answer.", False),
    FaultKind("lost_answer", "Closes the connection without an answer.", True),
    FaultKind("truncated", "Sends half of the answer's body, then closes the connection.", True),
    FaultKind("delay", "Waits `seconds` (default 1) before it answers.", True, ("seconds",)),
    FaultKind("drip", "Sends the answer's body one byte at a time, every `seconds` (default 1).", True, ("seconds",)),
)
FAULT_BY_NAME = {kind.name: kind for kind in FAULTS}

#: The options of every fault, which say which calls fail, and how often.
_WHICH = ("path", "method", "instance", "times", "probability", "seed")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_int(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


_CHECKS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "path": (lambda value: isinstance(value, str), "a path after the token, such as privacy/last-seen; * is any text"),
    "method": (lambda value: isinstance(value, str), "a method such as POST"),
    "instance": (lambda value: isinstance(value, str), "an instance id"),
    "times": (lambda value: value is None or _is_int(value, 1, _MAX_TIMES), f"null or from 1 to {_MAX_TIMES}"),
    "probability": (lambda value: _is_number(value) and 0 < value <= 1, "a number above 0 and up to 1"),
    "seed": (lambda value: _is_int(value, 0, 2**63), "an integer of at least 0"),
    "status": (lambda value: _is_int(value, 200, 599), "a status from 200 to 599"),
    "body": (lambda value: True, "any JSON"),
    "headers": (can_be_sent, "an object of header names and values that HTTP can send"),
    "seconds": (lambda value: _is_number(value) and 0 <= value <= MAX_SECONDS, f"seconds from 0 to {MAX_SECONDS}"),
}


@dataclass
class Fault:
    """An active fault. It affects the calls that it names, until it is used up.

    :param kind: how the calls fail
    :param given: the request for the fault, as the JSON interface shows it
    :param left: how many more calls fail; None for no limit
    """

    kind: FaultKind
    given: Mapping[str, Any]
    left: int | None
    number: int = 0
    #: How many bytes it is as JSON.
    size: int = 0
    _random: random.Random = field(default_factory=random.Random, repr=False)

    def take(self, method: str, path: str, instance_id: str | None) -> bool:
        """Return whether this call fails, and count it if it does.

        :param path: the path below the instance's address
        """
        given = self.given
        if self.left == 0 or given.get("method", method).upper() != method:
            return False
        if "path" in given and not fnmatchcase(path, given["path"]):
            return False
        if given.get("instance", instance_id) != instance_id:
            return False
        if "probability" in given and self._random.random() >= given["probability"]:
            return False
        if self.left is not None:
            self.left -= 1
        return True

    def view(self) -> dict[str, Any]:
        """Return the fault as the JSON interface shows it."""
        return {"number": self.number, **self.given, "left": self.left}


def read_fault(given: object) -> Fault:
    """Return the fault that a JSON object asks for.

    :raises InvalidInputError: a name is unknown, or a value is invalid
    """
    kind = FAULT_BY_NAME.get(str(given.get("fault"))) if isinstance(given, dict) else None
    if kind is None:
        raise InvalidInputError(f"fault must be one of {', '.join(FAULT_BY_NAME)}")
    fault = require_names(given, ("fault", *_WHICH, *kind.options), f"a fault of kind {kind.name}")
    for name, (check, accepted) in _CHECKS.items():
        if name in fault and not check(fault[name]):
            raise InvalidInputError(f"{name} of a fault must be {accepted}")
    # By default, one call fails. With a probability, there is no limit.
    times = fault.get("times", None if "probability" in fault else 1)
    # The same seed must give the same faults. These random numbers do not protect anything.
    chance = random.Random(fault.get("seed", 0))  # noqa: S311 # nosec B311
    return Fault(kind, fault, times, size=json_size(fault), _random=chance)
