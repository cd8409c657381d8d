"""Measure how responsive one event loop stays with many triggers: ``python -m benchmarks.triggers``.

The emulator runs in its own process. Its instance is not connected, so every trigger keeps reading.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from urllib.request import Request, urlopen

from airflow_provider_zapi.triggers.instance import InstanceConnectedTrigger

PORT = 8799
#: The interval between two measurements of the loop, in seconds. Anything longer is a stall.
TICK = 0.01


async def largest_stall(seconds: float) -> float:
    """Return the longest stall of the loop, in seconds."""
    worst, end = 0.0, time.monotonic() + seconds
    while (before := time.monotonic()) < end:
        await asyncio.sleep(TICK)
        worst = max(worst, time.monotonic() - before - TICK)
    return worst


async def wait(trigger: InstanceConnectedTrigger) -> None:
    """Run a trigger as a triggerer does."""
    async for event in trigger.run():
        raise RuntimeError(f"a trigger ended: {event}")


async def measure(count: int, interval: float, seconds: float) -> float:
    """Return the longest stall of a loop with a given number of triggers."""
    tasks = [asyncio.create_task(wait(InstanceConnectedTrigger("zapi_default", interval, 5))) for _ in range(count)]
    stall = await largest_stall(seconds)
    failed = [task for task in tasks if task.done()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    if failed:
        raise RuntimeError(f"{len(failed)} triggers ended")
    return stall


def call(method: str, path: str, body: object = None) -> object:
    """Call the emulator's control interface."""
    data = None if body is None else json.dumps(body).encode()
    request = Request(f"http://127.0.0.1:{PORT}/_emulator/{path}", data, method=method)
    with urlopen(request, timeout=10) as answer:  # noqa: S310 - loopback
        return json.loads(answer.read() or b"null")


def main() -> None:
    """Measure an empty loop and full ones, and print a row for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30, help="the duration of each row's measurement")
    parser.add_argument("--interval", type=float, default=30, help="each trigger's poke_interval")
    options = parser.parse_args()
    os.environ["AIRFLOW_CONN_ZAPI_DEFAULT"] = json.dumps(
        {
            "conn_type": "zapi",
            "login": "demo-instance",
            "password": "demo-token",
            "host": f"http://127.0.0.1:{PORT}",
            "extra": {"client_token": "demo-client-token"},
        }
    )
    emulator = subprocess.Popen(
        [sys.executable, "-m", "airflow_provider_zapi.emulator", "--port", str(PORT), "--quiet"],
        stdout=subprocess.DEVNULL,
    )
    try:
        for _ in range(50):
            time.sleep(0.2)
            try:
                call("PATCH", "instances/demo-instance", {"connected": False})
                break
            except OSError:
                continue
        sys.stdout.write(f"{'triggers':>8}  {'largest stall':>13}\n")
        for count in (0, 100, 500):
            stall = asyncio.run(measure(count, options.interval, options.seconds))
            sys.stdout.write(f"{count:>8}  {stall * 1000:>10.0f} ms\n")
            sys.stdout.flush()
    finally:
        emulator.terminate()
        emulator.wait(10)


if __name__ == "__main__":
    main()
