"""All rows that a load would quarantine, as one CSV or Parquet file for people to mend."""

from __future__ import annotations

import json
import os
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from quality_platform.checks.derive import CONFORMS
from quality_platform.checks.specs import Severity
from quality_platform.errors import ConfigurationError
from quality_platform.lake.query import engine_errors
from quality_platform.lake.query import quote_identifier as q
from quality_platform.quarantine.columns import BROKEN_RULES
from quality_platform.validation.bad_rows import LABELLED
from quality_platform.validation.batch_checks import (
    FILE_COLUMN,
    PLACED_ROWS,
    POSITION_COLUMN,
    BatchChecks,
)

if TYPE_CHECKING:
    from pyarrow.ipc import RecordBatchFileWriter

SUFFIXES = (".csv", ".parquet")
Places = Callable[[Sequence[str], Sequence[int]], tuple[list[str], list[int | None]]]
"""Source files and lines of rows, by the files that were scanned and the positions in them."""

_META = (
    pa.field(BROKEN_RULES, pa.list_(pa.string())),
    pa.field("_source_file", pa.string()),
    pa.field("_source_line", pa.int64()),
)
_BATCH_ROWS = 16_384


def bad_rows_schema(schema: pa.Schema) -> pa.Schema:
    """The columns of a file of bad rows: the contract's, nullable, and why and whence."""
    plain = [field.with_nullable(True).remove_metadata() for field in schema]
    return pa.schema([*plain, *_META])


def require_free(path: Path, *, force: bool, sources: Sequence[str] = ()) -> None:
    """Refuses a path where bad rows cannot be written, before any work is done.

    Raises:
        ConfigurationError: no known suffix, no such folder, a file that is there already (but for
            `force`), or one of the `sources`.
    """
    if path.suffix.casefold() not in SUFFIXES:
        _refuse(
            path, "the suffix tells the format", f"a path that ends with {' or '.join(SUFFIXES)}"
        )
    if not path.parent.is_dir():
        _refuse(path, "there is no such folder", "a path in a folder that exists")
    if path.is_dir():
        _refuse(path, "this is a folder", "the path of a file")
    if path.resolve() in {Path(source).resolve() for source in sources}:
        _refuse(path, "this is the data itself", "another path")
    if path.exists() and not force:
        _refuse(path, "the file is there already", "a new path, or --force to replace the file")


def _refuse(path: Path, message: str, allowed: str) -> None:
    raise ConfigurationError(message, field="--bad-rows", received=path, allowed=allowed)


class UnreadRows:
    """A scratch file of the rows that could not be brought into the contract's types."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._path = path
        self._schema = bad_rows_schema(schema)
        self._writer: RecordBatchFileWriter = pa.ipc.new_file(str(path), self._schema)

    def add(self, rows: pa.RecordBatch, file: str, lines: pa.Array[Any]) -> None:
        """Adds rows of one file; cells that did not convert are NULL."""
        broken = [[CONFORMS]] * rows.num_rows
        files = [file] * rows.num_rows
        self._writer.write_batch(_with_meta(rows.columns, broken, files, lines, self._schema))

    def add_lines(self, file: str, lines: Sequence[int]) -> None:
        """Adds records that could not even be split into columns: all of these are NULL."""
        nothing = [pa.nulls(len(lines), f.type) for f in list(self._schema)[: -len(_META)]]
        plain = pa.schema(list(self._schema)[: -len(_META)])
        self.add(pa.record_batch(nothing, schema=plain), file, pa.array(lines, pa.int64()))

    def close(self) -> None:
        """Finishes the file; nothing can be added after this."""
        self._writer.close()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows, in the order in which they were added."""
        with pa.memory_map(str(self._path)) as source:
            file = pa.ipc.open_file(source)
            yield from (file.get_batch(n) for n in range(file.num_record_batches))


def _with_meta(
    columns: Sequence[pa.Array[Any]],
    broken: Any,
    files: Sequence[str],
    lines: Any,
    schema: pa.Schema,
) -> pa.RecordBatch:
    fields = list(schema)[-len(_META) :]
    meta = [
        value if isinstance(value, pa.Array) else pa.array(value, field.type)
        for value, field in zip((broken, files, lines), fields, strict=True)
    ]
    return pa.record_batch([*columns, *meta], schema=schema)


def broken_rows(
    batch: BatchChecks, schema: pa.Schema, places: Places, scratch: Path
) -> Iterator[pa.RecordBatch]:
    """The rows of a batch that break a row rule of severity error, as `bad_rows_schema`.

    Memory stays bounded: what is broken waits in the file `scratch`, and all rows are streamed
    past it.
    """
    labels = _Labels(scratch, batch)
    columns = ", ".join(map(q, (*schema.names, FILE_COLUMN, POSITION_COLUMN)))
    with engine_errors():
        query = f"SELECT {columns} FROM {PLACED_ROWS}"
        for rows in batch.connection.sql(query).to_arrow_reader(_BATCH_ROWS):
            for file in rows.column(FILE_COLUMN).unique().to_pylist():
                of_file = rows.filter(pc.field(FILE_COLUMN) == file)
                yield _labelled(of_file, file, labels, places, bad_rows_schema(schema))


