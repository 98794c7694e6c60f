"""Evidently's preset for data drift, with its own choice of tests and thresholds."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from benchmarks.drift.protocol import Answer, Job, imported, serve


def load() -> Mapping[str, str]:
    """Imports Evidently, without its telemetry."""
    os.environ["DO_NOT_TRACK"] = "1"
    modules = ("pyarrow.dataset", "pyarrow.parquet", "evidently.presets")
    return imported(modules, ("evidently", "pandas", "numpy"))


def run(job: Job) -> Answer:
    """One report on all columns."""
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    columns = DataDefinition(
        numerical_columns=list(job.numeric), categorical_columns=list(job.categorical)
    )
    frames = [_frame(file, job) for file in (job.reference, job.current)]
    reference, current = (Dataset.from_pandas(f, data_definition=columns) for f in frames)
    found = Report([DataDriftPreset()]).run(current, reference).dict()
    assert found["metrics"]
    return Answer()


def _frame(file: str, job: Job) -> Any:
    import pyarrow.parquet as pq

    return pq.read_table(file, columns=[*job.numeric, *job.categorical]).to_pandas()


if __name__ == "__main__":
    serve(load, run)
