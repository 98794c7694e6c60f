"""This platform, both samples in memory: all measures of all columns, exactly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from benchmarks.drift.protocol import Answer, Job, imported, serve


def load() -> Mapping[str, str]:
    """Imports the engine and what it runs on."""
    modules = (
        "pyarrow.dataset",
        "pyarrow.parquet",
        "scipy.special",
        "quality_platform.drift.comparison",
    )
    return imported(modules, ("quality-platform", "numpy", "pyarrow"))


def run(job: Job) -> Answer:
    """Compares column by column, so that no more than one is held."""
    from quality_platform.drift.comparison import compare_column
    from quality_platform.drift.figures import DriftThresholds

    thresholds = DriftThresholds()
    tests = 2 * len(job.numeric) + len(job.categorical)
    return answered(
        compare_column(_side(job.reference, c), _side(job.current, c), thresholds, tests)
        for c in (*job.numeric, *job.categorical)
    )


def answered(drifts: Iterable[Any]) -> Answer:
    """The figures of the platform's findings."""
    answer = Answer()
    for drift in drifts:
        for measure, found in (("ks", answer.ks), ("wasserstein", answer.wasserstein)):
            if figure := drift.figure(measure):
                found[drift.column] = figure.low, figure.high
        answer.psi[drift.column] = drift.figure("psi").high
        answer.drifted += (drift.column,) if drift.drifted else ()
        if drift.wasserstein is not None:
            answer.wasserstein[drift.column] = drift.wasserstein
    return answer


def _side(file: str, column: str) -> Any:
    import pyarrow.parquet as pq

    from quality_platform.drift.comparison import side_of

    return side_of(pq.read_table(file, columns=[column]), column)


if __name__ == "__main__":
    serve(load, run)
