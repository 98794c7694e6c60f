"""Rows into Feast's SQLite online store, in few statements and guarded by time.

The table has Feast's columns, which Feast's own code reads and writes, and two more: what is left
of the times below a second, which Feast does not keep. It is clustered by its primary key, so that
there is one tree to write instead of three. A table that Feast has made is made anew like that.
"""

from __future__ import annotations

import json
import sqlite3
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quality_platform.feature_store.key_encoding import encoded_key, has_key
from quality_platform.feature_store.online_rows import (
    NEVER,
    Claimed,
    Materialized,
    OnlineRows,
    OnlineView,
    superseded,
)
from quality_platform.feature_store.value_encoding import texts_of
from quality_platform.feature_store.wire_format import objects_of
from quality_platform.lake.query import quote_identifier, quote_literal

_WAIT_SECONDS = 60
"""How long to wait for another writer; SQLite has one at a time."""

_CACHE_KIB = 64 * 1024
"""Changed pages that a transaction keeps in memory: beyond it readers are locked out early."""

_FEATURES_AT_ONCE = 50
"""Features of one statement: SQLite takes a limited number of parameters."""

_KEYS_AT_ONCE = 10_000
_STATES = "quality_platform_materialized"
_SECOND = 1_000_000


class SqliteWriter:
    """Writes one view into the file of Feast's SQLite online store."""

    def __init__(self, file: Path, view: OnlineView) -> None:
        self._view = view
        self._token = uuid.uuid4().hex
        file.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(file, timeout=_WAIT_SECONDS, isolation_level=None)
        self._connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")

    def claim(self, begun: int | None = None, *, rebuild: bool = False) -> Claimed:
        """Takes over the view, and brings its table into shape; see `OnlineWriter`."""
        with self._transaction():
            is_kept = self._shape_table()
            self._shape_states()
            self._connection.execute(
                f"INSERT INTO {_STATES} (view, token) VALUES (?, ?) "
                "ON CONFLICT (view) DO UPDATE SET token = excluded.token",
                (self._view.table, self._token),
            )
            found = self._state()
            noted = [*found.begun]
            if begun is not None and begun not in noted:
                noted.append(begun)
            self._connection.execute(
                f"UPDATE {_STATES} SET begun = ?, rebuild = ? WHERE view = ?",
                (json.dumps(noted), found.rebuild or rebuild, self._view.table),
            )
        rebuild = rebuild or found.rebuild
        return replace(found, rebuild=rebuild) if is_kept else Claimed(rebuild=rebuild)

    def write(self, rows: OnlineRows) -> None:
        """Writes rows in one transaction; see `OnlineWriter`."""
        self._write(rows, f"WHERE ({_age('excluded')}) >= ({_age('t')})")

    def overwrite(self, rows: OnlineRows, taken: OnlineRows | None = None) -> None:
        """Writes rows over newer ones, in one transaction; see `OnlineEraser`."""
        if taken is None:
            self._write(rows, "")
        else:
            self._write(rows, f"WHERE {_is_taken(6)}", _times(taken))

    def remove(self, keys: Sequence[bytes], taken: OnlineRows | None = None) -> None:
        """Removes entities, in one transaction; see `OnlineEraser`."""
        guard = "" if taken is None else f" AND {_is_taken(2)}"
        statement = (
            f"DELETE FROM {quote_identifier(self._view.table)} AS t WHERE entity_key = ?1{guard}"
        )
        times = [] if taken is None else _times(taken)
        with self._transaction():
            self._require_claim()
            self._connection.executemany(statement, zip(keys, *times, strict=False))

    def stored_keys(self) -> Iterator[list[bytes]]:
        """The keys in their order; see `OnlineEraser`."""
        statement = (
            f"SELECT DISTINCT entity_key FROM {quote_identifier(self._view.table)} "
            f"WHERE entity_key > ? ORDER BY entity_key LIMIT {_KEYS_AT_ONCE}"
        )
        last = b""
        while found := [row[0] for row in self._connection.execute(statement, (last,))]:
            yield found
            last = found[-1]

    def _write(self, rows: OnlineRows, guard: str, more: Sequence[Any] = ()) -> None:
        names, count = list(self._view.features), rows.batch.num_rows
        times = [*_times(rows), *more]
        with self._transaction():
            self._require_claim()
            for first in range(0, len(names), _FEATURES_AT_ONCE):
                some = names[first : first + _FEATURES_AT_ONCE]
                columns = [objects_of(rows.keys), *times]
                for name in some:
                    columns.append(objects_of(rows.values[name]))
                    columns.append(texts_of(rows.batch.column(name), self._view.features[name]))
                parameters = zip(*columns, strict=False) if count else ()
                self._connection.executemany(self._upsert(some, 2 + len(times), guard), parameters)

    def finish(self, done: Materialized | None) -> None:
        """Notes the snapshot; see `OnlineWriter`."""
        if done is None:
            return
        with self._transaction():
            self._require_claim()
            self._connection.execute(
                f"UPDATE {_STATES} SET snapshot_id = ?, definition = ?, begun = '[]', rebuild = 0 "
                "WHERE view = ?",
                (done.snapshot_id, done.definition, self._view.table),
            )

    def erase(self, key: Mapping[str, str | int], *, dry_run: bool) -> int:
        """Removes entities, and overwrites where they were; see `OnlineEraser`."""
        table = quote_identifier(self._view.table)
        [*found] = self._connection.execute(
            "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (self._view.table,)
        )
        if not found:
            return 0
        self._connection.execute("PRAGMA secure_delete = ON")
        keys = self._keys_with(key, table)
        if not dry_run:
            self.remove(keys)
        return len(keys)

    def _keys_with(self, key: Mapping[str, str | int], table: str) -> list[bytes]:
        distinct = f"SELECT DISTINCT entity_key FROM {table}"
        if set(key) == set(self._view.keys):
            exact = encoded_key(key, self._view.keys)
            rows = self._connection.execute(f"{distinct} WHERE entity_key = ?", (exact,))
            return [row[0] for row in rows]
        rows = self._connection.execute(distinct)
        return [row[0] for row in rows if has_key(row[0], key, self._view.keys)]

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        # Not `with connection`: that begins with the first change, after what was read before it.
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def _require_claim(self) -> None:
        found = self._connection.execute(
            f"SELECT token FROM {_STATES} WHERE view = ?", (self._view.table,)
        ).fetchall()
        if found != [(self._token,)]:
            raise superseded(self._view)

    def _state(self) -> Claimed:
        [(snapshot_id, definition, begun, rebuild)] = self._connection.execute(
            f"SELECT snapshot_id, definition, begun, rebuild FROM {_STATES} WHERE view = ?",
            (self._view.table,),
        ).fetchall()
        last = None if snapshot_id is None else Materialized(snapshot_id, definition)
        return Claimed(last, tuple(json.loads(begun)), bool(rebuild))

    def _shape_states(self) -> None:
        """Makes the table of what was materialized, or adds to one of an earlier version."""
        self._connection.execute(
            f"CREATE TABLE IF NOT EXISTS {_STATES} "
            "(view TEXT PRIMARY KEY, token TEXT, snapshot_id INTEGER, definition TEXT)"
        )
        columns = {row[1] for row in self._connection.execute(f"PRAGMA table_info({_STATES})")}
        if "begun" not in columns:
            self._connection.execute(
                f"ALTER TABLE {_STATES} ADD COLUMN begun TEXT NOT NULL DEFAULT '[]'"
            )
            self._connection.execute(
                f"ALTER TABLE {_STATES} ADD COLUMN rebuild INTEGER NOT NULL DEFAULT 0"
            )

    def _shape_table(self) -> bool:
        """Makes the table, out of the rows of Feast's where there are any; whether it had rows."""
        table = quote_identifier(self._view.table)
        [*found] = self._connection.execute(
            "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?", (self._view.table,)
        )
        columns = {row[1] for row in self._connection.execute(f"PRAGMA table_info({table})")}
        if found and "event_micros" not in columns:
            old = quote_identifier(f"{self._view.table}_before")
            self._connection.execute(f"ALTER TABLE {table} RENAME TO {old}")
            self._create(table)
            self._connection.execute(
                f"INSERT INTO {table} ({_FEAST_COLUMNS}) SELECT {_FEAST_COLUMNS} FROM {old} "
                "ORDER BY entity_key, feature_name"
            )
            self._connection.execute(f"DROP TABLE {old}")
        elif not found:
            self._create(table)
        # Feast makes an index of this name unless there is one, and the primary key serves better.
        index = quote_identifier(f"{self._view.table}_ek")
        self._connection.execute(
            f"CREATE INDEX IF NOT EXISTS {index} ON {table} (entity_key) WHERE entity_key IS NULL"
        )
        return bool(self._connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchall())

    def _create(self, table: str) -> None:
        self._connection.execute(
            f"CREATE TABLE {table} (entity_key BLOB, feature_name TEXT, value BLOB, "
            "value_text TEXT, vector_value BLOB, event_ts timestamp, created_ts timestamp, "
            "event_micros INTEGER, created_micros INTEGER, "
            "PRIMARY KEY(entity_key, feature_name)) WITHOUT ROWID"
        )

    def _upsert(self, features: Sequence[str], first: int, guard: str) -> str:
        """The statement for some features, whose values are the parameters from `first` on."""
        rows = ", ".join(
            f"(?1, {quote_literal(name)}, ?{first + 2 * n}, ?{first + 1 + 2 * n}, ?2, ?3, ?4, ?5)"
            for n, name in enumerate(features)
        )
        return (
            f"INSERT INTO {quote_identifier(self._view.table)} AS t (entity_key, feature_name, "
            f"value, value_text, event_ts, event_micros, created_ts, created_micros) VALUES {rows} "
            "ON CONFLICT (entity_key, feature_name) DO UPDATE SET value = excluded.value, "
            "value_text = excluded.value_text, vector_value = NULL, "
            "event_ts = excluded.event_ts, event_micros = excluded.event_micros, "
            f"created_ts = excluded.created_ts, created_micros = excluded.created_micros {guard}"
        )


