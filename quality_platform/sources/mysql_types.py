"""The types of MySQL and MariaDB: what is selected for a column, and how it becomes Arrow.

connectorx fails on dates that no calendar has, on times beyond 24 hours and on decimals that do not
fit its own, and shows their values when it does. So dates, times and short decimals are selected as
whole numbers that hold their digits as they stand, and are put together here; moments as whole
microseconds; what Arrow has no exact type for as the server's own text. docs/sources/mysql.md has
the table.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from quality_platform.contracts.schemas import DEFAULT_ZONE, FORMAT
from quality_platform.sources.sql_text import quote_identifier

Array: TypeAlias = "pa.Array[Any]"
Numbers: TypeAlias = "np.ndarray[Any, Any]"
Decode: TypeAlias = "Callable[[Sequence[Array]], Decoded]"

_INTEGERS = ("tinyint", "smallint", "mediumint", "int", "bigint", "year", "bit", "number")
_FLOATS = ("float", "double")
_DATE_TIMES = ("datetime", "timestamp")
_TEMPORAL = ("date", "time", *_DATE_TIMES)
_TEXTS = ("char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set")
_AS_TEXT = ("json", "uuid", "inet4", "inet6")
_BYTES = ("binary", "varbinary")
_BLOBS = ("tinyblob", "blob", "mediumblob", "longblob")
_LONG_DIGITS = 18
"""Decimals of so many digits are whole numbers of 64 bits without their point."""
_DAY_US = 86_400_000_000
_NO_DATE_TIME = "time of the calendar"


@dataclass(frozen=True)
class SourceColumn:
    """A column as the server describes it: the type's name, and its digits where it has some.

    The type is `number` where it is only known to be a whole number. `is_stored` says that the
    column is one of a table, and not worked out by a view.
    """

    name: str
    type: str
    precision: int = 0
    scale: int = 0
    fraction: int = 6
    is_stored: bool = False


@dataclass(frozen=True)
class Decoded:
    """A column of Arrow, and the server's texts of the values that it cannot hold, by row.

    Those are NULL in the column. `kind` says what they are none of.
    """

    column: Array
    impossible: dict[int, str] = field(default_factory=dict)
    kind: str = ""


@dataclass(frozen=True)
class Reading:
    """How a column is read: the expressions that are selected, and what becomes of their values."""

    expressions: tuple[str, ...]
    decode: Decode


def reading_of(column: SourceColumn, target: pa.Field[Any]) -> Reading | None:
    """How the column is read for a column of the contract.

    None where its type is unknown, or can never become the contract's.
    """
    name, kind = quote_identifier("mysql", column.name), target.type
    if column.type in (*_BYTES, *_BLOBS):
        return _binary(name, column) if pa.types.is_binary(kind) else None
    if column.type in (*_TEXTS, *_AS_TEXT):
        is_text = not pa.types.is_binary(kind)
        expression = name if column.type in _TEXTS else _char(name)
        return Reading((expression,), _texts) if is_text else None
    if column.type in _FLOATS:
        is_wide = pa.types.is_float64(kind) or (
            pa.types.is_float32(kind) and column.type == "float"
        )
        return Reading((name,), _plain) if is_wide else None
    if column.type in _INTEGERS:
        return _integer(name, column, kind)
    if column.type == "decimal":
        return _decimal(name, column, kind)
    return _temporal(name, column, target)


def as_text(column: SourceColumn) -> Reading:
    """The server's own text of a column."""
    return Reading((_char(quote_identifier("mysql", column.name)),), _texts)


def nothing(target: pa.Field[Any]) -> Reading:
    """NULL, for a column that the server does not have."""
    kind = pa.binary() if pa.types.is_binary(target.type) else pa.string()
    return Reading((_char("NULL"),), lambda found: Decoded(pa.nulls(len(found[0]), kind)))


def _char(expression: str) -> str:
    return f"CAST({expression} AS CHAR)"


def _binary(name: str, column: SourceColumn) -> Reading:
    # A long enough alternative makes the server send the type that connectorx reads as bytes.
    as_blob = f"IF(TRUE, {name}, REPEAT(X'00', 70000))"
    return Reading((name if column.type in _BLOBS else as_blob,), _bytes)


def _integer(name: str, column: SourceColumn, kind: pa.DataType) -> Reading | None:
    expression = {"bit": f"CAST({name} AS UNSIGNED)", "number": f"({name} + 0)"}.get(
        column.type, name
    )
    if pa.types.is_string(kind):
        return Reading((_char(expression),), _texts)
    if pa.types.is_boolean(kind):
        return Reading((expression,), _booleans)
    return Reading((expression,), _plain) if _is_number(kind) else None


