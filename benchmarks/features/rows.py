"""Feature rows to measure with: a text key, a time, and ten features of six types."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

INSTANT = pa.timestamp("us", "UTC")
FEATURES = pa.schema(
    [
        *(pa.field(f"mean_{n}", pa.float64()) for n in range(4)),
        *(pa.field(f"count_{n}", pa.int64()) for n in range(3)),
        pa.field("segment", pa.string()),
        pa.field("is_active", pa.bool_()),
        pa.field("last_seen", INSTANT),
    ]
)
SCHEMA = pa.schema([("person", pa.string()), ("at", INSTANT), *FEATURES])

_SQL = """
SELECT 'person-' || lpad(i::VARCHAR, 10, '0') AS person,
       TIMESTAMPTZ '2026-01-01 00:00:00Z' + to_seconds(hash(i) % 2592000) AS at,
       {means}, {counts},
       CASE WHEN i % 20 > 0 THEN 'segment ' || (i % 40) END AS segment,
       i % 3 = 0 AS is_active,
       TIMESTAMPTZ '2025-12-01 00:00:00Z' + to_seconds(hash(i + 7) % 2592000) AS last_seen
FROM range({rows}) t(i)
"""


def parquet_file(data: Path, rows: int) -> Path:
    """A Parquet file with one row for each of so many persons; made once."""
    import duckdb

    file = data / f"persons-{rows}.parquet"
    if not file.exists():
        means = ", ".join(f"(hash(i + {n}) % 1000003) / 997.0 AS mean_{n}" for n in range(4))
        counts = ", ".join(f"(hash(i * {n + 3}) % 100000)::BIGINT AS count_{n}" for n in range(3))
        sql = _SQL.format(rows=rows, means=means, counts=counts)
        with duckdb.connect(":memory:") as connection:
            connection.execute("SET TimeZone = 'UTC'")
            table = connection.sql(sql).to_arrow_table().cast(SCHEMA)
        complete = file.with_suffix(".tmp")
        pq.write_table(table, complete, row_group_size=100_000)
        complete.replace(file)
    return file
