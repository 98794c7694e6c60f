"""Parquet and Arrow IPC files as sources: columns that have types already.

Encodings that say nothing of the values (dictionaries, 64-bit offsets, views) are dissolved. Text
that is not UTF-8 comes as bytes, and timestamps that Arrow cannot hold exactly come as text, so
that the rows that have them are held back, and no others.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import pyarrow as pa

from quality_platform.errors import (
    HeaderError,
    Location,
    MalformedSourceError,
    Problem,
    SourceError,
)
from quality_platform.sources.files import open_version
from quality_platform.sources.int96_times import (
    InexactTimesError,
    exact_batches,
    int96_columns,
)
from quality_platform.sources.plain_columns import plain_batch, plain_schema
from quality_platform.sources.protocol import SourceBatch, SourceFile
from quality_platform.sources.raw_rows import json_rows

if TYPE_CHECKING:
    import pyarrow.parquet as pq

Form = Literal["parquet", "arrow"]

PARQUET_SUFFIXES = (".parquet", ".pq")
IPC_SUFFIXES = (".arrow", ".arrows", ".feather", ".ipc")
BATCH_ROWS = 65_536
"""The most rows that are read at a time."""
BATCH_BYTES = 64 * 2**20
"""About as many bytes are read at a time; memory is a small multiple of it."""
_PAGE_BUFFER = 2**20


def form_of(path: str) -> Form | None:
    """The form that a file's name tells; None for text."""
    name = path.casefold()
    if name.endswith(PARQUET_SUFFIXES):
        return "parquet"
    return "arrow" if name.endswith(IPC_SUFFIXES) else None


@dataclass(frozen=True)
class TypedFile:
    """One Parquet or Arrow IPC file, read by the names of its columns.

    Attributes:
        file: The version to read; another one is refused.
        form: What the file is.
    """

    file: SourceFile
    form: Form

    def schema(self) -> pa.Schema:
        """The columns, with encodings dissolved.

        Raises:
            MalformedSourceError: it is not of this form, or cut short.
            SourceError: it cannot be read.
        """
        with self._opened() as reader:
            return plain_schema(reader.schema)

    def batches(self, columns: Sequence[str], ignored: Sequence[str] = ()) -> Iterator[SourceBatch]:
        """The columns asked for, in that order; a file without rows gives one empty batch.

        Raises:
            HeaderError: a column is missing, stands twice, or is neither asked for nor ignored.
            MalformedSourceError: it is not of this form, cut short, or damaged; batches before
                that place were already given: discard them.
            SourceChangedError: it is not the version that was found.
            SourceError: it cannot be read.
        """
        with self._opened() as reader:
            require_columns(self.file.path, reader.schema.names, columns, ignored)
            nothing = True
            for batch in reader.batches(list(columns)):
                nothing = False
                yield _source_batch(batch)
            if nothing:
                yield _source_batch(_no_rows(reader.schema, columns))

    @contextmanager
    def _opened(self) -> Iterator[_Reader]:
        with open_version(self.file, read_ahead=False) as stream, self._translated():
            head = stream.read(8)
            stream.seek(0)
            self._require_form(head)
            source = pa.OSFile(self.file.path, "rb") if self.file.storage is None else stream
            yield _READERS[self.form](source, head)

    def _require_form(self, head: bytes) -> None:
        if self.form == "parquet" and not head.startswith(b"PAR1"):
            encrypted = head.startswith(b"PARE")
            self._refuse(
                "the file is encrypted" if encrypted else "the file is no Parquet file",
                f"first bytes {head.hex(' ')}",
                "deliver it without encryption" if encrypted else "deliver the file again",
            )
        if self.form == "arrow" and head.startswith(b"FEA1"):
            self._refuse(
                "the file is of version 1 of Feather, which is no Arrow IPC",
                "first bytes FEA1",
                "write it with pyarrow.feather.write_feather(..., version=2), or as Parquet",
            )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except pa.ArrowMemoryError:
            raise
        except InexactTimesError as error:
            raise MalformedSourceError(
                f"the column {str(error)!r} has timestamps of 96 bits that cannot be read exactly",
                location=Location(self.file.path),
                received="nanoseconds, beside times before 1678 or after 2261",
                allowed="within objects and arrays: either nanoseconds or such times",
                action="write the column with INT64 timestamps in microseconds",
            ) from None
        except (pa.ArrowException, UnicodeDecodeError) as error:
            self._refuse("the file is damaged or cut short", _first_line(error))
        except OSError as error:
            if error.errno is None:
                self._refuse("the file is damaged or cut short", _first_line(error))
            raise SourceError(
                "the file cannot be read",
                location=Location(self.file.path),
                received=error.strerror or _first_line(error),
                action="check the path and the rights",
            ) from error

    def _refuse(
        self, message: str, received: str, action: str = "deliver the file again"
    ) -> NoReturn:
        wanted = "Parquet" if self.form == "parquet" else "Arrow IPC"
        raise MalformedSourceError(
            message,
            location=Location(self.file.path),
            received=received,
            allowed=f"a whole {wanted} file",
            action=action,
        )


