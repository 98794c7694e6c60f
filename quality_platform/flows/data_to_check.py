"""Data that is to be checked: files of several formats or a table, as Parquet files to scan."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from quality_platform.checks.specs import ForeignKey
from quality_platform.contracts.models import SchemaObject
from quality_platform.contracts.schemas import arrow_schema
from quality_platform.errors import Location, SourceNotFoundError
from quality_platform.flows.bad_row_files import UnreadRows
from quality_platform.flows.platform import Platform
from quality_platform.ingest.conform import BadCell, conform, positions
from quality_platform.ingest.source_lines import SourceLines
from quality_platform.ingest.typed_columns import fit, has_types, require_fitting
from quality_platform.lake.reading import files_of, published_snapshot
from quality_platform.lake.table_files import TableFiles
from quality_platform.sources.csv_files import CsvFormat, CsvSource
from quality_platform.sources.files import find_files
from quality_platform.sources.protocol import SourceFile
from quality_platform.sources.typed_files import (
    IPC_SUFFIXES,
    PARQUET_SUFFIXES,
    batches_of_file,
    require_columns,
    schema_of,
)

_TYPED_SUFFIXES = (*PARQUET_SUFFIXES, *IPC_SUFFIXES)
_MOST_SAMPLES = 100


@dataclass(frozen=True)
class FileOptions:
    """How files are written; a name that ends with .tsv means tabs where no delimiter is given."""

    delimiter: str = ""
    null_strings: tuple[str, ...] = ("",)
    ignore_columns: tuple[str, ...] = ()

    def csv_format(self, path: str) -> CsvFormat:
        """The format of one file of delimited text."""
        default = "\t" if path.casefold().endswith(".tsv") else ","
        return CsvFormat(self.delimiter or default, '"', self.null_strings)


@dataclass(frozen=True)
class Places:
    """Where the rows of a batch come from, and the lines of records beside them that were no rows.

    `lines` are physical lines of text; in other files a row's number. Both are counted from 1.
    """

    file: str
    lines: pa.Array[Any]
    rejected: Sequence[int] = ()

    def of(self, row: int) -> str:
        """File and line of a row, for people."""
        return place_text(self.file, self.lines[row].as_py())


def place_text(file: str, line: int | None) -> str:
    """The place of a row for people: `file.csv:7`, or `file.parquet row 7`."""
    between = " row " if file.casefold().endswith(_TYPED_SUFFIXES) else ":"
    return f"{file}{between}{line}"


@dataclass
class ReadRows:
    """What was read: all records, and those with a cell that is not of its column's type."""

    rows: int = 0
    unconformed: int = 0
    sample: list[dict[str, object]] = field(default_factory=list)

    def add(self, rows: int, conformed: int) -> None:
        """Counts the records of a batch."""
        self.rows += rows
        self.unconformed += rows - conformed

    def show(self, bad: Sequence[BadCell], places: Places) -> None:
        """Keeps the first bad cells for people: column and place, and no value."""
        for cell in bad[: _MOST_SAMPLES - len(self.sample)]:
            self.sample.append({"column": cell.column, "source": places.of(cell.row)})


@dataclass(frozen=True)
class Data:
    """Parquet files with the contract's columns and types, and what was read to make them.

    `lines` and `unread` are of scratch files: where their rows come from, and what did not fit.
    `is_table` says that the files are a table's, whose names tell people nothing.
    """

    files: Sequence[str]
    read: ReadRows
    lines: SourceLines | None = None
    unread: UnreadRows | None = None
    is_table: bool = False

    def places(
        self, files: Sequence[str], positions: Sequence[int]
    ) -> tuple[list[str], list[int | None]]:
        """The source files and lines of rows, by their scanned files and positions from 0."""
        if self.lines is not None:
            return self.lines.at(positions)
        return list(files), [position + 1 for position in positions]

    def place(self, file: str, position: int) -> str:
        """The place of one row, for people; "" in a table."""
        if self.is_table:
            return ""
        (source,), (line,) = self.places([file], [position])
        return place_text(source, line)


