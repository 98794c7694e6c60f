"""The digits of dates and times become those of the calendar, and nothing else does."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from quality_platform.contracts.schemas import DEFAULT_ZONE
from quality_platform.sources.mysql_types import Decoded, SourceColumn, reading_of


def decoded(column: SourceColumn, target: pa.DataType, *selected: list[int | None]) -> Decoded:
    """What becomes of the numbers that the server sends."""
    reading = reading_of(column, pa.field("c", target))
    assert reading is not None
    assert len(reading.expressions) == len(selected)
    return reading.decode([pa.array(values, pa.int64()) for values in selected])


@given(st.lists(st.dates() | st.none(), max_size=20))
def test_every_date_is_itself(dates: list[date | None]) -> None:
    digits = [None if d is None else d.year * 10_000 + d.month * 100 + d.day for d in dates]

    found = decoded(SourceColumn("c", "date"), pa.date32(), digits)

    assert found.column.to_pylist() == dates
    assert found.impossible == {}


@given(st.integers(0, 9999), st.integers(0, 12), st.integers(0, 31))
def test_a_date_that_the_calendar_has_not_is_told_by_its_text(
    year: int, month: int, day: int
) -> None:
    try:
        expected: date | None = date(year, month, day)
    except ValueError:
        expected = None

    digits: list[int | None] = [year * 10_000 + month * 100 + day]
    found = decoded(SourceColumn("c", "date"), pa.date32(), digits)

    assert found.column.to_pylist() == [expected]
    text = f"{year:04d}-{month:02d}-{day:02d}"
    assert found.impossible == ({} if expected else {0: text})


@given(st.lists(st.datetimes() | st.none(), max_size=20))
def test_every_time_is_itself_to_the_microsecond(times: list[datetime | None]) -> None:
    months = [None if t is None else t.year * 100 + t.month for t in times]
    rest = [None if t is None else int(f"{t.day}{t:%H%M%S}{t.microsecond:06d}") for t in times]

    found = decoded(SourceColumn("c", "datetime"), pa.timestamp("us"), months, rest)

    assert found.column.to_pylist() == times
    assert found.impossible == {}


@given(st.datetimes().map(lambda t: t.replace(microsecond=0)))
def test_times_without_a_fraction_are_one_number(at: datetime) -> None:
    digits: list[int | None] = [int(f"{at.year}{at:%m%d%H%M%S}")]

    column = SourceColumn("c", "datetime", fraction=0)

    assert decoded(column, pa.timestamp("us"), digits).column.to_pylist() == [at]


@given(st.lists(st.datetimes(datetime(1970, 1, 1, 0, 0, 0, 1)) | st.none(), max_size=20))
def test_every_moment_is_itself_to_the_microsecond(times: list[datetime | None]) -> None:
    since = [
        None if t is None else (t - datetime(1970, 1, 1)) // timedelta(microseconds=1)
        for t in times
    ]

    found = decoded(
        SourceColumn("c", "timestamp", is_stored=True), pa.timestamp("us", "UTC"), since
    )

    assert found.column.to_pylist() == [t and t.replace(tzinfo=UTC) for t in times]
    assert found.impossible == {}


def test_the_zero_time_is_no_moment() -> None:
    found = decoded(
        SourceColumn("c", "timestamp", is_stored=True), pa.timestamp("us", "UTC"), [0, None, 1]
    )

    assert found.column.is_valid().to_pylist() == [False, False, True]
    assert found.impossible == {0: "0000-00-00 00:00:00"}


@given(st.booleans(), st.integers(0, 838), st.times())
def test_only_times_of_a_day_are_times(negative: bool, hours: int, rest: time) -> None:
    digits = int(f"{hours}{rest:%M%S}{rest.microsecond:06d}") * (-1 if negative else 1)

    found = decoded(SourceColumn("c", "time"), pa.time64("us"), [digits])

    is_time = (not negative or digits == 0) and hours < 24
    assert found.column.to_pylist() == [rest.replace(hour=hours) if is_time else None]
    fraction = f".{rest.microsecond:06d}" if rest.microsecond else ""
    text = f"{'-' if negative else ''}{hours:02d}:{rest:%M:%S}{fraction}"
    assert found.impossible == ({} if is_time else {0: text})


def test_a_name_is_quoted_in_every_expression() -> None:
    for kind in ("int", "bit", "decimal", "date", "datetime", "time", "text", "json"):
        reading = reading_of(SourceColumn("a`b", kind), pa.field("c", pa.string()))
        assert reading is not None
        assert all("`a``b`" in expression for expression in reading.expressions)


def test_a_local_time_needs_a_zone_to_be_a_moment() -> None:
    column, target = SourceColumn("c", "datetime"), pa.field("c", pa.timestamp("us", "UTC"))

    assert reading_of(column, target) is None
    assert reading_of(column, target.with_metadata({DEFAULT_ZONE: b"Europe/Berlin"})) is not None
