"""Which columns of a data file gain by a dictionary, told by the first of its rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

_SAMPLE_ROWS = 2**15
_COUNTED = (
    pa.types.is_primitive,
    pa.types.is_decimal,
    pa.types.is_string,
    pa.types.is_binary,
    pa.types.is_fixed_size_binary,
)
"""What Arrow can count the different values of, as far as the lake has it."""


def repeating(rows: pa.Table) -> list[str]:
    """The columns whose values repeat, as paths of Parquet's leaves (`tags.list.element`).

    Of the others more than half of the values differ. The dictionary of so many would outgrow its
    limit and be given up in every row group, and to try costs up to a tenth of the time of writing.
    Parts of nested columns count as repeating.
    """
    sample = rows.slice(0, _SAMPLE_ROWS)
    return [
        path
        for field, values in zip(sample.schema, sample.itercolumns(), strict=True)
        if not _differs(values)
        for path in _leaves(field.name, field.type)
    ]


def _differs(values: pa.ChunkedArray[Any]) -> bool:
    """Whether more than half of the values of a column are different ones."""
    kind = values.type
    if not any(is_kind(kind) for is_kind in _COUNTED):
        return False
    return 2 * int(pc.count_distinct(values).as_py()) > len(values) - values.null_count


def _leaves(path: str, kind: Any) -> Iterator[str]:
    """The paths of a column, as pyarrow writes them."""
    if pa.types.is_struct(kind):
        for part in kind:
            yield from _leaves(f"{path}.{part.name}", part.type)
    elif pa.types.is_map(kind):
        yield from _leaves(f"{path}.key_value.key", kind.key_type)
        yield from _leaves(f"{path}.key_value.value", kind.item_type)
    elif (
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    ):
        yield from _leaves(f"{path}.list.element", kind.value_type)
    else:
        yield path
