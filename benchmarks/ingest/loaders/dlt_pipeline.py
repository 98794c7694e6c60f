"""dlt: its source with the fastest backend, to Iceberg tables in a folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.ingest.protocol import Answer, Job, serve


def load() -> Mapping[str, str]:
    """Imports dlt."""
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    os.environ["RUNTIME__LOG_LEVEL"] = "ERROR"
    import connectorx  # noqa: F401
    import dlt
    import pyiceberg.catalog.sql  # noqa: F401
    from dlt.sources import filesystem, sql_database  # noqa: F401

    return {"dlt": dlt.__version__}


def run(job: Job) -> Answer:
    """Extracts, normalizes and loads."""
    import dlt

    folder = Path(job.scratch)
    pipeline = dlt.pipeline(
        "orders",
        pipelines_dir=str(folder / "pipelines"),
        destination=dlt.destinations.filesystem((folder / "lake").as_uri()),
        dataset_name="shop",
    )
    pipeline.run(
        _resource(job), table_name="orders", table_format="iceberg", write_disposition="append"
    )
    found = pipeline.last_trace.last_normalize_info.row_counts
    return Answer(found.get("orders"))


def _resource(job: Job) -> Any:
    if job.source == "csv":
        from dlt.sources.filesystem import filesystem, read_csv_duckdb

        path = Path(job.location)
        files = filesystem(bucket_url=path.parent.as_uri(), file_glob=path.name)
        return files | read_csv_duckdb(use_pyarrow=True, chunk_size=100_000)
    from dlt.sources.sql_database import sql_table

    scheme = {"postgres": "postgresql+psycopg2", "mysql": "mysql+pymysql"}[job.source]
    url = f"{scheme}://{job.location.partition('://')[2]}"
    return sql_table(
        url, table="orders", backend="connectorx", reflection_level="full_with_precision"
    )


if __name__ == "__main__":
    serve(load, run)
