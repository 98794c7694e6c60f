"""Text cells of the types without parts: the conversions of `ingest/conform.py`."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from quality_platform.contracts.schemas import DEFAULT_ZONE, FORMAT
from quality_platform.contracts.time_formats import TimeFormat, time_format
from quality_platform.ingest.bad_cells import (
    NOT_CONVERTED,
    Cast,
    cast_others,
    octets_in,
    octets_of,
    offsets_of,
    suspects,
    with_others,
)
from quality_platform.ingest.written_times import iso_texts, time_of_day, with_default_zone


def converted(raw: pa.Array[Any], field: pa.Field[Any]) -> tuple[pa.Array[Any], list[int]]:
    """The cells of a column as the field's type, and the positions of those that do not convert.

    `raw` has bytes; the field's metadata can have the `format` of dates and times, and the zone of
    those that name none. The type is none that has parts.
    """
    cast = _caster(field)
    try:
        return cast(raw), []
    except NOT_CONVERTED:
        return cast_others(raw, cast, suspects(raw, field.type))


def _caster(field: pa.Field[Any]) -> Cast:
    """What converts a column of texts of the field, or raises for any that does not convert."""
    metadata = field.metadata or {}
    target = field.type
    if not pa.types.is_temporal(field.type):
        return lambda raw: _cast(_as_text(raw), target)
    form = _time_format(metadata.get(FORMAT, b"").decode(), target)
    is_zoned = target == pa.timestamp("us", "UTC")
    zone = metadata.get(DEFAULT_ZONE, b"").decode() if is_zoned else ""

    def cast(raw: pa.Array[Any]) -> pa.Array[Any]:
        text = _as_text(raw)
        if form is not None:
            text = iso_texts(text, form)
        if zone:
            return in_range(with_default_zone(text, zone))
        return _cast(text, target)

    return cast


def _as_text(raw: pa.Array[Any]) -> pa.Array[Any]:
    """The cells as strings, if all are UTF-8."""
    written = octets_in(raw)
    # What is ASCII is UTF-8 however it is cut into cells: Arrow would look at cell by cell.
    is_ascii = not len(written) or written.max() < _BEYOND_ASCII
    return raw.view(pa.string()) if is_ascii else raw.cast(pa.string())


def _time_format(text: str, target: pa.DataType) -> TimeFormat | None:
    if not text:
        return None
    kinds = ((pa.types.is_date, "date"), (pa.types.is_time, "time"))
    logical = next((name for is_kind, name in kinds if is_kind(target)), "timestamp")
    return time_format(text, logical)


def _cast(text: pa.Array[Any], target: pa.DataType) -> pa.Array[Any]:
    if pa.types.is_integer(target):
        # Arrow would read 0x1F as well.
        _require(text.take(with_others(text, _OF_INTEGERS)), r"^-?\d+$")
    if pa.types.is_decimal(target):
        odd = _beyond_plain_decimals(text, target)
        _require(text.take(odd), _decimal_pattern(target.precision, target.scale))
    if pa.types.is_date(target):
        _require(text, r"^\d{4}-\d{2}-\d{2}$")
    if pa.types.is_time(target):
        _require(text, r"^\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?$")
        times: pa.Array[Any] = time_of_day(text)
        return times
    cast = text.cast(target)
    if pa.types.is_floating(target):
        _refuse_unwritten(text, cast)
    return in_range(cast) if pa.types.is_temporal(target) else cast


_BEYOND_ASCII = 128
_DIGITS = b"0123456789"
_OF_INTEGERS = octets_of(_DIGITS, b"-")
_OF_DECIMALS = octets_of(_DIGITS, b".+-")
_MOST_DIGITS = 38
"""Of what Arrow reads as a decimal without making another number of it."""


def _beyond_plain_decimals(text: pa.Array[Any], kind: Any) -> NDArray[np.int64]:
    """The cells that Arrow might take, or change, though they are no decimals of the type.

    Of the others none is long or has an `e`.
    """
    # So short that neither too many zeros at the end nor an overflow fit in.
    short = min(_MOST_DIGITS - kind.scale, _MOST_DIGITS - kind.precision + kind.scale)
    long = np.flatnonzero(np.diff(offsets_of(text)) > short)
    others = with_others(text, _OF_DECIMALS)
    return np.union1d(long, others) if len(long) else others


def _decimal_pattern(precision: int, scale: int) -> str:
    """Decimals of no more than 38 digits: of more, Arrow makes other numbers without a word."""
    whole, zeros = precision - scale, _MOST_DIGITS - precision
    return rf"^[+-]?0*\d{{0,{whole}}}(\.\d{{0,{scale}}}0{{0,{zeros}}})?$"


def _require(text: pa.Array[Any], pattern: str) -> None:
    """Arrow reads more spellings than the contract's types have; those are refused here."""
    if not len(text):
        return
    matches = pc.match_substring_regex(text, pattern)
    if pc.any(pc.invert(matches)).as_py():
        raise pa.ArrowInvalid("a text of another form")


