"""Feature views from the lake into the online store."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from quality_platform.feature_store.definitions import FeatureViewDefinition, StoreSettings
from quality_platform.feature_store.guarding import feast_errors, registry_lock
from quality_platform.feature_store.online import Target, Written, write_period, write_snapshot
from quality_platform.feature_store.opening import open_store
from quality_platform.feature_store.point_in_time import event_time_bounds

if TYPE_CHECKING:
    from feast import FeatureStore, FeatureView

    from quality_platform.feature_store.snapshots import Snapshot


def materialize(
    settings: StoreSettings,
    view: FeatureViewDefinition,
    start: datetime | None = None,
    end: datetime | None = None,
) -> int:
    """Writes the newest row of each entity to the online store; returns the number of entities.

    Event times from `start` to `end`, both inclusive; None means without bound. Without any bound
    only what was published since the last materialization is read; see `materialize_snapshot`. An
    older row never replaces a newer one in the store, but where the newer one has left the table.

    Raises:
        MaterializationError: the view is not applied, its rows cannot be told apart or do not fit
            Feast, or writing failed.
        ConcurrentLoadError: another materialization of the view has begun.
        FeatureStoreUnreachableError: the registry or the online store does not answer.
        TableNotFoundError: nothing has been published under the view's table.
    """
    if start is None and end is None:
        return materialize_snapshot(settings, view.name).rows
    with feast_errors(settings, f"the feature view {view.name} cannot be materialized"):
        store = open_store(settings)
        registered, snapshot = _opened(store, view.name)
        bounds = event_time_bounds(snapshot)
        if bounds is None:
            return 0
        first, last = start or bounds[0], end or bounds[1]
        target = Target(store.provider.online_store, store.config, registered)
        written = write_period(target, snapshot, first, last)
        if written.rows:
            _note(settings, store, registered, (first, last))
        return written.rows


def materialize_snapshot(
    settings: StoreSettings,
    view: str,
    *,
    is_current: Callable[[], None] = lambda: None,
    rebuild: bool = False,
) -> Written:
    """Brings the online store to the newest row of each entity at the snapshot of the settings.

    See `online.write_snapshot`; Feast's registry is told of the event times.

    Raises:
        MaterializationError, ConcurrentLoadError, FeatureStoreUnreachableError,
            TableNotFoundError: as `materialize`.
    """
    with feast_errors(settings, f"the feature view {view} cannot be materialized"):
        store = open_store(settings)
        registered, snapshot = _opened(store, view)
        target = Target(store.provider.online_store, store.config, registered)
        written = write_snapshot(target, snapshot, is_current=is_current, rebuild=rebuild)
        bounds = event_time_bounds(snapshot)
        if bounds is not None:
            _note(settings, store, registered, bounds)
        return written


def _opened(store: FeatureStore, name: str) -> tuple[FeatureView, Snapshot]:
    """The registered view, and its rows as the store's configuration pins them."""
    from quality_platform.feature_store.iceberg_offline_store import rows_of, snapshot_at

    registered = store.get_feature_view(name)
    return registered, snapshot_at(store.config, rows_of(registered))


def _note(
    settings: StoreSettings,
    store: FeatureStore,
    registered: FeatureView,
    period: tuple[datetime, datetime],
) -> None:
    """Tells Feast's registry which event times are in the online store."""
    if period not in registered.materialization_intervals:
        with registry_lock(settings):
            store.registry.apply_materialization(registered, store.project, *period)