class _ScratchFiles:
    """The rows of a source as Parquet, with their places and the rows that do not fit beside."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.path = path
        self.read = ReadRows()
        self.lines = SourceLines(path.with_suffix(".lines"))
        self.unread = UnreadRows(path.with_suffix(".unread"), schema)
        plain = pa.schema([f.with_nullable(True).remove_metadata() for f in schema])
        self._rows = pq.ParquetWriter(path, plain, compression="zstd", compression_level=1)

    def __enter__(self) -> _ScratchFiles:
        return self

    def __exit__(self, *_: object) -> None:
        for file in (self._rows, self.lines, self.unread):
            file.close()

    def add(self, rows: pa.RecordBatch, bad: Sequence[BadCell], places: Places) -> None:
        """Adds a batch of rows, of which those with bad cells are put aside."""
        keep = np.ones(rows.num_rows, bool)
        keep[positions(bad)] = False
        kept, left = pa.array(keep), pa.array(~keep)
        self.read.add(rows.num_rows + len(places.rejected), int(keep.sum()))
        self.read.show(bad, places)
        self._rows.write_batch(rows.filter(kept))
        self.lines.add(places.file, places.lines.filter(kept))
        if bad:
            self.unread.add(rows.filter(left), places.file, places.lines.filter(left))
        if places.rejected:
            self.unread.add_lines(places.file, places.rejected)


class DataReader:
    """Finds data and brings it into the contract's types; scratch files go with the context.

    `scratch` is the folder for these; `sources` are the files that were found.
    """

    def __init__(self, options: FileOptions, platform: Platform | None) -> None:
        self._options = options
        self._platform = platform

    def __enter__(self) -> DataReader:
        self._scratch = tempfile.TemporaryDirectory(prefix="quality-platform-")
        self.scratch = Path(self._scratch.name)
        self.sources: list[str] = []
        self._written = 0
        return self

    def __exit__(self, *_: object) -> None:
        self._scratch.cleanup()

    def read(self, data: str, obj: SchemaObject) -> Data:
        """The data as files with the columns of the object.

        Raises:
            SourceNotFoundError: there is no such file and no such table.
            SourceError: the data cannot be read, or has other columns.
        """
        published = self.table_files(data) if not Path(data).exists() else None
        if published is not None:
            return _ready(published, is_table=True)
        files, schema = self._find(data), arrow_schema(obj)
        names, ignored = [c.source_name for c in obj.properties], self._options.ignore_columns
        if _are_ready(files, names, schema, ignored):
            return _ready([file.path for file in files])
        return self._converted(files, names, schema, ignored)

    def reference(self, data: str, claim: ForeignKey, schema: pa.Schema) -> Sequence[str]:
        """The data that a foreign key refers to, as files with its key columns.

        `schema` has the columns that refer; the keys are read as their types. A key that is of
        another type is left out: no row can refer to it.

        Raises:
            SourceNotFoundError: there is no such file and no such table.
            HeaderError: it lacks a key column.
        """
        found = self.table_files(data) if not Path(data).exists() else None
        if found is not None:
            return found
        keys = pa.schema(
            [
                schema.field(column).with_name(key)
                for column, key in zip(claim.columns, claim.to_columns, strict=True)
            ]
        )
        files = self._find(data)
        others = [name for file in files for name in self._names(file) if name not in keys.names]
        if _are_ready(files, keys.names, keys, others):
            return [file.path for file in files]
        return self._converted(files, keys.names, keys, others).files

    def _names(self, file: SourceFile) -> list[str]:
        """The names of the file's columns."""
        if file.path.casefold().endswith(_TYPED_SUFFIXES):
            return list(schema_of(Path(file.path)).names)
        delimiter = self._options.csv_format(file.path).delimiter
        with Path(file.path).open(newline="", encoding="utf-8-sig", errors="replace") as text:
            return next(csv.reader(text, delimiter=delimiter), [])

    def table_files(self, name: str) -> TableFiles | None:
        """The published files of a table of the runner; None where it has none of that name."""
        platform = self._platform
        if platform is None:
            return None
        known = {**platform.tables, **platform.feature_tables}
        by_identifier = {table.identifier: table for table in known.values()}
        by_object = {table.object.name: table for table in known.values()}
        table = known.get(name) or by_identifier.get(name) or by_object.get(name)
        if table is None:
            return None
        published = platform.lake.find_table(table.identifier)
        snapshot = published_snapshot(published)
        if published is None or snapshot is None:
            return None
        return files_of(published, snapshot.snapshot_id)

    def _find(self, data: str) -> tuple[SourceFile, ...]:
        try:
            files = find_files(
                str(Path(data).absolute()), location=None, field="data", digests=False
            )
        except SourceNotFoundError as error:
            if self._platform is None:
                raise
            known = [*self._platform.tables, *self._platform.feature_tables]
            raise SourceNotFoundError(
                f"{error.problems[0].message}, and no published table of that name",
                received=data,
                allowed=f"a file, a glob, or one of the tables {', '.join(known)}",
            ) from error
        self.sources += [file.path for file in files]
        return files

    def _converted(
        self,
        files: Sequence[SourceFile],
        names: Sequence[str],
        schema: pa.Schema,
        ignored: Sequence[str],
    ) -> Data:
        """The columns called `names` in a scratch file, as the fields of the schema."""
        self._written += 1
        with _ScratchFiles(self.scratch / f"{self._written}.parquet", schema) as made:
            for file in files:
                for rows, bad, places in self._batches(file, names, schema, ignored):
                    made.add(rows, bad, places)
        return Data([str(made.path)], made.read, made.lines, made.unread)

    def _batches(
        self, file: SourceFile, names: Sequence[str], schema: pa.Schema, ignored: Sequence[str]
    ) -> Iterator[tuple[pa.RecordBatch, list[BadCell], Places]]:
        if not file.path.casefold().endswith(_TYPED_SUFFIXES):
            format_ = self._options.csv_format(file.path)
            source = CsvSource(file, tuple(names), tuple(ignored), format_)
            for batch in source.batches():
                rows, bad = conform(batch.columns, schema)
                rejected = [reject.line for reject in batch.rejects]
                yield rows, bad, Places(file.path, batch.lines, rejected)
            return
        _require_typed(file.path, names, schema, ignored)
        start = 1
        for columns in batches_of_file(Path(file.path), names):
            rows, bad = fit(columns.rename_columns(schema.names), schema)
            end = start + rows.num_rows
            yield rows, bad, Places(file.path, pa.array(np.arange(start, end)))
            start = end


def _ready(files: Sequence[str], *, is_table: bool = False) -> Data:
    rows = sum(pq.read_metadata(file).num_rows for file in files)
    return Data(files, ReadRows(rows), is_table=is_table)


def _are_ready(
    files: Sequence[SourceFile], names: Sequence[str], schema: pa.Schema, ignored: Sequence[str]
) -> bool:
    """Whether the files can be scanned as they are: Parquet with the schema's names and types."""
    if list(names) != schema.names or not all(_is_parquet(file.path) for file in files):
        return False
    for file in files:
        _require_typed(file.path, names, schema, ignored)
    return all(has_types(schema_of(Path(file.path)), schema) for file in files)


def _is_parquet(path: str) -> bool:
    return path.casefold().endswith(PARQUET_SUFFIXES)


def _require_typed(
    path: str, names: Sequence[str], schema: pa.Schema, ignored: Sequence[str]
) -> None:
    """Refuses a file whose columns are not those called `names`, of types that can fit."""
    require_columns(Path(path), names, ignored)
    found = schema_of(Path(path))
    fields = [
        found.field(name).with_name(field.name) for name, field in zip(names, schema, strict=True)
    ]
    require_fitting(pa.schema(fields), schema, Location(path))