def _refuse_unwritten(text: pa.Array[Any], cast: pa.Array[Any]) -> None:
    """Arrow turns a number beyond the type's range into an infinity that nobody wrote."""
    odd = pc.invert(pc.is_finite(cast))
    if pc.any(odd).as_py():
        _require(text.filter(odd), r"(?i)^[+-]?(nan|inf|infinity)$")


_FIRST_DAY, _LAST_DAY = date.min.toordinal(), date.max.toordinal()
_DAY = 86_400_000_000
"""In microseconds."""
_EPOCH = date(1970, 1, 1).toordinal()


def in_range(cast: pa.Array[Any]) -> pa.Array[Any]:
    """The dates, timestamps or times, if all of them are of the calendar and the clock.

    What is beyond the calendar of Python could be written, but never be shown to anybody.

    Raises:
        pyarrow.ArrowInvalid: one of them is not.
    """
    if pa.types.is_time(cast.type):
        return _of_one_day(cast)
    is_date = pa.types.is_date(cast.type)
    counts = pc.min_max(cast.view(pa.int32() if is_date else pa.int64()))
    first, last = counts["min"].as_py(), counts["max"].as_py()
    a_day = 1 if is_date else _DAY
    if first is None:
        return cast
    if first // a_day + _EPOCH < _FIRST_DAY or last // a_day + _EPOCH > _LAST_DAY:
        raise pa.ArrowInvalid("a day beyond the calendar")
    return cast


def _of_one_day(times: pa.Array[Any]) -> pa.Array[Any]:
    """Arrow holds 24:00:00 as well, which no other tool reads."""
    counts = pc.min_max(times.view(pa.int64()))
    first, last = counts["min"].as_py(), counts["max"].as_py()
    if first is not None and (first < 0 or last >= _DAY):
        raise pa.ArrowInvalid("a time beyond the clock")
    return times


_SHOWN = 200


def reason(raw: bytes, field: pa.Field[Any]) -> str:
    """Why a cell does not convert, with its text, cut where it is long."""
    text = raw.decode("utf-8", errors="backslashreplace")
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text)} characters)"
    metadata = field.metadata or {}
    form, zone = metadata.get(FORMAT), metadata.get(DEFAULT_ZONE)
    written = f" of the format {form.decode()!r}" if form else ""
    if zone and field.type == pa.timestamp("us", "UTC"):
        written += f", or of a local time that {zone.decode()} has exactly once"
    return f"{shown!r} is no {type_name(field.type)}{written}"


def type_name(target: pa.DataType) -> str:
    """The type as contracts call it."""
    names = {
        pa.bool_(): "boolean",
        pa.int32(): "int",
        pa.int64(): "long",
        pa.float32(): "float",
        pa.float64(): "double",
        pa.date32(): "date",
        pa.time64("us"): "time",
        pa.timestamp("us"): "timestamp (without a zone)",
        pa.timestamp("us", "UTC"): "timestamptz (with a zone)",
        pa.string(): "UTF-8 string",
    }
    kinds = ((pa.types.is_struct, "object"), (pa.types.is_map, "map"), (pa.types.is_list, "array"))
    for is_kind, name in kinds:
        if is_kind(target):
            return name
    return names.get(target) or str(target).replace("decimal128", "decimal")
