"""Data that is to be checked: files of several formats or a table, as Parquet files to scan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
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
from quality_platform.flows.contracted_tables import ContractedTable
from quality_platform.flows.data_storage import storage_for
from quality_platform.flows.platform import Platform
from quality_platform.flows.tenant_rules import readable
from quality_platform.ingest.conform import BadCell, conform, positions
from quality_platform.ingest.source_lines import SourceLines
from quality_platform.ingest.typed_columns import fit, has_types, require_fitting
from quality_platform.lake.reading import files_of, published_snapshot, rows_of
from quality_platform.lake.scratch import scratch_folder
from quality_platform.lake.table_files import TableFiles
from quality_platform.sources.csv_files import CsvFormat, CsvSource
from quality_platform.sources.files import find_files
from quality_platform.sources.jsonl_files import JsonLinesSource, is_json_lines
from quality_platform.sources.protocol import SourceBatch, SourceFile
from quality_platform.sources.typed_files import (
    IPC_SUFFIXES,
    PARQUET_SUFFIXES,
    Form,
    TypedFile,
    form_of,
    require_columns,
)

_TYPED_SUFFIXES = (*PARQUET_SUFFIXES, *IPC_SUFFIXES)
_MOST_SAMPLES = 100


@dataclass(frozen=True)
class FileOptions:
    """How files are written; a name that ends with .tsv means tabs where no delimiter is given.

    `storage_of` is the table whose source tells how an object store is read; "" for any that reads
    the same bucket.
    """

    delimiter: str = ""
    null_strings: tuple[str, ...] = ("",)
    ignore_columns: tuple[str, ...] = ()
    storage_of: str = ""

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

    `scratch` is the folder for these; `sources` are the files that were found. Of the platform's
    tables those are found that a tenant may read, and only its own are data; all for "".
    """

    def __init__(
        self, options: FileOptions, platform: Platform | None = None, tenant: str = ""
    ) -> None:
        self._options = options
        self._platform = platform
        self._tenant = tenant

    def __enter__(self) -> DataReader:
        self._scratch = ExitStack()
        self.scratch = self._scratch.enter_context(scratch_folder())
        self.sources: list[str] = []
        self._written = 0
        return self

    def __exit__(self, *_: object) -> None:
        self._scratch.close()

    def read(self, data: str, obj: SchemaObject) -> Data:
        """The data as files with the columns of the object.

        Raises:
            SourceNotFoundError: there is no such file and no such table.
            SourceError: the data cannot be read, or has other columns.
            ConfigurationError: it is not told how the data's object store is read.
        """
        published = None if Path(data).exists() else self._published(data, self._own)
        if published is not None:
            table_files, rows = published
            return Data(table_files, ReadRows(rows), is_table=True)
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
        if _are_ready(files, keys.names, keys, None):
            return [file.path for file in files]
        return self._converted(files, keys.names, keys, None).files

    def table_files(self, name: str) -> TableFiles | None:
        """The published files of a table of the runner; None where it has none of that name."""
        published = self._published(name, self._visible)
        return published[0] if published else None

    @property
    def _visible(self) -> dict[str, ContractedTable]:
        """The tables and views that may be read; the last of one object is meant: the own."""
        if self._platform is None:
            return {}
        found: dict[str, ContractedTable] = {**self._platform.tables}
        found.update(self._platform.feature_tables)
        if not self._tenant:
            return found
        is_own = readable(self._platform.runner, self._tenant)
        names = sorted((name for name in found if name in is_own), key=is_own.__getitem__)
        return {name: found[name] for name in names}

    @property
    def _own(self) -> dict[str, ContractedTable]:
        """The tables and views that can be data."""
        visible = self._visible.items()
        return {name: t for name, t in visible if not self._tenant or t.tenant == self._tenant}

    def _published(
        self, name: str, known: Mapping[str, ContractedTable]
    ) -> tuple[TableFiles, int] | None:
        """The published files of one of these tables, and their rows."""
        platform = self._platform
        if platform is None:
            return None
        by_identifier = {table.identifier: table for table in known.values()}
        by_object = {table.object.name: table for table in known.values()}
        table = known.get(name) or by_identifier.get(name) or by_object.get(name)
        if table is None:
            return None
        published = platform.lake.find_table(table.identifier)
        snapshot = published_snapshot(published)
        if published is None or snapshot is None:
            return None
        return files_of(published, snapshot.snapshot_id), rows_of(snapshot)

    def _find(self, data: str) -> tuple[SourceFile, ...]:
        storage = storage_for(data, self._own, self._options.storage_of)
        pattern = data if storage else str(Path(data).absolute())
        try:
            files = find_files(
                pattern, location=None, field="data", checksums=False, storage=storage
            )
        except SourceNotFoundError as error:
            if self._platform is None or storage:
                raise
            raise SourceNotFoundError(
                f"{error.problems[0].message}, and no published table of that name",
                received=data,
                allowed=f"a file, a glob, or one of the tables {', '.join(self._own)}",
            ) from error
        self.sources += [file.path for file in files]
        return files

    def _converted(
        self,
        files: Sequence[SourceFile],
        names: Sequence[str],
        schema: pa.Schema,
        ignored: Sequence[str] | None,
    ) -> Data:
        """The columns called `names` in a scratch file, as the fields of the schema.

        `ignored` are other columns that may be there; None for any.
        """
        self._written += 1
        with _ScratchFiles(self.scratch / f"{self._written}.parquet", schema) as made:
            for file in files:
                for rows, bad, places in self._batches(file, names, schema, ignored):
                    made.add(rows, bad, places)
        return Data([str(made.path)], made.read, made.lines, made.unread)

    def _batches(
        self,
        file: SourceFile,
        names: Sequence[str],
        schema: pa.Schema,
        ignored: Sequence[str] | None,
    ) -> Iterator[tuple[pa.RecordBatch, list[BadCell], Places]]:
        if form := form_of(file.path):
            yield from _typed_batches(file, form, names, schema, ignored)
            return
        if is_json_lines(file.path):
            columns = pa.schema([f.with_name(n) for n, f in zip(names, schema, strict=True)])
            keys = None if ignored is None else tuple(ignored)
            batches = JsonLinesSource(file, columns, keys).batches()
        else:
            batches = self._csv_batches(file, names, ignored)
        for batch in batches:
            convert = conform if batch.text else fit
            rows, bad = convert(batch.columns.rename_columns(schema.names), schema)
            rejected = [reject.line for reject in batch.rejects if reject.line is not None]
            yield rows, bad, Places(file.path, batch.lines, rejected)

    def _csv_batches(
        self, file: SourceFile, names: Sequence[str], ignored: Sequence[str] | None
    ) -> Iterator[SourceBatch]:
        form = self._options.csv_format(file.path)
        others = CsvSource(file, (), (), form).header() if ignored is None else ignored
        return CsvSource(file, tuple(names), tuple(others), form).batches()


