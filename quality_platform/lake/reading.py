"""Reading pinned snapshots: as file lists for DuckDB, as Arrow for everybody else."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from urllib.parse import urlparse

import pyarrow as pa
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.io.pyarrow import ArrowScan
from pyiceberg.schema import Schema
from pyiceberg.table import FileScanTask, Table
from pyiceberg.table.snapshots import Snapshot
from pyiceberg.types import (
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IcebergType,
    IntegerType,
    ListType,
    LongType,
    MapType,
    StringType,
    StructType,
    TimestampType,
    TimestamptzType,
    TimeType,
    UUIDType,
)

from quality_platform.errors import TableNotFoundError, TableSchemaError
from quality_platform.lake.position import Position
from quality_platform.lake.query import EngineSettings, duckdb_session, quote_identifier
from quality_platform.lake.remote_files import RemoteFiles
from quality_platform.lake.storage_errors import reading
from quality_platform.lake.table_files import FileColumn, TableFiles, read_parquet

BATCH_ROWS = 16384
"""Rows of a batch that DuckDB gives."""

_DUCKDB_TYPES: dict[type[IcebergType], str] = {
    BooleanType: "BOOLEAN",
    IntegerType: "INTEGER",
    LongType: "BIGINT",
    FloatType: "FLOAT",
    DoubleType: "DOUBLE",
    DateType: "DATE",
    TimeType: "TIME",
    TimestampType: "TIMESTAMP",
    TimestamptzType: "TIMESTAMP WITH TIME ZONE",
    StringType: "VARCHAR",
    UUIDType: "UUID",
}


def local_path(uri: str) -> str:
    """What DuckDB opens: a plain path for a `file:` URI, any other URI as it is.

    pyiceberg (0.12) writes nothing as `%20` in a URI, and takes such signs by the letter.
    """
    parsed = urlparse(uri)
    return parsed.path if parsed.scheme == "file" else uri


def snapshot_of(table: Table, ref: str = "main") -> Snapshot | None:
    """The head of a branch or tag; None for `main` of a table that nothing was published to.

    Raises:
        TableNotFoundError: there is no such branch or tag.
    """
    snapshot = table.snapshot_by_name(ref)
    if snapshot is None and ref != "main":
        raise TableNotFoundError(
            f"{'.'.join(table.name())} has no branch or tag {ref!r}", allowed=sorted(table.refs())
        )
    return snapshot


def published_snapshot(table: Table | None) -> Snapshot | None:
    """The head of `main`; None where no load has been published.

    That the table has a snapshot is not enough: a blocked first load leaves an empty one, for its
    branch to start from.
    """
    if table is None or not Position.of(table.properties).is_of_a_load:
        return None
    return snapshot_of(table)


def files_of(table: Table, snapshot_id: int | None) -> TableFiles:
    """The data files of a snapshot, as paths or URIs that DuckDB and pyarrow open; none for None.

    They are read with the table's columns of today, whatever the columns were when the snapshot was
    made.
    """
    if snapshot_id is None:
        return TableFiles()
    return files_of_tasks(table, tasks_of(table, snapshot_id))


def tasks_of(table: Table, snapshot_id: int | None = None) -> list[FileScanTask]:
    """What there is to be read of a snapshot, or of the head of `main`: its data files.

    Raises:
        StorageError: the table's files cannot be read.
    """
    with reading(table):
        return list(table.scan(snapshot_id=snapshot_id).plan_files())


def files_of_tasks(table: Table, tasks: Iterable[FileScanTask]) -> TableFiles:
    """The data files of some tasks of a scan, as paths or URIs that DuckDB opens."""
    return TableFiles(
        tuple(local_path(task.file.file_path) for task in tasks),
        _columns(table.schema()) if len(table.schemas()) > 1 else (),
    )


def _columns(schema: Schema) -> tuple[FileColumn, ...]:
    return tuple(FileColumn(f.field_id, f.name, _duckdb_type(f.field_type)) for f in schema.fields)


def _duckdb_type(kind: IcebergType) -> str:
    """Iceberg's type in DuckDB's words; all other types hold bytes."""
    match kind:
        case DecimalType():
            return f"DECIMAL({kind.precision},{kind.scale})"
        case StructType():
            fields = [(quote_identifier(f.name), _duckdb_type(f.field_type)) for f in kind.fields]
            return f"STRUCT({', '.join(f'{name} {kind}' for name, kind in fields)})"
        case ListType():
            return f"{_duckdb_type(kind.element_type)}[]"
        case MapType():
            return f"MAP({_duckdb_type(kind.key_type)}, {_duckdb_type(kind.value_type)})"
        case _:
            return _DUCKDB_TYPES.get(type(kind), "BLOB")


def added_files_of(table: Table, snapshot: Snapshot) -> list[str]:
    """The data files that the snapshot itself added, as paths or URIs."""
    added = snapshot.snapshot_id
    with reading(table):
        return [
            local_path(entry.data_file.file_path)
            for manifest in snapshot.manifests(table.io)
            if manifest.added_snapshot_id == added
            for entry in manifest.fetch_manifest_entry(table.io)
            if entry.snapshot_id == added
        ]


def batches_of(
    table: Table,
    snapshot_id: int | None,
    *,
    columns: Sequence[str] = ("*",),
    only: Collection[str] | None = None,
) -> Iterator[pa.RecordBatch]:
    """The rows of a snapshot in batches, with the table's columns of today; nothing for None.

    `only` are files of the snapshot, as `added_files_of` gives them, where not all are wanted.

    Raises:
        TableSchemaError: the table has no such column.
        StorageError: the table's files cannot be read.
    """
    require_columns(table, columns)
    if snapshot_id is None:
        return
    tasks = [
        task
        for task in tasks_of(table, snapshot_id)
        if only is None or local_path(task.file.file_path) in only
    ]
    yield from batches_of_tasks(table, tasks, columns=columns)


def batches_of_tasks(
    table: Table, tasks: Sequence[FileScanTask], *, columns: Sequence[str] = ("*",)
) -> Iterator[pa.RecordBatch]:
    """The rows of data files of the table in batches, with the table's columns of today."""
    # A scan of its own would give the columns that the table had when the snapshot was made.
    schema = table.schema() if "*" in columns else table.schema().select(*columns)
    target = schema.as_arrow()
    misread = any(is_misread(column.field_type) for column in schema.fields)
    read = _by_duckdb if misread else _by_pyiceberg
    with reading(table):
        for batch in read(table, tasks, schema):
            yield batch.cast(target)


