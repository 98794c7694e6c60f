"""What a script does: `pandas.read_sql` or `read_csv`, and one pyiceberg `append` a chunk.

PostgreSQL has scripts of its own: `naive_psycopg`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.ingest.protocol import Answer, Job, serve

CHUNK = 250_000
"""Rows of one frame."""


def load() -> Mapping[str, str]:
    """Imports what it is made of."""
    import pandas as pd
    import pyiceberg.catalog.sql  # noqa: F401
    import pymysql  # noqa: F401

    return {"pandas": pd.__version__, "PyMySQL": version("PyMySQL")}


def run(job: Job) -> Answer:
    """Reads chunk by chunk, with a cursor of the server, and appends each."""
    return append(job, _frames(job))


def append(job: Job, frames: Iterable[Any]) -> Answer:
    """Appends each frame of pandas to a new table."""
    from pyiceberg.catalog.sql import SqlCatalog

    folder = Path(job.scratch) / "warehouse"
    folder.mkdir()
    catalog = SqlCatalog("naive", uri=f"sqlite:///{folder}/catalog.db", warehouse=str(folder))
    catalog.create_namespace("shop")
    schema, rows = _schema(), 0
    table = catalog.create_table("shop.orders", schema)
    for frame in frames:
        chunk = _as_arrow(frame, schema)
        table.append(chunk)
        rows += chunk.num_rows
    return Answer(rows)


def _schema() -> Any:
    import pyarrow as pa

    from benchmarks.ingest.rows import COLUMNS

    types = {
        "BIGINT": pa.int64(),
        "INTEGER": pa.int32(),
        "VARCHAR": pa.string(),
        "DECIMAL(12,2)": pa.decimal128(12, 2),
        "DOUBLE": pa.float64(),
        "TIMESTAMPTZ": pa.timestamp("us", "UTC"),
    }
    return pa.schema([(name, types[kind]) for name, kind in COLUMNS.items()])


def _frames(job: Job) -> Iterator[Any]:
    import pandas as pd

    if job.source == "csv":
        yield from pd.read_csv(
            job.location, chunksize=CHUNK, dtype={"price": str}, parse_dates=["created_at"]
        )
        return
    import sqlalchemy as sa

    url = f"mysql+pymysql://{job.location.partition('://')[2]}"
    with sa.create_engine(url).connect().execution_options(stream_results=True) as connection:
        connection.execute(sa.text("SET time_zone = '+00:00'"))
        query = sa.text("SELECT * FROM orders")
        yield from pd.read_sql(query, connection, chunksize=CHUNK, coerce_float=False)


def _as_arrow(frame: Any, schema: Any) -> Any:
    import pyarrow as pa

    if frame["price"].dtype == object and isinstance(frame["price"].iloc[0], str):
        from decimal import Decimal

        frame["price"] = frame["price"].map(Decimal)
    if getattr(frame["created_at"].dtype, "tz", None) is None:
        frame["created_at"] = frame["created_at"].dt.tz_localize("UTC")
    return pa.Table.from_pandas(frame, schema=schema, preserve_index=False, safe=False)


if __name__ == "__main__":
    serve(load, run)
