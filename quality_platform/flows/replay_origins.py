"""What the quarantine knew of rows that are judged again, kept beside them until the end."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from quality_platform.quarantine.records import META_FIELDS

META_SCHEMA = pa.schema([field.remove_metadata() for field in META_FIELDS])


class Origins:
    """A scratch file of the quarantine's own columns of every row, told by the row's number.

    Rows are numbered from 0 in the order in which they come. Only one batch is in memory.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: Any = pa.ipc.new_file(str(path), META_SCHEMA)
        self._starts: list[int] = []
        self._rows = 0
        self._latest: pa.RecordBatch | None = None

    def begin(self, rows: pa.RecordBatch) -> pa.Array[Any]:
        """Adds the rows of a batch of the quarantine; their numbers."""
        meta = rows.select(META_SCHEMA.names).cast(META_SCHEMA)
        self._writer.write_batch(meta)
        self._starts.append(self._rows)
        self._rows += meta.num_rows
        self._latest = meta
        return pa.array(range(self._rows - meta.num_rows, self._rows), pa.int64())

    def of(self, numbers: Sequence[int]) -> pa.RecordBatch:
        """The columns of rows, by their numbers.

        While rows are being added, those of the latest batch only.
        """
        if self._writer is not None:
            assert self._latest is not None
            return self._latest.take(pa.array([n - self._starts[-1] for n in numbers], pa.int64()))
        with pa.memory_map(str(self._path)) as source:
            file = pa.ipc.open_file(source)
            places = np.searchsorted(self._starts, np.asarray(numbers), side="right") - 1
            pairs = zip(places.tolist(), numbers, strict=True)
            parts = [
                file.get_batch(place).take(
                    pa.array([n - self._starts[place] for _, n in group], pa.int64())
                )
                for place, group in groupby(pairs, key=lambda pair: pair[0])
            ]
        table: pa.Table = pa.Table.from_batches(parts, META_SCHEMA).combine_chunks()
        batches = table.to_batches()
        return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=META_SCHEMA)

    def close(self) -> None:
        """Finishes the file; no row can be added after this."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
