"""The flow of a feature view that is computed partition by partition, by its event timestamp."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from quality_platform.config.partition_windows import Window
from quality_platform.errors import FeatureViewError
from quality_platform.flows.contracted_tables import FeatureTable
from quality_platform.flows.judging import Pins
from quality_platform.flows.load_changes import LoadPlan
from quality_platform.flows.outcomes import LoadOutcome, Progress
from quality_platform.flows.partition_load import PartitionLoad
from quality_platform.flows.partition_staging import part_name
from quality_platform.flows.partitions import (
    Loaded,
    column_of,
    due_windows,
    entry_of,
    in_loads,
    is_closed,
    label_of,
    partitions_of,
)
from quality_platform.flows.platform import Platform
from quality_platform.flows.publishing import LakeTables
from quality_platform.flows.staging import Staging
from quality_platform.lake.position import Position

Batches = Callable[[Sequence[Window]], Iterator[pa.RecordBatch]]
"""At least the rows of the view within some stretches of event time, and those without a time."""


@dataclass(frozen=True)
class PartitionedView:
    """One run of a partitioned feature view.

    `definition` tells its code and contract from others; `asked` are the first and the last
    partition.
    """

    platform: Platform
    view: FeatureTable
    pins: Pins
    run_id: str
    progress: Progress
    batches: Batches
    definition: str
    asked: tuple[str, str] | None = None

    def compute(self, loads: list[LoadOutcome]) -> None:
        """Computes what is due, or what is asked for; adds to `loads`.

        Partitions are due that have ended and were not computed by the present code and contract.

        Raises:
            ConfigurationError: what is asked for is no partition of the view.
            FeatureViewError: the code cannot be run, or gives rows without an event timestamp.
        """
        done = {counts.key for load in loads for counts in load.partitions}
        for windows in self._wanted():
            if windows[0].key not in done:
                loads.append(self._load(windows))
                if loads[-1].blocked:
                    return

    def _wanted(self) -> list[tuple[Window, ...]]:
        config = partitions_of(self.view).config
        if self.asked is not None:
            return in_loads(config, config.calendar.between(*self.asked))
        position = LakeTables.of(self.platform, self.view).position
        return in_loads(config, due_windows(config, self._computed(position), datetime.now(UTC)))

    def _computed(self, position: Position) -> Loaded:
        return Loaded.of(partitions_of(self.view), position, self.definition[:16])

    def _load(self, windows: tuple[Window, ...]) -> LoadOutcome:
        self.progress("computing", label_of(windows))
        now = datetime.now(UTC)
        tables = LakeTables.of(self.platform, self.view)
        plan = self._plan(tables, windows, now)
        load = PartitionLoad(
            self.platform,
            self.view,
            tables,
            plan,
            self.pins,
            self.run_id,
            self.progress,
            windows=windows,
        )
        return load.run(_Reader(self.view, windows, self.batches))

    def _plan(self, tables: LakeTables, windows: Sequence[Window], now: datetime) -> LoadPlan:
        parts, known = partitions_of(self.view), tables.position.sources
        computed = self._computed(tables.position)
        done = computed.with_more(w for w in windows if is_closed(parts.config, w, now))
        versions = {computed.entry: done.version(now)}
        digest = hashlib.sha256(f"{self.view.identifier}\0{versions}".encode()).hexdigest()
        return LoadPlan(
            load_id=digest[:16],
            versions=versions,
            # What was computed otherwise is of none of these partitions; it goes with the first.
            replace=not all(name.startswith(f"{entry_of(parts)} ") for name in known),
            label=label_of(windows),
            range=column_of(self.view).condition(windows),
        )


@dataclass(frozen=True)
class _Reader:
    view: FeatureTable
    windows: Sequence[Window]
    batches: Batches

    def __call__(self, staging: Staging) -> None:
        column = column_of(self.view)
        for batch in self.batches([_joined(self.windows)]):
            if batch.column(column.name).null_count:
                raise FeatureViewError(
                    f"there are rows without {column.name!r}, and no partition would have them",
                    location=self.view.sql_location,
                    action="give them a time, or leave them out",
                )
            for window in self.windows:
                places = np.flatnonzero(~column.outside(batch, window))
                if len(places):
                    rows = batch.take(pa.array(places, pa.int64()))
                    staging.add_rows(rows, part_name(window.key, self.view.sql_location.file))


def _joined(windows: Sequence[Window]) -> Window:
    """Windows that follow each other as one."""
    first, last = windows[0], windows[-1]
    return replace(first, key=label_of(windows), local_end=last.local_end, end=last.end)
