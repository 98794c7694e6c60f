"""A feature store: applying views, materializing them, reading them online and back in time."""

from __future__ import annotations

import sqlite3
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import yaml

from quality_platform.errors import MaterializationError
from quality_platform.feature_store.definitions import FeatureViewDefinition, StoreSettings
from quality_platform.feature_store.feast_objects import (
    feast_objects,
    feast_settings,
    holds_no_secret,
)
from quality_platform.feature_store.online import write_latest
from quality_platform.feature_store.point_in_time import event_time_bounds

if TYPE_CHECKING:
    from feast import FeatureStore

_YAML_HEAD = """\
# Written by quality-platform whenever it applies feature views; changes are lost.
# Do not run `feast apply` here: it would delete the views, which no file beside this one defines.
"""

_LOCK_SECONDS = 120
"""How long to wait for other processes that change the registry."""

_QUOTES = "'\""
"""What a KeyError puts around its message."""


def open_store(settings: StoreSettings) -> FeatureStore:
    """Feast's own store over the same registry, online store and lake.

    `get_historical_features` reads the lake at the settings' refs; `get_online_features` reads what
    was materialized last. Opening takes seconds the first time in a process: Feast is imported.
    """
    with warnings.catch_warnings():
        # Feast's import switches on the DeprecationWarnings of the whole process.
        from feast import FeatureStore, RepoConfig

        for file in (settings.registry, settings.online_store):
            file.parent.mkdir(parents=True, exist_ok=True)
        return FeatureStore(config=RepoConfig(**feast_settings(settings)))


def apply_views(settings: StoreSettings, views: Sequence[FeatureViewDefinition]) -> None:
    """Registers the views and their entities, and makes room for them in the online store.

    Applying the same definitions again changes nothing. Views that are registered and not among
    `views` stay as they are. Beside the registry a `feature_store.yaml` is written, with which
    Feast's command line and `FeatureStore(repo_path=...)` work; where the catalog's properties can
    hold credentials there is none, because it would hold them too: open the store with
    `open_store` then.

    Raises:
        MaterializationError: a definition does not fit Feast, or Feast failed.
    """
    with _feast("the feature views cannot be applied"):
        store, objects = open_store(settings), feast_objects(views)
        with _alone(settings):
            _keep_history(store, objects)
            store.apply(objects)
            _write_feature_store_yaml(settings)


def materialize(
    settings: StoreSettings,
    view: FeatureViewDefinition,
    start: datetime | None = None,
    end: datetime | None = None,
) -> int:
    """Writes the newest row of each entity to the online store; returns the number of entities.

    Event times from `start` to `end`, both inclusive; None means without bound, and then what is
    written is the newest that the snapshot has. Feast's SQLite store lets an older row overwrite a
    newer one: narrower bounds and refs to older snapshots do that. Entities that are no longer in
    the table keep their last values.

    Raises:
        MaterializationError: the view is not applied, its rows cannot be told apart or do not fit
            Feast, or writing failed.
        TableNotFoundError: nothing has been published under the view's table.
    """
    with _feast(f"the feature view {view.name} cannot be materialized"):
        from quality_platform.feature_store.iceberg_offline_store import rows_of, snapshot_at

        store = open_store(settings)
        registered = store.get_feature_view(view.name)
        snapshot = snapshot_at(store.config, rows_of(registered))
        bounds = event_time_bounds(snapshot)
        if bounds is None:
            return 0
        first, last = start or bounds[0], end or bounds[1]
        online_store = store.provider.online_store
        written = write_latest(online_store, store.config, registered, snapshot, (first, last))
        if written and (first, last) not in registered.materialization_intervals:
            with _alone(settings):
                store.registry.apply_materialization(registered, store.project, first, last)
        return written


def online_features(
    settings: StoreSettings, features: Sequence[str], entity_rows: Sequence[Mapping[str, Any]]
) -> dict[str, list[Any]]:
    """The values that were materialized last, by column, in the order of the entity rows.

    Args:
        settings: the store.
        features: `view:feature`.
        entity_rows: one mapping from join key to value for each wanted row.

    Returns:
        The join keys and the features (by their names without the view's); None where nothing is
        known. No columns for no rows. A value stays when its TTL has passed: Feast's SQLite store
        knows no expiry.

    Raises:
        MaterializationError: a view or feature is not applied, or a join key is missing.
    """
    with _feast("the features cannot be read online"):
        store, rows = open_store(settings), [dict(row) for row in entity_rows]
        _require_join_keys(store, features, rows)
        if not rows:
            return {}
        found = store.get_online_features(features=list(features), entity_rows=rows)
        values: dict[str, list[Any]] = found.to_dict()
    return values


