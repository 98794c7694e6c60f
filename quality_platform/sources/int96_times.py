"""Timestamps of 96 bits in Parquet, exactly.

The type has nanoseconds over millions of years, and Arrow's has them over 584. Arrow wraps what is
beyond in silence when it reads nanoseconds, and drops digits in silence when it reads microseconds.
Read both ways, the two differ by wrapped arithmetic exactly where digits were dropped.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    import pyarrow.parquet as pq


def int96_columns(file: pq.ParquetFile) -> list[str]:
    """The names of the columns that are timestamps of 96 bits; not those within objects."""
    columns = (file.schema.column(n) for n in range(len(file.schema)))
    return [c.path for c in columns if c.physical_type == "INT96" and c.path == c.name]


def exact_batches(
    fine: Iterator[pa.RecordBatch], coarse: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """The batches with every such column in microseconds, or as text where these do not do.

    Args:
        fine: The batches in nanoseconds.
        coarse: The same rows' columns of 96 bits alone, in microseconds.
    """
    for batch, times in zip(fine, coarse, strict=True):
        columns = dict(zip(batch.schema.names, batch.columns, strict=True))
        for name, micros in zip(times.schema.names, times.columns, strict=True):
            columns[name] = _exact(columns[name], micros)
        yield pa.record_batch(list(columns.values()), names=list(columns))


def _exact(nanos: pa.Array[Any], micros: pa.Array[Any]) -> pa.Array[Any]:
    ns, us = (_integers(column) for column in (nanos, micros))
    with np.errstate(over="ignore"):
        dropped = ns - us * 1000
    lossy = (dropped != 0) & np.asarray(micros.is_valid())
    if not lossy.any():
        return micros
    texts = micros.cast(pa.string()).to_pylist()
    for n in np.flatnonzero(lossy):
        texts[n] = f"{texts[n]}{int(dropped[n]):03d}"
    return pa.array(texts, pa.string())


def _integers(column: pa.Array[Any]) -> Any:
    filled: Any = column.view(pa.int64()).fill_null(0)
    return filled.to_numpy(zero_copy_only=False)
