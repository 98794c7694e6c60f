"""Columns that have types already -> the contract's types, without losing anything.

=================== ===========================================================================
contract            types of the file that fit
=================== ===========================================================================
int, long           any integer type within the range
float, double       integers and narrower floats that the type holds exactly
decimal(p, s)       integers and decimals, exactly
timestamptz         any timestamp with a zone, of whole microseconds; where the contract has a
                    `defaultTimezone`, also one without
timestamp           any timestamp without a zone, of whole microseconds
time                any time of whole microseconds, before 24:00
string              any text, UUIDs, JSON
anything            text, read as it is read from CSV
=================== ===========================================================================

A single value that does not fit takes its row out; a type that can never fit is refused at once.
Dates and timestamps are of the years 0001 to 9999.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from quality_platform.contracts.schemas import DEFAULT_ZONE
from quality_platform.errors import HeaderError, Location, Problem
from quality_platform.ingest.bad_cells import Cast, cast_others
from quality_platform.ingest.conform import BadCell, conform, type_name
from quality_platform.ingest.text_cells import in_range

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
            f"the column {name!r} has a type that cannot become the contract's",
            where,
            received=str(found.field(name).type),
            allowed=type_name(schema.field(name).type),
            action="deliver the column in the contract's type, or as text",
        )
        for name in unfitting(found, schema)
    ]
    if problems:
        raise HeaderError.of(problems)


def unfitting(found: pa.Schema, schema: pa.Schema) -> list[str]:
    """The columns of types that can never become the contract's."""
    return [
        field.name
        for field in schema
        if not _can_fit(_plain_type(found.field(field.name).type), field)
    ]


def has_types(found: pa.Schema, schema: pa.Schema) -> bool:
    """Whether every column has the contract's type, so that nothing needs to be converted."""
    return all(
        _plain_type(found.field(field.name).type) == field.type
        or _differs_in_names_only(found.field(field.name).type, field.type)
        for field in schema
    )


def fit(columns: pa.RecordBatch, schema: pa.Schema) -> tuple[pa.RecordBatch, list[BadCell]]:
    """The batch with the schema's types, and the cells that do not fit (NULL in the batch).

    `columns` has a column for each field of the schema, in its order. A column of a type that can
    never become the contract's is read as its text, where it has one. The result's fields are all
    nullable.
    """
    arrays, bad = [], []
    for column, field in zip(columns.columns, schema, strict=True):
        array, cells = _fitted(_plain(column), field)
        arrays.append(array)
        bad += cells
    nullable = pa.schema([field.with_nullable(True).remove_metadata() for field in schema])
    return pa.record_batch(arrays, schema=nullable), bad


def _fitted(column: pa.Array[Any], field: pa.Field[Any]) -> tuple[pa.Array[Any], list[BadCell]]:
    if column.type == field.type and not pa.types.is_temporal(field.type):
        return column, []
    if not _can_fit(column.type, field):
        return _fitted_text(column, field)
    if pa.types.is_string(column.type):
        text = pa.record_batch([column.cast(pa.binary())], names=[field.name])
        converted, bad = conform(text, pa.schema([field]))
        return converted.column(0), bad
    return _cast(column, _caster(column.type, field), field)


def _cast(
    column: pa.Array[Any], cast: Cast, field: pa.Field[Any]
) -> tuple[pa.Array[Any], list[BadCell]]:
    """The column cast, NULL where a value cannot be; those are told."""
    try:
        return cast(column), []
    except pa.ArrowInvalid:
        fitted, rows = cast_others(column, cast)
    reason = _reason(column.type, field)
    return fitted, [BadCell(row, field.name, reason) for row in rows]


def _fitted_text(
    column: pa.Array[Any], field: pa.Field[Any]
) -> tuple[pa.Array[Any], list[BadCell]]:
    """A column of a type that never fits, read as its text; without one, no value fits."""
    nothing: pa.Array[Any] = pa.nulls(len(column), field.type)
    if pa.types.is_binary(field.type):
        return nothing, _all_bad(column, field)
    try:
        texts, unreadable = _cast(column, lambda values: values.cast(pa.string()), field)
    except pa.ArrowNotImplementedError:
        return nothing, _all_bad(column, field)
    found, bad = _fitted(texts, field)
    return found, [*unreadable, *bad]


def _all_bad(column: pa.Array[Any], field: pa.Field[Any]) -> list[BadCell]:
    reason = _reason(column.type, field)
    filled = enumerate(column.is_valid().to_pylist())
    return [BadCell(row, field.name, reason) for row, is_filled in filled if is_filled]


def _caster(found: pa.DataType, field: pa.Field[Any]) -> Cast:
    """What makes a column of one type one of the field's, or raises for any value that cannot."""
    target = field.type
    if pa.types.is_integer(found) and pa.types.is_decimal(target):
        # Arrow refuses the whole column where its type could hold a number that does not fit.
        return lambda column: column.cast(pa.decimal128(_DIGITS_OF_INTEGERS, 0)).cast(target)
    if not pa.types.is_temporal(target):
        return lambda column: column.cast(target)
    zone = _assumed_zone(found, field)
    if zone:
        return lambda column: in_range(_in_zone(column, zone, target))
    return lambda column: in_range(column if found == target else column.cast(target))


