"""A Feast plugin: reads features from Iceberg tables at pinned snapshots.

Feast's own stores do not serve: the default one loses entity rows, the DuckDB one joins by range
and always reads the current table. Feast loads this module by its path, when a store uses it;
importing it imports Feast.
"""

# The signatures are Feast's, which calls them by the arguments' names.
# ruff: noqa: ARG004, PLR0913

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from feast.data_source import DataSource
from feast.feature_logging import LoggingConfig, LoggingSource
from feast.feature_view import DUMMY_ENTITY_ID, FeatureView
from feast.infra.offline_stores.file_source import FileSource
from feast.infra.offline_stores.offline_store import (
    OfflineStore,
    RetrievalJob,
    RetrievalMetadata,
)
from feast.infra.registry.base_registry import BaseRegistry
from feast.on_demand_feature_view import OnDemandFeatureView
from feast.repo_config import FeastConfigBaseModel, RepoConfig
from feast.utils import compute_non_entity_date_range
from pyarrow import parquet
from pydantic import ConfigDict, Field, StrictStr

from quality_platform.errors import MaterializationError
from quality_platform.feature_store import entity_rows, point_in_time, table_writes
from quality_platform.feature_store.entity_rows import EntityRows
from quality_platform.feature_store.iceberg_source import IcebergTableSource, lake_of
from quality_platform.feature_store.iceberg_storage import IcebergLoggingDestination, read_file
from quality_platform.feature_store.retrieval_job import Asked, IcebergRetrievalJob, Origin
from quality_platform.feature_store.snapshots import FeatureRows, Period, Snapshot, pinned
from quality_platform.lake.query import EngineSettings


class IcebergOfflineStoreConfig(FeastConfigBaseModel):
    """The `offline_store` section of a Feast configuration that uses this store."""

    model_config = ConfigDict(hide_input_in_errors=True)

    type: StrictStr = "quality_platform.feature_store.iceberg_offline_store.IcebergOfflineStore"
    """This class's path."""
    catalog: StrictStr = "lake"
    """The name of the Iceberg catalog."""
    properties: dict[str, str] = Field(default_factory=dict, repr=False)
    """pyiceberg's catalog properties; they can hold credentials."""
    refs: dict[str, str] = Field(default_factory=dict)
    """Pins: table identifier to branch, tag, snapshot id or time; `main` where there is none."""
    memory_limit_mb: int = 512
    """Memory of one read; what does not fit spills to disk."""
    threads: int = 2
    """Threads of one read."""


@dataclass(frozen=True)
class _View:
    """A feature view as it is read: its rows, the entity rows' columns, the names of the result."""

    view: FeatureView
    snapshot: Snapshot

    @property
    def keys(self) -> dict[str, str]:
        """The entity rows' column for each join key."""
        names = self.view.projection.join_key_map
        return {key: names.get(key, key) for key in self.snapshot.rows.join_keys}

    @property
    def prefix(self) -> str:
        """What full feature names begin with."""
        return f"{self.view.projection.name_alias or self.view.name}__"

    def values(self, entities: EntityRows, *, created_by_then: bool) -> pa.Table:
        """The features, a row for each of the entity rows."""
        return point_in_time.as_of(
            self.snapshot,
            entities.table,
            keys=self.keys,
            moment=entities.moment,
            ttl=self.view.ttl,
            created_by_then=created_by_then,
        )


