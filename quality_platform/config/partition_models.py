"""The models of `partitions` of a table or feature view in runner.yaml."""

from __future__ import annotations

import re
from datetime import date, datetime, time
from typing import Annotated, Literal

from pydantic import Field, model_validator

from quality_platform.config.base_models import Duration, Model, Name, Timezone
from quality_platform.config.partition_windows import Calendar, Every, begins

PLACEHOLDER = re.compile(r"\{partition:([^{}]+)\}")
"""Where a path of files says to which partition they belong: `{partition:%Y-%m-%d}`."""

_DIRECTIVES: dict[Every, tuple[str, ...]] = {
    "hour": ("%Y", "%m", "%d", "%H"),
    "day": ("%Y", "%m", "%d"),
    "week": ("%Y", "%m", "%d"),
    "month": ("%Y", "%m"),
    "year": ("%Y",),
}
"""What a path must say of a partition's beginning so that it is the path of one partition only."""


class TimePartitionsConfig(Model):
    """Partitions of time."""

    every: Every
    """How long a partition is; a `week` begins on Monday, and an `hour` needs the time zone UTC."""
    start: date
    """The day on which the first partition begins. Rows of before are not read."""
    end: date | None = None
    """The day on which no further partition begins; none where left out."""
    timezone: Timezone = "UTC"
    """The time zone in which days, weeks, months and years begin. A column of times without a zone
    is understood as times of this zone."""
    backfill: Literal["together", "each"] = "together"
    """What becomes of several partitions that are asked for at once: `together` is one run and one
    commit for all that follow each other, and checks on the batch judge them as one; `each` is a
    run, a commit and a batch for each partition."""
    wait: Duration = "0s"
    """How long after its end a partition is due, for rows that come late."""
    lookback: Annotated[int, Field(ge=0, le=1000)] = 0
    """So many of the latest partitions are made again by each run that is asked for none in
    particular, for rows that came after their partition was made."""

    @property
    def calendar(self) -> Calendar:
        """The partitions."""
        return Calendar(self.every, self.start, self.end, self.timezone)

    @model_validator(mode="after")
    def _is_possible(self) -> TimePartitionsConfig:
        for name in ("start", "end"):
            day: date | None = getattr(self, name)
            if day is not None and not begins(self.every, datetime.combine(day, time())):
                raise ValueError(f"`{name}` must be the first day of a {self.every}")
        if self.end is not None and self.end <= self.start:
            raise ValueError("`end` must be after `start`")
        if self.every == "hour" and self.timezone != "UTC":
            raise ValueError("hours need the time zone UTC: in others some come twice a year")
        return self


class LateConfig(Model):
    """What becomes of rows that happened long before the partition in which they were loaded."""

    column: Name
    """The contract's column, a date or timestamp, that says when the row happened."""
    after: Duration = "0s"
    """A row is late where it happened more than so long before its partition began."""
    then: Literal["accept", "quarantine"] = "accept"
    """`accept` publishes late rows, and warns; `quarantine` holds them back."""


class PartitionsConfig(TimePartitionsConfig):
    """Loading a table partition by partition: each is read, judged and replaced as a whole."""

    column: Name
    """The contract's column, a date or timestamp, that says to which partition a row belongs: when
    it happened, or when it was loaded at the source."""
    late: LateConfig | None = None
    """Late rows, where `column` says when a row was loaded at the source and another column when it
    happened; none are told where left out."""

    @model_validator(mode="after")
    def _late_is_of_another_column(self) -> PartitionsConfig:
        if self.late is not None and self.late.column == self.column:
            raise ValueError(
                "`late.column` must be another than `column`: no row of it can be late"
            )
        return self


class ViewPartitionsConfig(TimePartitionsConfig):
    """Computing a feature view partition by partition, by its `event_timestamp`."""

    reads_back: Annotated[int, Field(ge=0, le=1000)] = 0
    """How many partitions before its own the SQL looks back at its inputs, for Dagster to know what
    an input makes stale. The SQL sees all rows of its inputs in any case."""


def path_of(path: str, begin: datetime) -> str:
    """The path of the files of the partition that begins at this local time."""
    return PLACEHOLDER.sub(lambda found: begin.strftime(found[1]), path)


def path_of_all(path: str) -> str:
    """The glob of the files of all partitions."""
    return PLACEHOLDER.sub("*", path)


def unsaid(path: str, every: Every) -> tuple[str, ...]:
    """What a path should say of a partition, and does not, as directives such as `%d`."""
    written = "".join(PLACEHOLDER.findall(path))
    return tuple(directive for directive in _DIRECTIVES[every] if directive not in written)
