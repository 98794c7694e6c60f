"""Partitions of a table: which rows are of one, which are loaded, and which are due."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from quality_platform.config.base_models import seconds
from quality_platform.config.partition_models import TimePartitionsConfig
from quality_platform.config.partition_windows import FORMATS, Window
from quality_platform.errors import RunnerFileError
from quality_platform.flows.contracted_tables import ContractedTable, TablePartitions
from quality_platform.lake.position import Position
from quality_platform.lake.query import quote_identifier, quote_literal
from quality_platform.sources.protocol import Backfill

ENTRY = "partitions "
"""What the name of the position's entry for partitions begins with."""

_READ_AT = " read "


@dataclass(frozen=True)
class PartitionColumn:
    """The column that says to which partition a row belongs, with its type in the contract."""

    name: str
    type: pa.DataType

    def range(self, windows: Sequence[Window]) -> Backfill:
        """Partitions that follow each other as a range of the column."""
        first, last = self._bounds(windows)
        return Backfill(first.isoformat(), last.isoformat(), is_partition=True)

    def condition(self, windows: Sequence[Window]) -> str:
        """SQL that is true for the rows of partitions that follow each other."""
        name = quote_identifier(self.name)
        first, last = (quote_literal(bound.isoformat()) for bound in self._bounds(windows))
        return f"{name} >= {first} AND {name} < {last}"

    def outside(self, rows: pa.RecordBatch, window: Window) -> NDArray[np.bool_]:
        """Whether each row is not of the partition; one without a value is of none."""
        values = rows.column(self.name)
        first, last = (pa.scalar(bound, self.type) for bound in self._bounds([window]))
        inside = pc.and_(pc.greater_equal(values, first), pc.less(values, last))
        return ~np.asarray(inside.fill_null(False).to_numpy(zero_copy_only=False), bool)

    def before(self, rows: pa.RecordBatch, window: Window, after: timedelta) -> NDArray[np.bool_]:
        """Whether each row is more than so long before the partition; one without a value is not.

        A date counts as its midnight.
        """
        values: Any = rows.column(self.name).cast(microseconds(self.type))
        try:
            begin = (window.start if has_zone(self.type) else window.local_start) - after
        except OverflowError:
            # Before the first day of the calendar.
            return np.zeros(rows.num_rows, bool)
        earlier: Any = pc.less(values, pa.scalar(begin, values.type)).fill_null(False)
        return np.asarray(earlier.to_numpy(zero_copy_only=False), bool)

    def counted(self, rows: pa.RecordBatch, config: TimePartitionsConfig) -> Counter[str]:
        """The rows, of which each has a value, by the partition in whose time they are."""
        values: Any = rows.column(self.name).cast(microseconds(self.type, config.timezone))
        if has_zone(self.type):
            values = pc.local_timestamp(values)
        floors: Any = pc.floor_temporal(values, unit=config.every)
        found: list[dict[str, Any]] = pc.value_counts(floors).to_pylist()
        form = FORMATS[config.every]
        return Counter({entry["values"].strftime(form): entry["counts"] for entry in found})

    def _bounds(self, windows: Sequence[Window]) -> tuple[date, date]:
        first, last = windows[0], windows[-1]
        if pa.types.is_date(self.type):
            return first.local_start.date(), last.local_end.date()
        if not has_zone(self.type):
            return first.local_start, last.local_end
        return first.start, last.end


def has_zone(kind: pa.DataType) -> bool:
    """Whether a type is of instants."""
    return isinstance(kind, pa.TimestampType) and kind.tz is not None


def microseconds(kind: pa.DataType, zone: str = "UTC") -> pa.DataType:
    """The type in which dates and timestamps, with and without a zone, are compared."""
    return pa.timestamp("us", zone if has_zone(kind) else None)


def partitions_of(table: ContractedTable) -> TablePartitions:
    """The partitions of a table that has some."""
    assert table.partitions is not None
    return table.partitions


def column_of(table: ContractedTable, name: str = "") -> PartitionColumn:
    """The column by which a table is partitioned, or the one of this name."""
    name = name or partitions_of(table).column
    return PartitionColumn(name, table.schema.field(name).type)


