"""The raw text of records that have types already: JSON objects, as the quarantine keeps them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

_DAY = {"s": 86_400, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}
"""A day, in each unit of Arrow's times."""


def json_rows(
    columns: pa.RecordBatch, special: Callable[[int], str] | None = None
) -> Callable[[Sequence[int]], list[str]]:
    """Gives the rows at some positions as JSON objects by column name.

    What JSON has no word for is written as text: decimals exactly, times in ISO 8601, bytes as
    Python shows them. Dates and timestamps beyond the calendar of Python have their years in
    astronomical numbering: 44 BC is -043. `special` has the words for some of them, by the number
    (of days, microseconds, ...) with which Arrow holds them, and "" for the others.
    """

    def raw(positions: Sequence[int]) -> list[str]:
        taken = columns.take(pa.array(positions, pa.int64()))
        shown = [_shown(column, special or (lambda _: "")) for column in taken.columns]
        names = columns.schema.names
        return [
            json.dumps(dict(zip(names, row, strict=True)), default=str, ensure_ascii=False)
            for row in zip(*shown, strict=True)
        ]

    return raw


def _shown(column: pa.Array[Any], special: Callable[[int], str]) -> list[Any]:
    kind = column.type
    if not (pa.types.is_date(kind) or pa.types.is_timestamp(kind) or pa.types.is_time(kind)):
        return list(column.to_pylist())
    return [_moment(cell, special) for cell in column]


def _moment(cell: Any, special: Callable[[int], str]) -> Any:
    if not cell.is_valid:
        return None
    if pa.types.is_time(cell.type) and not 0 <= cell.value < _DAY[cell.type.unit]:
        # Python would begin at midnight again.
        return f"{cell.value} {cell.type.unit} after midnight"
    try:
        return cell.as_py()
    except (ValueError, OverflowError):
        unit: Any = "D" if pa.types.is_date32(cell.type) else getattr(cell.type, "unit", "ms")
        return special(cell.value) or str(np.datetime64(cell.value, unit))
