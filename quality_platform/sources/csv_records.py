"""The records of a block of CSV text: where each begins and ends, and how many fields it has.

The index is found with numpy before anything is parsed; pyarrow then parses the block
(`csv_parsing`), and the two must agree on the number of records.

The rules are those of RFC 4180 as pyarrow's parser and Python's csv module apply them: a quote
opens a quoted section at the beginning of a field only, anywhere else it is a literal; a doubled
quote inside a quoted section is a literal; LF, CRLF and CR each end a line, and end the record
where they are not quoted; a blank line is no record. Where the dialect has an escape character, it
makes the quote or the escape behind it a literal inside a quoted section, as in PostgreSQL; before
any other character, and outside, it is a literal itself.

Stricter than both: text between a closing quote and the next delimiter makes a record `broken`.
It is the trace of a quote that was never closed and swallowed the records behind it, and to join
the two pieces would turn several records into one that looks right.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Offsets: TypeAlias = NDArray[np.int64]
Octets: TypeAlias = NDArray[np.uint8]

LF = 10
"""The octet that ends a line."""

_CR = 13
_PIECE = 2**19
"""Octets looked at together: these and what is found stay in the processor's cache."""

_NONE: Offsets = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class Dialect:
    """The bytes that have a meaning; `quote` is None where no character quotes.

    `escape` is None where nothing but a doubled quote stands for a quote.
    """

    delimiter: int
    quote: int | None
    escape: int | None = None

    def boundaries(self) -> NDArray[np.bool_]:
        """For each byte value, whether it may stand next to a quoted section (from outside)."""
        table = np.zeros(256, dtype=np.bool_)
        table[[self.delimiter, _CR, LF]] = True
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
        dialect: Its delimiter, quote and escape.
        first_line: 1-based physical line of the block's first byte.
        final: Whether the file ends with this block: the last record then needs no line end. An
            open quoted section stays open: its record is not in the index, and `consumed` is
            less than the block's length.

    Returns:
        The index of the records that are complete.
    """
    octets = np.frombuffer(data, dtype=np.uint8)
    toggles = quote_toggles(data, octets, dialect)
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
    delimiters = _places(octets, dialect.delimiter)
    delimiters = delimiters[_outside(delimiters, index.toggles)]
    before = np.searchsorted(delimiters, index.starts)
    counts: Offsets = np.searchsorted(delimiters, index.ends) - before + 1
    return counts


def number_of(octets: Octets, value: int) -> int:
    """How many octets have a value."""
    return sum(int(np.count_nonzero(is_value)) for is_value in _equal(octets, value))


def _terminators(data: bytes, octets: Octets, *, final: bool) -> Offsets:
    """Offsets of the last byte of every line end, quoted or not."""
    feeds = _places(octets, LF)
    if b"\r" not in data:
        return feeds
    returns = _places(octets, _CR)
    following = octets[np.minimum(returns + 1, len(octets) - 1)]
    alone = returns[following != LF]
    if not final and len(alone) and alone[-1] == len(octets) - 1:
        # The LF of a CRLF may be the first byte of the next block.
        alone = alone[:-1]
    return np.sort(np.concatenate([feeds, alone])) if len(alone) else feeds


def _places(octets: Octets, value: int) -> Offsets:
    """Offsets of the octets of one value."""
    pieces = enumerate(_equal(octets, value))
    offsets = [np.flatnonzero(is_value) + n * _PIECE for n, is_value in pieces]
    return np.concatenate(offsets) if offsets else _NONE


def _equal(octets: Octets, value: int) -> Iterator[NDArray[np.bool_]]:
    """Which octets have a value, piece by piece; a piece is gone when the next one is there."""
    found = np.empty(_PIECE, dtype=np.bool_)
    for start in range(0, len(octets), _PIECE):
        piece = octets[start : start + _PIECE]
        yield np.equal(piece, value, out=found[: len(piece)])


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
    is_feed = octets[np.minimum(breaks, len(octets) - 1)] == LF
    ends: Offsets = breaks - (is_feed & (octets[breaks - 1] == _CR))
    return ends


def quote_toggles(data: bytes, octets: Octets, dialect: Dialect) -> Offsets:
    """Offsets of the quotes that open or close a quoted section, in order.

    A doubled quote may be there as two of them.
    """
    if dialect.quote is None or dialect.quote not in data:
        return _NONE
    quotes = _places(octets, dialect.quote)
    if dialect.escape is not None and dialect.escape in data:
        quotes = _without_escaped(quotes, octets, dialect.escape)
    if not len(quotes):
        return _NONE
    opening_place = dialect.boundaries()[octets[quotes - 1]]
    opening_place[0] |= quotes[0] == 0
    doubled = np.zeros_like(opening_place)
    doubled[1:] = quotes[1:] == quotes[:-1] + 1
    if (opening_place | doubled)[0::2].all():
        # Every quote that would open a section may: then each quote toggles, and a doubled quote
        # toggles twice, to no effect.
        return quotes
    return _toggles_among_literals(quotes, opening_place)


def _without_escaped(quotes: Offsets, octets: Octets, escape: int) -> Offsets:
    """The quotes that no odd number of escapes stands before.

    Outside of a quoted section such a quote is a literal anyway: no field begins with it.
    """
    escapes = _places(octets, escape)
    odd = escapes[run_places(escapes) % 2 == 0]
    return quotes[~np.isin(quotes - 1, odd, assume_unique=True)]


def run_places(offsets: Offsets) -> Offsets:
    """For each of some ascending offsets, its 0-based place in its run of consecutive ones."""
    place = np.arange(len(offsets))
    begins = np.ones(len(offsets), dtype=np.bool_)
    begins[1:] = offsets[1:] != offsets[:-1] + 1
    places: Offsets = place - np.maximum.accumulate(np.where(begins, place, 0))
    return places


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
    if len(starts):
        wrong = broken_closings(octets, toggles, dialect)
        broken[np.searchsorted(starts, wrong, side="right") - 1] = True
    return broken


def broken_closings(octets: Octets, toggles: Offsets, dialect: Dialect) -> Offsets:
    """Offsets of the closing quotes that text follows."""
    closings = toggles[1::2]
    closings = closings[closings + 1 < len(octets)]
    if not len(closings):
        return _NONE
    following = octets[closings + 1]
    wrong: Offsets = closings[~dialect.boundaries()[following] & (following != dialect.quote)]
    return wrong
