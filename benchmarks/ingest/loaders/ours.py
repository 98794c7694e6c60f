"""This platform: what `quality-platform run` does for one table, without starting a shell."""

from __future__ import annotations

import gc
import os
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from benchmarks.ingest.project import TABLE, write_project
from benchmarks.ingest.protocol import Answer, Job, serve

_DATABASES = ("postgres", "mysql")


def load() -> Mapping[str, str]:
    """Imports the platform and what it runs on."""
    import adbc_driver_postgresql.dbapi  # noqa: F401
    import duckdb  # noqa: F401
    import psycopg2  # noqa: F401
    import pyarrow.csv
    import pyarrow.parquet  # noqa: F401
    import pyiceberg.catalog.sql  # noqa: F401

    import quality_platform.flows.load_table
    import quality_platform.flows.platform
    import quality_platform.sources.csv_files  # noqa: F401

    names = ("quality-platform", "pyarrow", "pyiceberg", "psycopg2-binary", "connectorx")
    return {name: version(name) for name in names}


def prepare(job: Job) -> None:
    """Of a merge, publishes the rows that are changed then."""
    if job.source == "merge":
        publish_first(job)
        os.link(job.changes, _landing(job) / "b.parquet")


def publish_first(job: Job) -> None:
    """Loads what a merge changes, and gives back the memory that this took."""
    import pyarrow as pa

    load_orders(job)
    gc.collect()
    pa.default_memory_pool().release_unused()


def run(job: Job) -> Answer:
    """Loads what is new at the source, checks it against the contract, and publishes it."""
    return load_orders(job)


def load_orders(job: Job) -> Answer:
    """One run of the table."""
    from quality_platform.flows.load_table import load_table
    from quality_platform.flows.platform import open_platform

    scratch = Path(job.scratch)
    os.environ["QUALITY_PLATFORM_HOME"] = str(scratch / "home")
    outcome = load_table(open_platform(_project(job)), TABLE, "benchmark")
    held = sum(load.rows_quarantined for load in outcome.loads)
    return Answer(outcome.total_rows, held)


def _project(job: Job) -> Path:
    folder = Path(job.scratch) / "project"
    if job.source in _DATABASES:
        source = {"type": job.source, "connection": "database", "table": TABLE}
        return write_project(folder, source, {"mode": "replace"}, job.location)
    if job.source == "csv":
        source = {"type": "csv", "path": job.location}
        return write_project(folder, source, {"mode": "append"})
    first = _landing(job) / "a.parquet"
    if not first.exists():
        os.link(job.location, first)
    source = {"type": "parquet", "path": str(first.parent / "*.parquet")}
    return write_project(folder, source, {"mode": "merge"})


def _landing(job: Job) -> Path:
    folder = Path(job.scratch) / "landing"
    folder.mkdir(exist_ok=True)
    return folder


if __name__ == "__main__":
    serve(load, run, prepare)
