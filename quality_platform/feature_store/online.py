"""Writing to the online store, straight from Arrow.

Feast's own way goes through pandas: integers beside missing values become floats there, and numbers
above 2**53 other numbers. Here every value arrives as it is in the lake.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from quality_platform.errors import MaterializationError
from quality_platform.feature_store import point_in_time
from quality_platform.feature_store.snapshots import FeatureRows, Snapshot

if TYPE_CHECKING:
    from feast import FeatureView
    from feast.field import Field
    from feast.infra.online_stores.online_store import OnlineStore
    from feast.protos.feast.types.Value_pb2 import Value
    from feast.repo_config import RepoConfig

_BATCH_ROWS = 2_000
"""Rows of one transaction: SQLite locks out other writers while it lasts."""

_PROTO_FIELDS = {
    "BOOL": "bool_val",
    "INT32": "int32_val",
    "INT64": "int64_val",
    "FLOAT": "float_val",
    "DOUBLE": "double_val",
    "STRING": "string_val",
    "BYTES": "bytes_val",
    "DECIMAL": "decimal_val",
    "UNIX_TIMESTAMP": "unix_timestamp_val",
}


def write_latest(
    store: OnlineStore,
    config: RepoConfig,
    view: FeatureView,
    snapshot: Snapshot,
    period: tuple[datetime, datetime],
) -> int:
    """Writes the newest row of each entity within the period; returns how many were written.

    Both ends of the period are included. The rows go in transactions of some thousand: after a
    crash part of the entities are new, and the same call again completes them.

    Raises:
        MaterializationError: the rows cannot be read, or a value is not Feast's.
    """
    written = 0
    for batch in point_in_time.latest(snapshot, *period, _BATCH_ROWS):
        store.online_write_batch(config, view, _encoded(batch, view, snapshot.rows), None)
        written += batch.num_rows
    return written


def _encoded(batch: pa.RecordBatch, view: FeatureView, origin: FeatureRows) -> list[Any]:
    """Feast's rows: entity key, features by name, event time, created time."""
    from feast.protos.feast.types.EntityKey_pb2 import EntityKey

    keys = [column.name for column in view.entity_columns]
    features = [feature.name for feature in view.features]
    key_rows = zip(*(_values(batch, column) for column in view.entity_columns), strict=True)
    rows = zip(*(_values(batch, feature) for feature in view.features), strict=True)
    events = batch.column(origin.event_timestamp).to_pylist()
    created: list[datetime | None] = [None] * batch.num_rows
    if origin.created_timestamp is not None:
        created = batch.column(origin.created_timestamp).to_pylist()
    return [
        (
            EntityKey(join_keys=keys, entity_values=key),
            dict(zip(features, row, strict=True)),
            event,
            known,
        )
        for key, row, event, known in zip(key_rows, rows, events, created, strict=True)
    ]


def _values(batch: pa.RecordBatch, field: Field) -> list[Value]:
    from feast.protos.feast.types.Value_pb2 import Value

    kind = field.dtype.to_value_type().name
    if kind not in _PROTO_FIELDS:
        raise MaterializationError(
            "the online store is not written with values of this type",
            field=field.name,
            received=kind,
            allowed=", ".join(_PROTO_FIELDS),
        )
    values = batch.column(field.name).to_pylist()
    if kind == "UNIX_TIMESTAMP":
        values = [value and _seconds(value, field.name) for value in values]
    elif kind == "DECIMAL":
        values = [None if value is None else str(value) for value in values]
    proto = _PROTO_FIELDS[kind]
    return [Value() if value is None else Value(**{proto: value}) for value in values]


def _seconds(moment: datetime, column: str) -> int:
    if moment.microsecond:
        raise MaterializationError(
            "Feast keeps timestamps in whole seconds",
            field=column,
            received=moment.isoformat(),
            action="round it in the view's SQL: date_trunc('second', ...)",
        )
    utc = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return int(utc.timestamp())