def _typed_batches(
    file: SourceFile,
    form: Form,
    names: Sequence[str],
    schema: pa.Schema,
    ignored: Sequence[str] | None,
) -> Iterator[tuple[pa.RecordBatch, list[BadCell], Places]]:
    _require_typed(file, form, names, schema, ignored)
    typed = TypedFile(file, form)
    start = 1
    for batch in typed.batches(names, typed.schema().names if ignored is None else ignored):
        rows, bad = fit(batch.columns.rename_columns(schema.names), schema)
        end = start + rows.num_rows
        yield rows, bad, Places(file.path, pa.array(range(start, end), pa.int64()))
        start = end


def _ready(files: Sequence[str]) -> Data:
    rows = sum(pq.read_metadata(file).num_rows for file in files)
    return Data(files, ReadRows(rows))


def _are_ready(
    files: Sequence[SourceFile],
    names: Sequence[str],
    schema: pa.Schema,
    ignored: Sequence[str] | None,
) -> bool:
    """Whether the files can be scanned as they are: Parquet with the schema's names and types.

    What is in an object store is read once, and not by every check.
    """
    are_local = all(f.storage is None and form_of(f.path) == "parquet" for f in files)
    if list(names) != schema.names or not are_local:
        return False
    for file in files:
        _require_typed(file, "parquet", names, schema, ignored)
    return all(has_types(TypedFile(file, "parquet").schema(), schema) for file in files)


def _require_typed(
    file: SourceFile,
    form: Form,
    names: Sequence[str],
    schema: pa.Schema,
    ignored: Sequence[str] | None,
) -> None:
    """Refuses a file whose columns are not those called `names`, of types that can fit."""
    found = TypedFile(file, form).schema()
    require_columns(file.path, found.names, names, found.names if ignored is None else ignored)
    fields = [
        found.field(name).with_name(field.name) for name, field in zip(names, schema, strict=True)
    ]
    require_fitting(pa.schema(fields), schema, Location(file.path))
