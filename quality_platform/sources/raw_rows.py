"""The raw text of records that have types already: JSON objects, as the quarantine keeps them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import pyarrow as pa


def json_rows(columns: pa.RecordBatch) -> Callable[[Sequence[int]], list[str]]:
    """Gives the rows at some positions as JSON objects by column name.

    What JSON has no word for is written as text: decimals exactly, times in ISO 8601, bytes as
    Python shows them.
    """

    def raw(positions: Sequence[int]) -> list[str]:
        taken = columns.take(pa.array(positions, pa.int64()))
        return [json.dumps(row, default=str, ensure_ascii=False) for row in taken.to_pylist()]

    return raw
