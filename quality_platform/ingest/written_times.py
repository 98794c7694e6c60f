"""Dates and times as a contract's `format` writes them, and zones that they do not name.

All on whole columns: a text that does not fit makes the call fail, and its caller finds which.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute

from quality_platform.contracts.time_formats import MONTHS, TimeFormat

# The type stubs do not know that a plain value may stand in the place of a column.
pc: Any = pyarrow.compute

Column = Any
"""An Arrow array."""

_HAS_ZONE = r"[T ]\d{2}.*(Z|[+-]\d{2}(:?\d{2})?)$"


def iso_texts(text: Column, form: TimeFormat) -> Column:
    """The texts of a format as ISO 8601.

    Raises:
        pyarrow.ArrowInvalid: a text is not of the format.
    """
    groups = pc.extract_regex(text, pattern=form.pattern)
    if groups.null_count > text.null_count:
        raise pa.ArrowInvalid("a text of another format")
    parts = {name: pc.struct_field(groups, name) for name in form.parts}
    day = _day(parts) if "year" in parts else None
    clock = _clock(parts) if parts.keys() & {"hour", "hour_of_half"} else None
    if clock is None:
        return day
    return clock if day is None else pc.binary_join_element_wise(day, clock, "T")


def _day(parts: dict[str, Column]) -> Column:
    if "month_name" in parts:
        number = pc.add(pc.index_in(parts["month_name"], value_set=pa.array(MONTHS)), 1)
        month = number.cast(pa.string())
    else:
        month = parts["month"]
    return pc.binary_join_element_wise(parts["year"], _two(month), _two(parts["day"]), "-")


def _clock(parts: dict[str, Column]) -> Column:
    hour = parts["hour"] if "hour" in parts else _hour_of_day(parts["hour_of_half"], parts["half"])
    units = [_two(hour), _two(parts["minute"]) if "minute" in parts else "00"]
    units += [_two(parts["second"])] if "second" in parts else []
    clock = pc.binary_join_element_wise(*units, ":")
    if "fraction" in parts:
        clock = pc.binary_join_element_wise(clock, parts["fraction"], ".")
    return pc.binary_join_element_wise(clock, parts["zone"], "") if "zone" in parts else clock


def _hour_of_day(hour: Column, half: Column) -> Column:
    """Twelve o'clock is the first hour of its half of the day."""
    number = hour.cast(pa.int8())
    from_zero = pc.if_else(pc.equal(number, 12), 0, number)
    return pc.if_else(pc.equal(half, "PM"), pc.add(from_zero, 12), from_zero).cast(pa.string())


def _two(digits: Column) -> Column:
    return pc.utf8_lpad(digits, 2, "0")


def with_default_zone(text: Column, zone: str) -> Column:
    """Timestamps of ISO texts, in UTC; those that name no zone are of `zone` (an IANA name).

    A time that the clocks of the zone skip, or show twice, is refused: nobody could tell which one
    is meant.

    Raises:
        pyarrow.ArrowInvalid: a text is no timestamp, or such a time.
    """
    nothing = pa.scalar(None, pa.string())
    has_zone = pc.match_substring_regex(text, _HAS_ZONE)
    told = pc.if_else(has_zone, text, nothing).cast(pa.timestamp("us", "UTC"))
    local = pc.if_else(has_zone, nothing, text).cast(pa.timestamp("us"))
    # By the default of both arguments a time that is skipped or shown twice is an error.
    assumed = pc.assume_timezone(local, zone).cast(pa.timestamp("us", "UTC"))
    return pc.coalesce(told, assumed)


def time_of_day(text: Column) -> Column:
    """Times of texts such as `10:20` or `10:20:30.5`.

    Raises:
        pyarrow.ArrowInvalid: a text is no time.
    """
    # Arrow reads no times alone.
    first_day = pc.binary_join_element_wise("1970-01-01", text, "T")
    return first_day.cast(pa.timestamp("us")).cast(pa.time64("us"))