def entry_of(partitions: TablePartitions) -> str:
    """The position's entry for these partitions; of a view it is followed by its definition."""
    config = partitions.config
    return f"{ENTRY}{partitions.column} {config.every} {config.timezone}"


@dataclass(frozen=True)
class Loaded:
    """The stretches of time whose partitions are loaded: from the first moment to the second."""

    entry: str
    ranges: tuple[tuple[datetime, datetime], ...] = ()

    @classmethod
    def of(cls, partitions: TablePartitions, position: Position, definition: str = "") -> Loaded:
        """What a position tells; `definition` is of what partitions were made with."""
        entry = " ".join(word for word in (entry_of(partitions), definition) if word)
        known = position.sources.get(entry)
        if known is None:
            return cls(entry)
        texts = known.version.partition(_READ_AT)[0].split()
        pairs = (text.split("/") for text in texts)
        return cls(entry, tuple((_moment(start), _moment(end)) for start, end in pairs))

    def covers(self, window: Window) -> bool:
        """Whether the partition is loaded."""
        return any(start <= window.start and window.end <= end for start, end in self.ranges)

    def with_more(self, windows: Iterable[Window]) -> Loaded:
        """What is loaded once these are loaded too; stretches that meet become one."""
        joined: list[tuple[datetime, datetime]] = []
        for start, end in sorted([*self.ranges, *((w.start, w.end) for w in windows)]):
            if joined and start <= joined[-1][1]:
                joined[-1] = joined[-1][0], max(end, joined[-1][1])
            else:
                joined.append((start, end))
        return Loaded(self.entry, tuple(joined))

    def version(self, now: datetime) -> str:
        """How the position keeps it: two loads at different moments are two loads."""
        ranges = " ".join(f"{_text(start)}/{_text(end)}" for start, end in self.ranges)
        return f"{ranges}{_READ_AT}{now.isoformat()}"


def require_loaded_by_partitions(name: str, loaded: Loaded, position: Position) -> None:
    """Refuses a table whose rows were loaded in another way: they are of no partition.

    Raises:
        RunnerFileError: there are such rows.
    """
    if other := sorted(position.sources.keys() - {loaded.entry}):
        raise RunnerFileError(
            f"{name} was loaded in another way before, and those rows are of no partition",
            field=f"tables.{name}.partitions",
            received=f"a position of {other[0]!r}",
            action="load it again as a whole, once: --full-refresh",
        )


def require_no_partitions(name: str, position: Position) -> None:
    """Refuses a table whose rows were loaded by partitions: all would be loaded once more.

    Raises:
        RunnerFileError: there are such rows.
    """
    if any(entry.startswith(ENTRY) for entry in position.sources):
        raise RunnerFileError(
            f"{name} was loaded by partitions before, and would be loaded once more",
            field=f"tables.{name}.partitions",
            action="load it again as a whole, once: --full-refresh",
        )


def is_closed(config: TimePartitionsConfig, window: Window, now: datetime) -> bool:
    """Whether the partition has ended, and has been waited for."""
    return window.end + timedelta(seconds=seconds(config.wait)) <= now


def closed_windows(config: TimePartitionsConfig, now: datetime) -> list[Window]:
    """All partitions that have ended by now, in order."""
    return [w for w in config.calendar.windows(now) if is_closed(config, w, now)]


def due_windows(config: TimePartitionsConfig, loaded: Loaded, now: datetime) -> list[Window]:
    """The partitions that are to be loaded where none in particular is asked for, in order."""
    closed = closed_windows(config, now)
    again = closed[len(closed) - config.lookback :] if config.lookback else []
    return [w for w in closed if w in again or not loaded.covers(w)]


def in_loads(config: TimePartitionsConfig, windows: Sequence[Window]) -> list[tuple[Window, ...]]:
    """The partitions that are loaded at once, as `backfill` says."""
    if config.backfill == "each":
        return [(window,) for window in windows]
    found: list[list[Window]] = []
    for window in windows:
        if found and found[-1][-1].local_end == window.local_start:
            found[-1].append(window)
        else:
            found.append([window])
    return [tuple(stretch) for stretch in found]


def label_of(windows: Sequence[Window]) -> str:
    """One partition, or the first and the last of several, for people."""
    first, last = windows[0].key, windows[-1].key
    return first if first == last else f"{first}...{last}"


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