def _in_zone(column: pa.Array[Any], zone: str, target: pa.DataType) -> pa.Array[Any]:
    # A time that the clocks of the zone skip, or show twice, is an error by default.
    assume: Any = pc.assume_timezone
    zoned: pa.Array[Any] = assume(column, zone).cast(target)
    return zoned


def _assumed_zone(found: pa.DataType, field: pa.Field[Any]) -> str:
    """The contract's zone for timestamps that have none; "" where nothing is to be assumed."""
    if not (pa.types.is_timestamp(found) and found.tz is None and _is_zoned(field.type)):
        return ""
    return (field.metadata or {}).get(DEFAULT_ZONE, b"").decode()


def _is_zoned(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind) and kind.tz is not None)


def _reason(found: pa.DataType, field: pa.Field[Any]) -> str:
    name = type_name(field.type)
    if _assumed_zone(found, field):
        return f"no time that the clocks of {_assumed_zone(found, field)} show once"
    if pa.types.is_time(field.type):
        return f"no {name} of whole microseconds before 24:00"
    if pa.types.is_temporal(field.type):
        return (
            f"no {name} of the years 0001 to 9999 in whole microseconds, or an infinite one"
            if pa.types.is_timestamp(field.type)
            else f"no {name} of the years 0001 to 9999, or an infinite one"
        )
    return f"a value of type {found} that {name} cannot hold"


def _plain(column: pa.Array[Any]) -> pa.Array[Any]:
    """The column without encodings that say nothing about its values."""
    if isinstance(column.type, pa.UuidType):
        return _uuid_texts(column.cast(column.type.storage_type))
    if isinstance(column.type, pa.JsonType):
        return _plain(column.cast(column.type.storage_type))
    target = _plain_type(column.type)
    return column if column.type == target else column.cast(target)


_HEX = np.array([b"%02x" % byte for byte in range(256)]).view(np.uint8).reshape(256, 2)
_UUID_DASHES = (8, 12, 16, 20)
"""Where dashes stand among the 32 digits."""
_UUID_LENGTH = 36


def _uuid_texts(stored: pa.Array[Any]) -> pa.Array[Any]:
    """UUIDs of 16 bytes as texts, such as 0e984725-c51c-4bf4-9960-e1c80e27aba0."""
    count, data = len(stored), stored.buffers()[1]
    octets = np.frombuffer(memoryview(data) if data else b"", np.uint8)
    rows = octets[stored.offset * 16 : (stored.offset + count) * 16].reshape(count, 16)
    texts = np.insert(_HEX[rows].reshape(count, 32), _UUID_DASHES, ord("-"), axis=1)
    offsets = np.arange(count + 1, dtype=np.int32) * _UUID_LENGTH
    every = pa.StringArray.from_buffers(
        count, pa.py_buffer(offsets.tobytes()), pa.py_buffer(texts.tobytes())
    )
    found: pa.Array[Any] = pc.if_else(stored.is_valid(), every, pa.scalar(None, pa.string()))
    return found


def _plain_type(found: pa.DataType) -> pa.DataType:
    if isinstance(found, pa.UuidType | pa.JsonType):
        return pa.string()
    if pa.types.is_dictionary(found):
        return _plain_type(found.value_type)
    if pa.types.is_large_string(found) or pa.types.is_string_view(found):
        return pa.string()
    if pa.types.is_large_binary(found) or pa.types.is_binary_view(found):
        return pa.binary()
    if pa.types.is_timestamp(found) and found.tz is not None:
        return pa.timestamp(found.unit, "UTC")
    return found


def _is_number(target: pa.DataType) -> bool:
    return any(is_number(target) for is_number in _NUMBERS)


_FITTING: tuple[tuple[Callable[..., bool], Callable[..., bool]], ...] = (
    (pa.types.is_integer, lambda _, target: _is_number(target)),
    (
        pa.types.is_floating,
        lambda found, target: pa.types.is_floating(target) and found.bit_width <= target.bit_width,
    ),
    (pa.types.is_decimal, lambda _, target: pa.types.is_decimal(target)),
    (pa.types.is_time, lambda _, target: pa.types.is_time(target)),
)
"""For a kind of types, which types all or some of its values are of."""


def _can_fit(found: pa.DataType, field: pa.Field[Any]) -> bool:
    target = field.type
    if found == target or pa.types.is_null(found) or _differs_in_names_only(found, target):
        return True
    if pa.types.is_string(found):
        return not pa.types.is_binary(target)
    if pa.types.is_timestamp(target):
        return pa.types.is_timestamp(found) and (
            _is_zoned(found) == _is_zoned(target) or _assumed_zone(found, field) != ""
        )
    return any(is_one(found) and fits(found, target) for is_one, fits in _FITTING)


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
