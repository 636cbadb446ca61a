"""Trace context across processes, in the W3C form.

Owns injection and extraction of traceparent. Must never know an exporter: telemetry.export turns
tracing on; without it all of this costs next to nothing and records nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from contextlib import AbstractContextManager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from titan.spans import SPAN_ATTRIBUTES

_PROPAGATOR = TraceContextTextMapPropagator()


def span(name: str, kind: SpanKind, context: Context | None = None) -> AbstractContextManager[Span]:
    """A current span; records nothing until telemetry.export.start was called."""
    tracer = trace.get_tracer("titan_mesh")
    return tracer.start_as_current_span(name, context=context, kind=kind)


def inject(headers: MutableMapping[str, str]) -> None:
    """Write the current span into headers; nothing without one."""
    _PROPAGATOR.inject(headers)


def extract(headers: Mapping[str, str]) -> Context:
    """The context that headers carry; an empty one when they carry none."""
    return _PROPAGATOR.extract(headers)


def attributes_of(full_name: str, message: object) -> dict[str, str]:
    """Span attributes that the contract declares for a message."""
    found: dict[str, str] = {}
    for field, attribute in SPAN_ATTRIBUTES.get(full_name, {}).items():
        value = getattr(message, field)
        found[attribute] = value.hex() if isinstance(value, bytes) else str(value)
    return found
