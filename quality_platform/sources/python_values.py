"""Values of Python's database drivers -> Arrow text, exactly as they are.

Drivers give what they like: a column of SQLite can hold an integer in one row and a text in the
next. As text each value is judged by the contract like a cell of a CSV file, and nothing is cast on
the way. Bytes stay bytes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

_DAY = timedelta(days=1)


def text_columns(rows: Sequence[Sequence[Any]], schema: pa.Schema) -> pa.RecordBatch:
    """The rows as columns of text, or of bytes where the contract's type is bytes.

    `schema` has the contract's types, in the order of the values of a row.
    """
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(schema)
    arrays = [_column(values, field) for values, field in zip(columns, schema, strict=True)]
    return pa.record_batch(arrays, names=schema.names)


def _column(values: Sequence[Any], field: pa.Field[Any]) -> pa.Array[Any]:
    if pa.types.is_binary(field.type) or pa.types.is_fixed_size_binary(field.type):
        return pa.array([None if v is None else _as_bytes(v) for v in values], pa.binary())
    return pa.array([text_of(value) for value in values], pa.string())


def _as_bytes(value: Any) -> bytes:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    return str(text_of(value)).encode()


def text_of(value: Any) -> str | None:
    """The value as a cell of text: numbers with all their digits, times in ISO 8601, None as None.

    Bytes that are no UTF-8 are shown as backslash escapes: no contract's type takes them for its
    own, but text does.
    """
    match value:
        case None | str():
            return value
        case bool():
            return "true" if value else "false"
        case Decimal() if value.is_finite():
            return format(value, "f")
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return _time_of_day(value)
        case bytes() | bytearray() | memoryview():
            return bytes(value).decode("utf-8", "backslashreplace")
        case dict() | list() | tuple():
            return json.dumps(value, default=text_of, ensure_ascii=False)
        case _:
            return repr(value) if isinstance(value, float) else str(value)


def _time_of_day(value: timedelta) -> str:
    """MySQL's TIME, which drivers give as a span: one of a day as a time, any other as it is."""
    if timedelta(0) <= value < _DAY:
        return (datetime.min + value).time().isoformat()
    return str(value)
