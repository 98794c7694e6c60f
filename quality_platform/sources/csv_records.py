"""The records of a block of CSV text: where each begins and ends, and its fields.

The index is found with numpy before anything is parsed; pyarrow then parses the block, and the two
must agree on the number of records.

The rules are those of RFC 4180 as pyarrow's parser and Python's csv module apply them: a quote
opens a quoted section at the beginning of a field only, anywhere else it is a literal; a doubled
quote inside a quoted section is a literal; LF, CRLF and CR each end a line, and end the record
where they are not quoted; a blank line is no record.

Stricter than both: text between a closing quote and the next delimiter makes a record `broken`.
It is the trace of a quote that was never closed and swallowed the records behind it, and to join
the two pieces would turn several records into one that looks right.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias, cast

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
from numpy.typing import NDArray

from quality_platform.errors import Location, MalformedSourceError
from quality_platform.sources.protocol import RejectedRecord, SourceBatch

Offsets: TypeAlias = NDArray[np.int64]
Octets: TypeAlias = NDArray[np.uint8]

_LF = 10
_CR = 13
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LINE_END = re.compile(r"\r\n|\r|\n")
_NONE: Offsets = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class Dialect:
    """The bytes that have a meaning; `quote` is None where no character quotes."""

    delimiter: int
    quote: int | None

    def boundaries(self) -> NDArray[np.bool_]:
        """For each byte value, whether it may stand next to a quoted section (from outside)."""
        table = np.zeros(256, dtype=np.bool_)
        table[[self.delimiter, _CR, _LF]] = True
        return table


@dataclass(frozen=True)
class RecordIndex:
    """The whole records of one block of text; all arrays but `toggles` have one entry per record.

    Attributes:
        starts: Offset of the record's first byte in the block.
        ends: Offset behind the record's last byte, its line end excluded.
        lines: 1-based physical line of the file where the record begins.
        broken: Whether text follows a closing quote in the record.
        toggles: Offsets of the quotes at which the text changes between outside and inside of a
            quoted section (a doubled quote may stand here as two of them).
        consumed: Offset behind the last line that is complete; what follows is an open record.
        next_line: Physical line of the byte at `consumed`.
    """

    starts: Offsets
    ends: Offsets
    lines: Offsets
    broken: NDArray[np.bool_]
    toggles: Offsets
    consumed: int
    next_line: int

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, part: slice) -> RecordIndex:
        """The index of some of the records of the same block."""
        return replace(
            self,
            starts=self.starts[part],
            ends=self.ends[part],
            lines=self.lines[part],
            broken=self.broken[part],
        )


def index_records(data: bytes, dialect: Dialect, *, first_line: int, final: bool) -> RecordIndex:
    """Finds the records of a block of text which begins at the beginning of a record.

    Args:
        data: The block.
        dialect: Its delimiter and quote.
        first_line: 1-based physical line of the block's first byte.
        final: Whether the file ends with this block: the last record then needs no line end. An
            open quoted section stays open: its record is not in the index, and `consumed` is
            less than the block's length.

    Returns:
        The index of the records that are complete.
    """
    octets = np.frombuffer(data, dtype=np.uint8)
    toggles = _toggles(data, octets, dialect)
    terminators = _terminators(data, octets, final=final)
    ends_open = not len(terminators) or terminators[-1] + 1 < len(data)
    if final and data and ends_open and len(toggles) % 2 == 0:
        terminators = np.append(terminators, len(data))
    outside = _outside(terminators, toggles)
    breaks = terminators[outside]
    starts, lines = _beginnings(breaks, outside)
    ends = _text_ends(data, octets, breaks)
    filled = ends > starts
    starts = starts[filled]
    return RecordIndex(
        starts=starts,
        ends=ends[filled],
        lines=first_line + lines[filled],
        broken=_broken(
            octets[: breaks[-1]] if len(breaks) else octets[:0], toggles, starts, dialect
        ),
        toggles=toggles,
        consumed=min(int(breaks[-1]) + 1, len(data)) if len(breaks) else 0,
        next_line=first_line + (int(outside[-1]) + 1 if len(outside) else 0),
    )


def field_counts(data: bytes, index: RecordIndex, dialect: Dialect) -> Offsets:
    """The number of fields of each record of the index."""
    octets = np.frombuffer(data, dtype=np.uint8)
    delimiters = np.flatnonzero(octets == dialect.delimiter)
    delimiters = delimiters[_outside(delimiters, index.toggles)]
    before = np.searchsorted(delimiters, index.starts)
    counts: Offsets = np.searchsorted(delimiters, index.ends) - before + 1
    return counts


def _terminators(data: bytes, octets: Octets, *, final: bool) -> Offsets:
    """Offsets of the last byte of every line end, quoted or not."""
    feeds = np.flatnonzero(octets == _LF)
    if b"\r" not in data:
        return feeds
    returns = np.flatnonzero(octets == _CR)
    following = octets[np.minimum(returns + 1, len(octets) - 1)]
    alone = returns[following != _LF]
    if not final and len(alone) and alone[-1] == len(octets) - 1:
        # The LF of a CRLF may be the first byte of the next block.
        alone = alone[:-1]
    return np.sort(np.concatenate([feeds, alone])) if len(alone) else feeds


def _outside(offsets: Offsets, toggles: Offsets) -> Offsets:
    """Positions in `offsets` of those that are not inside a quoted section."""
    if not len(toggles):
        return np.arange(len(offsets))
    return np.flatnonzero(np.searchsorted(toggles, offsets) % 2 == 0)


def _beginnings(breaks: Offsets, outside: Offsets) -> tuple[Offsets, Offsets]:
    """Offset and 0-based line of the beginning of each record, blank ones included."""
    starts = np.zeros_like(breaks)
    lines = np.zeros_like(outside)
    starts[1:] = breaks[:-1] + 1
    lines[1:] = outside[:-1] + 1
    return starts, lines


def _text_ends(data: bytes, octets: Octets, breaks: Offsets) -> Offsets:
    """Offsets behind the text of each record: before the LF, the CR, or both."""
    if b"\r" not in data or not len(breaks):
        return breaks
    is_feed = octets[np.minimum(breaks, len(octets) - 1)] == _LF
    ends: Offsets = breaks - (is_feed & (octets[breaks - 1] == _CR))
    return ends


def _toggles(data: bytes, octets: Octets, dialect: Dialect) -> Offsets:
    """Offsets of the quotes that open or close a quoted section, in order."""
    if dialect.quote is None or dialect.quote not in data:
        return _NONE
    quotes = np.flatnonzero(octets == dialect.quote)
    opening_place = dialect.boundaries()[octets[quotes - 1]]
    opening_place[0] |= quotes[0] == 0
    doubled = np.zeros_like(opening_place)
    doubled[1:] = quotes[1:] == quotes[:-1] + 1
    if (opening_place | doubled)[0::2].all():
        # Every quote that would open a section may: then each quote toggles, and a doubled quote
        # toggles twice, to no effect.
        return quotes
    return _toggles_among_literals(quotes, opening_place)


def _toggles_among_literals(quotes: Offsets, opening_place: NDArray[np.bool_]) -> Offsets:
    """The same where some quotes are literals, as in `5" disk`: one step per quote."""
    offsets, may_open = quotes.tolist(), opening_place.tolist()
    offsets.append(-1)
    toggles: list[int] = []
    inside = False
    position = 0
    while position < len(may_open):
        if inside and offsets[position + 1] == offsets[position] + 1:
            position += 2
            continue
        if inside or may_open[position]:
            toggles.append(offsets[position])
            inside = not inside
        position += 1
    return np.array(toggles, dtype=np.int64)


def _broken(
    octets: Octets, toggles: Offsets, starts: Offsets, dialect: Dialect
) -> NDArray[np.bool_]:
    """Whether a record has text between a closing quote and the end of the field."""
    broken = np.zeros(len(starts), dtype=np.bool_)
    closings = toggles[1::2]
    closings = closings[closings + 1 < len(octets)]
    if not len(closings) or not len(starts):
        return broken
    following = octets[closings + 1]
    wrong = closings[~dialect.boundaries()[following] & (following != dialect.quote)]
    broken[np.searchsorted(starts, wrong, side="right") - 1] = True
    return broken


@dataclass(frozen=True)
class BlockParser:
    """Turns the blocks of one file into batches.

    Attributes:
        path: The file, for messages.
        wanted: Name and position in the header of each column of the result, in its order.
        width: The number of fields that the header has.
        dialect: Delimiter and quote.
        null_strings: The cell texts that become null.
    """

    path: str
    wanted: Mapping[str, int]
    width: int
    dialect: Dialect
    null_strings: tuple[str, ...]

    def batch(self, data: bytes, index: RecordIndex) -> SourceBatch:
        """The records of the index: those of the header's width as rows, the others as rejects.

        Raises:
            MalformedSourceError: pyarrow and the index do not agree on the records.
        """
        counts = np.full(len(index), self.width)
        try:
            columns = self._columns(data, index, ~index.broken)
        except pa.ArrowInvalid:
            # Counting the fields costs as much as parsing: only a block that fails pays for it.
            counts = field_counts(data, index, self.dialect)
            columns = self._columns_of_whole(data, index, counts)
        whole = ~index.broken & (counts == self.width)
        if columns.num_rows != np.count_nonzero(whole):
            raise self._disagreement(index, f"{columns.num_rows} rows parsed of {whole.sum()}")
        return SourceBatch(
            columns=columns,
            lines=_arrow(index.lines[whole]),
            raw=_RawText(data, index.starts[whole], index.ends[whole]),
            rejects=self._rejects(data, index, counts, np.flatnonzero(~whole)),
        )

    def _columns_of_whole(self, data: bytes, index: RecordIndex, counts: Offsets) -> pa.RecordBatch:
        try:
            return self._columns(data, index, ~index.broken & (counts == self.width))
        except pa.ArrowInvalid as error:
            raise self._disagreement(index, str(error)) from error

    def _columns(self, data: bytes, index: RecordIndex, kept: NDArray[np.bool_]) -> pa.RecordBatch:
        if not kept.any():
            empty = [pa.array([], type=pa.binary()) for _ in self.wanted]
            return pa.RecordBatch.from_arrays(empty, names=list(self.wanted))
        # Where no section is quoted, every quote is a literal, and the plain parser is faster.
        dialect = self.dialect if len(index.toggles) else replace(self.dialect, quote=None)
        text = _text_of(data, index, kept)
        positions = list(self.wanted.values())
        cells = parse_fields(text, positions, self.width, dialect, self.null_strings)
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
        reason = f"{count} field{'s' * (count != 1)}, the header has {self.width}"
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


def parse_fields(
    text: bytes | memoryview,
    positions: Sequence[int],
    width: int,
    dialect: Dialect,
    null_strings: Sequence[str] = (),
) -> pa.RecordBatch:
    """The fields at these positions of each record, one binary column per position.

    Args:
        text: Whole records; the last one needs no line end.
        positions: 0-based positions of the fields wanted.
        width: The number of fields of every record.
        dialect: Delimiter and quote.
        null_strings: Cell texts that become null.

    Raises:
        pyarrow.ArrowInvalid: A record has another number of fields.
    """
    names = [str(position) for position in range(width)]
    if text[: len(_BYTE_ORDER_MARK)] == _BYTE_ORDER_MARK:
        # pyarrow drops a mark at the beginning of what it is given; here it belongs to a cell.
        text = _BYTE_ORDER_MARK + bytes(text)
    quoted = dialect.quote is not None
    table = pa_csv.read_csv(
        pa.BufferReader(text),  # type: ignore[arg-type]  # the stubs know only files of Python
        read_options=pa_csv.ReadOptions(
            use_threads=False, block_size=len(text) + 1, column_names=names
        ),
        parse_options=pa_csv.ParseOptions(
            delimiter=chr(dialect.delimiter),
            quote_char=False if dialect.quote is None else chr(dialect.quote),
            newlines_in_values=quoted,
        ),
        convert_options=pa_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.binary()),
            include_columns=[names[position] for position in positions],
            null_values=list(null_strings),
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        ),
    )
    return table.combine_chunks().to_batches()[0]


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


def _text_of(data: bytes, index: RecordIndex, kept: NDArray[np.bool_]) -> bytes | memoryview:
    """The records that are kept, with their line ends."""
    if kept.all():
        return memoryview(data)[index.starts[0] : index.consumed]
    bounds = np.append(index.starts, index.consumed)
    edges = np.flatnonzero(np.diff(kept.astype(np.int8), prepend=0, append=0))
    runs = zip(bounds[edges[0::2]].tolist(), bounds[edges[1::2]].tolist(), strict=True)
    return b"".join(data[start:end] for start, end in runs)
