"""Writing Parquet data files that nobody can read yet: they become a table's by a commit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import IO, Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyiceberg.io import InputStream, OutputFile, OutputStream
from pyiceberg.io.pyarrow import schema_to_pyarrow
from pyiceberg.table import Table

from quality_platform.lake.dictionaries import repeating
from quality_platform.lake.storage_errors import storage_error

ROW_GROUP_BYTES = 16 * 2**20
"""Arrow bytes that are buffered before a row group is written: the writer's memory bound."""

_FIELD_ID = b"PARQUET:field_id"

BATCH_BYTES = 8 * 2**20
MOST_BATCH_ROWS = 16384
"""Size of the batches in which a staged file is read again; wide rows come in smaller numbers."""


@dataclass(frozen=True)
class Placement:
    """Where a data file stands in the layout of its table.

    `partition` has the values of the table's partition spec as Iceberg stores them (days since
    1970 for a date), in the spec's order, () for a table without partitions. `is_sorted` says that
    the rows of the file are in the table's sort order.
    """

    partition: tuple[Any, ...] = ()
    is_sorted: bool = False


@dataclass(frozen=True)
class StagedFile:
    """A complete data file that no snapshot refers to yet: its URI and its rows.

    `placement` is None for rows that were not arranged: a partitioned table takes no such file.
    `nan_counts` has the number of NaN by the field ids of floating columns.
    """

    uri: str
    rows: int
    placement: Placement | None = None
    nan_counts: Mapping[int, int] = field(default_factory=dict, hash=False)


@dataclass
class RollingWriter:
    """Writes batches of one table into data files of about `target_bytes` each.

    File names begin with `prefix` (load id and attempt), so that what a dead process left behind
    can be told. Memory is bounded by one row group, whatever the number of rows. `placement` is
    that of the files, where all rows are of one: see `layout.placement_of`.
    """

    table: Table
    prefix: str
    target_bytes: int = 128 * 2**20
    placement: Placement | None = None
    staged: list[StagedFile] = field(default_factory=list)
    _buffer: list[pa.RecordBatch] = field(default_factory=list)
    _buffered_bytes: int = 0
    _open: _OpenFile | None = None

    @cached_property
    def schema(self) -> pa.Schema:
        """The Arrow schema of the files, with Iceberg's field ids in the fields' metadata."""
        return schema_to_pyarrow(self.table.schema(), include_field_ids=True)

    @property
    def location(self) -> str:
        """The URI that the next file gets."""
        name = f"{self.prefix}-{len(self.staged):05d}.parquet"
        return str(self.table.location_provider().new_data_location(name))

    def write(self, batch: pa.RecordBatch) -> None:
        """Adds the rows of a batch, whose columns are the table's in the table's order.

        Raises:
            StorageError: the warehouse cannot be written.
        """
        if not batch.num_rows:
            return
        self._buffer.append(batch.cast(self.schema))
        self._buffered_bytes += batch.nbytes
        if self._buffered_bytes >= min(ROW_GROUP_BYTES, self.target_bytes):
            self._flush()

    def begin(self, placement: Placement) -> None:
        """Finishes the file; rows that are written from now on have another placement.

        Raises:
            StorageError: the warehouse cannot be written.
        """
        self.close()
        self.placement = placement

    def close(self) -> tuple[StagedFile, ...]:
        """Finishes the last file and returns all that were written; no file for no rows.

        Raises:
            StorageError: the warehouse cannot be written.
        """
        self._flush()
        with _storage_errors(self.table):
            self._roll()
        return tuple(self.staged)

    def discard(self) -> None:
        """Deletes all that was written, finished or not: nothing of it will be committed."""
        uris = [file.uri for file in self.staged]
        # What cannot be deleted stays unseen, like the files of a process that died.
        if self._open is not None:
            uris.append(self._open.uri)
            with suppress(OSError):
                self._open.close()
        self.staged, self._buffer, self._open = [], [], None
        for uri in uris:
            with suppress(OSError):
                self.table.io.delete(uri)

    def _flush(self) -> None:
        if not self._buffer:
            return
        rows = pa.Table.from_batches(self._buffer)
        with _storage_errors(self.table):
            if self._open is None:
                output = self.table.io.new_output(self.location)
                self._open = _OpenFile.at(output, rows, self.placement)
            self._open.write(rows)
            self._buffer, self._buffered_bytes = [], 0
            if self._open.bytes_written >= self.target_bytes:
                self._roll()

    def _roll(self) -> None:
        if self._open is None:
            return
        self.staged.append(self._open.close())
        self._open = None