class IcebergOfflineStore(OfflineStore):
    """Reads features from tables of the lake, each at the snapshot that the configuration pins."""

    supports_filter_by_created_timestamp = True

    @staticmethod
    def get_historical_features(
        config: RepoConfig,
        feature_views: list[FeatureView],
        feature_refs: list[str],
        entity_df: pd.DataFrame | pa.Table | str | None,
        registry: BaseRegistry,
        project: str,
        full_feature_names: bool = False,
        **kwargs: Any,
    ) -> RetrievalJob:
        """The features of each entity row at the row's moment.

        The result has the entity rows in their order, their columns, then the features. The moment
        is the column `event_timestamp`, or the only column of timestamps.

        Args:
            config: Feast's configuration, with this store's section.
            feature_views: the views to read, with their projections.
            feature_refs: the wanted features, `view:feature`.
            entity_df: the entity rows: a data frame, an Arrow table, or a SELECT over tables of the
                lake; None for a row of every entity and event time from `start_date` to `end_date`.
            registry: Feast's registry.
            project: the project of the views.
            full_feature_names: whether the features' names begin with their view's.
            **kwargs: Feast's `start_date`, `end_date`, `filter_by_created_timestamp`.

        Raises:
            MaterializationError: the entity rows have no moment, or a view lacks a feature.
            PredicateError: the SELECT may not run.
            TableNotFoundError: a table is not there, or not at its pin.
        """
        views = [_view(config, view, feature_refs) for view in feature_views]
        entities = _entities(config, views, entity_df, kwargs)
        created_by_then = bool(kwargs.get("filter_by_created_timestamp"))

        def read() -> pa.Table:
            result = entities.table
            for view in views:
                values = view.values(entities, created_by_then=created_by_then)
                result = _beside(result, values, view.prefix if full_feature_names else "")
            return result

        first, last = entities.bounds()
        asked = Asked(
            full_feature_names,
            OnDemandFeatureView.get_requested_odfvs(feature_refs, project, registry),
            RetrievalMetadata(feature_refs, entities.others, first, last),
        )
        return IcebergRetrievalJob(read, _origin(config, [one.snapshot for one in views]), asked)

    @staticmethod
    def pull_latest_from_table_or_query(
        config: RepoConfig,
        data_source: DataSource,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None,
        start_date: datetime,
        end_date: datetime,
    ) -> RetrievalJob:
        """The newest row of each entity among those of the period, both ends included."""
        names = (join_key_columns, feature_name_columns, timestamp_field, created_timestamp_column)
        snapshot = snapshot_at(config, _columns(data_source, *names))
        return IcebergRetrievalJob(
            lambda: pa.Table.from_batches(point_in_time.latest(snapshot, start_date, end_date)),
            _origin(config, [snapshot]),
        )

    @staticmethod
    def pull_all_from_table_or_query(
        config: RepoConfig,
        data_source: DataSource,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
    ) -> RetrievalJob:
        """All rows of the period, both ends included; also of a data set saved to a file."""
        if isinstance(data_source, FileSource):
            columns = [*join_key_columns, *feature_name_columns, timestamp_field]
            return _saved_rows(config, data_source, columns, (start_date, end_date))
        names = (join_key_columns, feature_name_columns, timestamp_field, created_timestamp_column)
        snapshot = snapshot_at(config, _columns(data_source, *names))
        return IcebergRetrievalJob(
            lambda: point_in_time.between(snapshot, start_date, end_date),
            _origin(config, [snapshot]),
        )

    @staticmethod
    def offline_write_batch(
        config: RepoConfig,
        feature_view: FeatureView,
        table: pa.Table,
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Adds rows to the view's table, unless the platform loads it.

        Raises:
            MaterializationError: the platform loads the table, or the rows have other columns.
        """
        source = _iceberg_source(feature_view.batch_source)
        columns = {name: column for column, name in source.field_mapping.items()}
        rows = table.rename_columns([columns.get(name, name) for name in table.schema.names])
        table_writes.append(lake_of(config), source.table, rows)
        if progress is not None:
            progress(rows.num_rows)

    @staticmethod
    def write_logged_features(
        config: RepoConfig,
        data: pa.Table | Path,
        source: LoggingSource,
        logging_config: LoggingConfig,
        registry: BaseRegistry,
    ) -> None:
        """Adds logs of served features to the destination's table, which is made by the first.

        Raises:
            MaterializationError: the destination is no table of the lake, or holds something else.
        """
        destination = logging_config.destination
        if not isinstance(destination, IcebergLoggingDestination):
            raise MaterializationError(
                "features are logged to tables of the lake only",
                field="logging_config",
                received=type(destination).__name__,
                allowed="IcebergLoggingDestination",
            )
        rows = data if isinstance(data, pa.Table) else parquet.read_table(data)
        table_writes.append(lake_of(config), destination.table, rows)

    @staticmethod
    def get_monitoring_max_timestamp(
        config: RepoConfig, data_source: DataSource, timestamp_field: str
    ) -> datetime | None:
        """The last event time of a source; None for a table without rows."""
        rows = FeatureRows(_iceberg_source(data_source).table, (), (), timestamp_field)
        bounds = point_in_time.event_time_bounds(snapshot_at(config, rows))
        return None if bounds is None else bounds[1]


def rows_of(view: FeatureView) -> FeatureRows:
    """Where the values of a view stand; no join keys for a view without entities.

    Raises:
        MaterializationError: its source is no table of the lake.
    """
    source = _iceberg_source(view.batch_source)
    return FeatureRows(
        source.table,
        tuple(column.name for column in view.entity_columns if column.name != DUMMY_ENTITY_ID),
        tuple(feature.name for feature in view.features),
        source.timestamp_field,
        source.created_timestamp_column or None,
        {name: column for column, name in source.field_mapping.items()},
    )


def snapshot_at(config: RepoConfig, rows: FeatureRows) -> Snapshot:
    """The rows at the snapshot that the configuration pins.

    Raises:
        TableNotFoundError: there is no such table, or no such branch, tag or snapshot.
    """
    ref = config.offline_store.refs.get(rows.table, "main")
    return pinned(lake_of(config), rows, ref, _settings(config))


def _settings(config: RepoConfig) -> EngineSettings:
    store = config.offline_store
    return EngineSettings(memory_limit_mb=store.memory_limit_mb, threads=store.threads)


def _origin(config: RepoConfig, snapshots: Sequence[Snapshot] = ()) -> Origin:
    ids = {snapshot.rows.table: snapshot.snapshot_id for snapshot in snapshots}
    return Origin(lake_of(config), ids, config.repo_path)


def _iceberg_source(source: DataSource | None) -> IcebergTableSource:
    if not isinstance(source, IcebergTableSource):
        raise MaterializationError(
            "features are read from tables of the lake only",
            field=getattr(source, "name", "source"),
            received=type(source).__name__,
            allowed="IcebergTableSource",
        )
    return source


def _columns(
    source: DataSource, keys: list[str], features: list[str], event: str, created: str | None
) -> FeatureRows:
    """Columns of a source by the names that the table itself gives them."""
    table = _iceberg_source(source).table
    known = tuple(key for key in keys if key != DUMMY_ENTITY_ID)
    return FeatureRows(table, known, tuple(features), event, created or None)


def _view(config: RepoConfig, view: FeatureView, refs: Sequence[str]) -> _View:
    prefix = f"{view.projection.name_to_use()}:"  # type: ignore[no-untyped-call]
    wanted = tuple(ref.removeprefix(prefix) for ref in refs if ref.startswith(prefix))
    rows = rows_of(view)
    for name in wanted:
        if name not in rows.features:
            raise MaterializationError(
                f"the feature view has no feature {name!r}",
                field=view.name,
                received=name,
                allowed=rows.features,
            )
    return _View(view, snapshot_at(config, replace(rows, features=wanted)))


def _entities(
    config: RepoConfig,
    views: Sequence[_View],
    given: pd.DataFrame | pa.Table | str | None,
    options: Mapping[str, Any],
) -> EntityRows:
    if isinstance(given, pa.Table):
        return EntityRows(given, entity_rows.moment_in(given.schema))
    if isinstance(given, pd.DataFrame):
        return entity_rows.of_frame(given)
    if isinstance(given, str):
        refs = config.offline_store.refs
        return entity_rows.of_query(given, lake_of(config), refs, _settings(config))
    period = compute_non_entity_date_range(
        [one.view for one in views], options.get("start_date"), options.get("end_date")
    )
    return entity_rows.of_period([(one.snapshot, one.keys) for one in views], Period(*period))


def _saved_rows(
    config: RepoConfig,
    source: FileSource,
    columns: list[str],
    period: tuple[datetime | None, datetime | None],
) -> RetrievalJob:
    """The rows of a data set in a file, whose last column is the time."""

    def read() -> pa.Table:
        rows = read_file(config.repo_path, source, columns)
        times = rows.column(columns[-1])
        for bound, is_within in zip(period, (pc.greater_equal, pc.less_equal), strict=True):
            if bound is not None:
                kept = is_within(times, pa.scalar(bound, times.type))
                rows, times = rows.filter(kept), times.filter(kept)
        return rows

    return IcebergRetrievalJob(read, _origin(config))


def _beside(table: pa.Table, values: pa.Table, prefix: str) -> pa.Table:
    for name in values.schema.names:
        if prefix + name in table.schema.names:
            raise MaterializationError(
                f"the result would have two columns {prefix + name!r}",
                field="entity_df",
                received=", ".join(table.schema.names),
                action="rename the column of the entity rows, or ask for full_feature_names",
            )
        table = table.append_column(prefix + name, values.column(name))
    return table
