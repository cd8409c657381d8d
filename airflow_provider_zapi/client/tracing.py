"""Trace each call with its own span, and suppress the spans of the HTTP libraries, which would show URLs.

OpenTelemetry is not imported here, because the import would slow down every task. If nothing else has loaded it,
nothing is traced.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from airflow_provider_zapi import __version__

__all__ = ["traced"]

#: The keys that suppress the instrumentations of HTTP libraries.
_SUPPRESSING = ("_SUPPRESS_INSTRUMENTATION_KEY", "_SUPPRESS_HTTP_INSTRUMENTATION_KEY")

#: A function that records in a span how its call ended: the last HTTP status or None, the number of attempts, and the
#: error's class or None.
Ended = Callable[[int | None, int, str | None], None]


@contextmanager
def traced(method: str, endpoint: str) -> Iterator[Ended]:
    """Trace a call as the span ``zapi <endpoint>``, if OpenTelemetry is loaded.

    :param method: the HTTP method
    :param endpoint: the name of the endpoint, without secrets and phone numbers
    """
    trace, context = sys.modules.get("opentelemetry.trace"), sys.modules.get("opentelemetry.context")
    if trace is None or context is None:
        yield _untold
        return
    tracer = trace.get_tracer("airflow_provider_zapi", __version__)
    with tracer.start_as_current_span(
        f"zapi {endpoint}", kind=trace.SpanKind.CLIENT, attributes={"http.request.method": method}
    ) as span:
        suppressed = context.get_current()
        for name in _SUPPRESSING:
            if key := getattr(context, name, None):
                suppressed = context.set_value(key, True, suppressed)
        token = context.attach(suppressed)
        try:
            yield lambda *facts: _tell(trace, span, *facts)
        finally:
            context.detach(token)


def _untold(status: int | None, attempts: int, error: str | None) -> None:
    """Do nothing, because there is no span."""


def _tell(trace: Any, span: Any, status: int | None, attempts: int, error: str | None) -> None:
    span.set_attribute("zapi.attempts", attempts)
    if status is not None:
        span.set_attribute("http.response.status_code", status)
    if error is not None:
        span.set_attribute("error.type", error)
        span.set_status(trace.Status(trace.StatusCode.ERROR))