def _decimal(name: str, column: SourceColumn, kind: pa.DataType) -> Reading | None:
    if pa.types.is_decimal(kind) and 0 < column.precision <= _LONG_DIGITS:
        scale = column.scale
        whole = f"CAST({name} * 1{'0' * scale} AS SIGNED)"
        return Reading((whole,), lambda found: Decoded(_with_point(found[0], scale)))
    fits = _is_number(kind) or pa.types.is_string(kind)
    return Reading((_char(name),), _texts) if fits else None


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)


def _temporal(name: str, column: SourceColumn, target: pa.Field[Any]) -> Reading | None:
    kind = target.type
    if pa.types.is_string(kind):
        return Reading((_char(name),), _texts) if column.type in _TEMPORAL else None
    if column.type == "date" and pa.types.is_date(kind):
        return Reading((f"CAST({name} AS SIGNED)",), _dates)
    if column.type == "time" and pa.types.is_time(kind):
        # TIME goes to 838 hours; its digits are at most HHHMMSSffffff.
        return Reading((f"CAST(({name} + 0) * 1000000 AS SIGNED)",), _times)
    if column.type in _DATE_TIMES and pa.types.is_timestamp(kind):
        return _date_time(name, column, target)
    return None


def _date_time(name: str, column: SourceColumn, target: pa.Field[Any]) -> Reading | None:
    """TIMESTAMP is a moment, and DATETIME a local time: only the contract can say of where."""
    metadata = target.metadata or {}
    zone = "UTC" if column.type == "timestamp" else None
    if zone is None and target.type.tz is not None:
        is_told = DEFAULT_ZONE in metadata and FORMAT not in metadata
        return Reading((_char(name),), _texts) if is_told else None
    if zone is not None and target.type.tz is None:
        return None
    if zone is not None and column.is_stored:
        # So the server keeps it. Of what a view works out, this is NULL for the zero time.
        return Reading((f"CAST(UNIX_TIMESTAMP({name}) * 1000000 AS SIGNED)",), _moments)
    if not column.fraction:
        return Reading((f"CAST({name} AS SIGNED)",), lambda found: _date_times(found, zone))
    parts = (f"EXTRACT(YEAR_MONTH FROM {name})", f"EXTRACT(DAY_MICROSECOND FROM {name})")
    return Reading(parts, lambda found: _parted_date_times(found, zone))


def _plain(found: Sequence[Array]) -> Decoded:
    return Decoded(found[0])


def _texts(found: Sequence[Array]) -> Decoded:
    return Decoded(found[0].cast(pa.string()))


def _bytes(found: Sequence[Array]) -> Decoded:
    return Decoded(found[0].cast(pa.binary()))


def _booleans(found: Sequence[Array]) -> Decoded:
    """TINYINT(1) and BIT(1) are MySQL's booleans, but hold other numbers as well."""
    numbers, valid = found[0], _valid(found[0])
    is_right = pc.is_in(numbers, value_set=pa.array([0, 1], numbers.type))
    bad = valid & ~is_right.to_numpy(zero_copy_only=False)
    known = pc.if_else(pa.array(bad), pa.scalar(None, numbers.type), numbers)
    return Decoded(
        known.cast(pa.bool_()), _texts_at(bad, lambda row: str(numbers[row])), "boolean (0 or 1)"
    )


def _with_point(found: Array, scale: int) -> Array:
    """Whole numbers as decimals, whose last `scale` digits are behind the point."""
    whole = found.cast(pa.decimal128(19, 0))
    return pa.Array.from_buffers(pa.decimal128(19, scale), len(whole), whole.buffers())


def _numbers(found: Array) -> tuple[Numbers, Numbers]:
    """The numbers, 0 for NULL, and which of them are not NULL."""
    valid = _valid(found)
    return found.cast(pa.int64()).fill_null(0).to_numpy(), valid


def _valid(found: Array) -> Numbers:
    if not found.null_count:
        return np.ones(len(found), bool)
    return found.is_valid().to_numpy(zero_copy_only=False)


def _array(values: Numbers, known: Numbers) -> Array:
    """The values, NULL where they are not known; a mask takes its time."""
    return pa.array(values) if known.all() else pa.array(values, mask=~known)


