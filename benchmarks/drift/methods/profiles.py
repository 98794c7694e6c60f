"""This platform, by profiles: what a run does where the reference has no stored profile yet."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.drift.methods.ours import answered
from benchmarks.drift.protocol import Answer, Job, imported, serve


def load() -> Mapping[str, str]:
    """Imports the engine and what it runs on."""
    modules = (
        "duckdb",
        "scipy.special",
        "quality_platform.drift.comparison",
        "quality_platform.drift.profiling",
    )
    return imported(modules, ("quality-platform", "numpy", "duckdb"))


def run(job: Job) -> Answer:
    """Profiles both files by DuckDB, and compares the profiles."""
    from quality_platform.drift.comparison import compare_profiles
    from quality_platform.drift.profiling import profile_relation
    from quality_platform.lake.query import EngineSettings, duckdb_session
    from quality_platform.lake.table_files import read_parquet

    columns = (*job.numeric, *job.categorical)
    with duckdb_session(EngineSettings()) as connection:
        reference = profile_relation(connection, read_parquet([job.reference]), columns)
        current = profile_relation(connection, read_parquet([job.current]), columns, like=reference)
    return answered(compare_profiles(reference, current, columns))


if __name__ == "__main__":
    serve(load, run)
