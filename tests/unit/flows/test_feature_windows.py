"""Which windows new rows touch, and which rows these windows need: checked against the promise."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quality_platform.config.feature_models import ViewIncrementalConfig
from quality_platform.config.partition_windows import Every, Window, floor, following
from quality_platform.flows.feature_windows import read_for, stretches_of, windows_of

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe")
SPANS = ("0s", "12h", "1d", "3d", "90m")
# Clocks change within: in Berlin on 2024-03-31 and 2024-10-27, in New York on 2024-03-10.
MOMENTS = st.datetimes(datetime(2024, 3, 1), datetime(2024, 11, 10), timezones=st.just(UTC))
CONFIGS = st.builds(
    lambda window, lookback, lookahead, zone: ViewIncrementalConfig(
        times={"orders": "at"},
        window=window,
        lookback=lookback,
        lookahead=lookahead,
        timezone=zone,
    ),
    st.sampled_from(["hour", "day", "week", "month"]),
    st.sampled_from(SPANS),
    st.sampled_from(SPANS),
    st.sampled_from(ZONES),
)


def window_of(moment: datetime, every: Every, zone: str) -> tuple[datetime, datetime]:
    """The window of a moment, as instants."""
    local = moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    begin = floor(every, local)
    end = following(every, begin)
    return tuple(t.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) for t in (begin, end))  # type: ignore[return-value]


def touched(moments: list[datetime], config: ViewIncrementalConfig) -> tuple[Window, ...]:
    rows = pa.array(moments, pa.timestamp("us", "UTC"))
    return stretches_of(set(windows_of(rows, config)), config)


def holds(stretches: tuple[Window, ...] | list[Window], moment: datetime) -> bool:
    return any(stretch.start <= moment < stretch.end for stretch in stretches)


@settings(max_examples=300, deadline=None)
@given(config=CONFIGS, rows=st.lists(MOMENTS, min_size=1, max_size=5), event=MOMENTS)
def test_every_feature_that_a_row_may_change_is_in_a_stretch_that_reads_the_row(
    config: ViewIncrementalConfig, rows: list[datetime], event: datetime
) -> None:
    stretches = touched(rows, config)
    for row in rows:
        start, end = window_of(row, config.window, config.timezone)
        first, last = start - config.ahead, end + config.back
        if first <= event < last:
            assert holds(stretches, event)
        if any(first < s.end and s.start < last for s in stretches):
            assert holds([read_for(s, config) for s in stretches], row)


@settings(max_examples=200, deadline=None)
@given(config=CONFIGS, rows=st.lists(MOMENTS, min_size=1, max_size=5))
def test_stretches_are_whole_windows_in_order_and_apart(
    config: ViewIncrementalConfig, rows: list[datetime]
) -> None:
    stretches = touched(rows, config)
    for stretch in stretches:
        assert floor(config.window, stretch.local_start) == stretch.local_start
        assert floor(config.window, stretch.local_end) == stretch.local_end
    for one, other in pairwise(stretches):
        assert one.local_end < other.local_start


def test_a_lookback_of_whole_days_makes_no_further_day_where_no_clock_changes() -> None:
    config = ViewIncrementalConfig(
        times={"orders": "at"}, window="day", lookback="2d", timezone="Europe/Berlin"
    )
    (stretch,) = touched([datetime(2024, 5, 1, 12, tzinfo=UTC)], config)
    assert stretch.key == "2024-05-01...2024-05-03"
    read = read_for(stretch, config)
    assert (read.local_start, read.local_end) == (datetime(2024, 4, 29), datetime(2024, 5, 4))


def test_more_than_a_hundred_stretches_are_one() -> None:
    config = ViewIncrementalConfig(times={"orders": "at"}, window="hour")
    moments = [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=2 * n) for n in range(101)]
    assert len(touched(moments[:100], config)) == 100
    assert len(touched(moments, config)) == 1


@pytest.mark.parametrize("kind", [pa.timestamp("us"), pa.date32(), pa.timestamp("s")])
def test_times_without_a_zone_are_of_the_clock(kind: pa.DataType) -> None:
    config = ViewIncrementalConfig(times={"orders": "at"}, timezone="Europe/Berlin")
    moment = datetime(2024, 5, 1)
    rows = pa.array([moment.date() if pa.types.is_date(kind) else moment], kind)
    assert windows_of(rows, config) == [moment]
