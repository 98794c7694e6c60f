"""The flow of one feature view into Feast's online store."""

from __future__ import annotations

from dataclasses import replace

from quality_platform.errors import ConcurrentLoadError, MaterializationError
from quality_platform.feature_store.definitions import SqliteOnline
from quality_platform.feature_store.sqlite_writer import last_snapshot
from quality_platform.flows.contracted_tables import FeatureTable
from quality_platform.flows.drift_test import drift_results
from quality_platform.flows.feature_store_objects import (
    is_registered,
    register_for,
    store_settings,
)
from quality_platform.flows.outcomes import MaterializationOutcome, Progress, silent
from quality_platform.flows.platform import Platform
from quality_platform.flows.recording import recorded, starting_over
from quality_platform.history.records import latest_runs
from quality_platform.lake.reading import published_snapshot


def materialize_feature_view(
    platform: Platform,
    name: str,
    run_id: str,
    progress: Progress = silent,
    *,
    rebuild: bool = False,
) -> MaterializationOutcome:
    """Applies a view to Feast's registry and writes its latest values into the online store.

    It starts over where another materialization of the view begins meanwhile, or the view is
    published anew: what is written last is never an older snapshot. A rebuild writes all values,
    whatever is online, and removes what the view does not have; one that was cut short is completed
    by the next materialization of any kind.

    Raises:
        MaterializationError: the view has nothing published, or Feast failed.
        ConcurrentLoadError: others were faster, time and again.
    """
    view = platform.feature_tables[name]
    with recorded(platform, f"online.{name}", run_id) as record:
        return record(
            starting_over(lambda: _materialize(platform, view, run_id, progress, rebuild))
        )


def _materialize(
    platform: Platform, view: FeatureTable, run_id: str, progress: Progress, rebuild: bool
) -> MaterializationOutcome:
    snapshot = published_snapshot(platform.lake.find_table(view.identifier))
    if snapshot is None:
        raise MaterializationError(
            f"nothing has been published to {view.identifier} yet",
            location=view.location,
            action=f"run the feature view {view.name} first",
        )
    head = snapshot.snapshot_id
    if not rebuild and _is_materialized(platform, view.name, head):
        if not is_registered(platform):
            register_for(platform, view, progress)
        return MaterializationOutcome(view.name, run_id, "nothing_new", 0, head)
    _require_no_drift(platform, view)
    from quality_platform.feature_store.store import materialize_snapshot

    progress("materializing", f"snapshot {head}")
    register_for(platform, view, progress)
    # Pinned to the snapshot that the record names: main may move meanwhile.
    pinned = replace(store_settings(platform), refs={view.identifier: str(head)})
    written = materialize_snapshot(
        pinned,
        view.name,
        is_current=lambda: _require_head(platform, view, head),
        rebuild=rebuild,
    )
    for note in written.notes:
        progress("materializing", note)
    return MaterializationOutcome(
        view.name,
        run_id,
        "materialized",
        written.rows,
        head,
        written.extent,
        written.notes,
        taken_back=written.taken_back,
    )


def _require_head(platform: Platform, view: FeatureTable, snapshot_id: int) -> None:
    """Checks that the view was not published anew before this materialization took it over."""
    head = published_snapshot(platform.lake.find_table(view.identifier))
    if head is None or head.snapshot_id != snapshot_id:
        raise ConcurrentLoadError(
            f"{view.identifier} was published anew before its materialization began",
            field=view.name,
            action="nothing: it starts over",
        )


def _require_no_drift(platform: Platform, view: FeatureTable) -> None:
    """A drift test of severity error stops every materialization, not only that of its own run."""
    drifted = [result for result in drift_results(platform, view) if result.blocks]
    if drifted:
        raise MaterializationError(
            f"the drift test of {view.identifier} failed",
            location=view.location,
            field="drift",
            received="; ".join(f"{r.spec.name}: {r.message}" for r in drifted),
            action="correct the data, move the reference period, or set drift.severity: warning",
        )


def _is_materialized(platform: Platform, name: str, snapshot_id: int) -> bool:
    """Whether it can be told at once; a server is asked in any case, and may have lost the rows."""
    settings = store_settings(platform)
    if not isinstance(settings.online_store, SqliteOnline):
        return False
    run = latest_runs(platform.lake, platform.engine).get(f"online.{name}")
    done = run is not None and run["state"] == "materialized" and run["snapshot_id"] == snapshot_id
    return done and last_snapshot(settings.online_store.path, settings.project, name) == snapshot_id
