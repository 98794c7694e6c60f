"""A lake of its own, and data files in it that no snapshot refers to yet."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from quality_platform.errors import Location
from quality_platform.lake.catalog import Lake, Table
from quality_platform.lake.data_files import RollingWriter, StagedFile
from quality_platform.lake.reading import batches_of, snapshot_of

_FIELDS: list[pa.Field[Any]] = [
    pa.field("id", pa.int64(), nullable=False),
    pa.field("name", pa.string()),
]
SCHEMA = pa.schema(_FIELDS)
RUNNER = Location("runner.yaml", 7)


def open_lake(folder: Path, uri: str = "") -> Lake:
    """A lake on disk; each call gives another handle, as another process would have."""
    folder.mkdir(parents=True, exist_ok=True)
    properties = {
        "type": "sql",
        "uri": uri or f"sqlite:///{folder}/catalog.db",
        "warehouse": (folder / "warehouse").as_uri(),
    }
    return Lake("lake", properties, RUNNER)


def batch(ids: Sequence[int]) -> pa.RecordBatch:
    """Rows of `SCHEMA`."""
    return pa.record_batch(
        [pa.array(ids, pa.int64()), pa.array([f"n{i}" for i in ids])], schema=SCHEMA
    )


def staged(table: Table, ids: Sequence[int], prefix: str = "") -> tuple[StagedFile, ...]:
    """Data files with these rows, of an attempt of its own where no prefix is given."""
    writer = RollingWriter(table, prefix or f"load-{uuid.uuid4().hex}")
    writer.write(batch(ids))
    return writer.close()


def ids_of(lake: Lake, identifier: str, ref: str = "main") -> list[int]:
    """The ids that a reader of the branch sees, sorted."""
    table = lake.table(identifier)
    snapshot = snapshot_of(table, ref)
    batches = batches_of(table, snapshot.snapshot_id if snapshot else None, columns=("id",))
    return sorted(row["id"] for rows in batches for row in rows.to_pylist())
