"""Reading tables that other programs write: with deletes, without field ids, with other types."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import pyarrow as pa
from pyiceberg.table import FileScanTask, Table
from pyiceberg.types import UUIDType

from quality_platform.errors import SourceError
from quality_platform.lake.query import EngineSettings, duckdb_session, quote_identifier
from quality_platform.lake.reading import (
    BATCH_ROWS,
    batches_of_tasks,
    files_of_tasks,
    is_misread,
    local_path,
)
from quality_platform.lake.remote_files import RemoteFiles
from quality_platform.lake.table_files import read_parquet

_NAME_MAPPING = "schema.name-mapping.default"


def foreign_batches(
    table: Table,
    snapshot_id: int,
    columns: Sequence[str],
    only: Collection[str] | None = None,
) -> Iterator[pa.RecordBatch]:
    """The rows of a snapshot in batches, with the table's columns of today, in this order.

    UUIDs may come as texts, bytes of a fixed length come as bytes of any. `only` are files of the
    snapshot, as `added_files_of` gives them, where not all are wanted.

    Raises:
        SourceError: the table has deletes that cannot be applied.
    """
    tasks = [task for task in _planned(table, snapshot_id) if _is_wanted(task, only)]
    misread = any(is_misread(table.schema().find_field(name).field_type) for name in columns)
    if misread:
        _require_plain(table, tasks)
    read = _by_duckdb if misread else _by_pyiceberg
    for batch in read(table, tasks, columns):
        yield _with_plain_bytes(batch.select(list(columns)))


def _is_wanted(task: FileScanTask, only: Collection[str] | None) -> bool:
    return only is None or local_path(task.file.file_path) in only


def _planned(table: Table, snapshot_id: int) -> list[FileScanTask]:
    try:
        return list(table.scan(snapshot_id=snapshot_id).plan_files())
    except (ValueError, NotImplementedError) as error:
        if "equality delete" not in str(error):
            raise
        raise _not_applied(table, "deletes by value (equality deletes)") from error


def _by_pyiceberg(
    table: Table, tasks: Sequence[FileScanTask], columns: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    return batches_of_tasks(table, tasks, columns=columns)


def _by_duckdb(
    table: Table, tasks: Sequence[FileScanTask], columns: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    if not tasks:
        return
    selected = ", ".join(_selected(table, name) for name in columns)
    with duckdb_session(EngineSettings(files=RemoteFiles.of(table))) as connection:
        rows = connection.sql(
            f"SELECT {selected} FROM {read_parquet(files_of_tasks(table, tasks))}"
        )
        yield from rows.to_arrow_reader(BATCH_ROWS)


def _selected(table: Table, name: str) -> str:
    column = quote_identifier(name)
    is_uuid = isinstance(table.schema().find_field(name).field_type, UUIDType)
    return f"CAST({column} AS VARCHAR) AS {column}" if is_uuid else column


def _require_plain(table: Table, tasks: Sequence[FileScanTask]) -> None:
    """Refuses what only pyiceberg can read, where it cannot be trusted with the columns."""
    if any(task.delete_files for task in tasks):
        raise _not_applied(table, "deletes by position, and a list of objects or a map")
    if _NAME_MAPPING in table.properties:
        raise _not_applied(table, "files without field ids, and a list of objects or a map")


def _not_applied(table: Table, what: str) -> SourceError:
    return SourceError(
        f"{'.'.join(table.name())} cannot be read exactly",
        received=f"a table with {what}",
        action="have its owner rewrite its data files (compaction), or leave these columns out",
    )


def _with_plain_bytes(batch: pa.RecordBatch) -> pa.RecordBatch:
    columns = [
        column.cast(pa.binary()) if pa.types.is_fixed_size_binary(column.type) else column
        for column in batch.columns
    ]
    return pa.record_batch(columns, names=batch.schema.names)
