"""What a script does with scipy: KS and Wasserstein of numbers, chi-square of categories."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.drift.protocol import Answer, Job, imported, serve


def load() -> Mapping[str, str]:
    """Imports scipy and pyarrow."""
    modules = ("pyarrow.dataset", "pyarrow.parquet", "scipy.stats")
    return imported(modules, ("scipy", "numpy", "pyarrow"))


def run(job: Job) -> Answer:
    """Compares column by column."""
    from scipy import stats

    answer = Answer()
    for column in job.numeric:
        sides = [_column(file, column).drop_null().to_numpy() for file in _files(job)]
        ks = float(stats.ks_2samp(*sides, method="asymp").statistic)
        area = float(stats.wasserstein_distance(*sides))
        answer.ks[column], answer.wasserstein[column] = (ks, ks), (area, area)
    for column in job.categorical:
        counts = [_counts(_column(file, column)) for file in _files(job)]
        values = sorted(set().union(*counts))
        stats.chi2_contingency([[side.get(value, 0) for value in values] for side in counts])
    return answer


def _files(job: Job) -> tuple[str, str]:
    return job.reference, job.current


def _column(file: str, column: str) -> Any:
    import pyarrow.parquet as pq

    return pq.read_table(file, columns=[column]).column(column)


def _counts(column: Any) -> dict[str, int]:
    import pyarrow.compute as pc

    entries = pc.value_counts(column)
    pairs = zip(*(entries.field(name).to_pylist() for name in ("values", "counts")), strict=True)
    return {str(value): rows for value, rows in pairs}


if __name__ == "__main__":
    serve(load, run)
