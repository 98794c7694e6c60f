"""Frouros' detectors for batches: KS, PSI, Jensen-Shannon and Wasserstein of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.drift.protocol import Answer, Job, imported, serve


def load() -> Mapping[str, str]:
    """Imports Frouros."""
    modules = ("pyarrow.dataset", "pyarrow.parquet", "frouros.detectors.data_drift")
    return imported(modules, ("frouros", "scipy", "numpy"))


def run(job: Job) -> Answer:
    """Fits four detectors to each column of numbers of the reference."""
    from frouros.detectors.data_drift import EMD, JS, PSI, KSTest

    answer = Answer()
    for column in job.numeric:
        reference, current = (_values(file, column) for file in (job.reference, job.current))
        for detector in (KSTest(), EMD(), PSI(), JS()):
            detector.fit(X=reference)
            found, _ = detector.compare(X=current)
            if isinstance(detector, KSTest):
                answer.ks[column] = float(found.statistic), float(found.statistic)
            elif isinstance(detector, EMD):
                answer.wasserstein[column] = float(found.distance), float(found.distance)
    return answer


def _values(file: str, column: str) -> Any:
    import pyarrow.parquet as pq

    table = pq.read_table(file, columns=[column])
    return table.column(column).drop_null().to_numpy().astype(float)


if __name__ == "__main__":
    serve(load, run)
