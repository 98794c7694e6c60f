"""Partitions in runner.yaml: what can be said of them, and where each begins and ends."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from pydantic import ValidationError

from quality_platform.config.partition_models import (
    PartitionsConfig,
    ViewPartitionsConfig,
    path_of,
    path_of_all,
    unsaid,
)
from quality_platform.config.partition_windows import Calendar
from quality_platform.errors import ConfigurationError

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def config(**settings: Any) -> PartitionsConfig:
    return PartitionsConfig(**{"every": "day", "start": "2024-01-01", "column": "at", **settings})


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"every": "month", "start": "2024-01-02"}, "`start` must be the first day of a month"),
        ({"every": "week", "start": "2024-01-02"}, "`start` must be the first day of a week"),
        ({"every": "year", "start": "2024-02-01"}, "`start` must be the first day of a year"),
        ({"every": "month", "end": "2024-03-15"}, "`end` must be the first day of a month"),
        ({"end": "2024-01-01"}, "`end` must be after `start`"),
        ({"every": "hour", "timezone": "Europe/Berlin"}, "hours need the time zone UTC"),
        ({"every": "decade"}, "Input should be 'hour', 'day', 'week', 'month' or 'year'"),
        ({"late": {"column": "at"}}, "must be another than `column`"),
        ({"wait": "soon"}, "write a whole number of s, m, h or d"),
        ({"timezone": "Mars/Olympus"}, "no such time zone"),
    ],
)
def test_what_is_no_partition_is_refused(settings: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError) as refused:
        config(**settings)
    assert reason in str(refused.value)


def test_a_view_needs_no_column() -> None:
    view = ViewPartitionsConfig(every="week", start=date(2024, 1, 1), reads_back=2)
    assert view.calendar == Calendar("week", date(2024, 1, 1))


def test_a_partition_begins_where_the_one_before_ends() -> None:
    windows = list(Calendar("day", date(2024, 1, 1), zone="America/Santiago").windows(NOW))
    for before, after in pairwise(windows):
        assert (before.end, before.local_end) == (after.start, after.local_start)
    assert {window.end - window.start for window in windows} == {
        timedelta(hours=23),
        timedelta(hours=24),
        timedelta(hours=25),
    }


def test_a_calendar_ends() -> None:
    calendar = Calendar("month", date(2024, 1, 1), date(2024, 4, 1))
    assert [w.key for w in calendar.windows(NOW)] == ["2024-01-01", "2024-02-01", "2024-03-01"]
    assert [w.key for w in calendar.between("2024-02-01", "2024-03-01")] == [
        "2024-02-01",
        "2024-03-01",
    ]
    with pytest.raises(ConfigurationError, match="there is no such partition"):
        calendar.window("2024-04-01")
    with pytest.raises(ConfigurationError, match="the last partition is before the first"):
        calendar.between("2024-03-01", "2024-02-01")


def test_a_path_is_of_one_partition() -> None:
    path = "s3://lake/orders/{partition:%Y}/{partition:%m-%d}/*.csv"
    assert path_of(path, datetime(2024, 2, 3)) == "s3://lake/orders/2024/02-03/*.csv"
    assert path_of_all(path) == "s3://lake/orders/*/*/*.csv"
    assert unsaid(path, "day") == ()
    assert unsaid(path, "hour") == ("%H",)
    assert unsaid("orders/*.csv", "year") == ("%Y",)