def _texts_at(bad: Numbers, text: Callable[[int], str]) -> dict[int, str]:
    return {int(row): text(int(row)) for row in np.flatnonzero(bad)}


def _dates(found: Sequence[Array]) -> Decoded:
    digits, valid = _numbers(found[0])
    days, exists = _days(digits)
    bad = _texts_at(valid & ~exists, lambda row: _date_text(int(digits[row])))
    column = _array(days.astype("int32"), valid & exists).view(pa.date32())
    return Decoded(column, bad, "date of the calendar")


def _moments(found: Sequence[Array]) -> Decoded:
    """Moments of microseconds since 1970; 0 is the zero time, which TIMESTAMP has in its place."""
    values, valid = _numbers(found[0])
    column = _array(values, valid & (values != 0)).view(pa.timestamp("us", "UTC"))
    bad = _texts_at(valid & (values == 0), lambda _: "0000-00-00 00:00:00")
    return Decoded(column, bad, _NO_DATE_TIME)


def _date_times(found: Sequence[Array], zone: str | None) -> Decoded:
    digits, valid = _numbers(found[0])
    dates, clock = _split(digits, 1_000_000)
    return _joined(dates, clock * 1_000_000, valid, zone)


def _parted_date_times(found: Sequence[Array], zone: str | None) -> Decoded:
    months, valid = _numbers(found[0])
    rest, _ = _numbers(found[1])
    days, clock = _split(rest, 10**12)
    return _joined(months * 100 + days, clock, valid, zone)


def _joined(
    dates: Numbers,
    clock: Numbers,
    valid: Numbers,
    zone: str | None,
) -> Decoded:
    """Timestamps of dates as YYYYMMDD and times as HHMMSSffffff."""
    days, exists = _days(dates)
    values = days * _DAY_US + _microseconds(clock)

    def text(row: int) -> str:
        return f"{_date_text(int(dates[row]))} {_time_text(int(clock[row]))}"

    column = _array(values, valid & exists).view(pa.timestamp("us", zone))
    return Decoded(column, _texts_at(valid & ~exists, text), _NO_DATE_TIME)


def _times(found: Sequence[Array]) -> Decoded:
    digits, valid = _numbers(found[0])
    values = _microseconds(np.abs(digits)) * np.sign(digits)
    is_day = (values >= 0) & (values < _DAY_US)

    def text(row: int) -> str:
        sign = "-" if digits[row] < 0 else ""
        return f"{sign}{_time_text(abs(int(digits[row])))}"

    column = _array(values, valid & is_day).view(pa.time64("us"))
    return Decoded(column, _texts_at(valid & ~is_day, text), "time of a day")


@functools.cache
def _month_starts() -> Numbers:
    """Days since 1970 of the first days of all months from January of the year 0 to 10000."""
    months = np.arange(-1970 * 12, 8031 * 12).astype("datetime64[M]")
    days: Numbers = months.astype("datetime64[D]").astype("int64")
    return days


def _days(dates: Numbers) -> tuple[Numbers, Numbers]:
    """Days since 1970 of dates as YYYYMMDD, and which of them any calendar has.

    A day that its month does not have is one of the next month, as MySQL keeps it in
    ALLOW_INVALID_DATES: it does not exist.
    """
    months, days = _split(dates, 100)
    years, months = _split(months, 100)
    at = np.maximum(years * 12 + months - 1, 0)
    starts = _month_starts()
    found = starts[at] + days - 1
    exists = (years > 0) & (months > 0) & (days > 0) & (found < starts[at + 1])
    return found, exists


def _microseconds(clock: Numbers) -> Numbers:
    """Microseconds since midnight of times as H...HMMSSffffff."""
    minutes, rest = _split(clock, 100_000_000)
    hours, minutes = _split(minutes, 100)
    found: Numbers = (hours * 60 + minutes) * 60_000_000 + rest
    return found


def _split(numbers: Numbers, at: int) -> tuple[Numbers, Numbers]:
    """The numbers above and below so many: cheaper than the remainder of another division."""
    high = numbers // at
    return high, numbers - high * at


def _date_text(digits: int) -> str:
    return f"{digits // 10_000:04d}-{digits // 100 % 100:02d}-{digits % 100:02d}"


def _time_text(clock: int) -> str:
    whole, fraction = divmod(clock, 1_000_000)
    text = f"{whole // 10_000:02d}:{whole // 100 % 100:02d}:{whole % 100:02d}"
    return f"{text}.{fraction:06d}" if fraction else text
