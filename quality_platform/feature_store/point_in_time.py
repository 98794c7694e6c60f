"""Point-in-time reads of feature rows.

A value is right for a moment when it is the newest that was known by then: event time at most the
moment (inclusive), and at least the moment minus the TTL (inclusive). Rows of one entity and event
time are decided by the created timestamp, the later wins; where that does not decide, reading is an
error instead of a guess.

First it is found which rows are wanted, by their keys and times only; then their values are read.
The join that searches stays narrow, however many features there are, and a row that is not the only
one of its entity and time shows by being found twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa

from quality_platform.errors import MaterializationError
from quality_platform.feature_store.entity_columns import (
    bounds_of,
    keys_of_column,
    moment_at,
    moments_of_column,
)
from quality_platform.feature_store.snapshots import (
    ALWAYS,
    ROWS,
    FeatureRows,
    Period,
    Snapshot,
    session,
)
from quality_platform.lake.query import quote_identifier

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_ENTITIES = "entity_rows"
FOUND = "found_rows"
"""The table of the rows that were found in a session: keys, event time and created time."""

_MICROSECOND = timedelta(microseconds=1)


def as_of(
    snapshot: Snapshot,
    entities: pa.Table,
    *,
    keys: Mapping[str, str],
    moment: str,
    ttl: timedelta | None = None,
    created_by_then: bool = False,
) -> pa.Table:
    """The features of each entity row at its moment; NULL where nothing is known.

    Args:
        snapshot: the feature rows.
        entities: one row per wanted result; every row gets one, in the same order.
        keys: the entity table's column for each of the join keys.
        moment: the entity table's column of timestamps; without a time zone they are UTC.
        ttl: how old a value may be; None for any age.
        created_by_then: leaves out values that were created after the moment, or nobody knows when;
            means nothing where the rows have no created timestamp.

    Returns:
        The feature columns only, with as many rows as `entities`.

    Raises:
        MaterializationError: a column of the entity table is missing or of the wrong type, or the
            feature rows do not tell which value is the newest. Rows that are equal in all columns
            are one row.
    """
    rows = snapshot.rows
    moments = moments_of_column(entities, moment)
    with session(snapshot, _period(moments, ttl)) as connection:
        types = connection.sql(f"SELECT * FROM {ROWS} LIMIT 0").to_arrow_table().schema
        wanted: dict[str, Any] = {"position": np.arange(entities.num_rows), "moment": moments}
        for number, key in enumerate(rows.join_keys):
            wanted[f"key{number}"] = keys_of_column(entities, keys[key], types.field(key).type)
        connection.register(_ENTITIES, pa.table(wanted))
        search = _searched_sql if created_by_then and rows.created_timestamp else _as_of_sql
        connection.execute(f"CREATE TABLE {FOUND} AS {search(rows, ttl)}")
        # Telling equal rows apart takes long, and nearly always there are none.
        for relation in (ROWS, _distinct_sql(rows)):
            found = connection.sql(_values_sql(rows, relation)).to_arrow_table()
            if found.num_rows == entities.num_rows:
                return cast("pa.Table", found)
        raise _tied(connection, rows)


def latest(
    snapshot: Snapshot,
    start: datetime | None = None,
    end: datetime | None = None,
    batch_rows: int = 10_000,
    order: str = "",
) -> Iterator[pa.RecordBatch]:
    """The newest row of each entity, with event times from `start` to `end`, both inclusive.

    At least one batch, so that the columns are known; an empty one where there are no rows. Bounds
    without a time zone are UTC. `order` is SQL to sort the rows by; in any order where left out.
    Rows that are equal in all columns are one row.

    Raises:
        MaterializationError: a row has no entity or no event time, or it cannot be told which row
            of an entity is the newest.
    """
    rows, period = snapshot.rows, _utc_period(start, end)
    with session(snapshot) as connection:
        _require_complete(connection, rows)
        connection.execute(f"CREATE TABLE {FOUND} AS {newest_sql(rows, period)}")
        wanted = one_for_each(connection, rows)
        if order:
            wanted = f"SELECT * FROM ({wanted}) ORDER BY {order}"
        reader = connection.sql(wanted).to_arrow_reader(batch_rows)
        yield next(reader, None) or pa.RecordBatch.from_pylist([], schema=reader.schema)
        yield from reader


def one_for_each(connection: DuckDBPyConnection, rows: FeatureRows) -> str:
    """SQL of the rows that `FOUND` names, one for each entity; equal ones are one row.

    Raises:
        MaterializationError: several rows of an entity have its time.
    """
    columns = ", ".join(f"r.{quote_identifier(name)}" for name in rows.columns)
    newest = f"{columns} FROM {ROWS} AS r JOIN {FOUND} AS f ON {_is_found(rows)}"
    # Telling equal rows apart takes long, and nearly always there are none.
    for wanted in (f"SELECT {newest}", f"SELECT DISTINCT {newest}"):
        counts = f"SELECT (SELECT count(*) FROM ({wanted})), (SELECT count(*) FROM {FOUND})"
        [(found, entities)] = connection.sql(counts).fetchall()
        if found == entities:
            return wanted
    raise _tied(connection, rows)


def between(
    snapshot: Snapshot, start: datetime | None = None, end: datetime | None = None
) -> pa.Table:
    """All rows with event times from `start` to `end`, both inclusive.

    Bounds without a time zone are UTC. Without any bound, rows without an event time are among
    them.
    """
    with session(snapshot, _utc_period(start, end)) as connection:
        return cast("pa.Table", connection.sql(f"SELECT * FROM {ROWS}").to_arrow_table())


def entity_moments(snapshot: Snapshot, period: Period, name: str) -> pa.Table:
    """The entities of a period, with each of the event times that they have rows of.

    Returns:
        The join keys and the event time (in UTC) as the column `name`: each combination once, by
        time, then by the keys. Rows without an entity are not among them.
    """
    rows = snapshot.rows
    keys = list(map(quote_identifier, rows.join_keys))
    moment, event = quote_identifier(name), quote_identifier(rows.event_timestamp)
    known = " AND ".join(f"{key} IS NOT NULL" for key in (*keys, event))
    with session(snapshot, period) as connection:
        selection = connection.sql(
            f"SELECT DISTINCT {', '.join([*keys, f'{event}::TIMESTAMPTZ AS {moment}'])} "
            f"FROM {ROWS} WHERE {known} ORDER BY {', '.join([moment, *keys])}"
        )
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
    """For each entity row: the event and created time of its feature row, NULL for none."""
    event = f"{quote_identifier(rows.event_timestamp)}::TIMESTAMPTZ AS event"
    known = [f"{quote_identifier(key)} AS key{n}" for n, key in enumerate(rows.join_keys)]
    wanted = _of_wanted_entities(rows)
    narrow = f"SELECT {', '.join([*known, event])} FROM {ROWS} AS r {wanted}"
    created = "NULL"
    if rows.created_timestamp is not None:
        created = "k.created"
        last = f"max({quote_identifier(rows.created_timestamp)}) AS created"
        narrow = f"SELECT {', '.join([*known, event, last])} FROM {ROWS} AS r {wanted} GROUP BY ALL"
    valid = _is_young("k.event", ttl) if ttl else "true"
    return (
        f"SELECT e.*, CASE WHEN {valid} THEN k.event END AS event, {created} AS created "
        f"FROM {_ENTITIES} AS e ASOF LEFT JOIN ({narrow}) AS k "
        f"ON {same_keys(rows, 'e', 'k')} AND e.moment >= k.event"
    )


def _of_wanted_entities(rows: FeatureRows) -> str:
    """Leaves out rows of entities that are not asked for, before they are sorted."""
    if not rows.join_keys:
        return ""
    same = " AND ".join(
        f"r.{quote_identifier(key)} = w.key{n}" for n, key in enumerate(rows.join_keys)
    )
    return f"SEMI JOIN {_ENTITIES} AS w ON {same}"


def _searched_sql(rows: FeatureRows, ttl: timedelta | None) -> str:
    """As `_as_of_sql`, where a feature row must have been created by the moment too.

    ASOF joins compare one time only: all rows of the entity are tried, and none of them is kept.
    """
    event, created = (f"r.{quote_identifier(name)}" for name in rows.timestamps)
    keys = " AND ".join(
        f"e.key{n} = r.{quote_identifier(key)}" for n, key in enumerate(rows.join_keys)
    )
    valid = _is_young(f"{event}::TIMESTAMPTZ", ttl) if ttl else "true"
    return (
        f"SELECT e.*, n.newest.event AS event, n.newest.created AS created "
        f"FROM {_ENTITIES} AS e LEFT JOIN (SELECT e.position, "
        f"max({{'event': {event}::TIMESTAMPTZ, 'created': {created}}}) AS newest "
        f"FROM {_ENTITIES} AS e JOIN {ROWS} AS r ON {keys or 'true'} "
        f"AND {event}::TIMESTAMPTZ <= e.moment AND {created}::TIMESTAMPTZ <= e.moment AND {valid} "
        f"GROUP BY e.position) AS n ON e.position = n.position"
    )


def _distinct_sql(rows: FeatureRows) -> str:
    """The rows that were found, those once that are equal."""
    columns = ", ".join(f"r.{quote_identifier(name)}" for name in rows.columns)
    found = f"SEMI JOIN {FOUND} AS f ON {_is_found(rows)}"
    return f"(SELECT DISTINCT {columns} FROM {ROWS} AS r {found})"


def _values_sql(rows: FeatureRows, relation: str) -> str:
    """The features of the rows that were found, in the order of the entity rows."""
    values = ", ".join(
        f"r.{quote_identifier(name)} AS {quote_identifier(name)}" for name in rows.features
    )
    return (
        f"SELECT {values} FROM {FOUND} AS f LEFT JOIN {relation} AS r ON {_is_found(rows)} "
        "ORDER BY f.position"
    )


def newest_sql(rows: FeatureRows, period: Period = ALWAYS, relation: str = ROWS) -> str:
    """SQL of the newest event and created time of each entity, as `event` and `created`.

    The join keys are `key0`, `key1` and so on; `created` is NULL where there is none.
    """
    keys = [f"{quote_identifier(key)} AS key{n}" for n, key in enumerate(rows.join_keys)]
    event = f"{quote_identifier(rows.event_timestamp)}::TIMESTAMPTZ"
    newest = [f"max({event}) AS event", "NULL AS created"]
    if rows.created_timestamp is not None:
        # Within a struct NULL would be the largest of all.
        created = f"coalesce({quote_identifier(rows.created_timestamp)}, '-infinity')"
        pair = f"max({{'event': {event}, 'created': {created}}})"
        newest = [
            f"{pair}.event AS event",
            f"nullif({pair}.created, '-infinity') AS created",
        ]
    names = ", ".join(f"key{n}" for n in range(len(keys)))
    bounds = [
        f"{event} {sign} '{bound.isoformat()}'::TIMESTAMPTZ"
        for sign, bound in ((">=", period.first), ("<=", period.last))
        if bound is not None
    ]
    return (
        f"SELECT {', '.join([*keys, *newest])} FROM {relation} "
        f"WHERE {' AND '.join(bounds) or 'true'} "
        f"{f'GROUP BY {names}' if names else ''} HAVING count(*) > 0"
    )


def _is_found(rows: FeatureRows) -> str:
    """Whether a row `r` is one of those that were found, `f`."""
    same = [f"r.{quote_identifier(key)} = f.key{n}" for n, key in enumerate(rows.join_keys)]
    same.append(f"r.{quote_identifier(rows.event_timestamp)}::TIMESTAMPTZ = f.event")
    if rows.created_timestamp is not None:
        same.append(f"r.{quote_identifier(rows.created_timestamp)} IS NOT DISTINCT FROM f.created")
    return " AND ".join(same)


def same_keys(rows: FeatureRows, one: str, other: str) -> str:
    """SQL: whether rows of two relations, whose keys `newest_sql` names, are of one entity."""
    numbers = range(len(rows.join_keys))
    return " AND ".join(f"{one}.key{n} = {other}.key{n}" for n in numbers) or "true"


def _is_young(event: str, ttl: timedelta) -> str:
    """Whether an event is no older at the moment than the TTL; timestamps would overflow."""
    age = f"epoch_us(e.moment)::HUGEINT - epoch_us({event})::HUGEINT"
    return f"{age} <= {ttl // _MICROSECOND}"


def _utc_period(start: datetime | None, end: datetime | None) -> Period:
    return Period(start and _utc(start), end and _utc(end))


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _period(moments: pa.ChunkedArray[Any], ttl: timedelta | None) -> Period:
    """The event times among which the values for these moments are."""
    bounds = bounds_of(moments)
    if bounds is None:
        return ALWAYS
    oldest = bounds[0] - ttl // _MICROSECOND if ttl else None
    return Period(None if oldest is None else moment_at(oldest), moment_at(bounds[1]))


def _tied(connection: DuckDBPyConnection, rows: FeatureRows) -> MaterializationError:
    """The error of rows that were found, but are not the only ones of their entity and time."""
    columns = ", ".join(f"r.{quote_identifier(name)}" for name in rows.identity)
    [(ties,)] = connection.sql(
        f"SELECT count(*) FROM (SELECT 1 FROM {_distinct_sql(rows)} AS r "
        f"GROUP BY {columns} HAVING count(*) > 1)"
    ).fetchall()
    return MaterializationError(
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
