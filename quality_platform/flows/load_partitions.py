"""The flow of a table that is loaded partition by partition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from quality_platform.config.partition_models import PartitionsConfig
from quality_platform.config.partition_windows import Window, begins
from quality_platform.errors import RunnerFileError
from quality_platform.flows.contracted_tables import SourceTable
from quality_platform.flows.drift_test import with_drift
from quality_platform.flows.judging import Pins
from quality_platform.flows.load_changes import LoadPlan
from quality_platform.flows.load_table import (
    SourceReader,
    load_id_of,
    outcome_of,
    partly,
    position_of,
    source_context,
)
from quality_platform.flows.outcomes import LoadOutcome, Progress, TableOutcome
from quality_platform.flows.partition_load import PartitionLoad
from quality_platform.flows.partition_sources import PartitionSource
from quality_platform.flows.partitions import (
    Loaded,
    closed_windows,
    column_of,
    due_windows,
    in_loads,
    is_closed,
    label_of,
    partitions_of,
    require_loaded_by_partitions,
)
from quality_platform.flows.platform import Platform
from quality_platform.flows.publishing import LakeTables
from quality_platform.flows.requests import Request
from quality_platform.sources.protocol import Backfill


@dataclass(frozen=True)
class PartitionedRun:
    """One run of a partitioned table."""

    platform: Platform
    table: SourceTable
    run_id: str
    progress: Progress
    request: Request

    def load(self, loads: list[LoadOutcome]) -> TableOutcome:
        """Loads what is due, or what is asked for; adds to `loads` what was published.

        Raises:
            ConfigurationError: what is asked for is no partition of the table.
            SourceError: the source cannot be read.
        """
        told: list[str] = []
        source = self._source(told)
        pins = Pins.of(self.platform, self.table.references)
        for windows in _without(self._wanted(source), loads):
            loads.append(self._load(source, windows, pins))
            if loads[-1].blocked:
                break
        outcome = outcome_of(self.platform, self.table, self.run_id, loads, pins)
        ended = partly(self.table, outcome, {}, tuple(dict.fromkeys(told)))
        return with_drift(self.platform, self.table, ended)

    @property
    def _config(self) -> PartitionsConfig:
        assert self.table.config.partitions is not None
        return self.table.config.partitions

    def _source(self, told: list[str]) -> PartitionSource:
        context = source_context(self.platform, self.table, told.append)
        # A retry waited already, and longer: attempts would multiply.
        patience = 0 if self.request.retry else self.table.retries.opening_seconds
        return PartitionSource(self.table, context, self.progress, patience)

    def _wanted(self, source: PartitionSource) -> list[tuple[Window, ...]]:
        """The partitions of each load."""
        config, request, now = self._config, self.request, datetime.now(UTC)
        if request.partitions is not None:
            return in_loads(config, config.calendar.between(*request.partitions))
        if request.backfill is not None:
            return in_loads(config, asked_range(self.table, request.backfill, now))
        if request.full_refresh:
            there = source.there(closed_windows(config, now))
            return [tuple(there)] if there else []
        position = position_of(self.platform, self.table)
        due = due_windows(config, Loaded.of(partitions_of(self.table), position), now)
        return in_loads(config, source.there(due))

    def _load(
        self, source: PartitionSource, windows: tuple[Window, ...], pins: Pins
    ) -> LoadOutcome:
        self.progress("reading", label_of(windows))
        # What ends while it is read is not closed: more of it may come.
        now = datetime.now(UTC)
        parts = source.parts(windows)
        tables = LakeTables.of(self.platform, self.table)
        plan = self._plan(tables, windows, now)
        load = PartitionLoad(
            self.platform,
            self.table,
            tables,
            plan,
            pins,
            self.run_id,
            self.progress,
            windows=windows,
        )
        return load.run(SourceReader(self.table, parts, source.context.tell))

    def _plan(self, tables: LakeTables, windows: Sequence[Window], now: datetime) -> LoadPlan:
        config, everything = self._config, self.request.full_refresh
        loaded = Loaded.of(partitions_of(self.table), tables.position)
        if everything:
            loaded = Loaded(loaded.entry)
        else:
            require_loaded_by_partitions(self.table.name, loaded, tables.position)
        done = loaded.with_more(w for w in windows if is_closed(config, w, now))
        versions = {loaded.entry: done.version(now)}
        return LoadPlan(
            load_id=load_id_of(self.table.identifier, versions),
            versions=versions,
            replace=everything,
            label=label_of(windows),
            full_refresh=everything,
            range="" if everything else column_of(self.table).condition(windows),
        )


def _without(
    wanted: Sequence[tuple[Window, ...]], loads: Sequence[LoadOutcome]
) -> list[tuple[Window, ...]]:
    """What is still to be loaded by a run that starts over."""
    done = {counts.key for load in loads for counts in load.partitions}
    return [windows for windows in wanted if windows[0].key not in done]


def asked_range(table: SourceTable, asked: Backfill, now: datetime) -> list[Window]:
    """The partitions between two times of the clock, of which "" is no bound.

    Raises:
        RunnerFileError: a bound is not where a partition begins, or there is none between them.
    """
    config = table.config.partitions
    assert config is not None
    start, end = (_bound(table, text) for text in (asked.start, asked.end))
    found = [
        window
        for window in config.calendar.windows(now)
        if (start is None or window.local_start >= start)
        and (end is None or window.local_end <= end)
    ]
    if not found:
        raise _no_partitions(table, f"{asked.start or '...'} to {asked.end or '...'}")
    return found


def _bound(table: SourceTable, text: str) -> datetime | None:
    config = table.config.partitions
    assert config is not None
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise _no_partitions(table, text) from None
    if found.tzinfo is not None or not begins(config.every, found):
        raise _no_partitions(table, text)
    return found


def _no_partitions(table: SourceTable, received: str) -> RunnerFileError:
    config = table.config.partitions
    assert config is not None
    return RunnerFileError(
        f"these are no partitions of {table.name}",
        location=table.location,
        field=f"tables.{table.name}.partitions",
        received=received,
        allowed=f"from the beginning of a {config.every} to that of a later one, not before "
        f"{config.start}, in the time zone {config.timezone} and without naming it",
    )
