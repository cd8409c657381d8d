"""Send 100,000 requests to a running `zapi-emulator`, and measure its memory: `make soak-emulator`.

The requests are ordinary ones, with messages of up to 20 KB, changes of lists, faults and calls that are not emulated.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import httpx
import psutil

CREDENTIALS = {"Client-Token": "demo-client-token"}
BASE = "/instances/demo-instance/token/demo-token"


def calls(rng: random.Random) -> Iterator[tuple[str, str, Any]]:
    """Yield method, path and body of requests, without end."""
    while True:
        phone = str(5544990000000 + rng.randrange(2_000))
        action = rng.choice(["add", "remove"])
        yield from (
            ("GET", f"{BASE}/status", None),
            (
                "POST",
                f"{BASE}/privacy/photo",
                {
                    "visualizationType": "CONTACT_BLACKLIST",
                    "contactsBlacklist": [{"action": action, "phone": phone}],
                },
            ),
            ("POST", f"{BASE}/send-text", {"phone": phone, "message": "x" * rng.randrange(1, 20_000)}),
            ("POST", f"{BASE}/send-image", {"phone": phone}),
            ("POST", "/_emulator/faults", {"fault": rng.choice(["status", "html", "empty"]), "path": "device"}),
            ("GET", f"{BASE}/device", None),
            ("GET", f"/{rng.randrange(10**9)}", None),
            ("GET", "/_emulator/instances?excluded=8&changes=6&messages=0", None),
        )


def main() -> int:
    """Print the memory during the run. The exit code is 1 if the second half needed over 10 % more than the first."""
    parser = argparse.ArgumentParser(prog="make soak-emulator", description=__doc__)
    parser.add_argument("--seed", type=int, default=14)
    parser.add_argument("--count", type=int, default=100_000)
    options = parser.parse_args()
    command = [sys.executable, "-m", "airflow_provider_zapi.emulator", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            # The other lines of its output are not read.
            url = process.stdout.readline().split()[2]
            memory = psutil.Process(process.pid).memory_info
            started, step, seen = time.monotonic(), max(options.count // 10, 1), []
            with httpx.Client(base_url=url, headers=CREDENTIALS, timeout=30) as client:
                for number, (method, path, body) in enumerate(calls(random.Random(options.seed)), 1):
                    client.request(method, path, json=body)
                    if number % step == 0:
                        seen.append(memory().rss / 2**20)
                        took = time.monotonic() - started
                        sys.stdout.write(f"{number:,} requests, {took:.0f} s, {seen[-1]:.0f} MiB\n")
                        sys.stdout.flush()
                    if number >= options.count:
                        break
        finally:
            process.terminate()
    return int(seen[-1] > 1.1 * seen[len(seen) // 2])


if __name__ == "__main__":
    sys.exit(main())
