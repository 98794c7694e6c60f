"""Copy-on-write: the data files that lose rows, or whose versions end, are written anew."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyiceberg.io.pyarrow import schema_to_pyarrow
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table

from quality_platform.lake.data_files import RollingWriter, StagedFile, read_batches
from quality_platform.lake.file_entries import placement_of
from quality_platform.lake.query import EngineSettings, duckdb_session, quote_identifier
from quality_platform.lake.reading import BATCH_ROWS, local_path, tasks_of
from quality_platform.lake.remote_files import RemoteFiles
from quality_platform.lake.table_files import TableFiles, read_parquet
from quality_platform.lake.versions import VALID_TO


@dataclass(frozen=True)
class FileChange:
    """What becomes of one data file.

    `path` is as `reading.files_of` gives it, `positions` are the rows concerned, ascending from 0.
    They are removed; or, where `ends` has a time for each, their version ends then.
    """

    path: str
    positions: NDArray[np.int64]
    ends: pa.Array[Any] | None = None


@dataclass(frozen=True)
class Rewritten:
    """Files that take the place of others; `removed` are the URIs of these and `rows` their rows.

    `lost` is how many of the rows are in no file any more.
    """

    files: tuple[StagedFile, ...] = ()
    removed: tuple[str, ...] = ()
    rows: int = 0
    lost: int = 0

    @property
    def kept(self) -> int:
        """The rows that are in the new files."""
        return self.rows - self.lost


def rewritten(
    table: Table, published: TableFiles, changes: Iterable[FileChange], writer: RollingWriter
) -> Rewritten:
    """Writes the changed files anew, one after another, in bounded memory; commits nothing.

    `published` are the table's files as `reading.files_of` gives them, `writer` one of the table.

    Raises:
        StorageError: the warehouse cannot be read or written.
    """
    data_files = {local_path(task.file.file_path): task.file for task in tasks_of(table)}
    removed: list[str] = []
    rows = lost = 0
    for change in changes:
        data_file = data_files[change.path]
        removed.append(data_file.file_path)
        rows += data_file.record_count
        if change.ends is None:
            lost += len(change.positions)
            if len(change.positions) == data_file.record_count:
                continue
        _place(table, data_file, writer)
        file = StagedFile(data_file.file_path, data_file.record_count)
        for batch in _changed(_batches(table, published.only([change.path]), file), change):
            writer.write(batch)
    return Rewritten(writer.close(), tuple(removed), rows, lost)


def _place(table: Table, data_file: DataFile, writer: RollingWriter) -> None:
    """Lets the file's rows follow those of others where these stand in the same place."""
    placement = placement_of(table, data_file)
    if placement != writer.placement or (placement is not None and placement.is_sorted):
        writer.close()
        writer.placement = placement


def _batches(table: Table, published: TableFiles, file: StagedFile) -> Iterator[pa.RecordBatch]:
    """The rows of a data file in their order, with the table's columns of today."""
    if published.columns:
        yield from _by_duckdb(table, published)
        return
    for batch in read_batches(table, file):
        yield batch.select(table.schema().column_names)


def _by_duckdb(table: Table, published: TableFiles) -> Iterator[pa.RecordBatch]:
    """For files that may be older than a column of the table."""
    target = schema_to_pyarrow(table.schema(), include_field_ids=False)
    names = ", ".join(quote_identifier(name) for name in target.names)
    with duckdb_session(EngineSettings(threads=1, files=RemoteFiles.of(table))) as connection:
        rows = connection.sql(f"SELECT {names} FROM {read_parquet(published)}")
        for batch in rows.to_arrow_reader(BATCH_ROWS):
            yield batch.cast(target)


def _changed(batches: Iterable[pa.RecordBatch], change: FileChange) -> Iterator[pa.RecordBatch]:
    offset = 0
    for batch in batches:
        bounds = [offset, offset + batch.num_rows]
        first, last = np.searchsorted(change.positions, bounds).tolist()
        here = np.zeros(batch.num_rows, bool)
        here[change.positions[first:last] - offset] = True
        offset += batch.num_rows
        if change.ends is None:
            yield batch.filter(pa.array(~here)) if last > first else batch
        else:
            yield _ended(batch, here, change.ends.slice(first, last - first))


def _ended(batch: pa.RecordBatch, here: NDArray[np.bool_], ends: pa.Array[Any]) -> pa.RecordBatch:
    place = batch.schema.get_field_index(VALID_TO)
    column = batch.column(place)
    ended = pc.replace_with_mask(column, pa.array(here), ends.cast(column.type))
    return batch.set_column(place, batch.schema.field(place), ended)
