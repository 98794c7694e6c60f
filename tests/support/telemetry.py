"""Traces of this process to a receiver, and its log lines, for the time of a test."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from support.otlp_receiver import Received, otlp_receiver

from quality_platform.telemetry.log_lines import FORMAT_VARIABLE, PLATFORM, JsonLines
from quality_platform.telemetry.otlp import OtlpTraces
from quality_platform.telemetry.traces import traces


@contextmanager
def traced(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Iterator[Received]:
    """A receiver to which this process, and those that it starts, send their spans."""
    with otlp_receiver() as received:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", received.url)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        traces.cache_clear()
        try:
            yield received
        finally:
            taker = traces()
            if isinstance(taker, OtlpTraces):
                taker.close()
            monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT")
            traces.cache_clear()


@contextmanager
def logged_as_json(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process, and those that it starts, log JSON lines."""
    monkeypatch.setenv(FORMAT_VARIABLE, "json")
    root, platform = logging.getLogger(), logging.getLogger(PLATFORM)
    level = platform.level
    try:
        yield
    finally:
        platform.setLevel(level)
        for handler in [h for h in root.handlers if isinstance(h, JsonLines)]:
            root.removeHandler(handler)


def lines_of(text: str) -> list[dict[str, Any]]:
    """The JSON lines of a text; other lines are passed over."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]
