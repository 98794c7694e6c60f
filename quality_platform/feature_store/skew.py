"""What the online store gives, beside what the published rows say: for a sample of entities."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from quality_platform.feature_store.definitions import StoreSettings
from quality_platform.feature_store.guarding import feast_errors
from quality_platform.feature_store.opening import open_store
from quality_platform.feature_store.snapshots import ROWS, FeatureRows, Snapshot, session
from quality_platform.lake.query import quote_identifier, quote_literal

if TYPE_CHECKING:
    from feast import FeatureStore

DIFFERENT, STALE, MISSING, AHEAD = "different", "stale", "missing", "ahead"
"""What can be wrong with an entity: a value of the same time differs; all online is older than the
published row; there is nothing online; what is online is newer than anything published."""

KINDS = (DIFFERENT, STALE, MISSING, AHEAD)

_AT_ONCE = 500
"""Entities of one request to the online store."""


@dataclass(frozen=True)
class SkewExample:
    """One entity that is wrong: its key, and the features that differ, without their values."""

    kind: str
    key: Mapping[str, object]
    features: tuple[str, ...] = ()
    published_at: datetime | None = None
    online_at: datetime | None = None


@dataclass
class SkewFigures:
    """How many of the entities compared are wrong, by kind, and in which features they differ."""

    entities: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    features: Counter[str] = field(default_factory=Counter)
    examples: list[SkewExample] = field(default_factory=list)

    def share(self, kind: str) -> float:
        """The entities that are wrong in this way, as a fraction of those compared."""
        return self.kinds[kind] / self.entities if self.entities else 0.0


@dataclass(frozen=True)
class SkewRequest:
    """What is compared: at most `sample` entities of the view at the settings' refs.

    `tolerance` is how far a fraction may be off, relative to the published number. At most
    `examples` entities are kept of each kind.
    """

    view: str
    sample: int = 1000
    tolerance: float = 0.0
    examples: int = 5


def compare_online(settings: StoreSettings, request: SkewRequest) -> SkewFigures:
    """Reads a sample of entities online, through Feast, and from the published rows.

    Which entities are compared is decided by their keys and the snapshot alone. Times are compared
    in whole seconds, the finest that every online store of Feast keeps.

    Raises:
        MaterializationError: the view is not registered or not online, or reading failed.
        FeatureStoreUnreachableError: the registry or the online store does not answer.
        TableNotFoundError: nothing has been published under the view's table.
    """
    with feast_errors(settings, f"the feature view {request.view} cannot be compared"):
        from quality_platform.feature_store.iceberg_offline_store import rows_of, snapshot_at

        store = open_store(settings)
        rows = rows_of(store.get_feature_view(request.view))
        snapshot = snapshot_at(store.config, rows)
        found = SkewFigures()
        for batch in _published(snapshot, request.sample):
            _compare(store, rows, batch, request, found)
        return found


def _published(snapshot: Snapshot, sample: int) -> Iterator[pa.RecordBatch]:
    """The newest rows of the sampled entities; empty batches may be among them."""
    rows = snapshot.rows
    keys = [quote_identifier(key) for key in rows.join_keys]
    known = " AND ".join(f"{column} IS NOT NULL" for column in (*keys, _time(rows)))
    salt = quote_literal(f"{snapshot.snapshot_id}")
    lot = f"md5(concat_ws(chr(31), {salt}, {', '.join(f'{key}::VARCHAR' for key in keys)}))"
    newest = ", ".join(f"{quote_identifier(name)} DESC NULLS LAST" for name in rows.timestamps)
    sampled = (
        f"SELECT {', '.join(keys)} FROM (SELECT DISTINCT {', '.join(keys)} FROM {ROWS} "
        f"WHERE {known}) ORDER BY {lot}, {', '.join(keys)} LIMIT {sample}"
    )
    statement = (
        f"SELECT r.* FROM {ROWS} AS r JOIN ({sampled}) AS s USING ({', '.join(keys)}) "
        f"WHERE {known} "
        f"QUALIFY row_number() OVER (PARTITION BY {', '.join(keys)} ORDER BY {newest}) = 1 "
        # Which examples are shown must not depend on which thread was faster.
        f"ORDER BY {', '.join(keys)}"
    )
    with session(snapshot) as connection:
        yield from connection.sql(statement).to_arrow_reader(_AT_ONCE)


def _time(rows: FeatureRows) -> str:
    return quote_identifier(rows.event_timestamp)


def _compare(
    store: FeatureStore,
    rows: FeatureRows,
    batch: pa.RecordBatch,
    request: SkewRequest,
    found: SkewFigures,
) -> None:
    if not batch.num_rows:
        return
    published = batch.to_pylist()
    entities = [{key: row[key] for key in rows.join_keys} for row in published]
    features = [f"{request.view}:{feature}" for feature in rows.features]
    answer = store.get_online_features(features=features, entity_rows=entities)
    values, moments = answer.to_dict(), _moments(answer, rows)
    types = {name: batch.schema.field(name).type for name in rows.features}
    for n, row in enumerate(published):
        online = {feature: values[feature][n] for feature in rows.features}
        found.entities += 1
        example = _judged(row, online, moments[n], rows, types, request.tolerance)
        if example is not None:
            _count(found, replace(example, key=entities[n]), request.examples)


def _moments(answer: Any, rows: FeatureRows) -> list[datetime | None]:
    """The event time of each entity's online values; None where there are none."""
    from feast.protos.feast.serving.ServingService_pb2 import FieldStatus

    names = list(answer.proto.metadata.feature_names.val)
    vectors = [answer.proto.results[names.index(feature)] for feature in rows.features]
    known: list[datetime | None] = [None] * len(vectors[0].statuses)
    for vector in vectors:
        answers = zip(vector.statuses, vector.event_timestamps, vector.values, strict=True)
        for n, (status, stamp, value) in enumerate(answers):
            # A feature that was added later has nothing, where the others have their values. Redis
            # says of an entity that it does not have that its values are null, as of 1970.
            is_there = stamp.seconds != 0 or value.WhichOneof("val") is not None
            if known[n] is None and is_there and status != FieldStatus.NOT_FOUND:
                known[n] = datetime.fromtimestamp(stamp.seconds, UTC)
    return known


