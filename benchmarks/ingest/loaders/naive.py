"""What a script does: `pandas.read_sql` or `read_csv`, and one pyiceberg `append` a chunk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.ingest.protocol import Answer, Job, serve

_CHUNK = 250_000


def load() -> Mapping[str, str]:
    """Imports what it is made of."""
    import pandas as pd
    import psycopg2  # noqa: F401
    import pyiceberg.catalog.sql  # noqa: F401
    import pymysql  # noqa: F401

    return {"pandas": pd.__version__, "psycopg2-binary": version("psycopg2-binary")}


def run(job: Job) -> Answer:
    """Reads chunk by chunk, with a cursor of the server, and appends each."""
    from pyiceberg.catalog.sql import SqlCatalog

    folder = Path(job.scratch) / "warehouse"
    folder.mkdir()
    catalog = SqlCatalog("naive", uri=f"sqlite:///{folder}/catalog.db", warehouse=str(folder))
    catalog.create_namespace("shop")
    schema, rows = _schema(), 0
    table = catalog.create_table("shop.orders", schema)
    for frame in _frames(job):
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
            job.location, chunksize=_CHUNK, dtype={"price": str}, parse_dates=["created_at"]
        )
        return
    import sqlalchemy as sa

    drivers = {"postgres": "postgresql+psycopg2", "mysql": "mysql+pymysql"}
    url = f"{drivers[job.source]}://{job.location.partition('://')[2]}"
    with sa.create_engine(url).connect().execution_options(stream_results=True) as connection:
        if job.source == "mysql":
            connection.execute(sa.text("SET time_zone = '+00:00'"))
        query = sa.text("SELECT * FROM orders")
        yield from pd.read_sql(query, connection, chunksize=_CHUNK, coerce_float=False)


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
