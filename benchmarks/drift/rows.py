"""The two samples: Parquet files of ten columns of numbers and five of categories."""

from __future__ import annotations

from pathlib import Path
from typing import Any

CHUNK = 1_000_000
"""Rows of a row group: made, and written, at once."""

NUMERIC = (
    "normal", "shifted", "wider", "lognormal", "zeros", "cents", "counts", "score", "bimodal",
    "missing",
)  # fmt: skip
CATEGORICAL = ("status", "country", "plan", "product", "flag")


def parquet_files(folder: Path, rows: int) -> tuple[Path, Path]:
    """The reference and the current rows, made unless they are there."""
    folder.mkdir(parents=True, exist_ok=True)
    files = tuple(folder / f"drift-{rows}-{side}.parquet" for side in ("reference", "current"))
    for drift, file in enumerate(files):
        if not file.exists():
            _write(file, rows, drift)
    return files[0], files[1]


def _write(file: Path, rows: int, drift: int) -> None:
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    generator = np.random.default_rng(20260106 + drift)
    partial, writer = file.with_suffix(".partial"), None
    for start in range(0, rows, CHUNK):
        table = pa.table(_columns(generator, min(CHUNK, rows - start), drift))
        writer = writer or pq.ParquetWriter(partial, table.schema)
        writer.write_table(table)
    assert writer is not None
    writer.close()
    partial.rename(file)


def _columns(generator: Any, rows: int, drift: int) -> dict[str, Any]:
    """The first, third, seventh and so on do not drift."""
    import numpy as np
    import pyarrow as pa

    normal, pick = generator.normal, generator.choice
    is_zero = generator.random(rows) < 0.6
    ids = np.minimum(generator.zipf(1.3, rows), 500)
    return {
        "normal": normal(size=rows),
        "shifted": normal(0.1 * drift, size=rows),
        "wider": normal(scale=1 + 0.1 * drift, size=rows),
        "lognormal": generator.lognormal(0, 1.5, rows),
        "zeros": np.where(is_zero, 0.0, generator.lognormal(0.2 * drift, 1, rows)),
        "cents": np.round(generator.lognormal(3, 1, rows), 2),
        "counts": generator.poisson(4, rows),
        "score": generator.integers(300, 851, rows) + 5 * drift,
        "bimodal": normal(size=rows) + np.where(generator.random(rows) < 0.3 + 0.1 * drift, 6, 0),
        "missing": pa.array(normal(size=rows), mask=generator.random(rows) < 0.05 + 0.1 * drift),
        "status": pick(["new", "paid", "sent", "done"], rows, p=[0.1, 0.2, 0.3, 0.4]),
        "country": pick([f"country {n}" for n in range(50)], rows),
        "plan": pick(["free", "pro", "team"], rows, p=[[0.7, 0.2, 0.1], [0.6, 0.25, 0.15]][drift]),
        "product": pa.array([f"product {n}" for n in range(501)]).take(pa.array(ids)),
        "flag": generator.random(rows) < 0.2,
    }
