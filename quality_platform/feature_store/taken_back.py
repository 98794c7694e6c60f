"""Entities whose newest row has left the table: by a rollback, a delete, another computation.

What the store has of such an entity is newer than what the table has, and the guard would keep it.
Which entities they are is told by data files: the rows of files that an earlier snapshot had and
this one has not, less those that are found again, as new or newer, in what was added since. After
a compaction, or a merge that only brings newer rows, that is none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa

from quality_platform.errors import MaterializationError
from quality_platform.feature_store.point_in_time import (
    FOUND,
    newest_sql,
    one_for_each,
    same_keys,
)
from quality_platform.feature_store.snapshots import ROWS, FeatureRows, Snapshot, session, show
from quality_platform.lake.appended import rows_since
from quality_platform.lake.query import quote_identifier

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_ADDED, _REMOVED = "added_rows", "removed_rows"
_TAKEN, _NOW = "taken_rows", "rows_now"
_EVENT, _CREATED = "taken_event_timestamp", "taken_created_timestamp"


def taken_back(
    snapshot: Snapshot, earlier: Sequence[int], batch_rows: int = 10_000
) -> Iterator[tuple[pa.RecordBatch | None, pa.RecordBatch]]:
    """The entities whose newest row is no longer in the table, in batches.

    Args:
        snapshot: the rows that the table has; what is new since `snapshot.since`, or all where it
            is None, is in the store already.
        earlier: other snapshots of the table, whose rows may be in the store.
        batch_rows: rows of one batch.

    Yields:
        What the entities have now, and the keys and times of their newest row that was taken back,
        row by row; None and the latter for entities that have nothing now.

    Raises:
        MaterializationError: the rows cannot be read, or it cannot be told which row of an entity
            is the newest.
    """
    # The search itself is costly, and nearly always rows were only added.
    lost = [one for one in dict.fromkeys(earlier) if _may_have_lost_rows(snapshot, one)]
    removed = [replace(snapshot, snapshot_id=one, since=snapshot.snapshot_id) for one in lost]
    if not removed:
        return
    rows = snapshot.rows
    with session(replace(snapshot, since=None)) as connection:
        show(connection, snapshot, _ADDED)
        relations = _shown(connection, removed)
        connection.execute(f"CREATE TABLE {_TAKEN} AS {_taken_sql(rows, relations)}")
        connection.execute(f"CREATE TABLE {_NOW} AS {newest_sql(rows, relation=_of_taken(rows))}")
        connection.execute(f"CREATE TABLE {FOUND} AS {_older_sql(rows)}")
        older = connection.sql(_corrected_sql(connection, rows)).to_arrow_reader(batch_rows)
        for batch in older:
            yield batch, _as_taken(batch, rows)
        gone = connection.sql(_gone_sql(rows)).to_arrow_reader(batch_rows)
        for batch in gone:
            yield None, _as_taken(batch, rows)


def _may_have_lost_rows(snapshot: Snapshot, earlier: int) -> bool:
    if snapshot.snapshot_id is None or snapshot.snapshot_id == earlier:
        return False
    table = snapshot.lake.table(snapshot.rows.table)
    head = table.snapshot_by_id(snapshot.snapshot_id)
    return head is not None and bool(rows_since(table, head, earlier).broken)


def _shown(connection: DuckDBPyConnection, removed: Sequence[Snapshot]) -> list[str]:
    """The tables that have the removed rows."""
    names = []
    for number, one in enumerate(removed):
        name = f"{_REMOVED}{number}"
        # What cannot be read was never written anywhere.
        with suppress(MaterializationError):
            show(connection, one, name)
            names.append(name)
    return names


def _taken_sql(rows: FeatureRows, relations: Sequence[str]) -> str:
    """The newest removed row of each entity, but of those with such a row among the added ones."""
    names = ", ".join(map(quote_identifier, rows.identity))
    known = " AND ".join(
        f"{quote_identifier(name)} IS NOT NULL" for name in (*rows.join_keys, rows.event_timestamp)
    )
    parts = [f"SELECT {names} FROM {ROWS} WHERE false"]
    parts += [f"SELECT {names} FROM {relation} WHERE {known}" for relation in relations]
    removed = newest_sql(rows, relation=f"({' UNION ALL '.join(parts)})")
    added = newest_sql(rows, relation=_ADDED)
    return (
        f"SELECT t.* FROM ({removed}) AS t ANTI JOIN ({added}) AS a "
        f"ON {same_keys(rows, 'a', 't')} AND {_is_as_late(rows, 'a', 't')}"
    )


def _of_taken(rows: FeatureRows) -> str:
    """All rows of the entities in question."""
    same = " AND ".join(
        f"r.{quote_identifier(key)} = t.key{n}" for n, key in enumerate(rows.join_keys)
    )
    return f"(SELECT r.* FROM {ROWS} AS r SEMI JOIN {_TAKEN} AS t ON {same or 'true'})"


def _older_sql(rows: FeatureRows) -> str:
    """The newest rows of entities that have none as new as the one that was taken back.

    Of two of the same time it was either one that the store has.
    """
    return (
        f"SELECT n.* FROM {_NOW} AS n JOIN {_TAKEN} AS t "
        f"ON {same_keys(rows, 'n', 't')} AND {_is_as_late(rows, 't', 'n')}"
    )


def _corrected_sql(connection: DuckDBPyConnection, rows: FeatureRows) -> str:
    same = " AND ".join(
        f"w.{quote_identifier(key)} = t.key{n}" for n, key in enumerate(rows.join_keys)
    )
    return (
        f"SELECT w.*, t.event AS {_EVENT}, t.created AS {_CREATED} "
        f"FROM ({one_for_each(connection, rows)}) AS w JOIN {_TAKEN} AS t ON {same or 'true'}"
    )


def _gone_sql(rows: FeatureRows) -> str:
    keys = (f"t.key{n} AS {quote_identifier(key)}" for n, key in enumerate(rows.join_keys))
    return (
        f"SELECT {', '.join([*keys, f't.event AS {_EVENT}', f't.created AS {_CREATED}'])} "
        f"FROM {_TAKEN} AS t ANTI JOIN {_NOW} AS n ON {same_keys(rows, 'n', 't')}"
    )


def _is_as_late(rows: FeatureRows, one: str, other: str) -> str:
    """Whether a row is as late as another; one without a created time is older than any other."""
    if rows.created_timestamp is None:
        return f"{one}.event >= {other}.event"
    first, second = (f"coalesce({row}.created, '-infinity')" for row in (one, other))
    return f"({one}.event > {other}.event OR ({one}.event = {other}.event AND {first} >= {second}))"


def _as_taken(batch: pa.RecordBatch, rows: FeatureRows) -> pa.RecordBatch:
    """The rows that were taken back: their keys and times, under the names of the view."""
    columns = {key: batch.column(key) for key in rows.join_keys}
    times = zip(rows.timestamps, (_EVENT, _CREATED), strict=False)
    columns.update({name: batch.column(taken) for name, taken in times})
    return pa.RecordBatch.from_pydict(columns)
