"""Rows to read back in time: of numbered machines, with ten measures, and moments to ask for."""

from __future__ import annotations

from pathlib import Path

FEATURES = tuple(f"measure_{n}" for n in range(10))
ASKED_SHARE = 10
"""One entity row for so many feature rows."""

_FEATURE_ROWS = """
SELECT (hash(i) % {entities})::BIGINT AS machine,
       TIMESTAMPTZ '2026-01-01 00:00:00Z' + to_seconds(i) AS at,
       {measures}
FROM range({rows}) t(i) ORDER BY hash(i + 1)
"""

_ENTITY_ROWS = """
SELECT (hash(i + 3) % {entities})::BIGINT AS machine,
       TIMESTAMPTZ '2026-01-01 00:00:00Z' + to_seconds(hash(i + 5) % {rows}) AS event_timestamp
FROM range({asked}) t(i)
"""


def feature_file(data: Path, rows: int, history: int) -> Path:
    """A Parquet file with so many feature rows, `history` of each machine on average; made once.

    No two rows are of the same time. The order is random, as of rows that come from many places.
    """
    measures = ", ".join(f"(hash(i * {n + 11}) % 1000003) / 997.0 AS {f}" for n, f in _numbered())
    sql = _FEATURE_ROWS.format(rows=rows, entities=max(1, rows // history), measures=measures)
    return _file(data / f"machines-{rows}-{history}.parquet", sql)


def entity_file(data: Path, rows: int, history: int) -> Path:
    """A Parquet file with the entity rows to ask for; made once."""
    entities = max(1, rows // history)
    sql = _ENTITY_ROWS.format(rows=rows, entities=entities, asked=rows // ASKED_SHARE)
    return _file(data / f"machines-asked-{rows}-{history}.parquet", sql)


def _numbered() -> list[tuple[int, str]]:
    return list(enumerate(FEATURES))


def _file(file: Path, sql: str) -> Path:
    import duckdb

    if not file.exists():
        complete = file.with_suffix(".tmp")
        with duckdb.connect(":memory:") as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute(
                f"COPY ({sql}) TO '{complete}' (FORMAT parquet, COMPRESSION zstd, "
                "ROW_GROUP_SIZE 100000)"
            )
        complete.replace(file)
    return file
