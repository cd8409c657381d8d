"""Tracing and error reporting with the real packages: their records of a call contain no secret."""

from __future__ import annotations

import http.client
import json
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest
import sentry_sdk
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.instrumentation.urllib3 import URLLib3Instrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode, set_tracer_provider

from airflow_provider_zapi.client import ZApiClient
from airflow_provider_zapi.client.redaction import scrub_event
from airflow_provider_zapi.exceptions import ZApiError
from airflow_provider_zapi.privacy.settings import LAST_SEEN
from tests.faults import FAULTS, FaultServer, good
from tests.support import credentials, leaks

EXPORTER = InMemorySpanExporter()


@pytest.fixture(scope="module", autouse=True)
def tracing() -> Iterator[None]:
    """Instrument both libraries, as ``opentelemetry-instrument`` does. A process has one provider."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(EXPORTER))
    set_tracer_provider(provider)
    instrumentors: list[Any] = [RequestsInstrumentor(), URLLib3Instrumentor()]
    for instrumentor in instrumentors:
        instrumentor.instrument(tracer_provider=provider)
    yield
    for instrumentor in instrumentors:
        instrumentor.uninstrument()


def call(server: FaultServer) -> ZApiError | None:
    with ZApiClient(credentials(base_url=server.url)) as client:
        try:
            client.set_privacy(LAST_SEEN, "ALL")
        except ZApiError as error:
            return error
    return None


#: Servers that succeed, that repeat the secrets, that break the connection, and that break it once and then succeed.
SERVERS: dict[str, tuple[Any, ...]] = {
    "good": (good(),),
    "echo": (FAULTS["echo_json_raw"],),
    "echo in the head": (FAULTS["echo_header"],),
    "retried": (FAULTS["echo_reason_retried"], good()),
}


@pytest.mark.parametrize("name", SERVERS)
def test_a_call_is_one_span_without_a_url(name: str) -> None:
    EXPORTER.clear()
    with FaultServer(*SERVERS[name]) as server:
        error = call(server)
        sent = server.requests
    [span] = EXPORTER.get_finished_spans()
    assert span.name == "zapi privacy/last-seen"
    attributes = dict(span.attributes or {})
    assert attributes.pop("http.request.method") == "POST"
    assert attributes.pop("zapi.attempts") == len(sent)
    assert attributes.pop("http.response.status_code", None) == (error.status if error else 200)
    assert attributes.pop("error.type", None) == (type(error).__name__ if error else None)
    assert attributes == {}
    assert span.status.status_code is (StatusCode.ERROR if error else StatusCode.UNSET)
    assert not leaks(span.to_json())
    # The headers that continue a trace must not be sent to Z-API.
    assert [request.header("traceparent") for request in sent] == [None] * len(sent)


class Reports(sentry_sdk.transport.Transport):
    """A Sentry transport that stores the reports instead of sending them."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def capture_envelope(self, envelope: Any) -> None:
        self.texts.append(envelope.serialize().decode())


@pytest.fixture(params=["bare", "scrubbed"])
def reports(request: pytest.FixtureRequest) -> Iterator[Reports]:
    transport = Reports()
    scrubbing: dict[str, Any] = dict.fromkeys(
        ("before_send", "before_send_transaction", "before_breadcrumb"), scrub_event
    )
    sentry_sdk.init(
        dsn="http://public@127.0.0.1:9/1",
        transport=transport,
        traces_sample_rate=1.0,
        include_local_variables=True,
        max_breadcrumbs=100,
        **(scrubbing if request.param == "scrubbed" else {}),
    )
    yield transport
    sentry_sdk.get_client().close(timeout=0)
    sentry_sdk.get_global_scope().set_client(None)


@pytest.mark.parametrize("name", SERVERS)
def test_sentrys_spans_breadcrumbs_and_local_variables_have_no_secret(reports: Reports, name: str) -> None:
    with FaultServer(*SERVERS[name]) as server, sentry_sdk.start_transaction(name="task"):
        error = call(server)
        sentry_sdk.capture_exception(error) if error else sentry_sdk.capture_message("done")
    sentry_sdk.flush(timeout=2)
    # Sentry recorded the call, because its hook for the standard library's HTTP client cannot be disabled.
    assert any("privacy/last-seen" in text for text in reports.texts)
    assert not leaks(*reports.texts)


def test_our_requests_are_not_printed_even_if_a_process_prints_all_requests(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    with FaultServer(FAULTS["echo_json_raw"]) as server:
        assert call(server) is not None
    assert capfd.readouterr() == ("", "")


#: Frames in which a secret must be a plain string, because they write it into the bytes of the request.
UNAVOIDABLE = {"_with_secrets", "path_prefix", "secret_headers"}


def shown_as(value: object) -> str:
    try:
        return repr(value)
    except AttributeError:  # the object is not fully initialized
        return ""


def locals_of_every_frame(work: Callable[[], object]) -> dict[str, list[str]]:
    """Run a function, and return the leaks that a reporter could print from the frames of all Python functions."""
    found: dict[str, list[str]] = {}

    def look(frame: FrameType, event: str, argument: object) -> None:
        code = frame.f_code
        if event == "return" and not code.co_filename.startswith(("<", __file__)) and "tests" not in code.co_filename:
            sys.setprofile(None)
            if shown := leaks(*map(shown_as, frame.f_locals.values())):
                found.setdefault(code.co_name, shown)
            sys.setprofile(look)

    sys.setprofile(look)
    try:
        work()
    finally:
        sys.setprofile(None)
    return found


def test_no_frame_of_a_call_shows_a_secret() -> None:
    with FaultServer(good()) as server, ZApiClient(credentials(base_url=server.url)) as client:
        found = locals_of_every_frame(lambda: client.set_privacy(LAST_SEEN, "ALL"))
    assert found.keys() <= UNAVOIDABLE
    assert found


def test_a_report_can_be_serialized_as_json() -> None:
    assert json.loads(json.dumps(scrub_event({"a": [1, None, True, {"b": "c"}]}))) == {"a": [1, None, True, {"b": "c"}]}
