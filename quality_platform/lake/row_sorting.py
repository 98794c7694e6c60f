"""Sorts rows by keys in bounded memory: pieces of them that are sorted, and then merged.

DuckDB sorts the keys alone, spilling to disk: whole rows, where they are wide or long, it cannot
sort within its limit (2.0). The rows lie in a scratch file meanwhile, each piece in its own order,
so that each is read from its beginning to its end.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from quality_platform.errors import EngineError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_NUMBER = "row_number"

PIECE_BYTES = 16 * 2**20
"""Bytes of rows that are sorted at once; memory is a small multiple of it."""
_READ_BYTES = 256 * 2**10
"""Bytes that are read of a piece at a time: each piece has so much in memory."""
_BATCH_BYTES = 4 * 2**20
_MOST_BATCH_ROWS = 8_192


@dataclass
class RowSorter:
    """Takes rows with their keys, and gives both back in the order of the keys.

    Attributes:
        connection: The session that sorts keys.
        order: The keys as an ORDER BY; rows with the same keys keep their order.
        folder: For the scratch files.
    """

    connection: DuckDBPyConnection
    order: str
    folder: Path
    _rows: list[pa.RecordBatch] = field(default_factory=list)
    _keys: list[pa.RecordBatch] = field(default_factory=list)
    _row_file: Any = None
    _key_file: Any = None
    _starts: list[int] = field(default_factory=lambda: [0])
    _first_batches: list[int] = field(default_factory=list)
    _batches: int = 0
    _count: int = 0
    _held_bytes: int = 0
    _all_bytes: int = 0

    def add(self, rows: pa.RecordBatch, keys: pa.RecordBatch) -> None:
        """Adds rows, and as many keys; all batches have the same columns.

        Raises:
            EngineError: the scratch files cannot be written.
        """
        numbers = pa.array(np.arange(self._count, self._count + rows.num_rows))
        self._count += rows.num_rows
        self._rows.append(rows)
        self._keys.append(keys.append_column(_NUMBER, numbers))
        self._held_bytes += rows.nbytes
        if self._held_bytes >= PIECE_BYTES:
            self._end_piece()

    def batches(self) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]:
        """The rows in their order, each batch with its keys. Nothing can be added after this.

        Raises:
            EngineError: the keys could not be sorted, or the scratch files not be read.
        """
        if self._rows:
            self._end_piece()
        if self._row_file is None:
            return
        with _scratch_errors():
            self._row_file.close()
            self._key_file.close()
            with (
                pa.OSFile(self._path("rows"), "rb") as file,
                pa.OSFile(self._path("keys"), "rb") as key_file,
            ):
                yield from self._merged(pa.ipc.open_file(file), pa.ipc.open_stream(key_file))

    def _path(self, name: str) -> str:
        return str(self.folder / f"{name}.arrow")

    def _end_piece(self) -> None:
        """Writes the rows that are held, in the order of their keys."""
        rows, keys = self._rows, pa.Table.from_batches(self._keys)
        self._rows, self._keys = [], []
        with _scratch_errors():
            if self._row_file is None:
                options = pa.ipc.IpcWriteOptions(compression="lz4")
                self._row_file = pa.ipc.new_file(
                    self._path("rows"), rows[0].schema, options=options
                )
                self._key_file = pa.ipc.new_stream(self._path("keys"), keys.schema)
            self._key_file.write_table(keys)
            piece = _taken(rows, self._order_of(keys))
            step = max(1, piece.num_rows * _READ_BYTES // max(1, self._held_bytes))
            self._first_batches.append(self._batches)
            for start in range(0, piece.num_rows, step):
                self._row_file.write_batch(piece.slice(start, step))
                self._batches += 1
        self._starts.append(self._starts[-1] + piece.num_rows)
        self._all_bytes += self._held_bytes
        self._held_bytes = 0

    def _order_of(self, keys: pa.Table) -> pa.Array[Any]:
        """The positions of a piece's rows, in the order of their keys."""
        self.connection.register("piece", keys)
        found = self.connection.sql(
            f"SELECT {_NUMBER} - {self._starts[-1]} AS place FROM piece "
            f"ORDER BY {self.order}, {_NUMBER}"
        )
        places: pa.Array[Any] = found.to_arrow_table()["place"].combine_chunks()
        self.connection.unregister("piece")
        return places

    def _merged(
        self, rows: pa.RecordBatchFileReader, keys: pa.RecordBatchReader
    ) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]:
        pieces = [_Piece(rows, first) for first in self._first_batches]
        self.connection.register("keys", keys)
        found = self.connection.sql(f"SELECT * FROM keys ORDER BY {self.order}, {_NUMBER}")
        most = self._count * _BATCH_BYTES // max(1, self._all_bytes)
        size = max(1, min(most, _MOST_BATCH_ROWS))
        for batch in found.to_arrow_reader(size):
            # DuckDB gives no less than one of its vectors.
            for start in range(0, batch.num_rows, size):
                part = batch.slice(start, size)
                yield self._rows_of(part, pieces), part

    def _rows_of(self, keys: pa.RecordBatch, pieces: list[_Piece]) -> pa.RecordBatch:
        """The next rows: each piece has its own ones in the order in which they are wanted."""
        numbers = keys.column(_NUMBER).to_numpy()
        owners = np.searchsorted(self._starts, numbers, side="right") - 1
        counts = np.bincount(owners, minlength=len(pieces))
        found = [rows for n in np.flatnonzero(counts) for rows in pieces[n].next(int(counts[n]))]
        places: NDArray[np.int64] = np.empty(len(owners), np.int64)
        places[np.argsort(owners, kind="stable")] = np.arange(len(owners))
        return _taken(found, pa.array(places))


@dataclass
class _Piece:
    """The rows of a piece, from its first batch in the file on."""

    file: pa.RecordBatchFileReader
    batch: int
    _left: pa.RecordBatch | None = None

    def next(self, count: int) -> Iterator[pa.RecordBatch]:
        """The next rows."""
        while count:
            if self._left is None:
                self._left = self.file.get_batch(self.batch)
                self.batch += 1
            given = self._left.slice(0, count)
            count -= given.num_rows
            rest = self._left.slice(given.num_rows)
            self._left = rest if rest.num_rows else None
            yield given


def _taken(batches: list[pa.RecordBatch], places: pa.Array[Any]) -> pa.RecordBatch:
    """Rows of all batches together, by their places; column after column, to save memory."""
    schema = batches[0].schema
    columns = [
        pa.concat_arrays([batch.column(n) for batch in batches]).take(places)
        for n in range(len(schema))
    ]
    return pa.record_batch(columns, schema=schema)


@contextmanager
def _scratch_errors() -> Iterator[None]:
    """Turns what the disk, or DuckDB while its result is read, raises into `EngineError`."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise EngineError(
            f"rows could not be sorted: {error}",
            action="make room in the folder for temporary files (TMPDIR), "
            "or raise engine.memory_limit",
        ) from error
