"""Columns of bytes in the wire format of Protocol Buffers, made column by column.

Every function gives one `large_binary` array as long as its input, without NULLs: rows that are not
`present` have no bytes. Format: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

Column: TypeAlias = "pa.Array[Any]"

compute: Any = pyarrow.compute
"""Arrow's functions: what their stubs say of bytes is too narrow."""

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""Wire types."""

_LOW = np.uint64(0x7F)
_SEVEN = np.uint64(7)


def varint(number: int) -> bytes:
    """One number, not negative."""
    groups = []
    while number >= 0x80:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*groups, number])


def tag(field_number: int, wire_type: int) -> bytes:
    """What stands before the value of a field."""
    return varint(field_number << 3 | wire_type)


def from_parts(data: NDArray[np.uint8], lengths: NDArray[np.int64]) -> Column:
    """The rows whose bytes follow each other in `data`."""
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    buffers = [None, pa.py_buffer(offsets.data), pa.py_buffer(np.ascontiguousarray(data).data)]
    return cast(Column, pa.Array.from_buffers(pa.large_binary(), len(lengths), buffers))


def fixed(values: NDArray[Any], present: NDArray[np.bool_], prefix: bytes = b"") -> Column:
    """The prefix and the number's own bytes, lowest first."""
    size = values.dtype.itemsize
    little = np.ascontiguousarray(values.astype(values.dtype.newbyteorder("<"), copy=False))
    cells = np.empty((len(values), len(prefix) + size), np.uint8)
    cells[:, : len(prefix)] = np.frombuffer(prefix, np.uint8)
    cells[:, len(prefix) :] = little.view(np.uint8).reshape(len(values), size)
    lengths = present.astype(np.int64) * cells.shape[1]
    kept = cells if present.all() else cells[present]
    return from_parts(kept.reshape(-1), lengths)


def varints(
    numbers: NDArray[np.integer[Any]], present: NDArray[np.bool_], prefix: bytes = b""
) -> Column:
    """The prefix and the number as a varint; negative ones take ten bytes, as `int64` does."""
    rest = numbers.astype(np.int64, copy=False).view(np.uint64)
    lengths = varint_lengths(rest)
    width = int(lengths.max(initial=1))
    head = len(prefix)
    cells = np.empty((len(rest), head + width), np.uint8)
    cells[:, :head] = np.frombuffer(prefix, np.uint8)
    for group in range(width):
        more = (lengths > group + 1).view(np.uint8) << 7
        cells[:, head + group] = (rest & _LOW).astype(np.uint8) | more
        rest = rest >> _SEVEN
    lengths = np.where(present, lengths + head, 0)
    if (lengths == head + width).all():
        return from_parts(cells.reshape(-1), lengths)
    return from_parts(cells[np.arange(head + width) < lengths[:, None]], lengths)


def varint_lengths(numbers: NDArray[np.uint64]) -> NDArray[np.int64]:
    """How many bytes each number takes as a varint."""
    lengths = np.ones(len(numbers), np.int64)
    rest = numbers >> _SEVEN
    while rest.any():
        lengths += rest > 0
        rest = rest >> _SEVEN
    return lengths


def delimited(payload: Column, present: NDArray[np.bool_], prefix: bytes) -> Column:
    """The prefix, the length and the bytes themselves."""
    return joined([varints(lengths_of(payload), present, prefix), payload])


def joined(parts: Sequence[Column | bytes]) -> Column:
    """Each row's parts one behind the other; bytes are the same in every row."""
    scalars = [pa.scalar(part, pa.large_binary()) if isinstance(part, bytes) else part
               for part in parts]  # fmt: skip
    nothing = pa.scalar(b"", pa.large_binary())
    return cast(Column, compute.binary_join_element_wise(*scalars, nothing))


def lengths_of(column: Column) -> NDArray[np.int64]:
    """How many bytes each row has."""
    return np.diff(offsets_of(column))


def offsets_of(column: Column) -> NDArray[np.int64]:
    """Where each row begins in the bytes of all, and where the last one ends."""
    buffer = column.buffers()[1]
    ends: NDArray[np.int64] = np.frombuffer(memoryview(buffer or b""), np.int64)
    return ends[column.offset : column.offset + len(column) + 1]


def as_bytes(column: Column) -> Column:
    """Text and bytes of any kind as `large_binary`, nothing where NULL."""
    if not pa.types.is_large_binary(column.type):
        if pa.types.is_string(column.type) or pa.types.is_fixed_size_binary(column.type):
            column = column.cast(pa.binary())
        column = column.cast(pa.large_binary())
    return cast(Column, compute.fill_null(column, b"") if column.null_count else column)


def present_in(column: Column) -> NDArray[np.bool_]:
    """Which rows are not NULL."""
    if not column.null_count:
        return np.ones(len(column), bool)
    found: Any = column.is_valid()
    return cast("NDArray[np.bool_]", found.to_numpy(zero_copy_only=False))


def objects_of(column: Column) -> list[bytes]:
    """The rows as Python's bytes."""
    found: list[bytes] = column.to_numpy(zero_copy_only=False).tolist()
    return found
