"""Timestamps of 96 bits in Parquet, exactly.

The type has nanoseconds over millions of years, and Arrow's has them over 584. Arrow wraps what is
beyond in silence when it reads nanoseconds, and drops digits in silence when it reads microseconds.
Read both ways, the two differ by wrapped arithmetic exactly where digits were dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from quality_platform.sources.plain_columns import plain_batch

if TYPE_CHECKING:
    import pyarrow.parquet as pq

_LAST_NANO = 2**63 - 1


class InexactTimesError(pa.ArrowInvalid):
    """An object or array has timestamps that no type of Arrow holds together."""


def int96_columns(file: pq.ParquetFile) -> list[str]:
    """The names of the columns that are timestamps of 96 bits, or objects and arrays with such."""
    columns = (file.schema.column(n) for n in range(len(file.schema)))
    paths = [column.path for column in columns if column.physical_type == "INT96"]

    def has_times(field: pa.Field[Any]) -> bool:
        within = f"{field.name}." if field.type.num_fields else None
        return any(path == field.name or (within and path.startswith(within)) for path in paths)

    return [field.name for field in file.schema_arrow if has_times(field)]


def exact_batches(
    fine: Iterator[pa.RecordBatch], coarse: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """The batches with every such column in microseconds, or as text where these do not do.

    Within objects and arrays, text would change the type of all. So rows of which microseconds do
    not hold all digits are batches of their own, with these objects or arrays in nanoseconds.

    Args:
        fine: The batches in nanoseconds.
        coarse: The same rows' columns with times of 96 bits alone, in microseconds.

    Raises:
        InexactTimesError: the times within one object or array have neither unit in common.
        pyarrow.ArrowInvalid: the parts of an object or array contradict each other.
    """
    for batch, times in zip(fine, coarse, strict=True):
        holders = [n for n in times.schema.names if not _is_time(times.column(n))]
        # Sound before anything in them is looked at, and of few types.
        nanos, micros = (plain_batch(each.select(holders)) for each in (batch, times))
        masks = {n: _inexact_rows(n, nanos.column(n), micros.column(n)) for n in holders}
        for start, end in _runs(masks.values(), batch.num_rows):
            yield _exact_batch(
                batch.slice(start, end - start),
                times.slice(start, end - start),
                {name for name, mask in masks.items() if mask[start : start + 1].any()},
            )


def _exact_batch(
    batch: pa.RecordBatch, times: pa.RecordBatch, in_nanos: Collection[str]
) -> pa.RecordBatch:
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    for name, micros in zip(times.schema.names, times.columns, strict=True):
        if _is_time(micros):
            columns[name] = _exact(columns[name], micros)
        elif name not in in_nanos:
            columns[name] = micros
    return pa.record_batch(list(columns.values()), names=list(columns))


def _runs(masks: Iterable[Any], rows: int) -> Iterator[tuple[int, int]]:
    """The stretches of rows within which no mask changes; one of no rows for none."""
    changes = {int(n) + 1 for mask in masks for n in np.flatnonzero(mask[1:] != mask[:-1])}
    yield from pairwise([0, *sorted(changes), rows])


def _is_time(column: pa.Array[Any]) -> bool:
    return bool(pa.types.is_timestamp(column.type))


def _exact(nanos: pa.Array[Any], micros: pa.Array[Any]) -> pa.Array[Any]:
    dropped = _dropped(nanos, micros)
    if not dropped.any():
        return micros
    texts = micros.cast(pa.string()).to_pylist()
    for n in np.flatnonzero(dropped):
        texts[n] = f"{texts[n]}{int(dropped[n]):03d}"
    return pa.array(texts, pa.string())


def _inexact_rows(name: str, nanos: pa.Array[Any], micros: pa.Array[Any]) -> Any:
    """The rows whose times microseconds do not hold with all digits, as a mask."""
    found = _rows_where(_dropped, nanos, micros)
    if found.any() and (found & _rows_where(_is_beyond_nanos, nanos, micros)).any():
        raise InexactTimesError(name)
    return found


def _rows_where(test: Callable[[Any, Any], Any], nanos: Any, micros: Any) -> Any:
    """The rows with any time of 96 bits for which the test is true, as a mask."""
    found = np.zeros(len(micros), bool)
    if nanos.type == micros.type:
        return found
    if _is_time(micros):
        return test(nanos, micros) != 0
    if pa.types.is_struct(micros.type):
        for part in zip(nanos.flatten(), micros.flatten(), strict=True):
            found |= _rows_where(test, *part)
        return found
    for part in zip(_items(nanos), _items(micros), strict=True):
        within = _rows_where(test, *part)
        before = np.concatenate([[0], np.cumsum(within)])
        offsets = np.asarray(micros.offsets) - micros.offsets[0].as_py()
        found |= before[offsets[1:]] > before[offsets[:-1]]
    return found


def _items(array: Any) -> list[Any]:
    """What an array or map of these rows alone holds: the values; of a map, the keys first."""
    parts = [array.keys, array.items] if pa.types.is_map(array.type) else [array.values]
    first, last = array.offsets[0].as_py(), array.offsets[-1].as_py()
    return [part.slice(first, last - first) for part in parts]


def _dropped(nanos: pa.Array[Any], micros: pa.Array[Any]) -> Any:
    """The digits of each value that microseconds do not hold, as nanoseconds; 0 for NULL."""
    ns, us = (_integers(column) for column in (nanos, micros))
    with np.errstate(over="ignore"):
        return np.where(np.asarray(micros.is_valid()), ns - us * 1000, 0)


def _is_beyond_nanos(_: pa.Array[Any], micros: pa.Array[Any]) -> Any:
    """Whether each value is before 1677 or after 2262, where Arrow has no nanoseconds."""
    us = _integers(micros)
    return (us >= _LAST_NANO // 1000) | (us <= -_LAST_NANO // 1000)


def _integers(column: pa.Array[Any]) -> Any:
    filled: Any = column.view(pa.int64()).fill_null(0)
    return filled.to_numpy(zero_copy_only=False)
