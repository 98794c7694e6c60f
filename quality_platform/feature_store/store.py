"""A feature store: applying views, materializing them, reading them online and back in time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from quality_platform.errors import MaterializationError
from quality_platform.feature_store.applying import Applied, apply_definitions, apply_views
from quality_platform.feature_store.definitions import StoreSettings
from quality_platform.feature_store.guarding import feast_errors
from quality_platform.feature_store.materializing import materialize, materialize_snapshot
from quality_platform.feature_store.opening import open_store

if TYPE_CHECKING:
    from feast import FeatureStore

__all__ = [
    "Applied",
    "apply_definitions",
    "apply_views",
    "historical_features",
    "materialize",
    "materialize_snapshot",
    "online_features",
    "open_store",
]


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
    with feast_errors(settings, "the features cannot be read online"):
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
    with feast_errors(settings, "the historical features cannot be read"):
        store = open_store(settings)
        # As Arrow, which Feast hands on as it is: pandas makes floats of integers beside missing
        # values.
        job = store.get_historical_features(entity_df=entities, features=list(features))  # type: ignore[arg-type]
        found = job.to_arrow()
    result = entities
    for name in found.schema.names[len(entities.schema.names) :]:
        result = result.append_column(name, found.column(name))
    return result


def _require_join_keys(
    store: FeatureStore, features: Sequence[str], rows: Sequence[Mapping[str, Any]]
) -> None:
    """Feast answers a row without one of the join keys as if the entity were unknown."""
    views = {feature.partition(":")[0] for feature in features}
    keys = {key for view in views for key in _needed_with(store, view)}
    for number, row in enumerate(rows):
        if missing := sorted(keys - set(row)):
            raise MaterializationError(
                f"entity row {number} lacks the join key {missing[0]!r}",
                field="entity_rows",
                received=", ".join(row),
                allowed=sorted(keys),
            )


def _needed_with(store: FeatureStore, name: str) -> set[str]:
    """The join keys of a view, and for an on-demand one those of its inputs and the request's."""
    found: Any = store.registry.get_any_feature_view(name, store.project)
    inputs = getattr(found, "source_feature_view_projections", None)
    if inputs is None:
        return {*store.get_feature_view(name).join_keys}
    requested = set(found.get_request_data_schema())
    return requested.union(*(_needed_with(store, view.name) for view in inputs.values()))
