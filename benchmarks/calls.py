"""Measure the calls of one task, over a network with a given latency: ``python -m benchmarks.calls``.

This provider keeps one TCP connection for all calls of a task. The operators of the other providers cannot: they run
once for each call, so each run looks up the Airflow connection and opens a TCP connection. ``HttpHook`` in a loop is
one hook with one ``run()`` for each call.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from typing import Any

from benchmarks.harness import OURS, Figures, Goal, Row, cpu, medians, own_airflow, report, wall
from benchmarks.server import CallServer, connections

SESSION, HTTP_OPERATOR, HTTP_HOOK = "a kept requests.Session", "HttpOperator", "HttpHook in a loop"
TASK, SLACK, TELEGRAM, DISCORD = (
    "@task with requests",
    "SlackAPIPostOperator",
    "TelegramOperator",
    "DiscordWebhookOperator",
)
OTHERS = (HTTP_OPERATOR, HTTP_HOOK, TASK, SLACK, TELEGRAM, DISCORD)

#: The subjects that run once for each call, which makes them slower.
ONCE = (HTTP_OPERATOR, TASK, SLACK, TELEGRAM, DISCORD)

#: For each rate: the server, the calls in a round of the slower and of the other subjects, and the goal.
RATES: dict[str, tuple[dict[str, Any], int, int, Goal]] = {
    "calls a second, TLS, no latency": ({"tls": True}, 10, 300, Goal(30, at_least=True)),
    "calls a second, TLS, round trips of 50 ms": ({"tls": True, "round_trip": 0.05}, 5, 40, Goal(2.9, at_least=True)),
    "calls a second, no TLS, no latency": ({"tls": False}, 50, 300, Goal(1, at_least=True)),
}
ROUNDS = 5
CPU = "processor time a call, TLS"
LOOK_UPS, TCP = "connection look-ups in a task of 20 calls", "TCP connections in a task of 20 calls"
ROWS = (
    *(
        Row(rate, "", other, goal if other == HTTP_OPERATOR else None)
        for rate, (*_, goal) in RATES.items()
        for other in OTHERS
    ),
    Row(CPU, "ms", SESSION, Goal(1.15)),
    *(Row(CPU, "ms", other) for other in OTHERS),
    Row(LOOK_UPS, "", "", Goal(1)),
    Row(TCP, "", "", Goal(1)),
)


def measure() -> Figures:
    """Return the calls per second, the processor time per call in milliseconds, and the counts."""
    figures: Figures = {}
    with tempfile.TemporaryDirectory() as home:
        own_airflow(home)
        os.environ["AIRFLOW__SECRETS__BACKEND"] = "benchmarks.lookups.CountingBackend"  # pragma: allowlist secret
        for rate, (options, few, many, _) in RATES.items():
            with CallServer(**options) as server:
                calling = subjects(server)
                counts = {name: few if name in ONCE else many for name in calling}
                for call in calling.values():
                    call(1)  # the first call loads everything that later calls need
                figures |= medians(rate, {name: rate_of(calling[name], counts[name]) for name in calling}, ROUNDS)
                if options == {"tls": True}:
                    spent = {name: cpu_of(calling[name], counts[name]) for name in calling}
                    figures |= medians(CPU, spent, 2 * ROUNDS)
        with CallServer(tls=True) as server:
            from benchmarks.lookups import COUNTS

            COUNTS.clear()
            subjects(server)[OURS](20)
            figures[LOOK_UPS, OURS] = COUNTS["zapi"]
            figures[TCP, OURS] = server.connections()
    return figures


def rate_of(call: Callable[[int], object], count: int) -> Callable[[], float]:
    """Return a function that measures calls per second."""
    return lambda: count / wall(lambda: call(count))


def cpu_of(call: Callable[[int], object], count: int) -> Callable[[], float]:
    """Return a function that measures the processor time of a call, in milliseconds."""
    return lambda: cpu(lambda: call(count)) / count * 1000


def subjects(server: CallServer) -> dict[str, Callable[[int], None]]:
    """Return, for each subject, a function that makes a given number of calls."""
    import requests
    import telegram
    from airflow.providers.discord.operators.discord_webhook import DiscordWebhookOperator
    from airflow.providers.http.hooks.http import HttpHook
    from airflow.providers.http.operators.http import HttpOperator
    from airflow.providers.slack.operators.slack import SlackAPIPostOperator
    from airflow.providers.telegram.hooks.telegram import TelegramHook
    from airflow.providers.telegram.operators.telegram import TelegramOperator

    from airflow_provider_zapi.hooks.zapi import ZApiHook
    from airflow_provider_zapi.privacy.settings import LAST_SEEN
    from benchmarks import lookups

    url = server.url
    lookups.CONNECTIONS.update(connections(url))
    # requests reads the first one. OpenSSL reads the second, and so do urllib and httpx.
    os.environ["REQUESTS_CA_BUNDLE"] = os.environ["SSL_CERT_FILE"] = str(server.ca_file)
    body, json_type = {"visualizationType": "NONE"}, {"Content-Type": "application/json"}
    timeout = (5, 30)

    class LocalTelegramHook(TelegramHook):
        """Return a bot with the server's address. The hook always uses Telegram's, but its library accepts others."""

        def get_conn(self) -> telegram.Bot:
            return telegram.Bot(self.token, base_url=f"{url}/bot")

    class LocalTelegramOperator(TelegramOperator):
        def execute(self, context: Any) -> None:
            hook = LocalTelegramHook(self.telegram_conn_id, self.token, self.chat_id)
            hook.send_message({**self.telegram_kwargs, "text": self.text})

    def ours(count: int) -> None:
        with ZApiHook("zapi") as client:
            for _ in range(count):
                client.set_privacy(LAST_SEEN, "NONE")

    def session(count: int) -> None:
        with requests.Session() as kept:
            for _ in range(count):
                done(kept.post(f"{url}/privacy/last-seen", json=body, timeout=timeout))

    def task(count: int) -> None:
        for _ in range(count):
            done(requests.post(f"{url}/privacy/last-seen", json=body, timeout=timeout))

    def done(answer: requests.Response) -> None:
        answer.raise_for_status()
        if answer.json()["success"] is not True:
            raise RuntimeError("not done")

    def http_hook(count: int) -> None:
        hook = HttpHook("POST", http_conn_id="http")
        for _ in range(count):
            done(hook.run("privacy/last-seen", json.dumps(body), json_type))

    def executing(kind: Any, **parameters: Any) -> Callable[[int], None]:
        def execute(count: int) -> None:
            for _ in range(count):
                kind(task_id="task", **parameters).execute({})

        return execute

    return {
        OURS: ours,
        SESSION: session,
        HTTP_OPERATOR: executing(
            HttpOperator, http_conn_id="http", endpoint="privacy/last-seen", data=json.dumps(body), headers=json_type
        ),
        HTTP_HOOK: http_hook,
        TASK: task,
        SLACK: executing(SlackAPIPostOperator, slack_conn_id="slack", text="done"),
        TELEGRAM: executing(LocalTelegramOperator, telegram_conn_id="telegram", text="done"),
        DISCORD: executing(DiscordWebhookOperator, http_conn_id="discord", message="done"),
    }


if __name__ == "__main__":
    import benchmarks.calls

    report(benchmarks.calls)
