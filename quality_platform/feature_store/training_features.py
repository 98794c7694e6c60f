"""Features of entity rows as they were known at each row's moment, from pinned tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from quality_platform.feature_store.definitions import FeatureViewDefinition
from quality_platform.feature_store.point_in_time import as_of
from quality_platform.feature_store.snapshots import FeatureRows, pinned
from quality_platform.feature_store.training_entities import EVENT_TIMESTAMP
from quality_platform.lake.catalog import Lake
from quality_platform.lake.query import EngineSettings

CHUNK_ROWS = 500_000
"""Rows whose features are looked up at once: what is kept in memory."""


@dataclass(frozen=True)
class PinnedFeatures:
    """Features of one view at a tag of its table; their columns' names begin with `prefix`."""

    view: FeatureViewDefinition
    features: tuple[str, ...]
    table: str
    tag: str
    prefix: str = ""

    @property
    def columns(self) -> list[pa.Field[Any]]:
        """The columns that they become."""
        return [
            pa.field(self.prefix + name, self.view.features.field(name).type)
            for name in self.features
        ]


def with_features(
    lake: Lake,
    wanted: Sequence[PinnedFeatures],
    rows: Iterable[pa.RecordBatch],
    schema: pa.Schema,
    settings: EngineSettings,
) -> Iterator[pa.Table]:
    """Entity rows with the features as they were known at each row's moment, in the same order.

    Args:
        lake: where the features' tables are.
        wanted: the features, and the tags that they are read at.
        rows: the entity rows.
        schema: their columns.
        settings: limits of each read.

    Raises:
        TableNotFoundError: a tag is gone.
        MaterializationError: the feature rows cannot be read, or do not tell which is the newest.
    """
    for chunk in _chunks(rows, schema):
        found = chunk
        for one in wanted:
            values = _values(lake, one, chunk, settings)
            for column in one.columns:
                name = column.name.removeprefix(one.prefix)
                found = found.append_column(column, values.column(name).cast(column.type))
        yield found


def _values(
    lake: Lake, wanted: PinnedFeatures, entities: pa.Table, settings: EngineSettings
) -> pa.Table:
    view = wanted.view
    rows = FeatureRows(
        wanted.table,
        tuple(entity.join_key for entity in view.entities),
        wanted.features,
        view.event_timestamp,
        view.created_timestamp,
    )
    return as_of(
        pinned(lake, rows, wanted.tag, settings),
        entities,
        keys={key: key for key in rows.join_keys},
        moment=EVENT_TIMESTAMP,
        ttl=view.ttl,
    )


def _chunks(rows: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    waiting: list[pa.RecordBatch] = []
    for batch in rows:
        waiting.append(batch)
        if sum(one.num_rows for one in waiting) >= CHUNK_ROWS:
            yield pa.Table.from_batches(waiting, schema)
            waiting = []
    if waiting:
        yield pa.Table.from_batches(waiting, schema)
