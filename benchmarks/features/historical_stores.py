"""Ways to read features back in time: this platform's, Feast's own, and a join written by hand."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from benchmarks.features.historical_rows import FEATURES, entity_file, feature_file
from benchmarks.features.protocol import Job

Read = Callable[[], Any]
"""Reads the features of all entity rows; gives an Arrow table."""

_THREADS = 2


def ours(job: Job, history: int) -> Read:
    """Feast's `get_historical_features` over the Iceberg offline store."""
    from quality_platform.feature_store.iceberg_source import IcebergTableSource

    table, properties = _table(job, history)
    offline = {
        "type": "quality_platform.feature_store.iceberg_offline_store.IcebergOfflineStore",
        "properties": properties,
        "threads": _THREADS,
    }
    return _by_feast(job, history, offline, IcebergTableSource(table=table, timestamp_field="at"))


def stock(job: Job, history: int, kind: str) -> Read:
    """Feast's `get_historical_features` over one of its own stores: `dask` or `duckdb`."""
    with warnings.catch_warnings():
        from feast import FileSource

    path = str(feature_file(job.data, job.rows, history))
    source = FileSource(name="machines", path=path, timestamp_field="at")
    return _by_feast(job, history, {"type": kind}, source)


def hand_written(job: Job, history: int) -> Read:
    """An ASOF join in DuckDB over the same Iceberg table's data files, and nothing else."""
    import duckdb

    from quality_platform.lake.reading import files_of

    identifier, properties = _table(job, history)
    table = _lake(properties).table(identifier)
    head = table.current_snapshot()
    files = list(files_of(table, head.snapshot_id if head else None))
    asked = pq.read_table(entity_file(job.data, job.rows, history))
    values = ", ".join(f"m.{name}" for name in FEATURES)

    def read() -> Any:
        with duckdb.connect(":memory:", config={"threads": _THREADS}) as connection:
            connection.register("asked", asked)
            return connection.sql(
                f"SELECT a.*, {values} FROM asked AS a ASOF LEFT JOIN read_parquet({files}) AS m "
                "ON a.machine = m.machine AND a.event_timestamp >= m.at"
            ).to_arrow_table()

    return read


def _by_feast(job: Job, history: int, offline: dict[str, Any], source: Any) -> Read:
    with warnings.catch_warnings():
        from feast import Entity, FeatureStore, FeatureView, Field, RepoConfig, types
        from feast.value_type import ValueType

    store = FeatureStore(
        config=RepoConfig(
            project="bench",
            provider="local",
            registry=str(job.scratch / "registry.db"),
            online_store={"type": "sqlite", "path": str(job.scratch / "online.db")},
            offline_store=offline,
            entity_key_serialization_version=3,
        )
    )
    machine = Entity(name="machine", join_keys=["machine"], value_type=ValueType.INT64)
    fields = [Field(name=name, dtype=types.Float64) for name in FEATURES]
    key = Field(name="machine", dtype=types.Int64)
    view = FeatureView(
        name="machines",
        entities=[machine],
        schema=[key, *fields],
        source=source,
        ttl=timedelta(0),
    )
    store.apply([machine, view])
    asked = pq.read_table(entity_file(job.data, job.rows, history)).to_pandas()
    wanted = [f"machines:{name}" for name in FEATURES]
    return lambda: store.get_historical_features(entity_df=asked, features=wanted).to_arrow()


def _lake(properties: dict[str, str]) -> Any:
    from quality_platform.lake.catalog import Lake

    return Lake("lake", properties)


def _table(job: Job, history: int) -> tuple[str, dict[str, str]]:
    """The name of the Iceberg table with the feature rows, made once, and its catalog."""
    folder: Path = job.data / f"lake-machines-{job.rows}-{history}"
    properties = {
        "type": "sql",
        "uri": f"sqlite:///{folder}/catalog.db",
        "warehouse": f"file://{folder}/warehouse",
    }
    if not (folder / "filled").exists():
        folder.mkdir(parents=True, exist_ok=True)
        _fill(_lake(properties), feature_file(job.data, job.rows, history))
        (folder / "filled").touch()
    return "features.machines", properties


def _fill(lake: Any, file: Path) -> None:
    from quality_platform.lake import commits
    from quality_platform.lake.data_files import RollingWriter

    with pq.ParquetFile(file) as parquet:
        table = lake.ensure_table("features.machines", parquet.schema_arrow)
        writer = RollingWriter(table, "load")
        for batch in parquet.iter_batches(100_000):
            writer.write(batch)
    commits.append(lake, table, writer.close(), {})
