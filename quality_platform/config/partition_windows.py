"""Partitions of time: their names, and where each begins and ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from quality_platform.errors import ConfigurationError

Every = Literal["hour", "day", "week", "month", "year"]

FORMATS: dict[Every, str] = {
    "hour": "%Y-%m-%d-%H:%M",
    "day": "%Y-%m-%d",
    "week": "%Y-%m-%d",
    "month": "%Y-%m-%d",
    "year": "%Y-%m-%d",
}
"""How a partition is named by its first moment; these are Dagster's own names."""


@dataclass(frozen=True)
class Window:
    """One partition.

    Attributes:
        key: Its name.
        local_start: Its first moment as a clock in its time zone shows it, without a zone.
        local_end: The first moment after it, likewise.
        start: Its first moment.
        end: The first moment after it.
    """

    key: str
    local_start: datetime
    local_end: datetime
    start: datetime
    end: datetime


@dataclass(frozen=True)
class Calendar:
    """All partitions from a first day on, in order and without gaps.

    Attributes:
        every: How long each is.
        first: The day on which the first one begins.
        last: The day on which no further one begins; None for no end.
        zone: The time zone in which days begin.
    """

    every: Every
    first: date
    last: date | None = None
    zone: str = "UTC"

    def windows(self, until: datetime) -> Iterator[Window]:
        """The partitions that begin before a moment, in order."""
        local = datetime(self.first.year, self.first.month, self.first.day)
        while self.last is None or local.date() < self.last:
            found = self._at(local)
            if found.start >= until:
                return
            yield found
            local = found.local_end

    def window(self, key: str) -> Window:
        """The partition of this name.

        Raises:
            ConfigurationError: there is none.
        """
        try:
            local = datetime.strptime(key, FORMATS[self.every])
        except ValueError:
            local = None
        if local is None or not self._is_start(local) or self._name(local) != key:
            ends = f", before {self.last}" if self.last else ""
            raise ConfigurationError(
                "there is no such partition",
                received=key,
                allowed=f"the beginning of a {self.every} from {self.first} on{ends}, such as "
                f"{self._name(datetime(self.first.year, self.first.month, self.first.day))}",
            )
        return self._at(local)

    def between(self, first: str, last: str) -> tuple[Window, ...]:
        """The partitions from one to another, both included.

        Raises:
            ConfigurationError: there is none of such a name, or the second is before the first.
        """
        begin, end = self.window(first), self.window(last)
        if end.local_start < begin.local_start:
            raise ConfigurationError(
                "the last partition is before the first", received=f"{first} to {last}"
            )
        found = []
        while begin.local_start < end.local_start:
            found.append(begin)
            begin = self._at(begin.local_end)
        return (*found, end)

    def _name(self, local: datetime) -> str:
        return local.strftime(FORMATS[self.every])

    def _is_start(self, local: datetime) -> bool:
        if local.date() < self.first or (self.last is not None and local.date() >= self.last):
            return False
        return begins(self.every, local)

    def _at(self, local: datetime) -> Window:
        after = following(self.every, local)
        return Window(self._name(local), local, after, self._instant(local), self._instant(after))

    def _instant(self, local: datetime) -> datetime:
        """The first instant at which the clock shows this time, or has passed over it."""
        return local.replace(tzinfo=ZoneInfo(self.zone)).astimezone(UTC)


def begins(every: Every, local: datetime) -> bool:
    """Whether an hour, day, week (Monday), month or year begins at this time of the clock."""
    midnight = (local.hour, local.minute, local.second, local.microsecond) == (0, 0, 0, 0)
    match every:
        case "hour":
            return (local.minute, local.second, local.microsecond) == (0, 0, 0)
        case "day":
            return midnight
        case "week":
            return midnight and local.weekday() == 0
        case "month":
            return midnight and local.day == 1
        case _:
            return midnight and (local.month, local.day) == (1, 1)


def floor(every: Every, local: datetime) -> datetime:
    """The beginning of the hour, day, week, month or year of a time of the clock."""
    day = local.replace(hour=0, minute=0, second=0, microsecond=0)
    match every:
        case "hour":
            return day.replace(hour=local.hour)
        case "day":
            return day
        case "week":
            return day - timedelta(days=day.weekday())
        case "month":
            return day.replace(day=1)
        case _:
            return day.replace(month=1, day=1)


def following(every: Every, local: datetime) -> datetime:
    """The beginning of the next, from the beginning of one."""
    match every:
        case "hour":
            return local + timedelta(hours=1)
        case "day":
            return local + timedelta(days=1)
        case "week":
            return local + timedelta(days=7)
        case "month":
            years, month = divmod(local.month, 12)
            return local.replace(year=local.year + years, month=month + 1)
        case _:
            return local.replace(year=local.year + 1)
