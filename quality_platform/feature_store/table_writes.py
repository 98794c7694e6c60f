"""Writing to tables of the lake that no load publishes: saved data sets, logs, users' own tables.

A table that the platform loads is never written here: its rows pass its contract first. Others
allow it by a property, so that history, quarantine and training sets stay what they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from uuid import uuid4

import pyarrow as pa

from quality_platform.errors import ConcurrentLoadError, MaterializationError
from quality_platform.lake import commits
from quality_platform.lake.catalog import Lake, Table
from quality_platform.lake.data_files import RollingWriter, StagedFile
from quality_platform.lake.position import Position
from quality_platform.lake.reading import tasks_of

SAVED_DATASET = "quality-platform.saved-dataset"
"""Property of tables that hold a saved data set: only they are ever overwritten."""

FEAST_WRITES = "quality-platform.feast-writes"
"""Property, `true`, of tables that Feast may add rows to."""

_ATTEMPTS = 10
"""How often an append that met another one is tried."""

_TYPES: dict[pa.DataType, pa.DataType] = {
    pa.int8(): pa.int32(),
    pa.int16(): pa.int32(),
    pa.uint8(): pa.int32(),
    pa.uint16(): pa.int32(),
    pa.uint32(): pa.int64(),
    pa.float16(): pa.float32(),
    pa.null(): pa.string(),
}
"""Types that Iceberg does not have, and wider ones that hold the same values."""


def append(lake: Lake, identifier: str, rows: pa.Table) -> int:
    """Adds rows to a table, by the names of the columns; returns the snapshot's id.

    The table is made where there is none.

    Raises:
        MaterializationError: the table is loaded by the platform or does not allow it, or the rows
            do not fit it.
        ConcurrentLoadError: others wrote to the table at every attempt; nothing was written.
    """
    fitting = storable(rows)
    table = lake.find_table(identifier) or lake.create_table(
        identifier, fitting.schema, {FEAST_WRITES: "true"}
    )
    _require_allowed(table)
    staged = _staged(table, fitting, "append")
    for _ in range(_ATTEMPTS - 1):
        with suppress(ConcurrentLoadError):
            return int(commits.append(lake, table, staged, {}).snapshot_id)
        table = lake.table(identifier)
    return int(commits.append(lake, table, staged, {}).snapshot_id)


def save(lake: Lake, identifier: str, rows: pa.Table) -> int:
    """Makes the rows all that a saved data set's table holds; returns the snapshot's id.

    Earlier snapshots stay until they expire.

    Raises:
        MaterializationError: the table is there, and is no saved data set or has other columns.
        ConcurrentLoadError: another process wrote to the table; nothing was written.
    """
    fitting = storable(rows)
    table = lake.find_table(identifier)
    if table is None:
        table = lake.create_table(identifier, fitting.schema, {SAVED_DATASET: "true"})
    if SAVED_DATASET not in table.properties:
        raise MaterializationError(
            f"{identifier} holds no saved data set, and is not overwritten",
            field="storage",
            received=identifier,
            action="save the data set under the name of a table that is not there yet",
        )
    staged = _staged(table, fitting, "saved")
    removed = [task.file for task in tasks_of(table)] if table.current_snapshot() else []
    return int(commits.swap(lake, table, removed, staged, {}).snapshot_id)


def storable(rows: pa.Table) -> pa.Table:
    """The rows with types that Iceberg has, and the same values.

    Raises:
        MaterializationError: a column's type has no counterpart, or a moment is finer than a
            microsecond.
    """
    for number, field in enumerate(rows.schema):
        target = _stored_type(field.type)
        if target != field.type:
            rows = rows.set_column(number, field.name, _cast(rows, field, target))
    return rows.replace_schema_metadata(None)


def _stored_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return _stored_type(kind.value_type)
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", "UTC" if kind.tz else None)
    return _TYPES.get(kind, kind)


def _cast(
    rows: pa.Table, field: pa.Field[pa.DataType], target: pa.DataType
) -> pa.ChunkedArray[pa.Scalar[pa.DataType]]:
    try:
        return rows.column(field.name).cast(target)
    except pa.ArrowException:
        raise MaterializationError(
            "the column cannot be written to the lake as it is",
            field=field.name,
            received=field.type,
            allowed=f"what {target} can hold",
        ) from None


def _require_allowed(table: Table) -> None:
    if Position.of(table.properties).is_of_a_load:
        raise MaterializationError(
            "the table is loaded by the platform, and is written by its loads only",
            field=".".join(table.name()),
            action="deliver the rows to the table's source, or compute them in its feature view: "
            "they are checked there",
        )
    if table.properties.get(FEAST_WRITES) != "true":
        raise MaterializationError(
            "the table does not allow Feast to write to it",
            field=".".join(table.name()),
            action=f"set its property {FEAST_WRITES} to true, unless the platform writes it",
        )
    if table.spec().fields:
        raise MaterializationError(
            "a table with partitions is not written",
            field=".".join(table.name()),
            received=", ".join(part.name for part in table.spec().fields),
            action="write it with the engine that arranges it",
        )


def _staged(table: Table, rows: pa.Table, kind: str) -> Sequence[StagedFile]:
    schema = table.schema().as_arrow()
    missing = sorted(set(schema.names) ^ set(rows.schema.names))
    if missing:
        raise MaterializationError(
            f"the rows have other columns than {'.'.join(table.name())}",
            field=missing[0],
            received=", ".join(rows.schema.names),
            allowed=schema.names,
        )
    writer = RollingWriter(table, f"{kind}-{uuid4().hex}")
    try:
        for batch in _cast_to(rows.select(schema.names), schema).to_batches():
            writer.write(batch)
        return writer.close()
    except BaseException:
        writer.discard()
        raise


def _cast_to(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    columns = [
        _cast(rows, field, wanted.type) for field, wanted in zip(rows.schema, schema, strict=True)
    ]
    return pa.Table.from_arrays(columns, schema=schema)
