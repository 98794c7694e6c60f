"""What a script does with psycopg 3: a cursor of the server, pandas, and pyiceberg's `append`.

`pip install psycopg` gives a driver in Python, which needs the system's libpq; that is measured
here. `naive_psycopg_binary` measures the same script with `pip install "psycopg[binary]"`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.ingest.loaders import naive
from benchmarks.ingest.protocol import Answer, Job, serve


def load(implementation: str = "python") -> Mapping[str, str]:
    """Imports what the script is made of; psycopg reads the variable when it is imported."""
    os.environ["PSYCOPG_IMPL"] = implementation
    import pandas as pd
    import psycopg
    import pyiceberg.catalog.sql  # noqa: F401

    return {"pandas": pd.__version__, f"psycopg ({psycopg.pq.__impl__})": psycopg.__version__}


def run(job: Job) -> Answer:
    """Reads chunk by chunk, and appends each."""
    return naive.append(job, _frames(job))


def _frames(job: Job) -> Iterator[Any]:
    import pandas as pd
    import psycopg

    with psycopg.connect(job.location) as connection, connection.cursor("orders") as cursor:
        cursor.execute("SELECT * FROM orders")
        names = [column.name for column in cursor.description or ()]
        while rows := cursor.fetchmany(naive.CHUNK):
            yield pd.DataFrame(rows, columns=names)


if __name__ == "__main__":
    serve(load, run)
