"""Trace context in headers, and attributes that the contract declares."""

from __future__ import annotations

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from titan.trading.v1.intent_pb2 import IntentSignal
from titan_mesh.settings import TelemetrySettings
from titan_mesh.telemetry import export, tracing


def test_trace_context_survives_headers():
    tracer = TracerProvider().get_tracer("test")
    headers = {}
    with tracer.start_as_current_span("publish") as span:
        tracing.inject(headers)
    seen = trace.get_current_span(tracing.extract(headers)).get_span_context()
    assert seen.trace_id == span.get_span_context().trace_id
    assert seen.span_id == span.get_span_context().span_id


def test_without_tracing_nothing_is_injected_or_started():
    headers = {}
    tracing.inject(headers)
    assert headers == {}
    assert export.start("execution", TelemetrySettings(otlp_endpoint="")) is None
    with tracing.span("x", trace.SpanKind.INTERNAL) as span:
        assert not span.is_recording()


def test_span_attributes_come_from_the_contract():
    signal = IntentSignal(intent_id=bytes(16), phase_id="scavenger", symbol="BTCUSDT")
    found = tracing.attributes_of("titan.trading.v1.IntentSignal", signal)
    assert found["titan.intent_id"] == bytes(16).hex()
    assert found["titan.phase_id"] == "scavenger"
    assert tracing.attributes_of("titan.truth.v1.TruthSnapshot", signal) == {}
