"""Send random requests to the emulator, generated from its OpenAPI document. `make fuzz-emulator` runs this for long.

Each answer must match the document. The emulator's interface must stay readable after any request.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any, cast

import psutil
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from airflow_provider_zapi.emulator import RunningEmulator, running_emulator

CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance, status_code_conformance]
#: This answer never ends.
STREAM = "/_emulator/events"
#: The credentials that most requests need.
KNOWN = {"id": "demo-instance", "token": "demo-token"}
CLIENT_TOKEN = {"Client-Token": "demo-client-token"}
ACCOUNT = {"Authorization": "Bearer demo-partner-token", "Content-Type": "application/json"}


def operations(running: RunningEmulator) -> list[Any]:
    """Return all operations of the document that end."""
    schema = schemathesis.openapi.from_url(f"{running.url}/_emulator/openapi.json")
    found: list[Any] = [cast(Any, result).ok() for result in schema.get_all_operations()]
    return [operation for operation in found if operation.path != STREAM]


def strict(text: str) -> Any:
    """Return the value of an answer that must be strict JSON."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} in an answer of the interface")

    return json.loads(text, parse_constant=refuse)


def attack(running: RunningEmulator, operation: Any, count: int, number: int, each: Callable[[], None]) -> None:
    """Send ``count`` random requests of one operation. Raise an error for the first answer that breaks the document."""
    emulator = running.emulator

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        derandomize=False,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    @given(case=operation.as_strategy(), known=st.integers(0, 9), credentials=st.integers(0, 9))
    def one(case: Any, known: int, credentials: int) -> None:
        each()
        emulator.reset()
        if known:
            case.path_parameters.update({name: KNOWN[name] for name in case.path_parameters if name in KNOWN})
        needed = ACCOUNT if operation.path == "/instances" else CLIENT_TOKEN
        headers = needed if credentials else {}
        case.call_and_validate(base_url=running.url, headers=headers, checks=CHECKS, timeout=30)
        for path in ("instances", "requests?last=1", "faults"):
            answer = requests.get(f"{running.url}/_emulator/{path}", timeout=30)
            assert answer.status_code == 200, f"the interface answers {answer.status_code} afterwards"
            strict(answer.text)

    one()


def run(seed_: int, count: int, minutes: float = 0) -> Iterator[str]:
    """Attack each operation ``count`` times, or all of them repeatedly for some minutes. Yield a line for each."""
    process = psutil.Process()
    total = 0
    started = time.monotonic()

    def each() -> None:
        nonlocal total
        total += 1

    with running_emulator() as running:
        round_ = 0
        while not round_ or time.monotonic() - started < minutes * 60:
            for number, operation in enumerate(operations(running)):
                attack(running, operation, count, seed_ + 1_000 * round_ + number, each)
            round_ += 1
            memory = process.memory_info().rss / 2**20
            yield f"{total:,} requests in {time.monotonic() - started:.0f} s, memory {memory:.0f} MiB"


def main() -> int:
    """Print the progress after each round. A finding ends the program with its traceback."""
    parser = argparse.ArgumentParser(prog="make fuzz-emulator", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**31))
    parser.add_argument("--count", type=int, default=100, help="requests of an operation in each round")
    parser.add_argument("--minutes", type=float, default=20)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    sys.stdout.write(f"--seed {options.seed} --count {options.count} --minutes {options.minutes}\n")
    for line in run(options.seed, options.count, options.minutes):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