@contextmanager
def _storage_errors(table: Table) -> Iterator[None]:
    """Turns what the file system raises into `StorageError`."""
    try:
        yield
    except OSError as error:
        failing = "a data file cannot be read or written"
        raise storage_error(error, failing, table.location()) from None


def read_batches(table: Table, file: StagedFile) -> Iterator[pa.RecordBatch]:
    """The rows of a staged file, in order, in bounded memory."""
    with (
        _storage_errors(table),
        table.io.new_input(file.uri).open() as stream,
        pq.ParquetFile(_as_file(stream)) as parquet,
    ):
        groups = range(parquet.num_row_groups)
        size = sum(parquet.metadata.row_group(n).total_byte_size for n in groups)
        fitting = max(1, min(file.rows * BATCH_BYTES // max(1, size), MOST_BATCH_ROWS))
        # Over several row groups at once Arrow (26) keeps what it has decoded of each, and its
        # threads keep memory of their own: 205 MB for a file of 128 MB in place of 71 MB.
        for n in groups:
            yield from parquet.iter_batches(fitting, row_groups=[n], use_threads=False)


def footer_of(table: Table, file: StagedFile) -> tuple[pq.FileMetaData, int]:
    """What the footer of a staged file says, and the file's size in bytes."""
    with _storage_errors(table):
        source = table.io.new_input(file.uri)
        with source.open() as stream:
            return pq.read_metadata(_as_file(stream)), len(source)


def delete_file(table: Table, file: StagedFile) -> None:
    """Deletes a staged file that will never be committed."""
    with _storage_errors(table):
        table.io.delete(file.uri)


def _as_file(stream: InputStream | OutputStream) -> IO[bytes]:
    """The stream as pyarrow's types know it: pyiceberg's protocols are what it needs of a file."""
    return cast(IO[bytes], stream)


@dataclass
class _OpenFile:
    uri: str
    stream: OutputStream
    writer: Any
    placement: Placement | None
    rows: int = 0
    nan_counts: Counter[int] = field(default_factory=Counter)

    @classmethod
    def at(cls, output: OutputFile, first: pa.Table, placement: Placement | None) -> _OpenFile:
        stream = output.create(overwrite=True)
        writer = pq.ParquetWriter(
            _as_file(stream),
            first.schema,
            compression="zstd",
            compression_level=1,
            store_decimal_as_integer=True,
            use_dictionary=repeating(first),  # type: ignore[arg-type]  # the stubs know only bool
            # To give up on a dictionary late (at 1 MB) can take half of the time of writing.
            dictionary_pagesize_limit=64 * 2**10,
        )
        return cls(output.location, stream, writer, placement)

    @property
    def bytes_written(self) -> int:
        return int(self.stream.tell())

    def write(self, table: pa.Table) -> None:
        self.writer.write_table(table, row_group_size=max(1, table.num_rows))
        self.rows += table.num_rows
        for column, values in zip(table.schema, table.itercolumns(), strict=True):
            self.nan_counts.update(dict(_nan_counts(column, values)))

    def close(self) -> StagedFile:
        self.writer.close()
        self.stream.close()
        return StagedFile(self.uri, self.rows, self.placement, dict(self.nan_counts))


def _nan_counts(column: pa.Field[Any], values: pa.ChunkedArray[Any]) -> Iterator[tuple[int, int]]:
    """The field id and the number of NaN of a floating column, or of those within a struct."""
    if pa.types.is_floating(column.type):
        field_id = int((column.metadata or {})[_FIELD_ID])
        yield field_id, int(np.count_nonzero(pc.is_nan(values).fill_null(False)))
    elif pa.types.is_struct(column.type):
        for n, part in enumerate(column.type):
            yield from _nan_counts(part, pc.struct_field(values, [n]))
