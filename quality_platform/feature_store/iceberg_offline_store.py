"""A Feast plugin: reads features from Iceberg tables at pinned snapshots.

Feast's own stores do not serve: the default one loses entity rows, the DuckDB one joins by range
and always reads the current table. Feast loads this module by its path, when a store uses it;
importing it imports Feast.
"""

# The signatures are Feast's, which calls them by the arguments' names.
# ruff: noqa: ARG002, ARG004, PLR0913

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import pandas as pd
import pyarrow as pa
from feast.data_source import DataSource
from feast.feature_view import FeatureView
from feast.infra.offline_stores.offline_store import (
    OfflineStore,
    RetrievalJob,
    RetrievalMetadata,
)
from feast.infra.registry.base_registry import BaseRegistry
from feast.on_demand_feature_view import OnDemandFeatureView
from feast.repo_config import FeastConfigBaseModel, RepoConfig
from pydantic import ConfigDict, Field, StrictStr

from quality_platform.errors import MaterializationError
from quality_platform.feature_store import point_in_time
from quality_platform.feature_store.iceberg_source import lake_of
from quality_platform.feature_store.snapshots import FeatureRows, Snapshot, pinned
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
    """Pins: table identifier to branch, tag or snapshot id; `main` where there is none."""
    memory_limit_mb: int = 512
    """Memory of one read; what does not fit spills to disk."""
    threads: int = 2
    """Threads of one read."""


class IcebergRetrievalJob(RetrievalJob):
    """A read that runs when its result is asked for, each time anew."""

    def __init__(
        self,
        read: Callable[[], pa.Table],
        *,
        full_feature_names: bool = False,
        on_demand_feature_views: Sequence[OnDemandFeatureView] = (),
        metadata: RetrievalMetadata | None = None,
    ) -> None:
        self._read = read
        self._full_feature_names = full_feature_names
        self._on_demand_feature_views = list(on_demand_feature_views)
        self._metadata = metadata

    def _to_arrow_internal(self, timeout: int | None = None) -> pa.Table:
        return self._read()

    def _to_df_internal(self, timeout: int | None = None) -> pd.DataFrame:
        return self._read().to_pandas()

    @property
    def full_feature_names(self) -> bool:
        """Whether the features' names begin with the view's."""
        return self._full_feature_names

    @property
    def on_demand_feature_views(self) -> list[OnDemandFeatureView]:
        """The views that Feast computes from the result."""
        return self._on_demand_feature_views

    @property
    def metadata(self) -> RetrievalMetadata | None:
        """What was asked for."""
        return self._metadata


class IcebergOfflineStore(OfflineStore):
    """Reads features from tables of the lake, each at the snapshot that the configuration pins."""

    @staticmethod
    def get_historical_features(
        config: RepoConfig,
        feature_views: list[FeatureView],
        feature_refs: list[str],
        entity_df: pd.DataFrame | str | None,
        registry: BaseRegistry,
        project: str,
        full_feature_names: bool = False,
        **kwargs: Any,
    ) -> RetrievalJob:
        """The features of each row of `entity_df` at the row's moment.

        The result has the rows of `entity_df` in their order, its columns, then the features. The
        moment is the column `event_timestamp`, or the only column of timestamps.

        Raises:
            MaterializationError: `entity_df` is not a data frame with a moment.
        """
        if not isinstance(entity_df, pd.DataFrame):
            raise MaterializationError(
                "historical features are read for entity rows",
                field="entity_df",
                received=type(entity_df).__name__,
                allowed="a data frame with the join keys and a timestamp",
            )
        entities = pa.Table.from_pandas(entity_df, preserve_index=False)
        moment = _moment_of(entities)

        def read() -> pa.Table:
            result = entities
            for view in feature_views:
                values = _values_of(config, view, feature_refs, entities, moment)
                prefix = (
                    f"{view.projection.name_alias or view.name}__" if full_feature_names else ""
                )
                result = _beside(result, values, prefix)
            return result

        return IcebergRetrievalJob(
            read,
            full_feature_names=full_feature_names,
            on_demand_feature_views=OnDemandFeatureView.get_requested_odfvs(
                feature_refs, project, registry
            ),
            metadata=RetrievalMetadata(
                features=feature_refs,
                keys=[name for name in entities.schema.names if name != moment],
            ),
        )

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
        rows = FeatureRows(
            data_source.name,
            tuple(join_key_columns),
            tuple(feature_name_columns),
            timestamp_field,
            created_timestamp_column or None,
        )
        return IcebergRetrievalJob(
            lambda: pa.Table.from_batches(
                point_in_time.latest(snapshot_at(config, rows), start_date, end_date)
            )
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
        """All rows of the period, both ends included."""
        rows = FeatureRows(
            data_source.name,
            tuple(join_key_columns),
            tuple(feature_name_columns),
            timestamp_field,
            created_timestamp_column or None,
        )
        return IcebergRetrievalJob(
            lambda: point_in_time.between(snapshot_at(config, rows), start_date, end_date)
        )


def rows_of(view: FeatureView) -> FeatureRows:
    """Where the values of a view stand.

    Raises:
        MaterializationError: it has no batch source.
    """
    source = view.batch_source
    if source is None:
        raise MaterializationError("the feature view has no table", field=view.name)
    return FeatureRows(
        source.name,
        tuple(column.name for column in view.entity_columns),
        tuple(feature.name for feature in view.features),
        source.timestamp_field,
        source.created_timestamp_column or None,
    )


def snapshot_at(config: RepoConfig, rows: FeatureRows) -> Snapshot:
    """The rows at the snapshot that the configuration pins.

    Raises:
        TableNotFoundError: there is no such table, or no such branch, tag or snapshot.
    """
    store = config.offline_store
    settings = EngineSettings(memory_limit_mb=store.memory_limit_mb, threads=store.threads)
    return pinned(lake_of(config), rows, store.refs.get(rows.table, "main"), settings)


def _moment_of(entities: pa.Table) -> str:
    if "event_timestamp" in entities.schema.names:
        return "event_timestamp"
    found = [field.name for field in entities.schema if pa.types.is_timestamp(field.type)]
    if len(found) != 1:
        raise MaterializationError(
            "it cannot be told which column holds the moments of the entity rows",
            field="entity_df",
            received=f"columns of timestamps: {', '.join(found) or 'none'}",
            action="call the column event_timestamp",
        )
    return found[0]


def _values_of(
    config: RepoConfig, view: FeatureView, refs: Sequence[str], entities: pa.Table, moment: str
) -> pa.Table:
    projection = view.projection
    prefix = f"{projection.name_to_use()}:"  # type: ignore[no-untyped-call]
    wanted = [ref.removeprefix(prefix) for ref in refs if ref.startswith(prefix)]
    rows = replace(rows_of(view), features=tuple(wanted))
    return point_in_time.as_of(
        snapshot_at(config, rows),
        entities,
        keys={key: projection.join_key_map.get(key, key) for key in rows.join_keys},
        moment=moment,
        ttl=view.ttl,
    )


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
