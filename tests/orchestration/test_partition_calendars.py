"""The partitions of the flows are those of Dagster, whatever the time zone does."""

from __future__ import annotations

from datetime import UTC, date, datetime

import dagster as dg
import pytest

from quality_platform.config.partition_models import TimePartitionsConfig
from quality_platform.config.partition_windows import Calendar, Every, Window
from quality_platform.orchestration.partitions import definition_of

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def known_to_dagster(calendar: Calendar) -> dg.TimeWindowPartitionsDefinition:
    """The partitions as the assets have them."""
    config = TimePartitionsConfig(
        every=calendar.every, start=calendar.first, timezone=calendar.zone
    )
    return definition_of(config)


def closed(calendar: Calendar, now: datetime) -> list[Window]:
    return [window for window in calendar.windows(now) if window.end <= now]


@pytest.mark.parametrize(
    "zone",
    # Some begin days at one o'clock, or twice, or have moved over the date line.
    ["UTC", "Europe/Berlin", "America/Santiago", "America/Havana", "Africa/Cairo", "Asia/Beirut"],
)
@pytest.mark.parametrize("every", ["day", "week", "month", "year"])
def test_partitions_are_those_of_dagster(every: Every, zone: str) -> None:
    calendar = Calendar(every, {"week": date(2023, 1, 2)}.get(every, date(2023, 1, 1)), None, zone)
    theirs = known_to_dagster(calendar)
    ours = closed(calendar, NOW)
    assert [window.key for window in ours] == list(theirs.get_partition_keys(current_time=NOW))
    for window in ours:
        found = theirs.time_window_for_partition_key(window.key)
        # Python says that times within the gaps of their zones equal none of another zone.
        theirs_are = found.start.timestamp(), found.end.timestamp()
        assert theirs_are == (window.start.timestamp(), window.end.timestamp()), window


def test_hours_are_those_of_dagster() -> None:
    calendar = Calendar("hour", date(2026, 3, 28))
    theirs = known_to_dagster(calendar).get_partition_keys(current_time=NOW)
    assert [window.key for window in closed(calendar, NOW)] == list(theirs)
