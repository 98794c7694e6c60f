"""Columns that have types already -> the contract's types, without losing anything.

=================== ===========================================================================
contract            types of the file that fit
=================== ===========================================================================
int, long           any integer type within the range
float, double       integers and narrower floats that the type holds exactly
decimal(p, s)       integers and decimals, exactly
timestamptz         any timestamp with a zone, of whole microseconds
timestamp           any timestamp without a zone, of whole microseconds
string              any text
anything            text, read as it is read from CSV
=================== ===========================================================================

A single value that does not fit takes its row out; a type that can never fit is refused at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from quality_platform.errors import HeaderError, Location, Problem
from quality_platform.ingest.conform import BadCell, conform, type_name

_DIGITS_OF_INTEGERS = 20
_NUMBERS = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)


def require_fitting(found: pa.Schema, schema: pa.Schema, where: Location) -> None:
    """Refuses a file with a column whose type can never become the contract's.

    `found` has the file's columns by the names of `schema`.

    Raises:
        HeaderError: with every such column.
    """
    problems = [
        Problem(
            f"the column {field.name!r} has a type that cannot become the contract's",
            where,
            received=str(found.field(field.name).type),
            allowed=type_name(field.type),
            action="deliver the column in the contract's type, or as text",
        )
        for field in schema
        if not _can_fit(_plain_type(found.field(field.name).type), field.type)
    ]
    if problems:
        raise HeaderError.of(problems)


def has_types(found: pa.Schema, schema: pa.Schema) -> bool:
    """Whether every column has the contract's type, so that nothing needs to be converted."""
    return all(
        _plain_type(found.field(field.name).type) == field.type
        or _differs_in_names_only(found.field(field.name).type, field.type)
        for field in schema
    )


def fit(columns: pa.RecordBatch, schema: pa.Schema) -> tuple[pa.RecordBatch, list[BadCell]]:
    """The batch with the schema's types, and the cells that do not fit (NULL in the batch).

    `columns` has a column for each field of the schema, in its order, of types that
    `require_fitting` has passed. The result's fields are all nullable.
    """
    arrays, bad = [], []
    for column, field in zip(columns.columns, schema, strict=True):
        array, cells = _fitted(_plain(column), field)
        arrays.append(array)
        bad += cells
    nullable = pa.schema([field.with_nullable(True).remove_metadata() for field in schema])
    return pa.record_batch(arrays, schema=nullable), bad


def _fitted(column: pa.Array[Any], field: pa.Field[Any]) -> tuple[pa.Array[Any], list[BadCell]]:
    if column.type == field.type:
        return column, []
    if pa.types.is_string(column.type):
        text = pa.record_batch([column.cast(pa.binary())], names=[field.name])
        converted, bad = conform(text, pa.schema([field]))
        return converted.column(0), bad
    if pa.types.is_integer(column.type) and pa.types.is_decimal(field.type):
        # Arrow refuses the whole column where its type could hold a number that does not fit.
        column = column.cast(pa.decimal128(_DIGITS_OF_INTEGERS, 0))
    try:
        return column.cast(field.type), []
    except pa.ArrowInvalid:
        rows = list(_failing(column, 0, field.type))
    keep = pc.invert(pc.is_in(pa.array(range(len(column))), value_set=pa.array(rows, pa.int64())))
    kept = pc.if_else(keep, column, pa.scalar(None, column.type))
    reason = f"a value of type {column.type} that {type_name(field.type)} cannot hold"
    return kept.cast(field.type), [BadCell(row, field.name, reason) for row in rows]


def _failing(column: pa.Array[Any], start: int, target: pa.DataType) -> Iterable[int]:
    """Finds the values that make a cast fail, by halving."""
    try:
        column.cast(target)
    except pa.ArrowInvalid:
        if len(column) == 1:
            yield start
            return
        middle = len(column) // 2
        yield from _failing(column[:middle], start, target)
        yield from _failing(column[middle:], start + middle, target)


def _plain(column: pa.Array[Any]) -> pa.Array[Any]:
    """The column without encodings that say nothing about its values."""
    target = _plain_type(column.type)
    return column if column.type == target else column.cast(target)


def _plain_type(found: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(found):
        return _plain_type(found.value_type)
    if pa.types.is_large_string(found) or pa.types.is_string_view(found):
        return pa.string()
    if pa.types.is_large_binary(found) or pa.types.is_binary_view(found):
        return pa.binary()
    if pa.types.is_timestamp(found) and found.tz is not None:
        return pa.timestamp(found.unit, "UTC")
    return found


def _can_fit(found: pa.DataType, target: pa.DataType) -> bool:
    if found == target or pa.types.is_null(found) or _differs_in_names_only(found, target):
        return True
    if pa.types.is_string(found):
        return not pa.types.is_binary(target)
    if pa.types.is_timestamp(target):
        return pa.types.is_timestamp(found) and (found.tz is None) == (target.tz is None)
    if pa.types.is_integer(found):
        return any(is_number(target) for is_number in _NUMBERS)
    if pa.types.is_floating(found):
        return pa.types.is_floating(target) and found.bit_width <= target.bit_width
    if pa.types.is_decimal(found):
        return bool(pa.types.is_decimal(target))
    if pa.types.is_time(found):
        return bool(pa.types.is_time(target))
    return False


def _differs_in_names_only(found: pa.DataType, target: pa.DataType) -> bool:
    """Writers call the items of a list `item`, `element` or `array_element`."""
    if pa.types.is_list(found) and pa.types.is_list(target):
        return _can_be_read_as(found.value_type, target.value_type)
    if pa.types.is_struct(found) and pa.types.is_struct(target):
        return [f.name for f in found] == [f.name for f in target] and all(
            _can_be_read_as(a.type, b.type) for a, b in zip(found, target, strict=True)
        )
    return False


def _can_be_read_as(found: pa.DataType, target: pa.DataType) -> bool:
    return _plain_type(found) == target or _differs_in_names_only(found, target)
