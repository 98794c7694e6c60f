"""The canonical bytes of rows, and their SHA-256: the same for the same rows, however stored.

The format, called `quality-platform.rows.1`: the name of the format and a JSON list of the columns'
names and types, each behind its length; then blocks of 65,536 rows (the last one may be shorter).
A block is its number of rows, then each column in turn:

- a bit for each row, 1 where it has a value, lowest bit first, padded with zeros to whole bytes;
- numbers, dates, times and decimals: the values, little-endian, 0 where there is none; NaN is
  always the quiet NaN without payload, and -0.0 is not 0.0;
- booleans: a bit for each row, as above;
- text (UTF-8) and bytes: the length of each value, 0 where there is none, then all values;
- lists: the length of each, then all items as a column; maps are lists of their keys and values;
- structs: each field as a column.

All lengths and numbers of rows are 64-bit integers, little-endian. Row groups, compression, files,
offsets, the versions of Arrow and of Parquet leave no trace in these bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from quality_platform.errors import TrainingSetError

FORMAT = "quality-platform.rows.1"
"""The name of the format; other bytes for the same rows get another name."""

BLOCK_ROWS = 65_536
"""Rows of a block."""


@dataclass
class RowsDigest:
    """Takes rows in their order, in batches of any size; all have the columns of `schema`."""

    schema: pa.Schema
    rows: int = 0
    _hash: Any = field(default_factory=hashlib.sha256)
    _waiting: list[pa.RecordBatch] = field(default_factory=list)
    _waiting_rows: int = 0

    def __post_init__(self) -> None:
        """Begins with the format and the columns."""
        columns = json.dumps(columns_of(self.schema), separators=(",", ":"), ensure_ascii=False)
        for text in (FORMAT, columns):
            self._add(_sized(text.encode()))

    def update(self, batch: pa.RecordBatch) -> None:
        """Adds the rows of a batch.

        Raises:
            TrainingSetError: a column is of a type that has no canonical bytes.
        """
        self.rows += batch.num_rows
        self._waiting.append(batch)
        self._waiting_rows += batch.num_rows
        if self._waiting_rows >= BLOCK_ROWS:
            self._take(whole=False)

    def hexdigest(self) -> str:
        """The SHA-256 of all rows; nothing can be added after that."""
        self._take(whole=True)
        return str(self._hash.hexdigest())

    def _take(self, *, whole: bool) -> None:
        table = pa.Table.from_batches(self._waiting, self.schema)
        end = table.num_rows if whole else table.num_rows - table.num_rows % BLOCK_ROWS
        for start in range(0, end, BLOCK_ROWS):
            self._block(table.slice(start, min(BLOCK_ROWS, end - start)))
        rest = table.slice(end)
        self._waiting, self._waiting_rows = rest.to_batches(), rest.num_rows

    def _block(self, block: pa.Table) -> None:
        self._add([_number(block.num_rows)])
        for name in range(block.num_columns):
            self._add(canonical_bytes(block.column(name).combine_chunks()))

    def _add(self, parts: Iterable[bytes]) -> None:
        for part in parts:
            self._hash.update(part)


def columns_of(schema: pa.Schema) -> list[list[str]]:
    """The names and types of the columns, as they are told: Arrow's two kinds of text are one."""
    return [[column.name, type_name(column.type)] for column in schema]


def type_name(kind: pa.DataType) -> str:
    """The name of an Arrow type; those that differ only in how values are stored share one."""
    return str(kind).replace("large_", "")


def canonical_bytes(column: pa.Array[Any]) -> Iterator[bytes]:
    """The bytes of a column, without its number of rows.

    Raises:
        TrainingSetError: the type has no canonical bytes.
    """
    kind: Any = column.type
    if pa.types.is_dictionary(kind):
        yield from canonical_bytes(column.cast(kind.value_type))
        return
    yield _bits(column.is_valid())
    if pa.types.is_null(kind):
        return
    if pa.types.is_boolean(kind):
        yield _bits(column.fill_null(False))
    elif _is_text(kind):
        yield from _texts(column)
    elif pa.types.is_struct(kind):
        for n in range(kind.num_fields):
            # Unlike the field itself, this is NULL wherever the struct is.
            yield from canonical_bytes(pc.struct_field(column, [n]))
    elif pa.types.is_map(kind):
        yield from _lists(column, pa.StructArray.from_arrays([*_of_map(column)], ["key", "value"]))
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        yield from _lists(column, _items(column))
    else:
        yield _values(column)


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
    )


def _values(column: Any) -> bytes:
    """The values of a type of fixed width."""
    kind = column.type
    width = getattr(kind, "bit_width", 0) // 8 if _has_width(kind) else 0
    if not width:
        raise TrainingSetError(
            "values of this type have no canonical bytes",
            received=kind,
            allowed="numbers, texts, bytes, booleans, dates, times, lists, structs, maps",
            action="cast the column in the view's SQL, or leave it out",
        )
    if pa.types.is_floating(kind):
        column = pc.if_else(pc.is_nan(column), pa.scalar(float("nan"), kind), column)
    if len(column) == 0:
        return b""
    data = column.buffers()[1]
    stored = np.frombuffer(data, np.uint8)[column.offset * width :][: len(column) * width]
    found = stored.reshape(len(column), width).copy()
    found[~np.asarray(column.is_valid())] = 0
    return found.tobytes()


def _has_width(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_temporal(kind)
        or pa.types.is_fixed_size_binary(kind)
    )


def _texts(column: Any) -> Iterator[bytes]:
    yield _numbers(pc.fill_null(pc.binary_length(column), 0))
    wide = pa.large_binary()
    plain: Any = column.drop_null().cast(wide)
    if len(plain):
        _, offsets, data = plain.buffers()
        ends = np.frombuffer(offsets, np.int64)[plain.offset :][: len(plain) + 1]
        if data is not None:
            yield memoryview(data)[int(ends[0]) : int(ends[-1])].tobytes()


def _lists(column: Any, items: pa.Array[Any]) -> Iterator[bytes]:
    yield _numbers(pc.fill_null(_lengths(column), 0))
    yield from canonical_bytes(items)


def _items(column: Any) -> Any:
    """The items of all lists that are there."""
    return column.flatten()


def _lengths(column: Any) -> Any:
    if not pa.types.is_map(column.type):
        return pc.list_value_length(column)
    ends = np.asarray(column.offsets)
    return pa.array(np.diff(ends), mask=np.asarray(column.is_null()))


def _of_map(column: Any) -> tuple[Any, Any]:
    """The keys and the items of the maps that are there, in one array each."""
    there = column.filter(column.is_valid())
    if not len(there):
        return column.keys.slice(0, 0), column.items.slice(0, 0)
    first, last = there.offsets[0].as_py(), there.offsets[-1].as_py()
    return there.keys.slice(first, last - first), there.items.slice(first, last - first)


def _bits(column: Any) -> bytes:
    return np.packbits(np.asarray(column, dtype=bool), bitorder="little").tobytes()


def _numbers(column: Any) -> bytes:
    return np.asarray(column, dtype="<i8").tobytes()


def _number(value: int) -> bytes:
    return value.to_bytes(8, "little")


def _sized(data: bytes) -> tuple[bytes, bytes]:
    return _number(len(data)), data
