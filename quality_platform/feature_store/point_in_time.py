"""Point-in-time reads of feature rows.

A value is right for a moment when it is the newest that was known by then: event time at most the
moment (inclusive), and at least the moment minus the TTL (inclusive). Rows of one entity and event
time are decided by the created timestamp, the later wins; where that does not decide, reading is an
error instead of a guess.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa
import pyarrow.compute as pc

from quality_platform.errors import MaterializationError
from quality_platform.feature_store.snapshots import ROWS, FeatureRows, Snapshot, session
from quality_platform.lake.query import quote_identifier, quote_literal

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_ENTITIES = "entity_rows"


def as_of(
    snapshot: Snapshot,
    entities: pa.Table,
    *,
    keys: Mapping[str, str],
    moment: str,
    ttl: timedelta | None = None,
) -> pa.Table:
    """The features of each entity row at its moment; NULL where nothing is known.

    Args:
        snapshot: the feature rows.
        entities: one row per wanted result; every row gets one, in the same order.
        keys: the entity table's column for each of the join keys.
        moment: the entity table's column of timestamps; without a time zone they are UTC.
        ttl: how old a value may be; None for any age.

    Returns:
        The feature columns only, with as many rows as `entities`.

    Raises:
        MaterializationError: a column of the entity table is missing or of the wrong type, or the
            feature rows do not tell which value is the newest.
    """
    rows = snapshot.rows
    with session(snapshot) as connection:
        _require_no_ties(connection, rows)
        types = connection.sql(f"SELECT * FROM {ROWS} LIMIT 0").to_arrow_table().schema
        wanted: dict[str, Any] = {"position": pa.array(range(entities.num_rows), pa.int64())}
        wanted["moment"] = _instants(_column(entities, moment), moment)
        for number, key in enumerate(rows.join_keys):
            column = _column(entities, keys[key])
            wanted[f"key{number}"] = _as_key(column, types.field(key).type, keys[key])
        connection.register(_ENTITIES, pa.table(wanted))
        return cast("pa.Table", connection.sql(_as_of_sql(rows, ttl)).to_arrow_table())


def latest(
    snapshot: Snapshot,
    start: datetime | None = None,
    end: datetime | None = None,
    batch_rows: int = 10_000,
) -> Iterator[pa.RecordBatch]:
    """The newest row of each entity, with event times from `start` to `end`, both inclusive.

    At least one batch, so that the columns are known; an empty one where there are no rows.

    Raises:
        MaterializationError: a row has no entity or no event time, or it cannot be told which row
            of an entity is the newest.
    """
    rows = snapshot.rows
    keys = ", ".join(map(quote_identifier, rows.join_keys))
    newest = ", ".join(f"{quote_identifier(name)} DESC NULLS LAST" for name in rows.timestamps)
    with session(snapshot) as connection:
        _require_complete(connection, rows)
        _require_no_ties(connection, rows)
        reader = connection.sql(
            f"{_selection(rows, start, end)} QUALIFY row_number() OVER "
            f"(PARTITION BY {keys} ORDER BY {newest}) = 1"
        ).to_arrow_reader(batch_rows)
        yield next(reader, None) or pa.RecordBatch.from_pylist([], schema=reader.schema)
        yield from reader


def between(
    snapshot: Snapshot, start: datetime | None = None, end: datetime | None = None
) -> pa.Table:
    """All rows with event times from `start` to `end`, both inclusive."""
    with session(snapshot) as connection:
        selection = connection.sql(_selection(snapshot.rows, start, end))
        return cast("pa.Table", selection.to_arrow_table())


def event_time_bounds(snapshot: Snapshot) -> tuple[datetime, datetime] | None:
    """The first and the last event time, in UTC; None for a table without rows."""
    event = quote_identifier(snapshot.rows.event_timestamp)
    with session(snapshot) as connection:
        found = connection.sql(
            f"SELECT min({event}::TIMESTAMPTZ) AS first, max({event}::TIMESTAMPTZ) AS last "
            f"FROM {ROWS}"
        ).to_arrow_table()
    first, last = found["first"][0].as_py(), found["last"][0].as_py()
    return None if first is None else (first, last)


def _as_of_sql(rows: FeatureRows, ttl: timedelta | None) -> str:
    keys = list(map(quote_identifier, rows.join_keys))
    event = quote_identifier(rows.event_timestamp)
    known = [f"{key} AS key{n}" for n, key in enumerate(keys)]
    known += [f"{quote_identifier(name)} AS value{n}" for n, name in enumerate(rows.features)]
    newest = ""
    if rows.created_timestamp is not None:
        created = quote_identifier(rows.created_timestamp)
        newest = (
            f"QUALIFY row_number() OVER (PARTITION BY {', '.join([*keys, event])} "
            f"ORDER BY {created} DESC NULLS LAST) = 1"
        )
    valid = "true"
    if ttl:
        microseconds = ttl // timedelta(microseconds=1)
        valid = f"k.event >= e.moment - to_microseconds({microseconds})"
    values = ", ".join(
        f"CASE WHEN {valid} THEN k.value{n} END AS {quote_identifier(name)}"
        for n, name in enumerate(rows.features)
    )
    matches = " AND ".join(f"e.key{n} = k.key{n}" for n in range(len(keys)))
    return (
        f"SELECT {values} FROM {_ENTITIES} AS e ASOF LEFT JOIN "
        f"(SELECT {event}::TIMESTAMPTZ AS event, {', '.join(known)} FROM {ROWS} {newest}) AS k "
        f"ON {matches} AND e.moment >= k.event ORDER BY e.position"
    )


def _selection(rows: FeatureRows, start: datetime | None, end: datetime | None) -> str:
    event = f"{quote_identifier(rows.event_timestamp)}::TIMESTAMPTZ"
    bounds = [
        f"{event} {sign} {quote_literal(_utc(bound).isoformat())}::TIMESTAMPTZ"
        for sign, bound in ((">=", start), ("<=", end))
        if bound is not None
    ]
    return f"SELECT * FROM {ROWS} WHERE {' AND '.join(bounds) or 'true'}"


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _require_no_ties(connection: DuckDBPyConnection, rows: FeatureRows) -> None:
    columns = ", ".join(map(quote_identifier, rows.identity))
    known = " AND ".join(f"{quote_identifier(key)} IS NOT NULL" for key in rows.join_keys)
    [(ties,)] = connection.sql(
        f"SELECT count(*) FROM (SELECT 1 FROM {ROWS} WHERE {known} "
        f"GROUP BY {columns} HAVING count(*) > 1)"
    ).fetchall()
    if ties:
        raise MaterializationError(
            "several rows have the same entity and the same time: the newest cannot be told",
            field=rows.table,
            received=f"{ties} cases of equal ({', '.join(rows.identity)})",
            action="make these columns unique in the view's SQL, or give it a created timestamp",
        )


def _require_complete(connection: DuckDBPyConnection, rows: FeatureRows) -> None:
    names = (*rows.join_keys, rows.event_timestamp)
    absent = " OR ".join(f"{quote_identifier(name)} IS NULL" for name in names)
    [(count,)] = connection.sql(f"SELECT count(*) FROM {ROWS} WHERE {absent}").fetchall()
    if count:
        raise MaterializationError(
            "rows without an entity or an event time cannot be served",
            field=rows.table,
            received=f"{count} rows with NULL in one of {', '.join(names)}",
            action="leave them out in the view's SQL, and make the columns required",
        )


def _column(entities: pa.Table, name: str) -> pa.ChunkedArray[Any]:
    if entities.schema.names.count(name) != 1:
        raise MaterializationError(
            f"the entity rows need one column {name!r}",
            field=name,
            received=", ".join(entities.schema.names),
        )
    return entities.column(name)


def _instants(column: pa.ChunkedArray[Any], name: str) -> pa.ChunkedArray[Any]:
    if not pa.types.is_timestamp(column.type):
        raise MaterializationError(
            "the moments of the entity rows must be timestamps",
            field=name,
            received=column.type,
            allowed="timestamps; without a time zone they are taken as UTC",
        )
    # Feature times have microseconds, so rounding down changes no comparison with them.
    local: Any = column.cast(pa.timestamp(column.type.unit))
    rounded: pa.ChunkedArray[Any] = pc.floor_temporal(local, unit="microsecond")
    return rounded.cast(pa.timestamp("us", "UTC"))


def _as_key(column: pa.ChunkedArray[Any], wanted: pa.DataType, name: str) -> pa.ChunkedArray[Any]:
    """The entity column as values that compare exactly with the key's.

    Pandas turns integers beside missing values into floats: they come back as integers here.
    """
    actual = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    is_number = pa.types.is_integer(actual) or pa.types.is_floating(actual)
    if pa.types.is_null(actual):
        return column.cast(wanted)
    if is_number and pa.types.is_integer(wanted):
        return column.cast(pa.int64())
    if _is_text(actual) and _is_text(wanted):
        return column.cast(pa.string())
    raise MaterializationError(
        "a key of the entity rows is not of the type of the features' key",
        field=name,
        received=column.type,
        allowed=wanted,
    )


def _is_text(type_: pa.DataType) -> bool:
    return pa.types.is_string(type_) or pa.types.is_large_string(type_)