def last_snapshot(file: Path, project: str, view: str) -> int | None:
    """The snapshot of a view that was materialized last, and nothing has been begun since.

    None where something has, or the file does not tell.
    """
    if not file.exists():
        return None
    with closing(sqlite3.connect(file, timeout=_WAIT_SECONDS)) as connection:
        try:
            found = connection.execute(
                f"SELECT snapshot_id FROM {_STATES} WHERE view = ? AND begun = '[]' "
                "AND NOT rebuild",
                (f"{project}_{view}",),
            ).fetchall()
        except sqlite3.DatabaseError:
            # No such table or column: nothing was materialized by this version. Whatever else is
            # wrong shows in writing.
            return None
    return found[0][0] if found else None


_FEAST_COLUMNS = "entity_key, feature_name, value, value_text, vector_value, event_ts, created_ts"


def _age(row: str) -> str:
    return (
        f"{row}.event_ts, ifnull({row}.event_micros, 0), "
        f"ifnull({row}.created_ts, {NEVER}), ifnull({row}.created_micros, 0)"
    )


def _is_taken(first: int) -> str:
    """Whether a stored row is no newer than the times that are the parameters from `first`."""
    taken = f"?{first}, ?{first + 1}, ifnull(?{first + 2}, {NEVER}), ifnull(?{first + 3}, 0)"
    return f"({taken}) >= ({_age('t')})"


def _times(rows: OnlineRows) -> list[Any]:
    """Event and created times, each as the whole seconds that Feast keeps, and what is left."""
    seconds, rest = np.divmod(rows.event, _SECOND)
    parts: list[Any] = [_as_feast_keeps(seconds).tolist(), rest.tolist()]
    if (rows.created == NEVER).all():
        return [*parts, repeat(None), repeat(None)]
    is_known = rows.created != NEVER
    seconds, rest = np.divmod(np.where(is_known, rows.created, 0), _SECOND)
    for numbers in (_as_feast_keeps(seconds), rest):
        known = zip(numbers.tolist(), is_known.tolist(), strict=True)
        parts.append([number if one else None for number, one in known])
    return parts


def _as_feast_keeps(seconds: NDArray[np.int64]) -> NDArray[np.int64]:
    """Feast takes the clock's hands in UTC for local time, and reads them back in the same way."""
    if time.timezone == 0 and not time.daylight:
        return seconds
    known, place = np.unique(seconds, return_inverse=True)
    kept = [int(datetime.fromtimestamp(s, UTC).replace(tzinfo=None).timestamp()) for s in known]
    return np.array(kept, np.int64)[place]
