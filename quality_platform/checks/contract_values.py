"""Values that contracts write, as what a column of their logical type can be compared with."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal

_TRUTH = (bool,)
_WHOLE = (int,)
_NUMBERS = (int, float, Decimal)


def comparable(value: object, logical_type: str) -> object:
    """The value in the type of the column: exact numbers, and dates and times as ISO 8601 text.

    A time with an offset becomes UTC without one, which is how times without a zone are read.
    Numbers written as text keep every digit.

    Raises:
        ValueError: no column of this logical type has such a value. YAML reads `NO` and `007`
            unlike a person, so that a value of another kind is refused, never converted.
    """
    if value is None:
        return None
    return _READERS.get(logical_type, _text)(value)


def kinds_allowed(logical_type: str) -> str:
    """What values of a logical type are written as, for a message."""
    return _WORDS.get(logical_type, "text")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(value)
    return value


def _truth(value: object) -> bool:
    if not isinstance(value, _TRUTH):
        raise ValueError(value)
    return bool(value)


def _whole(value: object) -> int:
    if isinstance(value, _TRUTH) or not isinstance(value, _WHOLE):
        raise ValueError(value)
    return value


def _number(value: object) -> object:
    if isinstance(value, str):
        try:
            number = Decimal(value)
        except ArithmeticError:
            raise ValueError(value) from None
        # NaN and the infinities have no literal of their own: the engine reads their names.
        return number if number.is_finite() else value
    if isinstance(value, _TRUTH) or not isinstance(value, _NUMBERS):
        raise ValueError(value)
    return value


def _date(value: object) -> str:
    return date.fromisoformat(_text(value)).isoformat()


def _timestamp(value: object) -> str:
    moment = datetime.fromisoformat(_text(value))
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return moment.isoformat(sep=" ")


def _time(value: object) -> str:
    moment = time.fromisoformat(_text(value))
    if moment.tzinfo is not None:
        raise ValueError(value)
    return moment.isoformat()


_READERS: dict[str, Callable[[object], object]] = {
    "boolean": _truth,
    "integer": _whole,
    "number": _number,
    "date": _date,
    "timestamp": _timestamp,
    "time": _time,
}
_WORDS = {
    "boolean": "true, false",
    "integer": "whole numbers",
    "number": "numbers, also as text",
    "date": "dates as text: '2024-05-31'",
    "timestamp": "times as text: '2024-05-31T12:00:00Z'",
    "time": "times of day as text: '12:00:00'",
}
