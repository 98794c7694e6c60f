"""Rows that say that a row of the table is deleted: kept aside while a load is being read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from quality_platform.flows.merge_rules import MergeRules, flag_value
from quality_platform.validation.reference_keys import unquoted

ORDER, MARK, ROWS_BEFORE = unquoted("order"), unquoted("mark"), unquoted("rows_before")
"""Columns beside the key: the value of `order_by`; the mark's number, from 1; and how many rows
that are no marks were staged before it."""


@dataclass
class DeleteMarks:
    """A scratch file with the key of every such row; a mark is judged by no rule.

    A row that does not conform, or whose key is not complete, is no mark: it is held back like any
    other.
    """

    rules: MergeRules
    schema: pa.Schema
    path: Path
    number: int = 0
    _writer: Any = field(default=None)

    def positions(self, rows: pa.RecordBatch, unconformed: Sequence[int]) -> NDArray[np.int64]:
        """The rows of a batch that are marks, ascending."""
        flag = self.rules.flag
        assert flag is not None
        assert flag.column is not None
        wanted: Any = flag_value(flag, self.schema.field(flag.column))
        equal: pa.Array[Any] = pc.equal(rows.column(flag.column), wanted)
        marked = equal.fill_null(False).to_numpy(zero_copy_only=False)
        needed = (*self.rules.key, *([self.rules.order_by] * self.rules.dated_by_order))
        for name in needed:
            marked = marked & rows.column(name).is_valid().to_numpy(zero_copy_only=False)
        return np.setdiff1d(np.flatnonzero(marked), np.array(unconformed, np.int64))

    def add(self, rows: pa.RecordBatch, rows_before: NDArray[np.int64]) -> None:
        """Adds marks, each after so many good rows of the load that are none."""
        columns = {name: rows.column(name) for name in self.rules.key}
        order = self.rules.order_by
        columns[ORDER] = rows.column(order) if order else pa.nulls(rows.num_rows, pa.int64())
        first = self.number + 1
        self.number += rows.num_rows
        columns[MARK] = pa.array(range(first, self.number + 1), pa.int64())
        columns[ROWS_BEFORE] = pa.array(rows_before, pa.int64())
        table = pa.table(columns)
        if self._writer is None:
            self._writer = pq.ParquetWriter(str(self.path), table.schema)
        self._writer.write_table(table)

    def close(self) -> None:
        """Finishes the file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    @property
    def files(self) -> tuple[str, ...]:
        """The file, where there is any mark."""
        return (str(self.path),) if self.number else ()
