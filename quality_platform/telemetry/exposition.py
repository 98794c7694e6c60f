"""Metrics as text: over HTTP to be scraped, or once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from quality_platform.errors import ConfigurationError
from quality_platform.flows.platform import Platform
from quality_platform.telemetry.collecting import PlatformCollector

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


def exposition(platform: Platform) -> str:
    """The metrics in Prometheus' text format 0.0.4.

    https://prometheus.io/docs/instrumenting/exposition_formats/

    Raises:
        LakeError: the lake cannot be used.
    """
    from prometheus_client import generate_latest

    registry = _registry(_read(platform))
    return generate_latest(registry).decode()


def write_exposition(platform: Platform, path: Path) -> None:
    """Writes the metrics into a file at once, as node exporter's textfile collector wants it.

    Raises:
        LakeError: the lake cannot be used; the file stays as it was.
        ConfigurationError: the file cannot be written.
    """
    from prometheus_client import write_to_textfile

    registry = _registry(_read(platform))
    try:
        write_to_textfile(str(path), registry)
    except OSError as error:
        raise ConfigurationError(
            "the metrics cannot be written",
            field="--output",
            received=str(path),
            action=f"{error.strerror}",
        ) from error


@contextmanager
def served(platform: Platform, port: int, address: str, keep_seconds: float) -> Iterator[int]:
    """Serves the metrics at http://ADDRESS:PORT/metrics in threads of its own; gives the port.

    A port of 0 stands for any that is free.

    Raises:
        ConfigurationError: the address or the port cannot be used.
    """
    from prometheus_client import start_http_server

    registry = _registry(PlatformCollector(platform, keep_seconds))
    try:
        server, thread = start_http_server(port, address, registry)
    except OSError as error:
        raise ConfigurationError(
            "the metrics cannot be served here",
            field="--address, --port",
            received=f"{address}:{port}",
            action=f"{error.strerror}: choose another",
        ) from error
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _read(platform: Platform) -> PlatformCollector:
    """A collector that has read the lake, and does not read it again."""
    collector = PlatformCollector(platform, float("inf"))
    collector.refresh()
    return collector


def _registry(collector: PlatformCollector) -> CollectorRegistry:
    from prometheus_client import CollectorRegistry

    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    return registry
