"""Values of Python's database drivers -> Arrow text, exactly as they are.

Drivers give what they like: a column of SQLite can hold an integer in one row and a text in the
next. As text each value is judged by the contract like a cell of a CSV file, and nothing is cast on
the way. Bytes stay bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

from quality_platform.sources.protocol import RejectedRecord

_DAY = timedelta(days=1)
_WRITERS: dict[type, Callable[[Any], str | None]] = {
    int: str,
    float: repr,
    date: date.isoformat,
    datetime: datetime.isoformat,
}
"""What `text_of` does with values of exactly these types."""


def text_columns(
    rows: Sequence[Sequence[Any]], schema: pa.Schema
) -> tuple[pa.RecordBatch, tuple[RejectedRecord, ...]]:
    """The rows as columns of text, or of bytes where the contract's type is bytes.

    Rows with what has no text in UTF-8 are rejected instead. `schema` has the contract's types, in
    the order of the values of a row.
    """
    try:
        return _batch(rows, schema), ()
    except UnicodeError:
        reasons = [_reason(row, schema) for row in rows]
    kept = [row for row, reason in zip(rows, reasons, strict=True) if not reason]
    rejects = tuple(
        RejectedRecord(None, _shown(row, schema), reason)
        for row, reason in zip(rows, reasons, strict=True)
        if reason
    )
    return _batch(kept, schema), rejects


def _batch(rows: Sequence[Sequence[Any]], schema: pa.Schema) -> pa.RecordBatch:
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(schema)
    arrays = [_column(values, field) for values, field in zip(columns, schema, strict=True)]
    return pa.record_batch(arrays, names=schema.names)


def _column(values: Sequence[Any], field: pa.Field[Any]) -> pa.Array[Any]:
    if pa.types.is_binary(field.type):
        return pa.array([None if v is None else _as_bytes(v) for v in values], pa.binary())
    kinds = {*map(type, values)} - {type(None)}
    if kinds == {str}:
        return pa.array(values, pa.string())
    if kinds == {bytes}:
        return _decoded(values)
    # One decision for a column of one type, and not for each value.
    write = _WRITERS.get(kinds.pop(), text_of) if len(kinds) == 1 else text_of
    return pa.array([None if value is None else write(value) for value in values], pa.string())


def _decoded(values: Sequence[bytes | None]) -> pa.Array[Any]:
    try:
        return pa.array(values, pa.binary()).cast(pa.string())
    except pa.ArrowInvalid as error:
        raise UnicodeError("bytes that are no UTF-8") from error


def _as_bytes(value: Any) -> bytes:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    return str(text_of(value)).encode()


def _reason(row: Sequence[Any], schema: pa.Schema) -> str:
    """Why the row has no text; "" where it has one."""
    found = []
    for value, field in zip(row, schema, strict=True):
        try:
            _column([value], field)
        except UnicodeError:
            found.append(f"{field.name}: bytes that are no UTF-8")
    return "; ".join(found)


def _shown(row: Sequence[Any], schema: pa.Schema) -> str:
    """The row as a JSON object, with backslash escapes for what is no UTF-8."""
    named = dict(zip(schema.names, row, strict=True))
    text = json.dumps(named, default=_escaped, ensure_ascii=False)
    return text.encode("utf-8", "backslashreplace").decode()


def _escaped(value: Any) -> str | None:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("utf-8", "backslashreplace")
    return text_of(value)


def text_of(value: Any) -> str | None:
    """The value as a cell of text: numbers with all their digits, times in ISO 8601, None as None.

    Raises:
        UnicodeDecodeError: bytes that are no UTF-8.
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
            return bytes(value).decode()
        case dict() | list() | tuple():
            return _json(value)
        case _:
            return repr(value) if isinstance(value, float) else str(value)


def _time_of_day(value: timedelta) -> str:
    """MySQL's TIME, which drivers give as a span: one of a day as a time, any other as it is."""
    if timedelta(0) <= value < _DAY:
        return (datetime.min + value).time().isoformat()
    return str(value)


def _json(value: Any) -> str:
    """JSON in which decimals are numbers with all their digits, which `json` cannot write."""
    match value:
        case dict():
            parts = [f"{_json(str(name))}: {_json(part)}" for name, part in value.items()]
            return "{" + ", ".join(parts) + "}"
        case list() | tuple():
            return "[" + ", ".join(_json(part) for part in value) + "]"
        case Decimal() if value.is_finite():
            return format(value, "f")
        case None | bool() | int() | float():
            return json.dumps(value)
        case _:
            return json.dumps(text_of(value), ensure_ascii=False)
