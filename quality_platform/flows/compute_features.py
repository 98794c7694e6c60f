"""The flow of one feature view: compute it from pinned inputs, check it, publish it, test drift."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from quality_platform.config.partition_windows import Window
from quality_platform.errors import FeatureViewError
from quality_platform.features.sql_view import FeatureInput
from quality_platform.flows.compute_partitions import PartitionedView
from quality_platform.flows.contracted_tables import FeatureTable
from quality_platform.flows.drift_test import drift_results
from quality_platform.flows.feature_changes import Needed, needed
from quality_platform.flows.feature_code import FeatureCode, event_column, within
from quality_platform.flows.feature_windows import rows_needed
from quality_platform.flows.judging import Pins
from quality_platform.flows.load_changes import LoadPlan
from quality_platform.flows.load_table import load_id_of, outcome_of
from quality_platform.flows.outcomes import LoadOutcome, Progress, TableOutcome, silent
from quality_platform.flows.partitions import PartitionColumn, closed_windows, partitions_of
from quality_platform.flows.platform import Platform
from quality_platform.flows.publishing import LakeTables, Load
from quality_platform.flows.recording import recorded, starting_over
from quality_platform.flows.staging import Staging
from quality_platform.lake.position import Position
from quality_platform.lake.query import EngineSettings
from quality_platform.lake.reading import published_snapshot
from quality_platform.lake.table_files import TableFiles

LONGEST_CONDITION = 10_000
"""Characters of the condition that tells outdated held rows, before it is made simple."""


def compute_feature_view(
    platform: Platform,
    name: str,
    run_id: str,
    progress: Progress = silent,
    partitions: tuple[str, str] | None = None,
    *,
    full_refresh: bool = False,
) -> TableOutcome:
    """Computes a feature view when its inputs, its code or its contract have changed.

    Of a partitioned one, what is due is computed, or what is asked for: `partitions` are the first
    and the last. Of an incremental one, the time that new rows of the inputs touch, where it can be
    told. A `full_refresh` computes everything, changed or not. The results include those of its
    drift test.

    Raises:
        ConfigurationError: the view has no such partitions.
        FeatureViewError: an input is not published yet, or the code cannot be run.
        LakeError: the lake cannot be used.
    """
    view = platform.feature_tables[name]
    loads: list[LoadOutcome] = []
    with recorded(platform, name, run_id, loads) as record:
        run = _Run(platform, view, run_id, progress, full_refresh)
        if view.partitions is not None:
            return record(starting_over(lambda: run.compute_partitions(loads, partitions)))
        return record(starting_over(run.compute))


@dataclass(frozen=True)
class _Run:
    platform: Platform
    view: FeatureTable
    run_id: str
    progress: Progress
    full_refresh: bool = False

    def compute_partitions(
        self, loads: list[LoadOutcome], asked: tuple[str, str] | None
    ) -> TableOutcome:
        """Adds to `loads`, which keeps what was published before another run was faster."""
        self._require_inputs()
        code, pins = FeatureCode.of(self.view), self._pins()
        inputs = _inputs(self.platform, self.view, pins)
        reader = _Reader(code, pins, inputs, self.platform.engine)
        PartitionedView(
            self.platform,
            self.view,
            pins,
            self.run_id,
            self.progress,
            reader.rows,
            code.definition,
            asked or self._all_partitions(),
        ).compute(loads)
        return self._ended(loads, pins)

    def _all_partitions(self) -> tuple[str, str] | None:
        """The first and the last that have ended, where all are to be computed."""
        closed = closed_windows(partitions_of(self.view).config, datetime.now(UTC))
        return (closed[0].key, closed[-1].key) if self.full_refresh and closed else None

    def compute(self) -> TableOutcome:
        """Computes what the inputs or the definition make necessary, or what is asked for."""
        self._require_inputs()
        code, tables = FeatureCode.of(self.view), LakeTables.of(self.platform, self.view)
        # Pinned now: a run that was faster cannot have computed from newer rows than these.
        pins = self._pins()
        need = (
            Needed("Computed as a whole: it was asked for.")
            if self.full_refresh
            else needed(self.platform, self.view, pins, tables.position, code.definition)
        )
        loads = [] if need is None else [self._load(code, pins, tables, need)]
        return self._ended(loads, pins)

    def _load(self, code: FeatureCode, pins: Pins, tables: LakeTables, need: Needed) -> LoadOutcome:
        view, told = self.view, [need.why] if self.view.config.incremental else []
        self.progress("computing", " ".join((f"from {', '.join(view.config.inputs)}.", *told)))
        plan = _plan(view, pins, code.definition, need)
        inputs = _inputs(self.platform, view, pins, need.stretches)
        reader = _Reader(code, pins, inputs, self.platform.engine)
        load = _FeatureLoad(
            self.platform, view, tables, plan, pins, self.run_id, self.progress
        ).run(lambda staging: reader.stage(staging, need.stretches))
        return replace(load, notes=(*load.notes, *told))

    def _pins(self) -> Pins:
        return Pins.of(self.platform, (*self.view.config.inputs, *self.view.references))

    def _require_inputs(self) -> None:
        """Refuses to begin before all inputs are there: no table is made for nothing."""
        lake, missing = self.platform.lake, []
        for name in self.view.config.inputs:
            table = lake.find_table(self.platform.contracted(name).identifier)
            if published_snapshot(table) is None:
                missing.append(name)
        if missing:
            raise FeatureViewError(
                f"nothing has been published to {', '.join(missing)} yet",
                location=self.view.location,
                field="inputs",
                action=f"run {', '.join(missing)} first",
            )

    def _ended(self, loads: Sequence[LoadOutcome], pins: Pins) -> TableOutcome:
        outcome = outcome_of(self.platform, self.view, self.run_id, loads, pins)
        if outcome.state != "published":
            return outcome
        drift = drift_results(self.platform, self.view)
        return replace(outcome, results=(*outcome.results, *drift))


def _plan(view: FeatureTable, pins: Pins, definition: str, need: Needed) -> LoadPlan:
    versions = {name: str(pins.snapshots[name]) for name in view.config.inputs}
    return LoadPlan(
        load_id=load_id_of(view.identifier, {**versions, "definition": definition}),
        versions=versions,
        replace=not need.stretches,
        range=within(event_column(view), need.stretches),
    )


def _inputs(
    platform: Platform, view: FeatureTable, pins: Pins, stretches: Sequence[Window] = ()
) -> dict[str, FeatureInput]:
    found = {}
    for name in view.config.inputs:
        schema = platform.contracted(name).schema
        files = _files(view, name, schema, pins, stretches)
        found[name] = FeatureInput(files, schema)
    return found


def _files(
    view: FeatureTable, name: str, schema: pa.Schema, pins: Pins, stretches: Sequence[Window]
) -> TableFiles:
    config, files = view.config.incremental, pins.files[name]
    if config is None or not stretches or name not in config.times:
        return files
    column = PartitionColumn(config.times[name], schema.field(config.times[name]).type)
    return rows_needed(config, stretches, column, files)


@dataclass(frozen=True)
class _FeatureLoad(Load):
    """One attempt at a computation."""

    def _position_after(self, outcome: LoadOutcome, at: datetime, *, held: bool) -> Position:
        position = super()._position_after(outcome, at, held=held)
        if not self.tables.position.attempts:
            # Nothing was held back before.
            return replace(position, outdated="")
        if len(position.outdated) > LONGEST_CONDITION:
            # Each computation adds to it: a replay then leaves out more than it would have to.
            return position.outdating(at)
        return position


@dataclass(frozen=True)
class _Reader:
    """Reads the rows of a view from its inputs."""

    code: FeatureCode
    pins: Pins
    inputs: Mapping[str, FeatureInput]
    engine: EngineSettings

    def rows(self, stretches: Sequence[Window] = ()) -> Iterator[pa.RecordBatch]:
        """At least the rows of the stretches, and those without a time; all for ()."""
        return self.code.rows(self.inputs, self.pins, self.engine, stretches)

    def stage(self, staging: Staging, stretches: Sequence[Window]) -> None:
        """Adds the rows of the stretches to a staging; all for ()."""
        view = self.code.view
        for batch in self.rows(stretches):
            if view.config.incremental:
                _require_times(view, batch)
            rows = _within(view, batch, stretches) if stretches else batch
            if rows.num_rows:
                staging.add_rows(rows, view.sql_location.file)


def _require_times(view: FeatureTable, batch: pa.RecordBatch) -> None:
    if batch.column(view.config.event_timestamp).null_count:
        raise FeatureViewError(
            f"there are rows without {view.config.event_timestamp!r}, and no window has them",
            location=view.sql_location,
            action="give them a time, leave them out, or compute the view without `incremental`",
        )


def _within(
    view: FeatureTable, batch: pa.RecordBatch, stretches: Sequence[Window]
) -> pa.RecordBatch:
    column, inside = event_column(view), np.zeros(batch.num_rows, bool)
    for stretch in stretches:
        inside |= ~column.outside(batch, stretch)
    return batch.filter(pa.array(inside))
