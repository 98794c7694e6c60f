"""Arranges staged rows into files of one partition each, sorted as the table is.

Rows are staged in the order of their source, which their line numbers need. Just before the commit
DuckDB sorts them by partition and sort order, spilling to disk what its memory cannot hold, and
they are written again, one file after the other: memory does not grow with the partitions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
from pyiceberg.table import Table

from quality_platform.errors import AccountingError, EngineError
from quality_platform.lake.data_files import Placement, RollingWriter, StagedFile, delete_file
from quality_platform.lake.file_entries import placement_of
from quality_platform.lake.layout_keys import LayoutKeys
from quality_platform.lake.query import EngineSettings, duckdb_session

__all__ = ["arrange", "is_laid_out", "placement_of"]

_SORTED_ROWS = 2048
"""Rows of a batch that DuckDB gives: one of its vectors."""


def is_laid_out(table: Table) -> bool:
    """Whether the table has partitions or a sort order."""
    return bool(table.spec().fields or table.sort_order().fields)


def arrange(
    table: Table,
    staged: Sequence[StagedFile],
    engine: EngineSettings,
    prefix: str,
    target_bytes: int,
) -> tuple[StagedFile, ...]:
    """The staged rows in files as the table's partitions and sort order want them.

    Files that have a placement stay as they are, and so do all where the table has neither
    partitions nor a sort order. The others are deleted once their rows stand in new files, whose
    names begin with `prefix`. Rows with the same keys keep their order.

    Raises:
        StorageError: the warehouse cannot be read or written.
        EngineError: the rows could not be sorted: the disk is full, for one.
        TableSchemaError: a number is too small to be truncated.
        AccountingError: the new files have not as many rows as the old; none was deleted.
    """
    todo = [file for file in staged if file.placement is None]
    if not todo or not is_laid_out(table):
        return tuple(staged)
    writer = RollingWriter(table, prefix, target_bytes)
    try:
        _write_sorted(LayoutKeys(table), todo, engine, writer)
        arranged = writer.close()
        _require_as_many(todo, arranged)
    except BaseException:
        writer.discard()
        raise
    for file in todo:
        delete_file(table, file)
    return (*(file for file in staged if file.placement is not None), *arranged)


def _write_sorted(
    keys: LayoutKeys, files: Sequence[StagedFile], engine: EngineSettings, writer: RollingWriter
) -> None:
    current: tuple[Any, ...] | None = None
    for batch in _sorted_batches(keys, files, engine):
        rows = keys.rows(batch)
        for partition, start, end in keys.partitions(batch):
            if partition != current:
                writer.begin(Placement(partition, keys.is_sorted))
                current = partition
            writer.write(rows.slice(start, end - start))


def _sorted_batches(
    keys: LayoutKeys, files: Sequence[StagedFile], engine: EngineSettings
) -> Iterator[pa.RecordBatch]:
    try:
        with duckdb_session(engine) as connection:
            connection.register("staged", keys.reader(files))
            found = connection.sql(f"SELECT * FROM staged ORDER BY {keys.sql}")
            yield from found.to_arrow_reader(_SORTED_ROWS)
    except (EngineError, pa.ArrowException, OSError) as error:
        if keys.failures:
            raise keys.failures[0] from error
        raise


def _require_as_many(old: Sequence[StagedFile], new: Sequence[StagedFile]) -> None:
    before, after = sum(file.rows for file in old), sum(file.rows for file in new)
    if before != after:
        raise AccountingError(
            f"{before} rows were to be arranged, but {after} were written",
            action="nothing was published; report this: it is a defect of the platform",
        )