def require_columns(table: Table, columns: Iterable[str]) -> None:
    """Checks that the table has these columns; `*` stands for all that it has.

    Raises:
        TableSchemaError: it lacks one: its contract has changed since its last load.
    """
    missing = [name for name in columns if name not in ("*", *table.schema().column_names)]
    if missing:
        raise TableSchemaError(
            f"{'.'.join(table.name())} has no column {missing[0]!r} yet",
            received=", ".join(missing),
            allowed=table.schema().as_arrow().names,
            action="run the table: its next load brings it up to its contract",
        )


def _by_pyiceberg(
    table: Table, tasks: Sequence[FileScanTask], schema: Schema
) -> Iterator[pa.RecordBatch]:
    scan = ArrowScan(table.metadata, table.io, schema, AlwaysTrue())
    yield from scan.to_record_batches(tasks)


def _by_duckdb(
    table: Table, tasks: Sequence[FileScanTask], schema: Schema
) -> Iterator[pa.RecordBatch]:
    files = files_of_tasks(table, tasks)
    if not files:
        return
    names = ", ".join(quote_identifier(column.name) for column in schema.fields)
    with duckdb_session(EngineSettings(files=RemoteFiles.of(table))) as connection:
        rows = connection.sql(f"SELECT {names} FROM {read_parquet(files)}")
        yield from rows.to_arrow_reader(BATCH_ROWS)


def is_misread(kind: IcebergType) -> bool:
    """Whether pyiceberg (0.12) reads NULL as an empty list or map: where it rebuilds the items."""
    match kind:
        case StructType():
            return any(is_misread(field.field_type) for field in kind.fields)
        case ListType():
            return isinstance(kind.element_type, StructType) or is_misread(kind.element_type)
        case _:
            return isinstance(kind, MapType)


def rows_of(snapshot: Snapshot | None) -> int:
    """The rows that the snapshot holds, by its own summary; 0 for None."""
    return 0 if snapshot is None else int(summary_of(snapshot).get("total-records", 0))


def summary_of(snapshot: Snapshot) -> dict[str, str]:
    """The snapshot's summary properties."""
    return dict(snapshot.summary.additional_properties) if snapshot.summary else {}
