"""Feature tables in a lake of their own, and a feature store over it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from quality_platform.feature_store.definitions import SqliteOnline, SqliteRegistry, StoreSettings
from quality_platform.lake import commits
from quality_platform.lake.catalog import Lake
from quality_platform.lake.data_files import RollingWriter


def store_in(folder: Path, project: str = "shop", **settings: Any) -> StoreSettings:
    """A feature store in SQLite files of the folder; `settings` take the place of these."""
    folder.mkdir(exist_ok=True)
    properties = {
        "type": "sql",
        "uri": f"sqlite:///{folder}/catalog.db",
        "warehouse": f"file://{folder}/warehouse",
    }
    home = folder / "feast"
    plain = StoreSettings(
        project,
        SqliteRegistry(home / "registry.db"),
        SqliteOnline(home / "online.db"),
        Lake("lake", properties),
        folder=home,
    )
    return replace(plain, **settings)


def published_rows(
    lake: Lake, identifier: str, schema: pa.Schema, rows: Iterable[Mapping[str, Any]]
) -> int:
    """Appends the rows to the table, which is made when there is none; returns the snapshot."""
    table = lake.ensure_table(identifier, schema)
    writer = RollingWriter(table, f"load-{len(table.snapshots())}")
    writer.write(pa.RecordBatch.from_pylist([dict(row) for row in rows], schema=schema))
    return int(commits.append(lake, table, writer.close(), {}).snapshot_id)
