"""Text cells of the types without parts: the conversions of `ingest/conform.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from quality_platform.contracts.schemas import DEFAULT_ZONE, FORMAT
from quality_platform.contracts.time_formats import TimeFormat, time_format
from quality_platform.ingest.written_times import iso_texts, time_of_day, with_default_zone

Cast = Callable[["pa.Array[Any]"], "pa.Array[Any]"]
_NOT_CONVERTED = (pa.ArrowInvalid, pa.ArrowNotImplementedError)


def converted(raw: pa.Array[Any], field: pa.Field[Any]) -> tuple[pa.Array[Any], list[int]]:
    """The cells of a column as the field's type, and the positions of those that do not convert.

    `raw` has bytes; the field's metadata can have the `format` of dates and times, and the zone of
    those that name none. The type is none that has parts.
    """
    cast = _caster(field)
    try:
        return cast(raw), []
    except _NOT_CONVERTED:
        bad = failing(raw, cast)
    return cast(without(raw, bad)), bad


def without(cells: pa.Array[Any], rows: Sequence[int]) -> pa.Array[Any]:
    """The cells, NULL in these rows."""
    keep = np.ones(len(cells), np.bool_)
    keep[list(rows)] = False
    kept: pa.Array[Any] = pc.if_else(pa.array(keep), cells, pa.scalar(None, cells.type))
    return kept


_PIECE = 512
"""Cells that are tried at once: where few are bad, nearly all pieces convert at the first try."""


def failing(raw: pa.Array[Any], cast: Cast) -> list[int]:
    """The positions of the cells that make a conversion fail, ascending."""
    pieces = range(0, len(raw), _PIECE)
    return [row for start in pieces for row in _halved(raw[start : start + _PIECE], start, cast)]


def _halved(raw: pa.Array[Any], start: int, cast: Cast) -> Iterable[int]:
    """Finds the cells that make a conversion fail, by halving; the first cell is number `start`."""
    try:
        cast(raw)
    except _NOT_CONVERTED:
        if len(raw) == 1:
            yield start
            return
        middle = len(raw) // 2
        yield from _halved(raw[:middle], start, cast)
        yield from _halved(raw[middle:], start + middle, cast)


def _caster(field: pa.Field[Any]) -> Cast:
    """What converts a column of texts of the field, or raises for any that does not convert."""
    metadata = field.metadata or {}
    target = field.type
    if not pa.types.is_temporal(field.type):
        return lambda raw: _cast(raw.cast(pa.string()), target)
    form = _time_format(metadata.get(FORMAT, b"").decode(), target)
    is_zoned = target == pa.timestamp("us", "UTC")
    zone = metadata.get(DEFAULT_ZONE, b"").decode() if is_zoned else ""

    def cast(raw: pa.Array[Any]) -> pa.Array[Any]:
        text = raw.cast(pa.string())
        if form is not None:
            text = iso_texts(text, form)
        if zone:
            return in_range(with_default_zone(text, zone))
        return _cast(text, target)

    return cast


def _time_format(text: str, target: pa.DataType) -> TimeFormat | None:
    if not text:
        return None
    kinds = ((pa.types.is_date, "date"), (pa.types.is_time, "time"))
    logical = next((name for is_kind, name in kinds if is_kind(target)), "timestamp")
    return time_format(text, logical)


def _cast(text: pa.Array[Any], target: pa.DataType) -> pa.Array[Any]:
    if pa.types.is_integer(target):
        # Arrow would read 0x1F as well.
        _require_of(text, _with_others(text, _OF_INTEGERS), r"^-?\d+$")
    if pa.types.is_decimal(target):
        pattern = _decimal_pattern(target.precision, target.scale)
        _require_of(text, _beyond_plain_decimals(text, target), pattern)
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


def _octets(*of: bytes) -> NDArray[np.bool_]:
    """For each byte value, whether it is among these."""
    table = np.zeros(256, np.bool_)
    table[np.frombuffer(b"".join(of), np.uint8)] = True
    return table


_DIGITS = b"0123456789"
_OF_INTEGERS = _octets(_DIGITS, b"-")
_OF_DECIMALS = _octets(_DIGITS, b".+-")
_NO_CELLS = np.empty(0, np.int64)
_MOST_DIGITS = 38
"""Of what Arrow reads as a decimal without making another number of it."""


def _with_others(text: pa.Array[Any], octets: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The cells that have other bytes, ascending; to find them costs a tenth of a pattern.

    A NULL may be among them.
    """
    offsets, data = _offsets(text), text.buffers()[2]
    if data is None:
        return np.arange(len(text))
    written = np.frombuffer(memoryview(data), np.uint8)[offsets[0] : offsets[-1]]
    is_known = octets[written]
    if is_known.all():
        return _NO_CELLS
    others = np.flatnonzero(~is_known) + offsets[0]
    found: NDArray[np.int64] = np.unique(np.searchsorted(offsets, others, side="right") - 1)
    return found


def _beyond_plain_decimals(text: pa.Array[Any], kind: Any) -> NDArray[np.int64]:
    """The cells that Arrow itself may take though they are no decimals of the type.

    Of the others none is long or has an `e`.
    """
    # So short that neither too many zeros at the end nor an overflow fit in.
    short = min(_MOST_DIGITS - kind.scale, _MOST_DIGITS - kind.precision + kind.scale)
    long = np.flatnonzero(np.diff(_offsets(text)) > short)
    others = _with_others(text, _OF_DECIMALS)
    return np.union1d(long, others) if len(long) else others


def _offsets(text: pa.Array[Any]) -> NDArray[np.int32]:
    """Where the cells begin in the buffer of their bytes, and behind them where the last ends."""
    buffer = text.buffers()[1]
    if buffer is None:
        return np.zeros(1, np.int32)
    found = np.frombuffer(memoryview(buffer), np.int32)
    return found[text.offset : text.offset + len(text) + 1]


def _decimal_pattern(precision: int, scale: int) -> str:
    """Decimals of no more than 38 digits: of more, Arrow makes other numbers without a word."""
    whole, zeros = precision - scale, _MOST_DIGITS - precision
    return rf"^[+-]?0*\d{{0,{whole}}}(\.\d{{0,{scale}}}0{{0,{zeros}}})?$"


def _require_of(text: pa.Array[Any], cells: NDArray[np.int64], pattern: str) -> None:
    if len(cells):
        _require(text.take(pa.array(cells)), pattern)


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
