"""Blocks of CSV text as batches: the records of an index, parsed by pyarrow and counted."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal, cast

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
from numpy.typing import NDArray

from quality_platform.errors import Location, MalformedSourceError
from quality_platform.sources.csv_records import (
    Dialect,
    Offsets,
    RecordIndex,
    field_counts,
    run_places,
)
from quality_platform.sources.csv_stretches import Lines, Stretch
from quality_platform.sources.protocol import RejectedRecord, SourceBatch

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True)
class BlockParser:
    """Turns the blocks of one file into batches.

    Attributes:
        path: The file, for messages.
        wanted: Name and position in the header of each column of the result, in its order.
        width: The number of fields that a record has.
        dialect: Delimiter, quote and escape.
        null_strings: The cell texts that become null.
        expected: Who says so, for the reason of a reject.
    """

    path: str
    wanted: Mapping[str, int]
    width: int
    dialect: Dialect
    null_strings: tuple[str, ...]
    expected: str = "the header"

    def whole(self, stretch: Stretch) -> SourceBatch | None:
        """The records of a stretch as `batch` gives them; None where it has no record.

        Raises:
            MalformedSourceError: as `batch`.
        """
        lines = stretch.lines
        columns = self._columns_of_lines(stretch.data, lines) if lines else None
        if lines is None or columns is None or columns.num_rows != lines.count:
            records = stretch.records
            return self.batch(stretch.data, records, columns) if len(records) else None
        return SourceBatch(
            columns=columns,
            lines=_arrow(np.arange(stretch.first_line, stretch.next_line)),
            raw=partial(_raw_text, stretch),
            rejects=(),
        )

    def batch(
        self, data: bytes, index: RecordIndex, parsed: pa.RecordBatch | None = None
    ) -> SourceBatch:
        """The records of the index: those of the header's width as rows, the others as rejects.

        `parsed` are the columns of all records, if somebody has them.

        Raises:
            MalformedSourceError: pyarrow and the index do not agree on the records.
        """
        counts = np.full(len(index), self.width)
        plain = unescaped(data, index, self.dialect)
        known = None if index.broken.any() else parsed
        try:
            columns = known if known is not None else self._columns(*plain, ~index.broken)
        except pa.ArrowInvalid:
            # Only a block that fails is parsed again.
            columns, counts = self._columns_of_whole(data, index, plain)
        whole = ~index.broken & (counts == self.width)
        if columns.num_rows != np.count_nonzero(whole):
            raise self._disagreement(index, f"{columns.num_rows} rows parsed of {whole.sum()}")
        return SourceBatch(
            columns=columns,
            lines=_arrow(index.lines[whole]),
            raw=_RawText(data, index.starts[whole], index.ends[whole]),
            rejects=self._rejects(data, index, counts, np.flatnonzero(~whole)),
        )

    def _columns_of_lines(self, data: bytes, lines: Lines) -> pa.RecordBatch | None:
        """The columns of the records on these lines; None where not all have the right width."""
        text = memoryview(data)[: lines.consumed]
        try:
            return self._parsed(text, has_quotes=lines.has_quotes)
        except pa.ArrowInvalid:
            return None

    def _columns_of_whole(
        self, data: bytes, index: RecordIndex, plain: tuple[bytes, RecordIndex]
    ) -> tuple[pa.RecordBatch, Offsets]:
        """The columns of the records of the right width, and how many fields each record has."""
        kept, others = ~index.broken, None
        counts = np.full(len(index), self.width)
        if _is_utf_8(data):
            others = _Others()
        else:
            # pyarrow cannot say which records have another width: it would show them as text.
            counts = field_counts(data, index, self.dialect)
            kept &= counts == self.width
        try:
            columns = self._columns(*plain, kept, others)
        except pa.ArrowInvalid as error:
            raise self._disagreement(index, str(error)) from error
        if others is not None:
            # Numbers beyond the index become a disagreement: rows and records do not add up.
            places = np.flatnonzero(kept)
            known = [(n, fields) for n, fields in others.found if n < len(places)]
            counts[places[[n for n, _ in known]]] = [fields for _, fields in known]
        return columns, counts

    def _columns(
        self,
        data: bytes,
        index: RecordIndex,
        kept: NDArray[np.bool_],
        others: _Others | None = None,
    ) -> pa.RecordBatch:
        if not kept.any():
            return _no_rows(list(self.wanted))
        text = _text_of(data, index, kept)
        return self._parsed(text, has_quotes=len(index.toggles) > 0, others=others)

    def _parsed(
        self, text: bytes | memoryview, *, has_quotes: bool, others: _Others | None = None
    ) -> pa.RecordBatch:
        # Where no section is quoted, every quote is a literal, and the plain parser is faster.
        dialect = self.dialect if has_quotes else replace(self.dialect, quote=None)
        positions = list(self.wanted.values())
        cells = parse_fields(text, positions, self.width, dialect, self.null_strings, others)
        return cells.rename_columns(list(self.wanted))

    def _rejects(
        self, data: bytes, index: RecordIndex, counts: Offsets, rejected: Offsets
    ) -> tuple[RejectedRecord, ...]:
        return tuple(
            map(
                self._reject,
                index.lines[rejected].tolist(),
                _RawText(data, index.starts, index.ends)(rejected),
                counts[rejected].tolist(),
                index.broken[rejected].tolist(),
            )
        )

    def _reject(self, line: int, text: str, count: int, broken: bool) -> RejectedRecord:
        reason = f"{count} field{'s' * (count != 1)}, {self.expected} has {self.width}"
        if broken:
            reason = "text follows a closing quote"
        if more := len(_LINE_END.findall(text)):
            reason += f"; the record goes from line {line} to {line + more}: is a quote unclosed?"
        return RejectedRecord(line, text, reason)

    def _disagreement(self, index: RecordIndex, found: str) -> MalformedSourceError:
        return MalformedSourceError(
            "the records cannot be told apart: two readers split this stretch differently",
            location=Location(self.path, int(index.lines[0])),
            received=f"{len(index)} records from here to line {index.lines[-1]}; {found}",
            action="look for damaged quotes there, and report the file as a defect of this reader",
        )


def unescaped(data: bytes, index: RecordIndex, dialect: Dialect) -> tuple[bytes, RecordIndex]:
    """The same records with doubled quotes in the place of escaped ones, for pyarrow.

    Its own escapes would drop the escape before any character, and outside of quotes as well. Of
    the index of the result only the records' places are of that text.
    """
    if dialect.escape is None or dialect.quote is None or dialect.escape not in data:
        return data, index
    octets = np.frombuffer(data, dtype=np.uint8)
    escapes = np.flatnonzero(octets == dialect.escape)
    escapes = escapes[np.searchsorted(index.toggles, escapes) % 2 == 1]
    first = escapes[run_places(escapes) % 2 == 0]
    following = octets[np.minimum(first + 1, len(octets) - 1)]
    plain = octets.copy()
    plain[first[following == dialect.quote]] = dialect.quote
    dropped = first[following == dialect.escape]
    return np.delete(plain, dropped).tobytes(), replace(
        index,
        starts=index.starts - np.searchsorted(dropped, index.starts),
        ends=index.ends - np.searchsorted(dropped, index.ends),
        consumed=index.consumed - int(np.searchsorted(dropped, index.consumed)),
    )


def parse_fields(
    text: bytes | memoryview,
    positions: Sequence[int],
    width: int,
    dialect: Dialect,
    null_strings: Sequence[str] = (),
    others: _Others | None = None,
) -> pa.RecordBatch:
    """The fields at these positions of each record, one binary column per position.

    Args:
        text: Whole records; the last one needs no line end.
        positions: 0-based positions of the fields wanted.
        width: The number of fields of every record.
        dialect: Delimiter and quote; there are no escapes.
        null_strings: Cell texts that become null.
        others: Where given, gets the records of another number of fields, which are left out.

    Raises:
        pyarrow.ArrowInvalid: A record has another number of fields, and there is no `others`.
    """
    names = [str(position) for position in range(width)]
    if text[: len(_BYTE_ORDER_MARK)] == _BYTE_ORDER_MARK:
        # pyarrow drops a mark at the beginning of what it is given; here it belongs to a cell.
        text = _BYTE_ORDER_MARK + bytes(text)
    table = pa_csv.read_csv(
        pa.BufferReader(text),  # type: ignore[arg-type]  # the stubs know only files of Python
        read_options=pa_csv.ReadOptions(
            use_threads=False, block_size=len(text) + 1, column_names=names
        ),
        parse_options=_parse_options(dialect, others),
        convert_options=pa_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.binary()),
            include_columns=[names[position] for position in positions],
            null_values=list(null_strings),
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        ),
    )
    batches = table.combine_chunks().to_batches()
    return batches[0] if batches else _no_rows(table.column_names)


def _no_rows(names: Sequence[str]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array([], pa.binary()) for _ in names], names=list(names))


@dataclass(frozen=True)
class _Others:
    """Leaves out records that have not as many fields as they should.

    `found` has their positions among the records of what is parsed, and their numbers of fields.
    """

    found: list[tuple[int, int]] = field(default_factory=list)

    def __call__(self, row: pa_csv.InvalidRow) -> Literal["skip"]:
        # In one thread pyarrow numbers records from 1, without blank lines.
        self.found.append((cast("int", row.number) - 1, row.actual_columns))
        return "skip"


def _is_utf_8(data: bytes) -> bool:
    try:
        pa.array([data], pa.binary()).cast(pa.string())
    except pa.ArrowInvalid:
        return False
    return True


def _parse_options(dialect: Dialect, others: _Others | None) -> pa_csv.ParseOptions:
    return pa_csv.ParseOptions(
        delimiter=chr(dialect.delimiter),
        quote_char=False if dialect.quote is None else chr(dialect.quote),
        newlines_in_values=dialect.quote is not None,
        invalid_row_handler=others,
    )


def _arrow(numbers: Offsets) -> pa.Int64Array:
    """The numbers as Arrow; `pa.array` would import pandas to look at a numpy array."""
    buffers = [None, pa.py_buffer(numbers.tobytes())]
    return cast("pa.Int64Array", pa.Array.from_buffers(pa.int64(), len(numbers), buffers))


@dataclass(frozen=True)
class _RawText:
    """The text of records by their positions."""

    data: bytes
    starts: Offsets
    ends: Offsets

    def __call__(self, positions: Sequence[int] | Offsets) -> list[str]:
        taken = np.asarray(positions, dtype=np.int64)
        spans = zip(self.starts[taken].tolist(), self.ends[taken].tolist(), strict=True)
        return [
            self.data[start:end].decode("utf-8", errors="backslashreplace") for start, end in spans
        ]


def _raw_text(stretch: Stretch, positions: Sequence[int] | Offsets) -> list[str]:
    """The same, of records that are found now, as somebody asks for one."""
    records = stretch.records
    return _RawText(stretch.data, records.starts, records.ends)(positions)


def _text_of(data: bytes, index: RecordIndex, kept: NDArray[np.bool_]) -> bytes | memoryview:
    """The records that are kept, with their line ends."""
    if kept.all():
        return memoryview(data)[index.starts[0] : index.consumed]
    bounds = np.append(index.starts, index.consumed)
    edges = np.flatnonzero(np.diff(kept.astype(np.int8), prepend=0, append=0))
    runs = zip(bounds[edges[0::2]].tolist(), bounds[edges[1::2]].tolist(), strict=True)
    return b"".join(data[start:end] for start, end in runs)
