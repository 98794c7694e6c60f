"""What the stores take at most: rows that were encoded before, sent without a look at the store."""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

from benchmarks.features.protocol import Job

_ROWS_AT_ONCE = 1000


def encoded_rows(settings: Any) -> list[Any]:
    """All rows of the store's view, encoded, in batches."""
    from quality_platform.feature_store import point_in_time
    from quality_platform.feature_store.iceberg_offline_store import rows_of, snapshot_at
    from quality_platform.feature_store.online_rows import OnlineRows, OnlineView
    from quality_platform.feature_store.store import open_store

    store = open_store(settings)
    registered = store.get_feature_view("persons")
    view = OnlineView.of(registered, store.config)
    snapshot = snapshot_at(store.config, rows_of(registered))
    order = "person"
    return [OnlineRows(view, b) for b in point_in_time.latest(snapshot, None, None, 10_000, order)]


def raw_redis(_: Job, settings: Any) -> Callable[[], int]:
    """One HSET for each row, in a stream of bytes; answers are counted and thrown away."""
    from quality_platform.feature_store.redis_writer import field_of, timestamps

    pieces, count = [], 0
    for rows in encoded_rows(settings):
        fields = [b"_ts:persons", *(field_of(rows.view, name) for name in rows.values)]
        columns = [timestamps(rows), *rows.values.values()]
        cells = zip(*(column.to_pylist() for column in columns), strict=True)
        for key, values in zip(rows.keys.to_pylist(), cells, strict=True):
            words = [b"HSET", key + b"bench"]
            words += [word for pair in zip(fields, values, strict=True) for word in pair]
            pieces.append(b"*%d\r\n" % len(words) + b"".join(map(_word, words)))
            count += 1
    chunks = [
        (b"".join(pieces[n : n + _ROWS_AT_ONCE]), len(pieces[n : n + _ROWS_AT_ONCE]))
        for n in range(0, count, _ROWS_AT_ONCE)
    ]
    del pieces
    port: int = settings.online_store.port

    def send() -> int:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            for chunk, number in chunks:
                connection.sendall(chunk)
                answered = 0
                while answered < number:
                    answered += connection.recv(65536).count(b"\n")
        return count

    return send


def _word(word: bytes) -> bytes:
    return b"$%d\r\n%s\r\n" % (len(word), word)


def raw_sqlite(job: Job, settings: Any) -> Callable[[], int]:
    """One row for each cell into a table of Feast's shape, in one transaction, without a guard."""
    cells = [
        (key, name, value, None, None, 1, None)
        for rows in encoded_rows(settings)
        for key, row in zip(
            rows.keys.to_pylist(),
            zip(*(column.to_pylist() for column in rows.values.values()), strict=True),
            strict=True,
        )
        for name, value in zip(rows.values, row, strict=True)
    ]

    def insert() -> int:
        with closing(sqlite3.connect(job.scratch / "raw.db")) as connection:
            connection.execute(
                "CREATE TABLE t (entity_key BLOB, feature_name TEXT, value BLOB, value_text TEXT, "
                "vector_value BLOB, event_ts timestamp, created_ts timestamp, "
                "PRIMARY KEY (entity_key, feature_name)) WITHOUT ROWID"
            )
            with connection:
                connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?)", cells)
        return job.rows

    return insert
