"""Traces of runs: one trace a run, whichever processes its steps live in.

What is told here does not depend on OpenTelemetry; `otlp.py` does, and is imported only where the
environment names a collector.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Protocol

from quality_platform.config.environment import environment_variable
from quality_platform.flows.facts import Fact

LOGGER = "quality_platform.traces"
"""The logger that is told when spans cannot be sent."""

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
"""OpenTelemetry's own variables with the address of the collector."""

PREFIX = "quality_platform."
"""What the names of all attributes begin with."""


@dataclass(frozen=True)
class RunIds:
    """The ids that all processes of a run agree on: of its trace, and of the span of the run.

    They are taken from the run's id by SHA-256: a sampler needs bits that are random, and those of
    a UUID are not all.
    """

    trace_id: int
    span_id: int

    @classmethod
    def of(cls, run_id: str) -> RunIds:
        """The ids of a run."""
        digest = hashlib.sha256(run_id.encode()).digest()
        return cls(int.from_bytes(digest[:16]), int.from_bytes(digest[16:24]))

    @property
    def trace(self) -> str:
        """The trace's id as collectors show it: 32 hexadecimal digits."""
        return f"{self.trace_id:032x}"


@dataclass(frozen=True)
class RunSpan:
    """A run that has ended: its id, its job, seconds since 1970, and the error that ended it."""

    run_id: str
    job: str
    began: float
    ended: float
    error: str = ""


class Span(Protocol):
    """Something that takes time."""

    def set(self, facts: Mapping[str, Fact]) -> None:
        """Adds attributes."""

    def event(self, name: str, facts: Mapping[str, Fact]) -> None:
        """Adds what happens now."""

    def child(self, name: str) -> Span:
        """A part of it that begins now."""

    def end(self, error: str = "") -> None:
        """Ends it; `error` is the code of the error that it ended in."""


class Traces(Protocol):
    """Who takes spans."""

    def step(self, run_id: str, name: str) -> Span:
        """A step of a run that begins now."""

    def run(self, record: RunSpan) -> None:
        """A whole run that has ended."""

    def flush(self) -> None:
        """Sends what was not sent yet; what cannot be sent is dropped."""


class NoSpan:
    """Nothing is traced."""

    def set(self, facts: Mapping[str, Fact]) -> None:
        """Does nothing."""

    def event(self, name: str, facts: Mapping[str, Fact]) -> None:
        """Does nothing."""

    def child(self, name: str) -> NoSpan:  # noqa: ARG002
        """The same."""
        return self

    def end(self, error: str = "") -> None:
        """Does nothing."""


class NoTraces:
    """Nobody takes spans."""

    def step(self, run_id: str, name: str) -> NoSpan:  # noqa: ARG002
        """A span that does nothing."""
        return NoSpan()

    def run(self, record: RunSpan) -> None:
        """Does nothing."""

    def flush(self) -> None:
        """Does nothing."""


def is_traced() -> bool:
    """Whether the environment names a collector, and does not switch traces off.

    https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
    """
    is_off = (environment_variable("OTEL_SDK_DISABLED") or "").lower() == "true"
    exporter = environment_variable("OTEL_TRACES_EXPORTER") or "otlp"
    return not is_off and exporter == "otlp" and any(map(environment_variable, ENDPOINTS))


@cache
def traces() -> Traces:
    """Who takes the spans of this process; nobody, where OpenTelemetry refuses its variables."""
    if not is_traced():
        return NoTraces()
    from quality_platform.telemetry.otlp import OtlpTraces

    try:
        return OtlpTraces.from_environment()
    except (ValueError, TypeError, OSError) as error:
        logging.getLogger(LOGGER).warning(
            "nothing is traced: OpenTelemetry refuses its variables OTEL_*: %s",
            type(error).__name__,
        )
        return NoTraces()
