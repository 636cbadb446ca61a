"""Turns tracing on: spans of this process go to an OTLP endpoint.

Owns exporter and provider. Must never block or fail a caller: a dead collector costs dropped
spans. Needs the rpc extra.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from titan_mesh.settings import TelemetrySettings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

MAX_QUEUED_SPANS = 2048
EXPORT_TIMEOUT_MS = 2000


def start(service: str, settings: TelemetrySettings) -> TracerProvider | None:
    """Start exporting, or None when the endpoint is empty; shutdown() of the result ends it."""
    if not settings.otlp_endpoint:
        return None
    # Imported when wanted: exporter and SDK cost every start 0.2 s.
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    # A dead collector would log one line per batch.
    logging.getLogger("opentelemetry.exporter").setLevel(logging.CRITICAL)
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    exporter = OTLPSpanExporter(
        endpoint=settings.otlp_endpoint, insecure=True, timeout=EXPORT_TIMEOUT_MS / 1000
    )
    provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=MAX_QUEUED_SPANS))
    trace.set_tracer_provider(provider)
    return provider
