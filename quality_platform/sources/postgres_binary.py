"""Rows of `COPY ... (FORMAT binary)` -> Arrow, many at a time.

A row is the number of its fields (16 bits), then for each field the number of its bytes (32 bits,
-1 for NULL) and the bytes, all big-endian:
https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-BINARY-FORMAT. Where a field begins
depends on the lengths of those before it; that is computed for all rows of a chunk at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

Array: TypeAlias = "pa.Array[Any]"
Numbers: TypeAlias = "np.ndarray[Any, Any]"

_SIGNATURE = b"PGCOPY\n\xff\r\n\0"
_HEADER_BYTES = 19
_END = b"\xff\xff"
_COUNT_BYTES = 2
_LENGTH = np.dtype(">i4")

# PostgreSQL counts from 2000-01-01. Its infinities wrap around; `postgres.source_batch` knows them.
_DAYS_TO_2000 = np.int32(10_957)
_MICROSECONDS_TO_2000 = np.int64(946_684_800_000_000)


class UndecodableRowsError(Exception):
    """The rows are none of the types that they were announced with."""


@dataclass(frozen=True)
class _Fixed:
    """A type whose values all have the width of `wire`; `count` is their number in Arrow."""

    wire: np.dtype[Any]
    arrow: pa.DataType
    count: Callable[[Numbers], Numbers] = lambda values: values


def _dates(values: Numbers) -> Numbers:
    found: Numbers = values + _DAYS_TO_2000
    return found


def _timestamps(values: Numbers) -> Numbers:
    found: Numbers = values + _MICROSECONDS_TO_2000
    return found


_FIXED: Mapping[int, _Fixed] = {
    16: _Fixed(np.dtype("u1"), pa.bool_(), lambda values: values != 0),
    20: _Fixed(np.dtype(">i8"), pa.int64()),
    21: _Fixed(np.dtype(">i2"), pa.int16()),
    23: _Fixed(np.dtype(">i4"), pa.int32()),
    700: _Fixed(np.dtype(">f4"), pa.float32()),
    701: _Fixed(np.dtype(">f8"), pa.float64()),
    1082: _Fixed(np.dtype(">i4"), pa.date32(), _dates),
    1083: _Fixed(np.dtype(">i8"), pa.time64("us")),
    1114: _Fixed(np.dtype(">i8"), pa.timestamp("us"), _timestamps),
    1184: _Fixed(np.dtype(">i8"), pa.timestamp("us", "UTC"), _timestamps),
}
"""By the numbers that pg_type has for them in every PostgreSQL: bool, int8, int2, int4, float4,
float8, date, time, timestamp, timestamptz."""

_VARIABLE: Mapping[int, pa.DataType] = {
    17: pa.binary(),
    19: pa.string(),
    25: pa.string(),
    1042: pa.string(),
    1043: pa.string(),
}
"""bytea, name, text, bpchar, varchar. Texts are UTF-8: the server checks what it sends."""


def can_decode(type_: int) -> bool:
    """Whether values of the type with this number in pg_type can be decoded."""
    return type_ in _FIXED or type_ in _VARIABLE


@dataclass(frozen=True)
class Packed:
    """Rows one behind the other, and the number of bytes of each."""

    data: bytes
    sizes: Numbers

    @classmethod
    def of(cls, rows: Sequence[bytes]) -> Packed:
        """The rows, in less memory than objects of Python take."""
        return cls(b"".join(rows), np.fromiter(map(len, rows), np.int64, len(rows)))

    @classmethod
    def joined(cls, parts: Sequence[Packed]) -> Packed:
        """All rows of the parts."""
        if len(parts) == 1:
            return parts[0]
        return cls(
            b"".join([part.data for part in parts]),
            np.concatenate([part.sizes for part in parts]),
        )


def without_frame(messages: list[bytes], *, first: bool) -> list[bytes]:
    """The rows among the messages of a COPY, of which each is a row, its header or its end."""
    if first and messages and messages[0].startswith(_SIGNATURE):
        messages[0] = messages[0][_HEADER_BYTES:]
        if not messages[0]:
            del messages[0]
    if messages and messages[-1] == _END:
        del messages[-1]
    return messages


def decoded(rows: Packed, names: Sequence[str], types: Sequence[int]) -> pa.RecordBatch:
    """The rows, at least one, as a batch; `types` are the columns' numbers in pg_type.

    Raises:
        UndecodableRowsError: the rows have other columns.
    """
    chunk = _Chunk(rows)
    columns = [
        chunk.fixed(_FIXED[type_]) if type_ in _FIXED else chunk.variable(_VARIABLE[type_])
        for type_ in types
    ]
    chunk.require_end()
    return pa.record_batch(columns, names=list(names))


class _Chunk:
    """Rows, and where in each of them the next field begins."""

    def __init__(self, rows: Packed) -> None:
        self._count = len(rows.sizes)
        self._data = pa.py_buffer(rows.data)
        self._ends = np.cumsum(rows.sizes)
        self._at = self._ends - rows.sizes
        self._advance(_COUNT_BYTES)
        self._values = np.arange(0, 2 * self._count, 2)

    def fixed(self, kind: _Fixed) -> Array:
        """The next column, of values of one width.

        Raises:
            UndecodableRowsError: the rows have something else there.
        """
        sizes, known = self._sizes()
        at, width = self._at, kind.wire.itemsize
        if not (sizes == (width if known is None else np.where(known, width, 0))).all():
            raise UndecodableRowsError
        self._advance(sizes)
        if known is not None:
            if not known.any():
                nothing: Array = pa.nulls(self._count).cast(kind.arrow)
                return nothing
            # What is read for a NULL is of no account, but must be within the chunk.
            at = np.minimum(at, self._data.size - width)
        values = kind.count(self._gathered(kind.wire, at))
        plain = pa.array(values, mask=None if known is None else ~known)
        return plain if plain.type == kind.arrow else plain.view(kind.arrow)

    def variable(self, kind: pa.DataType) -> Array:
        """The next column, of values of any width.

        Raises:
            UndecodableRowsError: the rows have something else there.
        """
        sizes, known = self._sizes()
        # Every other value of this array is the column's; the others are what lies between.
        bounds = np.empty(2 * self._count + 1, np.int32)
        bounds[0:-1:2] = self._at
        self._advance(sizes)
        bounds[1::2] = self._at
        bounds[-1] = bounds[-2]
        every = pa.Array.from_buffers(
            pa.binary(), 2 * self._count, [None, pa.py_buffer(bounds.data), self._data]
        )
        chosen: Any = pa.array(self._values, mask=None if known is None else ~known)
        found: Array = every.take(chosen)
        return found if kind == found.type else found.view(kind)

    def require_end(self) -> None:
        """Requires that the rows have no further fields.

        Raises:
            UndecodableRowsError: they have.
        """
        if not np.array_equal(self._at, self._ends):
            raise UndecodableRowsError

    def _sizes(self) -> tuple[Numbers, Numbers | None]:
        """The bytes of each row's next value, 0 for NULL; where any is NULL, which are not."""
        at = self._at
        self._advance(_LENGTH.itemsize)
        sizes = self._gathered(_LENGTH, at)
        least = int(sizes.min())
        if least < -1:
            raise UndecodableRowsError
        if least >= 0:
            return sizes, None
        known = sizes >= 0
        return np.where(known, sizes, 0), known

    def _advance(self, by: Numbers | int) -> None:
        """Goes on by so many bytes in each row, and never beyond its end."""
        self._at = self._at + by
        if (self._at > self._ends).any():
            raise UndecodableRowsError

    def _gathered(self, wire: np.dtype[Any], at: Numbers) -> Numbers:
        """The values that begin there, in this machine's order of bytes."""
        # Every byte of the chunk begins a value of this view.
        count, octets = self._data.size - wire.itemsize + 1, memoryview(self._data)
        every: Numbers = np.ndarray((count,), wire, octets, strides=(1,))
        found: Numbers = every[at].astype(wire.newbyteorder("="))
        return found
