"""The windows of an incremental feature view: which new rows touch, and what these need to read.

What is promised of such a view: a row changes only features whose `event_timestamp` is within the
window of the row, less than the lookback after its end, or at most the lookahead before its
beginning.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from quality_platform.config.feature_models import ViewIncrementalConfig
from quality_platform.config.partition_windows import FORMATS, Window, floor, following
from quality_platform.flows.feature_code import within
from quality_platform.flows.partitions import PartitionColumn, has_zone, microseconds
from quality_platform.lake.query import quote_identifier
from quality_platform.lake.table_files import TableFiles

MOST_STRETCHES = 100
"""More than so many separate stretches of time are computed as one, with what lies between them."""


def windows_of(values: pa.Array[Any], config: ViewIncrementalConfig) -> list[datetime]:
    """The first moments of the windows that some times are in, by the clock of the time zone.

    Args:
        values: Dates or timestamps without null; those without a zone are of the clock.
        config: The windows.

    Raises:
        OverflowError, ValueError: a time is beyond Python's calendar.
    """
    local: Any = values.cast(microseconds(values.type, config.timezone))
    if has_zone(values.type):
        local = pc.local_timestamp(local)
    floors: Any = pc.floor_temporal(local, unit=config.window)
    found: list[datetime] = pc.unique(floors).to_pylist()
    return found


def stretches_of(touched: Iterable[datetime], config: ViewIncrementalConfig) -> tuple[Window, ...]:
    """The event times of the features that rows in these windows can change.

    They are whole windows, in order and apart from each other.

    Raises:
        OverflowError, ValueError: they reach beyond Python's calendar.
    """
    found: list[tuple[datetime, datetime]] = []
    for window in sorted(touched):
        begin = _before(window, config.ahead, config)
        end = _after(following(config.window, window), config.back, config)
        if found and begin <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], end)
        else:
            found.append((begin, end))
    if len(found) > MOST_STRETCHES:
        found = [(found[0][0], found[-1][1])]
    return tuple(_stretch(begin, end, config) for begin, end in found)


def read_for(stretch: Window, config: ViewIncrementalConfig) -> Window:
    """The times of the rows that the features of a stretch can need.

    Raises:
        OverflowError, ValueError: they reach beyond Python's calendar.
    """
    begin = _before(stretch.local_start, config.back, config)
    return _stretch(begin, _after(stretch.local_end, config.ahead, config), config)


def rows_needed(
    config: ViewIncrementalConfig,
    stretches: Sequence[Window],
    column: PartitionColumn,
    files: TableFiles,
) -> TableFiles:
    """The files of an input, of which only the rows count that features of the stretches need.

    Rows without a time are of no window, and count.
    """
    windows = [read_for(stretch, config) for stretch in stretches]
    rows = f"{within(column, windows)} OR {quote_identifier(column.name)} IS NULL"
    return replace(files, where=f"({files.where}) AND ({rows})" if files.where else rows)


def _before(begin: datetime, span: timedelta, config: ViewIncrementalConfig) -> datetime:
    """The beginning of the window that is so long before the beginning of one."""
    return floor(config.window, min(_later(begin, -span, config.timezone)))


def _after(end: datetime, span: timedelta, config: ViewIncrementalConfig) -> datetime:
    """The end of the last window that begins less than so long after the end of one."""
    last = max(_later(end, span, config.timezone))
    begin = floor(config.window, last)
    return begin if begin == last else following(config.window, begin)


def _later(local: datetime, span: timedelta, zone: str) -> tuple[datetime, datetime]:
    """So long after a time of the clock: by the clock, and in truth, where the clock may change."""
    moment = (_instant(local, zone) + span).astimezone(ZoneInfo(zone))
    return local + span, moment.replace(tzinfo=None)


def _stretch(begin: datetime, end: datetime, config: ViewIncrementalConfig) -> Window:
    form, last = FORMATS[config.window], floor(config.window, end - timedelta(microseconds=1))
    keys = dict.fromkeys((begin.strftime(form), last.strftime(form)))
    zone = config.timezone
    return Window("...".join(keys), begin, end, _instant(begin, zone), _instant(end, zone))


def _instant(local: datetime, zone: str) -> datetime:
    return local.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
