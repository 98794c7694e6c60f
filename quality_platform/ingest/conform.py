"""Text cells -> the contract's types. A cell that does not convert takes its row out with its text.

Nothing is truncated and no format is guessed; only a float or a double is rounded, to the nearest
number of its type.

=============== =============================================================================
type            texts that convert
=============== =============================================================================
int, long       an optional minus and digits, within the type's range
float, double   decimal or scientific notation within the range; `nan`, `inf`, `infinity`
decimal(p, s)   decimal notation, at most s digits after the point and p in all; further zeros
                at the end as far as there are no more than 38 digits
boolean         `true`, `false`, `1`, `0`, in any case
date            `YYYY-MM-DD`
timestamptz     `YYYY-MM-DD`, `T` or a space, at least hours, at most microseconds, and a zone
                (`Z` or an offset)
timestamp       the same without a zone; without a time of day, midnight
string          any UTF-8
=============== =============================================================================

Dates and timestamps (in UTC) are of the years 0001 to 9999, as in Python and SQL.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True)
class BadCell:
    """A cell that does not convert: its row in the batch, its column, and why."""

    row: int
    column: str
    reason: str


def conform(columns: pa.RecordBatch, schema: pa.Schema) -> tuple[pa.RecordBatch, list[BadCell]]:
    """The batch with the schema's types, and the cells that do not convert (NULL in the batch).

    `columns` has a binary column for each field of the schema, in its order. The result's fields
    are all nullable.
    """
    arrays, bad = [], []
    for raw, field in zip(columns.columns, schema, strict=True):
        array, rows = _converted(raw, field.type)
        arrays.append(array)
        bad += [BadCell(row, field.name, _reason(raw[row].as_py(), field.type)) for row in rows]
    nullable = pa.schema([field.with_nullable(True).remove_metadata() for field in schema])
    return pa.record_batch(arrays, schema=nullable), bad


def _converted(raw: pa.Array[Any], target: pa.DataType) -> tuple[pa.Array[Any], list[int]]:
    """The converted array, and the positions of the cells that do not convert."""
    try:
        return _cast(raw, target), []
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        bad = list(_failing(raw, 0, target))
    keep = pc.invert(pc.is_in(pa.array(range(len(raw))), value_set=pa.array(bad, pa.int64())))
    return _cast(pc.if_else(keep, raw, pa.scalar(None, raw.type)), target), bad


def _failing(raw: pa.Array[Any], start: int, target: pa.DataType) -> Iterable[int]:
    """Finds the cells that make a conversion fail, by halving."""
    try:
        _cast(raw, target)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        if len(raw) == 1:
            yield start
            return
        middle = len(raw) // 2
        yield from _failing(raw[:middle], start, target)
        yield from _failing(raw[middle:], start + middle, target)


def _cast(raw: pa.Array[Any], target: pa.DataType) -> pa.Array[Any]:
    text = raw.cast(pa.string())
    if pa.types.is_integer(target):
        # Arrow would read 0x1F as well.
        _require(text, r"^-?\d+$")
    if pa.types.is_decimal(target):
        _require(text, _decimal_pattern(target.precision, target.scale))
    if pa.types.is_date(target):
        _require(text, r"^\d{4}-\d{2}-\d{2}$")
    cast = text.cast(target)
    if pa.types.is_floating(target):
        _refuse_unwritten(text, cast)
    if pa.types.is_temporal(target):
        _refuse_year_zero(cast)
    return cast


def _decimal_pattern(precision: int, scale: int) -> str:
    """Decimals of no more than 38 digits: of more, Arrow makes other numbers without a word."""
    whole, zeros = precision - scale, 38 - precision
    return rf"^[+-]?0*\d{{0,{whole}}}(\.\d{{0,{scale}}}0{{0,{zeros}}})?$"


def _require(text: pa.Array[Any], pattern: str) -> None:
    """Arrow reads more spellings than the contract's types have; those are refused here."""
    matches = pc.match_substring_regex(text, pattern)
    if pc.any(pc.invert(matches)).as_py():
        raise pa.ArrowInvalid("a text of another form")


def _refuse_unwritten(text: pa.Array[Any], cast: pa.Array[Any]) -> None:
    """Arrow turns a number beyond the type's range into an infinity that nobody wrote."""
    odd = pc.invert(pc.is_finite(cast))
    if pc.any(odd).as_py():
        _require(text.filter(odd), r"(?i)^[+-]?(nan|inf|infinity)$")


_FIRST_DAY, _LAST_DAY = date.min.toordinal(), date.max.toordinal()
_EPOCH = date(1970, 1, 1).toordinal()


def _refuse_year_zero(cast: pa.Array[Any]) -> None:
    """What is beyond the calendar of Python could be written, but never be shown to anybody."""
    is_date = pa.types.is_date(cast.type)
    counts = pc.min_max(cast.view(pa.int32() if is_date else pa.int64()))
    first, last = counts["min"].as_py(), counts["max"].as_py()
    a_day = 1 if is_date else 86_400_000_000
    if first is None:
        return
    if first // a_day + _EPOCH < _FIRST_DAY or last // a_day + _EPOCH > _LAST_DAY:
        raise pa.ArrowInvalid("a day beyond the calendar")


_SHOWN = 200


def _reason(raw: bytes, target: pa.DataType) -> str:
    text = raw.decode("utf-8", errors="backslashreplace")
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text)} characters)"
    return f"{shown!r} is no {type_name(target)}"


def type_name(target: pa.DataType) -> str:
    """The type as contracts call it."""
    names = {
        pa.bool_(): "boolean",
        pa.int32(): "int",
        pa.int64(): "long",
        pa.float32(): "float",
        pa.float64(): "double",
        pa.date32(): "date",
        pa.timestamp("us"): "timestamp (without a zone)",
        pa.timestamp("us", "UTC"): "timestamptz (with a zone)",
        pa.string(): "UTF-8 string",
    }
    return names.get(target) or str(target).replace("decimal128", "decimal")


def positions(bad: Sequence[BadCell]) -> list[int]:
    """The rows of the batch that have a bad cell, ascending, each once."""
    return sorted({cell.row for cell in bad})
