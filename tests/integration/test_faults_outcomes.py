"""Every fault of the fault server has the outcome in the table of outcomes, and reveals no secret."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from airflow_provider_zapi import exceptions as errors
from airflow_provider_zapi.client import Transport, ZApiClient
from airflow_provider_zapi.privacy.changes import ContactChange
from airflow_provider_zapi.privacy.settings import LAST_SEEN
from tests.faults import (
    BODIES,
    FAULTS,
    GOOD,
    FaultServer,
    answer,
    drip_body,
    drip_chunk_line,
    drip_headers,
    endless_interim,
    good,
    redirect,
)
from tests.faults.steps import gzip_bomb
from tests.integration.outcomes import OUTCOMES, as_markdown, outcome_of, retry_after_of
from tests.support import JumpClock, check_error, credentials

pytestmark = pytest.mark.usefixtures("nothing_leaks")

#: Read timeouts in seconds. For servers that stop sending, it is short, because the test waits for it. For all others,
#: it is longer than any delay on the loopback of a busy machine.
SILENCE, READ_TIMEOUT = 0.25, 10.0
TOTAL = 0.8
DOCUMENTED = Path(__file__).parents[2] / "docs" / "faults.md"


def client_of(url: str, clock: JumpClock, total: float = 120.0, read_timeout: float = READ_TIMEOUT) -> ZApiClient:
    given = credentials(base_url=url)
    transport = Transport(given, clock=clock, sleep=clock.sleep, total=total, read_timeout=read_timeout)
    return ZApiClient(given, transport=transport)


def call(client: ZApiClient) -> int:
    return client.set_privacy(LAST_SEEN, "CONTACT_BLACKLIST", (ContactChange("add", "5544991111111"),))


def failure_of(client: ZApiClient) -> errors.ZApiError:
    with client, pytest.raises(errors.ZApiError) as caught:
        call(client)
    return caught.value


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_has_the_outcome_in_its_row(name: str) -> None:
    expected = outcome_of(name)
    clock = JumpClock()
    drips = name.startswith(("drip_", "endless_"))
    with FaultServer(FAULTS[name]) as server:
        client = client_of(
            server.url,
            clock,
            total=TOTAL if drips else 120.0,
            read_timeout=SILENCE if name.startswith("silent") else READ_TIMEOUT,
        )
        if expected.error is None:
            with client:
                assert call(client) == 1
            assert len(server.requests) == 1
            return
        error = failure_of(client)
    check_error(error)
    assert type(error) is expected.error
    assert error.attempts == expected.requests
    assert len(server.requests) == (expected.requests if expected.received is None else expected.received)
    # The client does not reuse a connection after a broken answer.
    assert server.connections == expected.requests
    assert (error.status, error.endpoint, error.conn_id) == (expected.status, "privacy/last-seen", "zapi_default")
    asked = retry_after_of(name)
    assert error.retry_after == (pytest.approx(asked, abs=2) if asked else None)
    if asked and expected.requests > 1:
        assert sum(clock.slept) >= 3 * (asked - 2)
    assert max(clock.slept, default=0) <= 0.25
    assert sum(clock.slept) <= error.elapsed < (TOTAL + 0.5 if drips else 120)
    assert len(server.requests) < 2 or sum(clock.slept) > 0


def test_every_row_of_the_table_applies_to_a_fault_and_is_in_the_docs() -> None:
    met = {outcome_of(name).title for name in FAULTS}
    assert [row.title for row in OUTCOMES if row.title not in met] == []
    assert set(BODIES) <= set(FAULTS)
    assert as_markdown() in DOCUMENTED.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", GOOD)
def test_an_unusual_success_counts_and_does_not_affect_the_next_call(name: str) -> None:
    clock = JumpClock()
    with FaultServer(GOOD[name]) as server, client_of(server.url, clock) as client:
        call(client)
        # Wait in real time, until the server's close or its stray answer has arrived on the connection.
        time.sleep(0.06)
        call(client)
        assert len(server.requests) == 2
    assert clock.slept == []


#: Behaviours that come before a successful answer.
SEQUENCES: dict[str, Sequence[str]] = {
    "two errors": ("status_503_error", "status_500_html"),
    "cut answers": ("fin_in_body", "reset_in_headers", "chunk_end_missing"),
    "a bare close, then not JSON": ("fin_before_request", "captive_portal"),
    "asked to wait": ("retry_after_429_seconds", "retry_after_503_future_date"),
    "an answer longer than it said": ("length_too_short",),
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_a_success_after_failures_counts(name: str) -> None:
    clock = JumpClock()
    faults = [FAULTS[row] for row in SEQUENCES[name]]
    with FaultServer(*faults, good()) as server, client_of(server.url, clock) as client:
        assert call(client) == 1
        assert server.connections == len(faults) + 1
    assert sum(clock.slept) > 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_never_followed(status: int) -> None:
    with FaultServer(good()) as other, FaultServer(redirect(status, other.url)) as server:
        error = failure_of(client_of(server.url, JumpClock()))
        assert len(server.requests) == 1
        assert other.connections == 0
    assert "another address" in str(error)
    check_error(error)


def test_a_redirect_with_an_endless_body_ends_at_the_size_limit() -> None:
    with FaultServer(answer(302, b" " * (1 << 21), (("Location", "http://127.0.0.1:9/"),))) as server:
        error = failure_of(client_of(server.url, JumpClock()))
    assert (type(error), error.attempts) == (errors.ZApiUnreachableError, 1)


@pytest.mark.parametrize("drip", [drip_headers, drip_body, drip_chunk_line, endless_interim])
def test_a_drip_faster_than_the_read_timeout_ends_at_the_deadline(drip: Callable[..., object]) -> None:
    started = time.monotonic()
    with FaultServer(drip(0.01)) as server:  # type: ignore[arg-type]  # four factories of behaviours
        error = failure_of(client_of(server.url, JumpClock(), total=0.4, read_timeout=30))
        assert 0.4 <= time.monotonic() - started < 1.5
        assert len(server.requests) == 1
    assert 0.4 <= error.elapsed < 1.5


@pytest.mark.parametrize("name", ["body_huge", "body_huge_without_length", "gzip_bomb"])
def test_a_huge_body_is_not_held_in_memory(name: str) -> None:
    gzip_bomb()  # create it first, because the server keeps it and its memory must not count
    with FaultServer(FAULTS[name]) as server, client_of(server.url, JumpClock()) as client:
        tracemalloc.start()
        try:
            with pytest.raises(errors.ZApiUnreachableError, match="larger than 1048576 bytes"):
                call(client)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 50_000_000


def test_netrc_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login somebody password something\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    with FaultServer(good()) as server, client_of(server.url, JumpClock()) as client:
        call(client)
    assert server.requests[0].header("Authorization") is None
