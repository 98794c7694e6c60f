"""The days that a drift test's references and current rows are of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import pyarrow as pa

from quality_platform.config.drift_models import (
    ReferencePeriod,
    TrailingReference,
    WeekdayReference,
    WindowName,
)
from quality_platform.config.drift_texts import period_text
from quality_platform.lake.query import quote_identifier

_WEEK = 7


@dataclass(frozen=True)
class Period:
    """Days from `start` (inclusive) to `end` (exclusive), each from midnight to midnight in UTC."""

    start: date
    end: date

    @property
    def days(self) -> int:
        """The number of days."""
        return (self.end - self.start).days

    def __str__(self) -> str:
        return period_text(self.start, self.end)

    def condition(self, column: pa.Field[pa.DataType]) -> str:
        """SQL that is true for the rows whose date or timestamp is of these days."""
        name, kind = quote_identifier(column.name), _literal_type(column.type)
        return f"{name} >= {kind} '{self.start}' AND {name} < {kind} '{self.end}'"


def latest_period(name: str, last: date) -> Period:
    """The calendar month, the week from Monday, or the day of a date.

    Args:
        name: `latest_month`, `latest_week` or `latest_day`.
        last: The date of the latest event.
    """
    match name:
        case "latest_month":
            return _month(last)
        case "latest_week":
            return _week(last)
        case _:
            return Period(last, _later(last, 1))


def periods_before(
    reference: WindowName | TrailingReference | WeekdayReference, begin: date
) -> tuple[Period, ...]:
    """The days of a reference that lies before the current rows, which begin on this day."""
    match reference:
        case TrailingReference():
            return (Period(_later(begin, -reference.days), begin),)
        case WeekdayReference():
            weeks = range(reference.same_weekday, 0, -1)
            days = [_later(begin, -_WEEK * week) for week in weeks]
            return tuple(Period(day, _later(day, 1)) for day in days)
        case "previous_month":
            return (_month(_later(begin.replace(day=1), -1)),)
        case _:
            return (_week(_later(begin, -_WEEK)),)


def of_config(period: ReferencePeriod) -> Period:
    """The days of a period of runner.yaml."""
    return Period(period.start, period.end)


def _month(day: date) -> Period:
    first = day.replace(day=1)
    return Period(first, _later(first, 31).replace(day=1))


def _week(day: date) -> Period:
    monday = _later(day, -day.weekday())
    return Period(monday, _later(monday, _WEEK))


def _later(day: date, days: int) -> date:
    """The day so many days later, or the calendar's first or last."""
    number = min(max(day.toordinal() + days, 1), date.max.toordinal())
    return date.fromordinal(number)


def _literal_type(kind: pa.DataType) -> str:
    if pa.types.is_date(kind):
        return "DATE"
    return "TIMESTAMPTZ" if isinstance(kind, pa.TimestampType) and kind.tz else "TIMESTAMP"