def historical_features(
    settings: StoreSettings, entities: pa.Table, features: Sequence[str]
) -> pa.Table:
    """The features (`view:feature`) of each entity row as they were known at its moment.

    Args:
        settings: the store; its refs pin the tables that are read.
        entities: the join keys and the moment: `event_timestamp`, or the only column of timestamps.
            Other columns (labels) pass through.
        features: `view:feature`.

    Returns:
        The entity rows, all and in their order, unchanged, with the features beside them.

    Raises:
        MaterializationError: a view or feature is not applied, the entity rows lack a join key or
            the moment, or the feature rows cannot be read.
    """
    with _feast("the historical features cannot be read"):
        import pandas as pd

        # Arrow's types within pandas: with its own, integers beside missing values become floats.
        frame = entities.to_pandas(types_mapper=pd.ArrowDtype)
        job = open_store(settings).get_historical_features(entity_df=frame, features=list(features))
        found = job.to_arrow()
    result = entities
    for name in found.schema.names[len(entities.schema.names) :]:
        result = result.append_column(name, found.column(name))
    return result


@contextmanager
def _feast(failing: str) -> Iterator[None]:
    """Turns what Feast and its libraries raise into the platform's error."""
    with warnings.catch_warnings():
        # Feast's modules switch on the deprecation warnings of the whole process.
        from feast.errors import FeastError
        from google.protobuf.message import Error as ProtobufError  # type: ignore[import-untyped]
        from sqlalchemy.exc import SQLAlchemyError

        known = (FeastError, SQLAlchemyError, sqlite3.Error, ProtobufError, OSError, RuntimeError)
        try:
            yield
        except (*known, ValueError, TypeError, KeyError, AssertionError) as error:
            raise MaterializationError(
                f"{failing}: {str(error).strip(_QUOTES) or type(error).__name__}",
                action="apply the views first, and check the registry and the online store",
            ) from error


@contextmanager
def _alone(settings: StoreSettings) -> Iterator[None]:
    """Keeps other processes from changing the registry meanwhile.

    Feast makes the registry's tables and changes its rows without a lock. SQLite's own lock on an
    empty file beside the registry works on every system, and ends with its process.
    """
    file = settings.registry.with_name(f"{settings.registry.name}.lock")
    with closing(sqlite3.connect(file, timeout=_LOCK_SECONDS)) as lock:
        lock.execute("BEGIN EXCLUSIVE")
        yield


def _keep_history(store: FeatureStore, objects: Sequence[Any]) -> None:
    """Gives new definitions what their registered ones have gone through.

    Feast would take a view without it for a changed one, and forget that it is available online.
    """
    registered = {view.name: view for view in store.list_feature_views()}
    for view in objects:
        if view.name in registered and hasattr(view, "materialization_intervals"):
            view.materialization_intervals = registered[view.name].materialization_intervals
            view.state = registered[view.name].state


def _require_join_keys(
    store: FeatureStore, features: Sequence[str], rows: Sequence[Mapping[str, Any]]
) -> None:
    """Feast answers a row without one of the join keys as if the entity were unknown."""
    views = {feature.partition(":")[0] for feature in features}
    keys = {key for view in views for key in store.get_feature_view(view).join_keys}
    for number, row in enumerate(rows):
        if missing := sorted(keys - set(row)):
            raise MaterializationError(
                f"entity row {number} lacks the join key {missing[0]!r}",
                field="entity_rows",
                received=", ".join(row),
                allowed=sorted(keys),
            )


def _write_feature_store_yaml(settings: StoreSettings) -> None:
    file = settings.registry.absolute().parent / "feature_store.yaml"
    if not holds_no_secret(settings):
        file.unlink(missing_ok=True)
        return
    text = yaml.safe_dump(feast_settings(settings), sort_keys=False)
    complete = file.with_suffix(".tmp")
    complete.write_text(_YAML_HEAD + text, encoding="utf-8")
    complete.replace(file)