class _Labels:
    """The rules of severity error that rows break, in a scratch file in the order of the rows."""

    def __init__(self, path: Path, batch: BatchChecks) -> None:
        held = [s.name for s in batch.row_specs if s.severity is Severity.ERROR]
        self._held = frozenset(held)
        self._path = path
        self._parts: dict[str, list[tuple[int, int]]] = {}
        parts = 0
        with pa.ipc.new_file(str(path), LABELLED) as labels:
            for found in batch.labelled():
                for file in map(str, found.column("file").unique().to_pylist()):
                    of_file = found.filter(pc.field("file") == file)
                    labels.write_batch(of_file)
                    first = int(of_file.column("position")[0].as_py())
                    self._parts.setdefault(file, []).append((first, parts))
                    parts += 1

    def of(self, file: str, rows: np.ndarray[Any, Any]) -> dict[int, list[str]]:
        """The rules that each of these rows of a file breaks, by position; only rows with any."""
        parts = self._parts.get(file, [])
        starts = [first for first, _ in parts]
        begin = max(bisect_right(starts, int(rows.min())) - 1, 0)
        end = bisect_right(starts, int(rows.max()))
        found: dict[int, list[str]] = {}
        with pa.memory_map(str(self._path)) as source:
            labels = pa.ipc.open_file(source)
            for _, part in parts[begin:end]:
                found |= self._broken(labels.get_batch(part), rows)
        return found

    def _broken(self, labels: pa.RecordBatch, rows: np.ndarray[Any, Any]) -> dict[int, list[str]]:
        here = labels.filter(pa.array(np.isin(labels.column("position").to_numpy(), rows)))
        broken: dict[int, list[str]] = {}
        for row in here.to_pylist():
            if names := [name for name in row["rules"] if name in self._held]:
                broken[row["position"]] = names
        return broken


def _labelled(
    rows: pa.RecordBatch, file: str, labels: _Labels, places: Places, schema: pa.Schema
) -> pa.RecordBatch:
    """The rows of one file that break something, with what they break, and whence they come."""
    numbers = rows.column(POSITION_COLUMN).to_numpy()
    broken = labels.of(file, numbers)
    bad = rows.filter(pa.array(np.isin(numbers, list(broken))))
    positions: Any = bad.column(POSITION_COLUMN).to_pylist()
    sources, lines = places([file] * len(positions), positions)
    columns = [
        column if column.type == field.type else column.cast(field.type)
        for column, field in zip(bad.columns[:-2], schema, strict=False)
    ]
    return _with_meta(columns, [broken[n] for n in positions], sources, lines, schema)


def write_bad_rows(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> int:
    """Writes the batches, of `bad_rows_schema`, as CSV or Parquet, and gives the number of rows.

    The file appears as a whole or not at all. In CSV an empty cell is NULL and `""` an empty text;
    names of broken rules are joined with `; `, nested values are JSON.

    Raises:
        ConfigurationError: the file cannot be written.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    rows = 0
    try:
        with _writer(unfinished, path.suffix.casefold(), bad_rows_schema(schema)) as write:
            for batch in batches:
                rows += batch.num_rows
                write(batch)
        unfinished.replace(path)
    except OSError as error:
        raise ConfigurationError(
            f"the file cannot be written: {error.strerror or error}",
            field="--bad-rows",
            received=path,
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)
    return rows


@contextmanager
def _writer(
    path: Path, suffix: str, schema: pa.Schema
) -> Iterator[Callable[[pa.RecordBatch], None]]:
    if suffix == ".parquet":
        with pq.ParquetWriter(path, schema, compression="zstd") as parquet:
            yield parquet.write_batch
        return
    texts = pa.schema([pa.field(field.name, _type_in_csv(field.type)) for field in schema])
    with pyarrow.csv.CSVWriter(str(path), texts) as file:
        yield lambda batch: file.write_batch(_as_text(batch, texts))


def _type_in_csv(kind: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_nested(kind) else kind


def _as_text(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    columns = [
        _text(column, field.name) if field.type != column.type else column
        for column, field in zip(batch.columns, schema, strict=True)
    ]
    return pa.record_batch(columns, schema=schema)


def _text(column: pa.Array[Any], name: str) -> pa.Array[Any]:
    if name == BROKEN_RULES:
        joined: pa.Array[Any] = pc.binary_join(column, "; ")  # type: ignore[assignment]
        return joined
    values = column.to_pylist()
    texts = [None if v is None else json.dumps(v, default=str, ensure_ascii=False) for v in values]
    return pa.array(texts, pa.string())
