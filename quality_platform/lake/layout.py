"""Arranges staged rows into files of one partition each, sorted as the table is.

Rows are staged in the order of their source, which their line numbers need. Just before the commit
they are sorted by partition and sort order, by way of the disk, and written again, one file after
the other: memory grows neither with the rows nor with the partitions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pyiceberg.table import Table

from quality_platform.errors import AccountingError
from quality_platform.lake.data_files import (
    Placement,
    RollingWriter,
    StagedFile,
    delete_file,
    read_batches,
)
from quality_platform.lake.file_entries import placement_of
from quality_platform.lake.layout_keys import LayoutKeys
from quality_platform.lake.query import EngineSettings, duckdb_session
from quality_platform.lake.row_sorting import RowSorter
from quality_platform.lake.scratch import scratch_folder

__all__ = ["arrange", "is_laid_out", "placement_of"]

_SORTING_MB = 128


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
    with duckdb_session(_sorting(engine)) as connection, scratch_folder() as folder:
        sorter = RowSorter(connection, keys.sql, folder)
        for file in files:
            for rows in read_batches(keys.table, file):
                sorter.add(rows, keys.of(rows))
        for rows, their_keys in sorter.batches():
            for partition, start, end in keys.partitions(their_keys):
                if partition != current:
                    writer.begin(Placement(partition, keys.is_sorted))
                    current = partition
                writer.write(rows.slice(start, end - start))


def _sorting(engine: EngineSettings) -> EngineSettings:
    """The limits within which keys are sorted; what is beside DuckDB needs the rest of the memory.

    More memory makes it no faster (20 million rows, measured); keys that are long texts need more.
    Each thread (DuckDB 2.0) needs memory of its own at the same time.
    """
    limit = engine.memory_limit_mb
    return replace(engine, memory_limit_mb=max(min(limit, _SORTING_MB), limit // 4), threads=1)


def _require_as_many(old: Sequence[StagedFile], new: Sequence[StagedFile]) -> None:
    before, after = sum(file.rows for file in old), sum(file.rows for file in new)
    if before != after:
        raise AccountingError(
            f"{before} rows were to be arranged, but {after} were written",
            action="nothing was published; report this: it is a defect of the platform",
        )
