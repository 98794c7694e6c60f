"""The floor: a scan that reads and hashes every value of every column, and checks nothing."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.data import COLUMNS
from benchmarks.engines.protocol import MEMORY_LIMIT_MB, THREADS, Answer, Job, serve


def load() -> Mapping[str, str]:
    """Imports DuckDB."""
    import duckdb

    return {"duckdb": duckdb.__version__}


def run(job: Job) -> Answer:
    """Hashes all columns of all rows."""
    import duckdb

    limits = {"memory_limit": f"{MEMORY_LIMIT_MB}MB", "threads": str(THREADS)}
    connection = duckdb.connect(config=limits)
    hashes = ", ".join(f"bit_xor(hash({column}))" for column in COLUMNS)
    connection.execute(f"SELECT {hashes} FROM read_parquet({list(job.orders)})").fetchall()
    return Answer(labelled=None)


if __name__ == "__main__":
    serve(load, run)
