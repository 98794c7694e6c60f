from __future__ import annotations

from datetime import date

import pyarrow as pa
import pytest

from quality_platform.config.drift_models import TrailingReference, WeekdayReference
from quality_platform.flows.drift_windows import Period, latest_period, periods_before


def period(start: str, end: str) -> Period:
    return Period(date.fromisoformat(start), date.fromisoformat(end))


@pytest.mark.parametrize(
    ("name", "last", "expected"),
    [
        ("latest_month", "2024-02-29", period("2024-02-01", "2024-03-01")),
        ("latest_month", "2023-12-31", period("2023-12-01", "2024-01-01")),
        # A Thursday, and a Sunday that ends its week.
        ("latest_week", "2026-01-01", period("2025-12-29", "2026-01-05")),
        ("latest_week", "2026-01-04", period("2025-12-29", "2026-01-05")),
        ("latest_day", "2026-02-28", period("2026-02-28", "2026-03-01")),
        ("latest_day", "9999-12-31", period("9999-12-31", "9999-12-31")),
    ],
)
def test_the_latest_period_is_the_one_of_the_calendar(
    name: str, last: str, expected: Period
) -> None:
    assert latest_period(name, date.fromisoformat(last)) == expected


def test_the_month_before_is_the_one_before_the_month_of_the_current_rows() -> None:
    for begin in ("2026-03-01", "2026-03-31"):
        (found,) = periods_before("previous_month", date.fromisoformat(begin))
        assert found == period("2026-02-01", "2026-03-01")
    (december,) = periods_before("previous_month", date(2026, 1, 15))
    assert december == period("2025-12-01", "2026-01-01")


def test_the_week_before_begins_on_the_monday_before() -> None:
    for begin in (date(2026, 1, 5), date(2026, 1, 11)):
        assert periods_before("previous_week", begin) == (period("2025-12-29", "2026-01-05"),)


def test_trailing_days_end_where_the_current_rows_begin() -> None:
    (found,) = periods_before(TrailingReference(days=28), date(2026, 3, 1))
    assert (found, found.days) == (period("2026-02-01", "2026-03-01"), 28)
    (early,) = periods_before(TrailingReference(days=3660), date(1, 1, 3))
    assert early.start == date.min


def test_the_same_weekday_is_of_the_weeks_before_and_oldest_first() -> None:
    days = periods_before(WeekdayReference(same_weekday=3), date(2026, 3, 4))
    assert [day.start.isoformat() for day in days] == ["2026-02-11", "2026-02-18", "2026-02-25"]
    assert {day.start.weekday() for day in days} == {2}
    assert {day.days for day in days} == {1}


@pytest.mark.parametrize(
    ("kind", "literal"),
    [
        (pa.date32(), "DATE"),
        (pa.timestamp("us"), "TIMESTAMP"),
        (pa.timestamp("us", "UTC"), "TIMESTAMPTZ"),
    ],
)
def test_a_condition_compares_with_a_literal_of_the_columns_type(
    kind: pa.DataType, literal: str
) -> None:
    condition = period("2026-01-01", "2026-02-01").condition(pa.field('a "day"', kind))
    assert condition == (
        f'"a ""day""" >= {literal} \'2026-01-01\' AND "a ""day""" < {literal} \'2026-02-01\''
    )
