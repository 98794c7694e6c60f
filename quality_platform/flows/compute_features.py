"""The flow of one feature view: compute it from pinned inputs, check it, publish it, test drift."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import pyarrow as pa

from quality_platform.errors import FeatureViewError
from quality_platform.features.sql_view import FeatureInput, FeatureQuery, compute, validated
from quality_platform.flows.compute_partitions import PartitionedView
from quality_platform.flows.contracted_tables import FeatureTable
from quality_platform.flows.drift_test import drift_results
from quality_platform.flows.judging import Pins
from quality_platform.flows.load_changes import LoadPlan
from quality_platform.flows.load_table import load_id_of, outcome_of
from quality_platform.flows.outcomes import LoadOutcome, Progress, TableOutcome, silent
from quality_platform.flows.platform import Platform
from quality_platform.flows.publishing import LakeTables, Load
from quality_platform.flows.recording import recorded, starting_over
from quality_platform.flows.staging import Staging
from quality_platform.lake.query import EngineSettings


def compute_feature_view(
    platform: Platform,
    name: str,
    run_id: str,
    progress: Progress = silent,
    partitions: tuple[str, str] | None = None,
) -> TableOutcome:
    """Computes a feature view when its inputs, its SQL or its contract have changed.

    Of a partitioned one, what is due is computed, or what is asked for: `partitions` are the first
    and the last. The results include those of its drift test.

    Raises:
        ConfigurationError: the view has no such partitions.
        FeatureViewError: an input is not published yet, or the SQL cannot be run.
        LakeError: the lake cannot be used.
    """
    view = platform.feature_tables[name]
    loads: list[LoadOutcome] = []
    with recorded(platform, name, run_id, loads) as record:
        if view.partitions is not None:
            run = _PartitionedRun(platform, view, run_id, progress, partitions)
            return record(starting_over(lambda: run.compute(loads)))
        return record(starting_over(lambda: _compute(platform, view, run_id, progress)))


@dataclass(frozen=True)
class _PartitionedRun:
    platform: Platform
    view: FeatureTable
    run_id: str
    progress: Progress
    asked: tuple[str, str] | None

    def compute(self, loads: list[LoadOutcome]) -> TableOutcome:
        """Adds to `loads`, which keeps what was published before another run was faster."""
        platform, view = self.platform, self.view
        query = validated(view.sql, view.config.inputs, location=view.sql_location)
        pins = Pins.of(platform, (*view.config.inputs, *view.references))
        _require_inputs(view, pins)
        reader = _Reader(view, query, _inputs(platform, view, pins), platform.engine)
        PartitionedView(
            platform, view, pins, self.run_id, self.progress, reader.batches, self.asked
        ).compute(loads)
        return _with_drift(platform, view, outcome_of(platform, view, self.run_id, loads, pins))


def _compute(
    platform: Platform, view: FeatureTable, run_id: str, progress: Progress
) -> TableOutcome:
    query = validated(view.sql, view.config.inputs, location=view.sql_location)
    pins = Pins.of(platform, (*view.config.inputs, *view.references))
    _require_inputs(view, pins)
    tables = LakeTables.of(platform, view)
    plan = _plan(view, pins)
    loads = []
    if {s.load_id for s in tables.position.sources.values()} != {plan.load_id}:
        progress("computing", f"from {', '.join(view.config.inputs)}")
        reader = _Reader(view, query, _inputs(platform, view, pins), platform.engine)
        loads.append(Load(platform, view, tables, plan, pins, run_id, progress).run(reader))
    return _with_drift(platform, view, outcome_of(platform, view, run_id, loads, pins))


def _with_drift(platform: Platform, view: FeatureTable, outcome: TableOutcome) -> TableOutcome:
    if outcome.state != "published":
        return outcome
    return replace(outcome, results=(*outcome.results, *drift_results(platform, view)))


def _require_inputs(view: FeatureTable, pins: Pins) -> None:
    missing = [name for name in view.config.inputs if name not in pins.snapshots]
    if missing:
        raise FeatureViewError(
            f"nothing has been published to {', '.join(missing)} yet",
            location=view.location,
            field="inputs",
            action=f"run {', '.join(missing)} first",
        )


def _plan(view: FeatureTable, pins: Pins) -> LoadPlan:
    definition = hashlib.sha256(f"{view.sql}\0{view.contract.version}".encode()).hexdigest()
    versions = {name: str(pins.snapshots[name]) for name in view.config.inputs}
    load_id = load_id_of(view.identifier, {**versions, "definition": definition})
    return LoadPlan(load_id=load_id, versions=versions, replace=True)


def _inputs(platform: Platform, view: FeatureTable, pins: Pins) -> dict[str, FeatureInput]:
    return {
        name: FeatureInput(pins.files[name], platform.contracted(name).schema)
        for name in view.config.inputs
    }


@dataclass(frozen=True)
class _Reader:
    view: FeatureTable
    query: FeatureQuery
    inputs: Mapping[str, FeatureInput]
    engine: EngineSettings

    def __call__(self, staging: Staging) -> None:
        for batch in self.batches():
            staging.add_rows(batch, self.view.sql_location.file)

    def batches(self, where: str = "") -> Iterator[pa.RecordBatch]:
        """The rows for which a SQL condition is true, or all, with the contract's types."""
        schema = self.view.schema
        for batch in compute(self.query, self.inputs, self.engine, where=where):
            if set(batch.schema.names) != set(schema.names):
                raise FeatureViewError(
                    "the columns of the SQL are not those of the contract",
                    location=self.view.sql_location,
                    received=", ".join(batch.schema.names),
                    allowed=", ".join(schema.names),
                )
            yield self._typed(batch.select(schema.names))

    def _typed(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with the contract's types; a conversion that would lose anything is refused."""
        nullable = pa.schema([f.with_nullable(True).remove_metadata() for f in self.view.schema])
        try:
            return batch.cast(nullable)
        except pa.ArrowInvalid as error:
            raise FeatureViewError(
                f"a column of the SQL does not fit the contract's type: {error}",
                location=self.view.sql_location,
                action="CAST it in the SQL",
            ) from error
