"""The instances of an account share a few TCP connections. Each call has its own secrets and its own deadline."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from airflow_provider_zapi.client import Credentials, Transport, ZApiClient
from airflow_provider_zapi.client.answers import Failure
from airflow_provider_zapi.client.wires import Route, Wires
from airflow_provider_zapi.emulator import Emulator, running_emulator
from airflow_provider_zapi.exceptions import ZApiRateLimitError, ZApiTransientError
from airflow_provider_zapi.privacy.settings import LAST_SEEN
from tests.support import GOOD, Canned, CannedAdapter, Clock, credentials


def wires(*adapters: CannedAdapter) -> Wires:
    made = iter(adapters)
    return Wires(Route("http://127.0.0.1:9", None), lambda: next(made))


def test_a_free_connection_is_lent_before_a_new_one_is_opened() -> None:
    pool = wires(CannedAdapter(), CannedAdapter())
    with pool.lent() as first:
        pass
    with pool.lent() as again, pool.lent() as second:
        assert again is first
        assert second is not first
    assert len(pool) == 2


def test_a_lent_connection_outlives_its_client_but_not_the_pool() -> None:
    adapter = CannedAdapter()
    pool = wires(adapter)
    with pool.lent() as wire, ZApiClient(credentials(), transport=Transport(credentials(), wire=wire)) as client:
        client.set_privacy(LAST_SEEN, "NONE")
    assert not adapter.closed
    pool.close()
    assert adapter.closed


def test_the_call_after_a_broken_answer_uses_a_new_connection() -> None:
    adapter = CannedAdapter(Canned("not JSON"), GOOD)
    with wires(adapter).lent() as wire:
        clock = Clock()
        transport = Transport(credentials(), wire=wire, clock=clock, sleep=clock.sleep)
        ZApiClient(credentials(), transport=transport).set_privacy(LAST_SEEN, "NONE")
    assert adapter.closed


def test_each_instance_is_called_with_its_own_secrets_over_the_same_connection() -> None:
    """Use the emulator, because it answers 'Instance not found' to the token of another instance."""
    emulator = Emulator()
    tokens = {f"one-{index}": f"token-{index}" for index in range(3)}
    for name, token in tokens.items():
        emulator.put(name, {"token": token, "client_token": None, "phone": "5544999990000"})
    with running_emulator(emulator) as running:
        pool = Wires(Route(running.url, None))
        for name, token in tokens.items():
            with pool.lent() as wire:
                target = Credentials(name, token, base_url=running.url)
                ZApiClient(target, transport=Transport(target, wire=wire)).set_privacy(LAST_SEEN, "NONE")
        pool.close()
        assert len(pool) == 1
    assert [emulator.instance(name).records["last_seen"].value for name in tokens] == ["NONE"] * 3


class Slow:
    """A pace that requests waits, and stops when the test says so."""

    def __init__(self, *delays: float) -> None:
        self.delays = list(delays)
        self.stopped = False
        self.under_way = 0
        self.seen: list[tuple[type[Exception], float]] = []

    def begin(self) -> float:
        delay = self.delays.pop(0) if self.delays else 0.0
        self.under_way += delay <= 0
        return delay

    def ended(self) -> None:
        self.under_way -= 1

    def failed(self, failure: Failure, sent: float) -> None:
        self.seen.append((failure.error, sent))


def paced(pace: Slow, *answers: Canned) -> tuple[ZApiClient, CannedAdapter, Clock]:
    adapter, clock = CannedAdapter(*answers), Clock()
    transport = Transport(credentials(), adapter=adapter, pace=pace, clock=clock, sleep=clock.sleep)
    return ZApiClient(credentials(), transport=transport), adapter, clock


def test_a_call_waits_until_the_pace_allows_it() -> None:
    pace = Slow(3.0, 0.5)
    client, adapter, clock = paced(pace)
    client.set_privacy(LAST_SEEN, "NONE")
    assert clock.now == pytest.approx(1003.5)
    assert len(adapter.requests) == 1


@pytest.mark.parametrize(
    "answers", [(GOOD,), (Canned("", 503),), (ConnectionResetError(),), (RuntimeError("a defect"),)]
)
def test_each_attempt_counts_as_in_progress_only_while_it_is_sent(answers: tuple[Any, ...]) -> None:
    pace, seen = Slow(), list[int]()
    adapter, clock = CannedAdapter(*answers, before=lambda: seen.append(pace.under_way)), Clock()
    transport = Transport(credentials(), adapter=adapter, pace=pace, clock=clock, sleep=clock.sleep)
    with suppress(Exception):
        ZApiClient(credentials(), transport=transport).set_privacy(LAST_SEEN, "NONE")
    assert set(seen) == {1}
    assert pace.under_way == 0


def test_the_pace_is_told_about_each_failed_attempt_and_when_it_was_sent() -> None:
    pace = Slow()
    client, _, clock = paced(pace, Canned({"error": "slow down"}, 429, {"Retry-After": "7"}), GOOD)
    client.set_privacy(LAST_SEEN, "NONE")
    assert pace.seen == [(ZApiRateLimitError, 1000.0)]
    assert clock.now >= 1007


def test_nothing_is_sent_once_the_pace_has_stopped() -> None:
    pace = Slow()
    pace.stopped = True
    client, adapter, _ = paced(pace)
    assert client.cancelled
    with pytest.raises(ZApiTransientError, match="cancelled"):
        client.set_privacy(LAST_SEEN, "NONE")
    assert not adapter.requests
