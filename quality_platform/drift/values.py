"""Which columns can be compared, and the numbers and texts that stand for their values.

* numbers: integers as they are, floating point as it is, decimals and unsigned integers of 64 bits
  as the nearest float64: their order is kept, values that differ behind the 15th digit may fall
  together.
* dates, timestamps and times of day are numbers: days, or microseconds.
* texts and booleans are categories.
* NULL and NaN are no values: they are counted as missing. Infinities are values.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from quality_platform.documents.suggestions import did_you_mean
from quality_platform.errors import FeatureViewError

Kind = Literal["numeric", "categorical"]
Family = Literal["number", "date", "timestamp", "time", "text", "boolean"]
Numbers: TypeAlias = NDArray[Any]
Column: TypeAlias = "pa.Array[Any] | pa.ChunkedArray[Any]"

_MICROSECONDS = 1e6


def family_of(type_: pa.DataType) -> Family | None:
    """What the values of the type are; None where they cannot be compared.

    The two sides of a comparison must be of one family; they may differ in width or unit.
    """
    types = pa.types
    if types.is_dictionary(type_):
        inner = family_of(type_.value_type)
        return inner if inner == "text" else None
    families: tuple[tuple[bool, Family], ...] = (
        (types.is_boolean(type_), "boolean"),
        (types.is_string(type_) or types.is_large_string(type_), "text"),
        (types.is_integer(type_) or types.is_floating(type_) or types.is_decimal(type_), "number"),
        (types.is_date(type_), "date"),
        (types.is_timestamp(type_), "timestamp"),
        (types.is_time(type_), "time"),
    )
    return next((family for is_one, family in families if is_one), None)


def is_comparable(type_: pa.DataType) -> bool:
    """Whether a column of the type can be compared."""
    return family_of(type_) is not None


def kind_of(family: Family) -> Kind:
    """How the values of a family are compared: by their order, or by their identity."""
    return "categorical" if family in ("text", "boolean") else "numeric"


def numbers_of(column: Column) -> tuple[Numbers, int, int]:
    """The values of a numeric column in no order; how many others are NULL, and how many NaN."""
    nulls = column.null_count
    present = _as_numbers(column.drop_null() if nulls else column)
    values = (
        present.to_numpy()
        if isinstance(present, pa.ChunkedArray)
        else present.to_numpy(zero_copy_only=False)
    )
    if values.dtype.kind != "f":
        return values, nulls, 0
    missing = np.isnan(values)
    nans = int(np.count_nonzero(missing))
    return (values[~missing] if nans else values), nulls, nans


def texts_of(column: Column) -> Column:
    """The values of a categorical column as texts; booleans are `true` and `false`."""
    return pc.cast(column, pa.string())


def text_of(value: Any, family: Family) -> str:
    """A number as people read it: six digits, an integer, a date, or a moment in UTC."""
    if family == "date":
        return str(np.datetime64(int(value), "D"))
    if family == "timestamp":
        return str(np.datetime64(int(value), "us").astype("datetime64[s]"))
    if family == "time":
        return f"{value / _MICROSECONDS:g} s"
    return str(int(value)) if isinstance(value, np.integer) else f"{value:.6g}"


def unit_of(family: Family) -> tuple[float, str]:
    """How many of the numbers make one unit that people know, and the unit's name."""
    if family in ("timestamp", "time"):
        return _MICROSECONDS, "s"
    return (1.0, "d") if family == "date" else (1.0, "")


def _as_numbers(column: Column) -> Column:
    type_, types = column.type, pa.types
    if types.is_decimal(type_) or types.is_uint64(type_):
        return pc.cast(column, pa.float64(), safe=False)
    if types.is_float16(type_):
        return pc.cast(column, pa.float32())
    if types.is_date(type_):
        return pc.cast(pc.cast(column, pa.date32()), pa.int32())
    if types.is_timestamp(type_):
        return pc.cast(pc.cast(column, pa.timestamp("us", type_.tz), safe=False), pa.int64())
    if types.is_time(type_):
        return pc.cast(pc.cast(column, pa.time64("us"), safe=False), pa.int64())
    return column


def named_field(schema: pa.Schema, column: str) -> pa.Field[Any]:
    """The field of a column that is to be compared.

    Raises:
        FeatureViewError: there is none, or more than one.
    """
    if schema.names.count(column) != 1:
        raise FeatureViewError(
            f"drift cannot be measured: there is no column {column!r}",
            field=column,
            allowed=schema.names,
            action=did_you_mean(column, schema.names),
        )
    return schema.field(column)


def comparable_column(schema: pa.Schema, column: str) -> tuple[pa.DataType, Family]:
    """The type of a column, and what its values are.

    Raises:
        FeatureViewError: there is no such column, or its type cannot be compared.
    """
    type_ = named_field(schema, column).type
    family = family_of(type_)
    if family is None:
        raise FeatureViewError(
            "drift cannot be measured on a column of this type",
            field=column,
            received=type_,
            allowed="numbers, times, texts and booleans",
        )
    return type_, family
