"""pyiceberg's own `upsert`, into a table that this platform has written."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from benchmarks.ingest.loaders import ours
from benchmarks.ingest.protocol import Answer, Job, serve


def load() -> Mapping[str, str]:
    """Imports pyiceberg."""
    return {**ours.load(), "pyiceberg": version("pyiceberg")}


def prepare(job: Job) -> None:
    """Publishes the rows that are changed then."""
    ours.publish_first(job)


def run(job: Job) -> Answer:
    """Puts each changed row in the place of the one with the same key."""
    import pyarrow.parquet as pq

    from quality_platform.flows.platform import open_platform

    platform = open_platform(Path(job.scratch) / "project" / "runner.yaml")
    table = platform.lake.table("shop.orders")
    changes = pq.read_table(job.changes).cast(table.schema().as_arrow())
    table.upsert(changes, join_cols=["order_id"])
    summary = table.refresh().current_snapshot().summary
    return Answer(int(summary["total-records"]))


if __name__ == "__main__":
    serve(load, run, prepare)
