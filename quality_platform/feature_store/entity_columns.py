"""Columns of entity rows as values that compare exactly with those of feature rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from quality_platform.errors import MaterializationError

_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment_at(microseconds: int) -> datetime | None:
    """The moment so long after 1970, in UTC; None for one that Python cannot tell."""
    try:
        return _EPOCH + microseconds * _MICROSECOND
    except OverflowError:
        return None


def bounds_of(moments: pa.ChunkedArray[Any]) -> tuple[int, int] | None:
    """The first and the last of moments in microseconds since 1970; None where all are NULL."""
    found: Any = pc.min_max(moments.cast(pa.int64())).as_py()
    return None if found["min"] is None else (found["min"], found["max"])


def moments_of_column(entities: pa.Table, name: str) -> pa.ChunkedArray[Any]:
    """A column of timestamps in UTC, with microseconds; without a time zone it is in UTC already.

    Raises:
        MaterializationError: there is not one such column, or it holds no timestamps.
    """
    column = _column(entities, name)
    if not pa.types.is_timestamp(column.type):
        raise MaterializationError(
            "the moments of the entity rows must be timestamps",
            field=name,
            received=column.type,
            allowed="timestamps; without a time zone they are taken as UTC",
        )
    # Feature times have microseconds, so rounding down changes no comparison with them.
    local: Any = column.cast(pa.timestamp(column.type.unit))
    rounded: pa.ChunkedArray[Any] = pc.floor_temporal(local, unit="microsecond")
    return rounded.cast(pa.timestamp("us", "UTC"))


def keys_of_column(entities: pa.Table, name: str, wanted: pa.DataType) -> pa.ChunkedArray[Any]:
    """A column of keys, to be compared with keys of the `wanted` type.

    Pandas turns integers beside missing values into floats: they come back as integers here.

    Raises:
        MaterializationError: there is not one such column, or its values are of another type.
    """
    column = _column(entities, name)
    target = _comparable(column.type, wanted)
    try:
        if target is not None:
            return column.cast(target)
    except pa.ArrowInvalid:
        # Arrow's message would tell the value.
        pass
    raise MaterializationError(
        "a key of the entity rows is not of the type of the features' key",
        field=name,
        received=column.type,
        allowed=wanted,
    )


def _column(entities: pa.Table, name: str) -> pa.ChunkedArray[Any]:
    if entities.schema.names.count(name) != 1:
        raise MaterializationError(
            f"the entity rows need one column {name!r}",
            field=name,
            received=", ".join(entities.schema.names),
        )
    return entities.column(name)


def _comparable(given: pa.DataType, wanted: pa.DataType) -> pa.DataType | None:
    """The type in which a column is compared with keys; None where it cannot be."""
    actual = given.value_type if pa.types.is_dictionary(given) else given
    if pa.types.is_null(actual):
        return wanted
    if pa.types.is_integer(wanted):
        is_number = pa.types.is_integer(actual) or pa.types.is_floating(actual)
        return pa.int64() if is_number else None
    return pa.string() if _is_text(actual) and _is_text(wanted) else None


def _is_text(type_: pa.DataType) -> bool:
    is_any = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return any(holds(type_) for holds in is_any)
