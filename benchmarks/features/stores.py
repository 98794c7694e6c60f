"""Feature stores to measure: this platform's over an Iceberg table, and Feast as it comes."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from benchmarks.features.protocol import Job
from benchmarks.features.rows import FEATURES, SCHEMA, parquet_file

FIRST = datetime(2025, 12, 31, tzinfo=UTC)
LAST = FIRST + timedelta(days=60)
FEAST_TYPES = {
    "double": "Float64",
    "int64": "Int64",
    "string": "String",
    "bool": "Bool",
    "timestamp[us, tz=UTC]": "UnixTimestamp",
}


def our_settings(job: Job, address: str) -> Any:
    """A feature store of the platform whose table holds the rows; "" for SQLite, or Redis's port.

    The online store is new.
    """
    from quality_platform.feature_store.definitions import (
        RedisOnline,
        SqliteOnline,
        SqliteRegistry,
        StoreSettings,
    )
    from quality_platform.feature_store.store import apply_views
    from quality_platform.lake.catalog import Lake

    folder = job.data / f"lake-{job.rows}"
    properties = {
        "type": "sql",
        "uri": f"sqlite:///{folder}/catalog.db",
        "warehouse": f"file://{folder}/warehouse",
    }
    lake = Lake("lake", properties)
    if not (folder / "filled").exists():
        _fill(lake, folder, parquet_file(job.data, job.rows))
    redis = RedisOnline("127.0.0.1", int(address)) if address else None
    online = redis or SqliteOnline(job.scratch / "online.db")
    registry = SqliteRegistry(job.scratch / "registry.db")
    settings = StoreSettings("bench", registry, online, lake)
    apply_views(settings, [_our_view()])
    return settings


def _our_view() -> Any:
    import pyarrow as pa

    from quality_platform.feature_store.definitions import EntityDefinition, FeatureViewDefinition

    return FeatureViewDefinition(
        name="persons",
        table="features.persons",
        entities=(EntityDefinition("person", "person", pa.string()),),
        event_timestamp="at",
        features=FEATURES,
    )


def _fill(lake: Any, folder: Path, file: Path) -> None:
    from quality_platform.lake import commits
    from quality_platform.lake.data_files import RollingWriter

    folder.mkdir(parents=True, exist_ok=True)
    table = lake.ensure_table("features.persons", SCHEMA)
    writer = RollingWriter(table, "load")
    for batch in pq.ParquetFile(file).iter_batches(100_000):
        writer.write(batch.cast(SCHEMA))
    commits.append(lake, table, writer.close(), {})
    (folder / "filled").touch()


def stock_store(job: Job, address: str) -> Any:
    """Feast as it comes, over a Parquet file; "" for SQLite, or Redis's port."""
    with warnings.catch_warnings():
        from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, types
        from feast.value_type import ValueType

    online = {"type": "sqlite", "path": str(job.scratch / "online.db")}
    if address:
        online = {"type": "redis", "connection_string": f"127.0.0.1:{address}"}
    store = FeatureStore(
        config=RepoConfig(
            project="bench",
            provider="local",
            registry=str(job.scratch / "registry.db"),
            online_store=online,
            entity_key_serialization_version=3,
        )
    )
    person = Entity(name="person", join_keys=["person"], value_type=ValueType.STRING)
    source = FileSource(path=str(parquet_file(job.data, job.rows)), timestamp_field="at")
    fields = [Field(name=f.name, dtype=getattr(types, FEAST_TYPES[str(f.type)])) for f in FEATURES]
    key = Field(name="person", dtype=types.String)
    view = FeatureView(
        name="persons", entities=[person], schema=[key, *fields], source=source, ttl=timedelta(0)
    )
    store.apply([person, view])
    return store
