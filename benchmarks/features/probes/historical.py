"""Features of entity rows as of their moments: `<rows per entity> <way>`.

The ways: `ours`, `hand-written`, and Feast's own stores `dask` and `duckdb`.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow.compute as pc

from benchmarks.features.historical_rows import FEATURES
from benchmarks.features.historical_stores import Read, hand_written, ours, stock
from benchmarks.features.protocol import Job, serve


def prepare(job: Job) -> Read:
    """What is to be done, with everything made ready and imported."""
    history, way = job.variant.split()
    if way == "ours":
        return ours(job, int(history))
    if way == "hand-written":
        return hand_written(job, int(history))
    return stock(job, int(history), way)


def run(_: Job, read: Read) -> Mapping[str, float]:
    """Rows of the result, how many have a value, and the sum of one measure."""
    found = read()
    values = pc.drop_null(found.column(FEATURES[0]))
    return {"rows": found.num_rows, "known": len(values), "sum": pc.sum(values).as_py() or 0.0}


if __name__ == "__main__":
    serve(prepare, run)
