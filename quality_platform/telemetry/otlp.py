"""Spans for a collector of OpenTelemetry, over HTTP.

Everything is configured by OpenTelemetry's own variables; docs/observability.md has those that
matter. Nothing here may fail a load: what cannot be sent is dropped.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)
from opentelemetry.trace import Span as OtelSpan

from quality_platform.config.environment import environment_variable
from quality_platform.flows.facts import Fact
from quality_platform.telemetry.identity import SERVICE, platform_version
from quality_platform.telemetry.traces import LOGGER, PREFIX, RunIds, RunSpan

TIMEOUT_SECONDS = 3.0
"""A step waits no longer for the collector, where OpenTelemetry's own variables do not say."""

PAUSE_SECONDS = 60.0
"""For so long nothing is sent to a collector that did not take the last spans."""

_TIMEOUTS = ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT")
_LIBRARY_LOGGERS = (
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "opentelemetry.util.re",
)


class OtlpTraces:
    """Sends spans in the background, and what is left of them when it is flushed."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._ids = _Ids()
        self._provider = TracerProvider(resource=_resource(), id_generator=self._ids)
        self._provider.add_span_processor(BatchSpanProcessor(_Forgiving(exporter)))
        self._tracer = self._provider.get_tracer(SERVICE, platform_version())

    @classmethod
    def from_environment(cls) -> OtlpTraces:
        """For the collector that the environment names."""
        # Their texts hold the address and the headers, where keys are: `_Forgiving` tells instead.
        for name in _LIBRARY_LOGGERS:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        is_told = any(map(environment_variable, _TIMEOUTS))
        return cls(OTLPSpanExporter(timeout=None if is_told else TIMEOUT_SECONDS))

    def step(self, run_id: str, name: str) -> OtlpSpan:
        """A step of a run that begins now, below the span of the run."""
        ids = RunIds.of(run_id)
        flags = TraceFlags(TraceFlags.SAMPLED if self._is_sampled(ids) else TraceFlags.DEFAULT)
        run = SpanContext(ids.trace_id, ids.span_id, is_remote=True, trace_flags=flags)
        context = set_span_in_context(NonRecordingSpan(run), Context())
        return OtlpSpan(self, self._tracer.start_span(name, context))

    def child(self, span: OtelSpan, name: str) -> OtelSpan:
        """A part of a span that begins now."""
        return self._tracer.start_span(name, set_span_in_context(span, Context()))

    def run(self, record: RunSpan) -> None:
        """A whole run that has ended, above its steps."""
        self._ids.next = RunIds.of(record.run_id)
        span = self._tracer.start_span(record.job, Context(), start_time=_nanoseconds(record.began))
        span.set_attributes({f"{PREFIX}run_id": record.run_id, f"{PREFIX}job": record.job})
        _mark(span, record.error)
        span.end(_nanoseconds(record.ended))

    def flush(self) -> None:
        """Sends what was not sent yet; what cannot be sent is dropped."""
        self._provider.force_flush()

    def close(self) -> None:
        """Sends what was not sent yet, and ends the thread that sends."""
        self._provider.shutdown()

    def _is_sampled(self, ids: RunIds) -> bool:
        """Every process of a run comes to the same decision: it depends on the trace's id alone."""
        result = self._provider.sampler.should_sample(None, ids.trace_id, "run")
        return result.decision is Decision.RECORD_AND_SAMPLE


class OtlpSpan:
    """A span of OpenTelemetry."""

    def __init__(self, traces: OtlpTraces, span: OtelSpan) -> None:
        self._traces = traces
        self._span = span

    def set(self, facts: Mapping[str, Fact]) -> None:
        """Adds attributes."""
        self._span.set_attributes(_attributes(facts))

    def event(self, name: str, facts: Mapping[str, Fact]) -> None:
        """Adds what happens now."""
        self._span.add_event(name, _attributes(facts))

    def child(self, name: str) -> OtlpSpan:
        """A part of it that begins now."""
        return OtlpSpan(self._traces, self._traces.child(self._span, name))

    def end(self, error: str = "") -> None:
        """Ends it; `error` is the code of the error that it ended in."""
        _mark(self._span, error)
        self._span.end()


class _Ids(IdGenerator):
    """Ids at random, but for the span of a run, whose ids follow from the run's."""

    def __init__(self) -> None:
        self._random = RandomIdGenerator()
        self.next: RunIds | None = None

    def generate_trace_id(self) -> int:
        """Asked for first, for spans without a parent."""
        return self.next.trace_id if self.next else self._random.generate_trace_id()

    def generate_span_id(self) -> int:
        """Asked for every span."""
        ids, self.next = self.next, None
        return ids.span_id if ids else self._random.generate_span_id()


class _Forgiving(SpanExporter):
    """Leaves a collector alone for a while that did not take spans, and says so once."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._silent_until = 0.0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Sends spans, or drops them."""
        if time.monotonic() < self._silent_until:
            return SpanExportResult.FAILURE
        result = self._exporter.export(spans)
        if result is not SpanExportResult.SUCCESS:
            self._silent_until = time.monotonic() + PAUSE_SECONDS
            logging.getLogger(LOGGER).warning(
                "%d spans could not be sent to the collector and are dropped; "
                "no more are sent for %.0f s",
                len(spans),
                PAUSE_SECONDS,
            )
        return result

    def shutdown(self) -> None:
        """Closes the connection."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing waits here."""
        return self._exporter.force_flush(timeout_millis)


def _resource() -> Resource:
    """Who sends the spans; OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say it otherwise."""
    own = {"service.name": SERVICE, "service.version": platform_version()}
    return Resource(own).merge(OTELResourceDetector().detect())


def _attributes(facts: Mapping[str, Fact]) -> dict[str, Fact]:
    return {PREFIX + name: value for name, value in facts.items() if value != ""}


def _mark(span: OtelSpan, error: str) -> None:
    if error:
        span.set_attribute("error.type", error)
        span.set_status(StatusCode.ERROR, error)


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)
