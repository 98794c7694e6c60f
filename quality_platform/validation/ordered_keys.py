"""Values that come in ascending order are different from each other: only the others are suspect.

Keys and times of events mostly come in order, and then one pass over one column, without a hash
table, tells that nothing repeats.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_BATCH_ROWS = 122_880
_TOLERATED = 0.1
"""Share of values out of order from which on another way is cheaper."""
_SPARE = 10_000
"""Values out of order that are always tolerated."""


def can_be_ordered(kind: pa.DataType) -> bool:
    """Whether `out_of_order` takes values of this type: those that are integers inside."""
    return bool(
        pa.types.is_signed_integer(kind) or pa.types.is_date32(kind) or pa.types.is_timestamp(kind)
    )


def out_of_order(connection: DuckDBPyConnection, values: str) -> pa.Array[Any] | None:
    """The values that are not greater than all before them.

    A value that occurs twice in the rows of the query `values` (one column, no NULL) is among them:
    its second occurrence is not greater than the first. None where too many are out of order.
    """
    reader = connection.sql(values).to_arrow_reader(_BATCH_ROWS)
    kind = reader.schema.field(0).type
    found: list[NDArray[Any]] = []
    greatest = None
    seen = suspects = 0
    try:
        for batch in reader:
            late, greatest = _late(_as_numpy(batch.column(0)), greatest)
            found.append(late)
            seen, suspects = seen + batch.num_rows, suspects + len(late)
            if suspects > _SPARE + _TOLERATED * seen:
                return None
    finally:
        # An open result keeps the connection from running anything else.
        reader.close()
    return _as_arrow(found, kind)


def _late(numbers: NDArray[Any], greatest: Any | None) -> tuple[NDArray[Any], Any | None]:
    """The numbers not greater than all before them, and the greatest of all."""
    if not len(numbers):
        return numbers, greatest
    highest = np.maximum.accumulate(numbers)
    late = np.empty(len(numbers), bool)
    late[0] = False
    np.less_equal(numbers[1:], highest[:-1], out=late[1:])
    if greatest is not None:
        late |= numbers <= greatest
        return numbers[late], max(greatest, highest[-1])
    return numbers[late], highest[-1]


# Arrow's own ways to and from numpy import pandas, which takes longer than all the rest.


def _as_numpy(values: pa.Array[Any]) -> NDArray[Any]:
    kind = f"i{values.type.bit_width // 8}"
    buffer = values.buffers()[1] or b""
    start = values.offset * values.type.bit_width // 8
    numbers: NDArray[Any] = np.frombuffer(memoryview(buffer), kind, len(values), start)
    return numbers


def _as_arrow(found: list[NDArray[Any]], kind: pa.DataType) -> pa.Array[Any]:
    numbers = np.concatenate([np.empty(0, f"i{kind.bit_width // 8}"), *found])
    return pa.Array.from_buffers(kind, len(numbers), [None, pa.py_buffer(numbers.tobytes())])
