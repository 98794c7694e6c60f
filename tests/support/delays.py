"""The delays of airports and routes as feature views, and a feature store over their tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from support.feature_rows import published_rows, store_in

from quality_platform.feature_store.definitions import (
    EntityDefinition,
    FeatureViewDefinition,
    SqliteRegistry,
    StoreSettings,
)

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
INSTANT = pa.timestamp("us", "UTC")
BEYOND_FLOAT = 2**53 + 1

DELAYS = pa.schema(
    [("origin", pa.string()), ("at", INSTANT), ("delay", pa.float64()), ("flights", pa.int64())]
)
AIRPORT = EntityDefinition("airport", "origin", pa.string())
VIEW = FeatureViewDefinition(
    name="delays",
    table="features.delays",
    entities=(AIRPORT,),
    event_timestamp="at",
    features=pa.schema(
        [pa.field("delay", pa.float64(), metadata={"doc": "mean delay"}), ("flights", pa.int64())]
    ),
    tags={"odcs": "delays@1.0.0"},
)
ROUTES = pa.schema(
    [
        ("origin", pa.string()),
        ("carrier", pa.int32()),
        ("at", INSTANT),
        ("loaded", INSTANT),
        ("delay", pa.float64()),
    ]
)
ROUTE_VIEW = FeatureViewDefinition(
    name="routes",
    table="features.routes",
    entities=(AIRPORT, EntityDefinition("carrier", "carrier", pa.int32())),
    event_timestamp="at",
    created_timestamp="loaded",
    features=pa.schema([("delay", pa.float64())]),
    ttl=3 * HOUR,
)


def flights_store(folder: Path) -> StoreSettings:
    """An empty feature store in SQLite files of the folder."""
    return store_in(folder, "flights")


def registry_of(settings: StoreSettings) -> Path:
    """The registry's file."""
    assert isinstance(settings.registry, SqliteRegistry)
    return settings.registry.path


def publish(
    settings: StoreSettings, identifier: str, schema: pa.Schema, rows: Iterable[Mapping[str, Any]]
) -> int:
    """Appends the rows to the table, which is made when there is none; returns the snapshot."""
    return published_rows(settings.lake, identifier, schema, rows)


def delays(*rows: tuple[str | None, int | None, float | None, int | None]) -> list[dict[str, Any]]:
    """Rows of (origin, hours after Monday, delay, flights)."""
    return [
        {
            "origin": origin,
            "at": None if hours is None else MONDAY + hours * HOUR,
            "delay": delay,
            "flights": flights,
        }
        for origin, hours, delay, flights in rows
    ]


def asked(*rows: tuple[str | None, int | None]) -> pa.Table:
    """Entity rows of (origin, hours after Monday)."""
    return pa.table(
        {
            "origin": pa.array([origin for origin, _ in rows], pa.string()),
            "event_timestamp": pa.array(
                [None if hours is None else MONDAY + hours * HOUR for _, hours in rows], INSTANT
            ),
        }
    )
