"""When an interval's runs are due: slots, each an anchor plus a multiple of the interval.

The anchor is the midnight of 1970-01-01 in the schedule's time zone. An interval is time that
passes: no change of a clock makes a slot come sooner or later.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self
from zoneinfo import ZoneInfo

from quality_platform.config.schedule_models import ScheduleConfig

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


@dataclass(frozen=True)
class Slots:
    """The slots of an interval, in seconds since 1970-01-01 UTC.

    Attributes:
        interval: Seconds from one slot to the next.
        anchor: A slot.
    """

    interval: int
    anchor: int

    @classmethod
    def of(cls, config: ScheduleConfig) -> Self:
        """The slots of a schedule with `interval_seconds`."""
        midnight = datetime(1970, 1, 1, tzinfo=ZoneInfo(config.timezone))
        return cls(config.interval_seconds or 0, round(midnight.timestamp()))

    def latest(self, now: float) -> int:
        """The last slot that is not after a time."""
        return int((now - self.anchor) // self.interval) * self.interval + self.anchor

    def between(self, seen: int, slot: int) -> int:
        """How many slots lie between two."""
        return max((slot - seen) // self.interval - 1, 0)

    @property
    def crons(self) -> tuple[str, ...]:
        """Cron expressions in UTC of exactly these slots; () where cron cannot say them.

        It can where the interval is of whole minutes, and a day of whole intervals: then each day
        has the same times.
        """
        if self.interval % _MINUTE or self.anchor % _MINUTE or _DAY % self.interval:
            return ()
        hours: dict[int, list[int]] = defaultdict(list)
        for second in range(self.anchor % self.interval, _DAY, self.interval):
            hours[second % _HOUR // _MINUTE].append(second // _HOUR)
        minutes: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for minute, at in hours.items():
            minutes[tuple(at)].append(minute)
        return tuple(
            f"{_listed(sorted(of), 60)} {_listed(at, 24)} * * *"
            for at, of in sorted(minutes.items(), key=lambda item: item[1])
        )


def told(slot: int) -> str:
    """A slot for people."""
    return f"{datetime.fromtimestamp(slot, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _listed(numbers: list[int] | tuple[int, ...], whole: int) -> str:
    """A field of a cron expression: the numbers, shortly where they are all of them or in steps."""
    step = numbers[1] - numbers[0] if len(numbers) > 1 else whole
    if list(numbers) == list(range(whole)):
        return "*"
    if len(numbers) > 2 and list(numbers) == list(range(0, whole, step)):
        return f"*/{step}"
    return ",".join(str(number) for number in numbers)
