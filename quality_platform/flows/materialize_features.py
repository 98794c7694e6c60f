"""The flow of one feature view into Feast's online store."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pyarrow as pa

from quality_platform.errors import MaterializationError
from quality_platform.feature_store.definitions import (
    EntityDefinition,
    FeatureViewDefinition,
    StoreSettings,
)
from quality_platform.flows.contracted_tables import FeatureTable
from quality_platform.flows.drift_test import drift_results
from quality_platform.flows.outcomes import MaterializationOutcome, Progress, silent
from quality_platform.flows.platform import Platform
from quality_platform.flows.recording import recorded
from quality_platform.history.records import latest_runs
from quality_platform.lake.reading import published_snapshot


def materialize_feature_view(
    platform: Platform, name: str, run_id: str, progress: Progress = silent
) -> MaterializationOutcome:
    """Applies a view to Feast's registry and writes its latest values into the online store.

    Raises:
        MaterializationError: the view has nothing published, or Feast failed.
    """
    view = platform.feature_tables[name]
    with recorded(platform, f"online.{name}", run_id) as record:
        return record(_materialize(platform, view, run_id, progress))


def _materialize(
    platform: Platform, view: FeatureTable, run_id: str, progress: Progress
) -> MaterializationOutcome:
    snapshot = published_snapshot(platform.lake.find_table(view.identifier))
    if snapshot is None:
        raise MaterializationError(
            f"nothing has been published to {view.identifier} yet",
            location=view.location,
            action=f"run the feature view {view.name} first",
        )
    if _is_materialized(platform, view.name, snapshot.snapshot_id):
        return MaterializationOutcome(view.name, run_id, "nothing_new", 0, snapshot.snapshot_id)
    _require_no_drift(platform, view)
    from quality_platform.feature_store.store import apply_views, materialize

    settings, definition = store_settings(platform), feature_view_definition(view)
    progress("materializing", f"snapshot {snapshot.snapshot_id}")
    apply_views(settings, [feature_view_definition(v) for v in platform.feature_tables.values()])
    # Pinned to the snapshot that the record names: main may move meanwhile.
    pinned = replace(settings, refs={view.identifier: str(snapshot.snapshot_id)})
    rows = materialize(pinned, definition, None, None)
    return MaterializationOutcome(view.name, run_id, "materialized", rows, snapshot.snapshot_id)


def _require_no_drift(platform: Platform, view: FeatureTable) -> None:
    """A drift test of severity error stops every materialization, not only that of its own run."""
    drifted = [result for result in drift_results(platform, view) if result.blocks]
    if drifted:
        raise MaterializationError(
            f"the drift test of {view.identifier} failed",
            location=view.location,
            field="drift",
            received="; ".join(f"{r.spec.columns[0]}: {r.message}" for r in drifted),
            action="correct the data, move the reference period, or set drift.severity: warning",
        )


def _is_materialized(platform: Platform, name: str, snapshot_id: int) -> bool:
    run = latest_runs(platform.lake, platform.engine).get(f"online.{name}")
    done = run is not None and run["state"] == "materialized" and run["snapshot_id"] == snapshot_id
    return done and store_settings(platform).online_store.exists()


def store_settings(platform: Platform) -> StoreSettings:
    """Where the platform's feature store stands."""
    config = platform.runner.config.feature_store
    return StoreSettings(
        project=config.project,
        registry=platform.runner.resolve(config.registry),
        online_store=platform.runner.resolve(config.online_store),
        lake=platform.lake,
    )


def feature_view_definition(view: FeatureTable) -> FeatureViewDefinition:
    """The view as Feast will know it."""
    config, keys = view.config, {entity.join_key for entity in view.config.entities}
    others = {config.event_timestamp} | keys
    return FeatureViewDefinition(
        name=view.name,
        table=view.identifier,
        entities=tuple(
            EntityDefinition(e.name, e.join_key, view.schema.field(e.join_key).type)
            for e in config.entities
        ),
        event_timestamp=config.event_timestamp,
        features=pa.schema([f for f in view.schema if f.name not in others]),
        ttl=timedelta(days=config.ttl_days) if config.ttl_days else None,
        description=view.object.description,
        owner=config.owner,
        tags={"odcs": f"{view.contract.id}@{view.contract.version}"},
    )