def _judged(
    row: Mapping[str, Any],
    online: Mapping[str, Any],
    online_at: datetime | None,
    rows: FeatureRows,
    types: Mapping[str, pa.DataType],
    tolerance: float,
) -> SkewExample | None:
    """What is wrong with an entity; None where nothing is."""
    at = row[rows.event_timestamp]
    published_at = (at.replace(tzinfo=UTC) if at.tzinfo is None else at).replace(microsecond=0)
    if online_at is None:
        return SkewExample(MISSING, {}, published_at=published_at)
    if online_at != published_at:
        kind = STALE if online_at < published_at else AHEAD
        return SkewExample(kind, {}, (), published_at, online_at)
    different = tuple(
        name
        for name in rows.features
        if not _same(as_online(row[name], types[name]), online[name], tolerance)
    )
    if different:
        return SkewExample(DIFFERENT, {}, different, published_at, online_at)
    return None


def _count(found: SkewFigures, example: SkewExample, limit: int) -> None:
    found.kinds[example.kind] += 1
    found.features.update(example.features)
    if sum(known.kind == example.kind for known in found.examples) < limit:
        found.examples.append(example)


def as_online(value: Any, type_: Any) -> Any:
    """A value of the lake as Feast's online stores give it back.

    They keep moments in whole seconds and days as their midnights, both in UTC.
    """
    if value is None:
        return None
    if isinstance(value, datetime):
        zoned = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        return zoned.replace(microsecond=0)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if pa.types.is_map(type_):
        return dict(value)
    if isinstance(value, list):
        return [as_online(one, type_.value_type) for one in value]
    if pa.types.is_float32(type_):
        return float(np.float32(value))
    return value


def _same(published: Any, online: Any, tolerance: float) -> bool:
    if published is None or online is None:
        return published is None and online is None
    if isinstance(published, Mapping) and isinstance(online, Mapping):
        return published.keys() == online.keys() and all(
            _same(published[name], online[name], tolerance) for name in published
        )
    if isinstance(published, Sequence) and not isinstance(published, str | bytes):
        return len(published) == len(online) and all(
            _same(one, other, tolerance) for one, other in zip(published, online, strict=True)
        )
    if isinstance(published, float) and isinstance(online, float):
        if math.isnan(published) or math.isnan(online):
            return math.isnan(published) and math.isnan(online)
        return math.isclose(published, online, rel_tol=tolerance, abs_tol=0.0)
    if isinstance(published, Decimal):
        return published == Decimal(str(online))
    return bool(published == online)