class _ParquetReader:
    """Reads row groups page by page, so that their size does not matter."""

    def __init__(self, source: Any, _: bytes) -> None:
        import pyarrow.parquet as pq

        def opened(unit: str = "ns") -> pq.ParquetFile:
            return pq.ParquetFile(
                source,
                buffer_size=_PAGE_BUFFER,
                coerce_int96_timestamp_unit=unit,
                page_checksum_verification=True,
            )

        self._open = opened
        self._file = opened()

    @property
    def schema(self) -> pa.Schema:
        return self._file.schema_arrow

    def batches(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        rows = self._rows()
        found = self._file.iter_batches(batch_size=rows, columns=columns)
        times = [name for name in int96_columns(self._file) if name in columns]
        if times:
            coarse = self._open("us").iter_batches(batch_size=rows, columns=times)
            found = exact_batches(found, coarse)
        read = 0
        for batch in found:
            read += batch.num_rows
            yield plain_batch(batch.select(columns))
        self._require_all(read)

    def _require_all(self, read: int) -> None:
        """Refuses a file that says in one place that it has more rows than in another."""
        metadata = self._file.metadata
        groups = [metadata.row_group(n) for n in range(metadata.num_row_groups)]
        if not read == metadata.num_rows == sum(group.num_rows for group in groups):
            raise pa.ArrowInvalid(f"{read} rows were found of {metadata.num_rows}")

    def _rows(self) -> int:
        """How many rows make a batch of bounded size, by what the widest row group says."""
        metadata = self._file.metadata
        groups = [metadata.row_group(n) for n in range(metadata.num_row_groups)]
        widest = max((g.total_byte_size / max(g.num_rows, 1) for g in groups), default=1)
        return int(min(max(BATCH_BYTES / max(widest, 1), 1), BATCH_ROWS))


class _ArrowReader:
    """Reads Arrow IPC, as a file or as a stream."""

    def __init__(self, source: Any, head: bytes) -> None:
        is_file = head.startswith(b"ARROW1")
        self._file = pa.ipc.open_file(source) if is_file else None
        self._stream = None if is_file else pa.ipc.open_stream(source)

    @cached_property
    def schema(self) -> pa.Schema:
        reader = self._file or self._stream
        assert reader is not None
        return reader.schema

    def batches(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        for whole in self._whole_batches():
            batch = plain_batch(whole.select(columns))
            rows = max(int(BATCH_BYTES // max(batch.nbytes / max(batch.num_rows, 1), 1)), 1)
            for start in range(0, batch.num_rows, min(rows, BATCH_ROWS)):
                yield batch.slice(start, min(rows, BATCH_ROWS))

    def _whole_batches(self) -> Iterator[pa.RecordBatch]:
        if self._file is None:
            assert self._stream is not None
            yield from self._stream
            return
        for n in range(self._file.num_record_batches):
            yield self._file.get_batch(n)


_Reader = _ParquetReader | _ArrowReader
_READERS: dict[Form, type[_ParquetReader] | type[_ArrowReader]] = {
    "parquet": _ParquetReader,
    "arrow": _ArrowReader,
}


def require_columns(
    path: str, present: Sequence[str], columns: Sequence[str], ignored: Sequence[str]
) -> None:
    """Refuses a file that lacks one of `columns`, or has one that is neither there nor `ignored`.

    Raises:
        HeaderError: with all that is wrong.
    """
    where = Location(path)
    missing = [name for name in columns if name not in present]
    unexpected = [name for name in dict.fromkeys(present) if name not in {*columns, *ignored}]
    repeated = [name for name, count in Counter(present).items() if count > 1]
    problems = [
        Problem(
            f"the file has no column {name!r}",
            where,
            received=", ".join(present),
            action=_nearest(name, unexpected),
        )
        for name in missing
    ]
    problems += [
        Problem(
            f"the contract has no column {name!r}",
            where,
            action="add it to the contract, or ignore it: `ignore_columns` in runner.yaml, "
            "--ignore-column on the command line",
        )
        for name in unexpected
    ]
    problems += [
        Problem(
            f"the file has more than one column {name!r}",
            where,
            action="deliver the file with one name for each column",
        )
        for name in repeated
    ]
    if problems:
        raise HeaderError.of(problems)


def _nearest(name: str, names: Sequence[str]) -> str:
    found = difflib.get_close_matches(name, names, n=1)
    return f"{found[0]!r} in the file may be meant for {name!r}" if found else ""


def _no_rows(schema: pa.Schema, columns: Sequence[str]) -> pa.RecordBatch:
    arrays = [pa.nulls(0, schema.field(name).type) for name in columns]
    return plain_batch(pa.record_batch(arrays, names=list(columns)))


def _source_batch(batch: pa.RecordBatch) -> SourceBatch:
    lines = pa.nulls(batch.num_rows, pa.int64())
    return SourceBatch(batch, lines, json_rows(batch), text=False)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
