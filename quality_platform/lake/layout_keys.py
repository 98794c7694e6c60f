"""What the rows of a table are sorted by, as DuckDB takes it and gives it back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyiceberg.table import Table
from pyiceberg.table.sorting import SortDirection
from pyiceberg.transforms import TruncateTransform

from quality_platform.errors import TableSchemaError

_UUID_BYTES = 16


@dataclass(frozen=True)
class LayoutKeys:
    """The keys of a table's layout: the partition's values, then the sort order's columns.

    They are columns of names that cannot clash: `p0`... are the partition's values, `s0`... the
    columns of the sort order.
    """

    table: Table

    @property
    def is_sorted(self) -> bool:
        """Whether the table has a sort order."""
        return bool(self.table.sort_order().fields)

    @property
    def sql(self) -> str:
        """The keys as an ORDER BY."""
        sort = [
            f"s{n} {'DESC' if key.direction is SortDirection.DESC else 'ASC'} NULLS LAST"
            for n, key in enumerate(self.table.sort_order().fields)
        ]
        return ", ".join([*self._partition_names, *sort])

    @property
    def _partition_names(self) -> list[str]:
        return [f"p{n}" for n in range(len(self.table.spec().fields))]

    def of(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The keys of the rows of a batch.

        Raises:
            TableSchemaError: a number is too small to be truncated.
        """
        columns = dict(zip(self._partition_names, self._partitions(batch), strict=True))
        for n, key in enumerate(self.table.sort_order().fields):
            columns[f"s{n}"] = _ordered(_stored(self._column(batch, key.source_id)))
        return pa.record_batch(list(columns.values()), names=list(columns))

    def _partitions(self, batch: pa.RecordBatch) -> Iterator[pa.Array[Any]]:
        """The partition's values as Iceberg stores them: days, microseconds, bytes."""
        schema = self.table.schema()
        for part in self.table.spec().fields:
            transform = part.transform.pyarrow_transform(schema.find_type(part.source_id))
            column = _stored(self._column(batch, part.source_id))
            values = transform(column)
            if isinstance(part.transform, TruncateTransform):
                _require_in_range(values, column, schema.find_column_name(part.source_id))
            yield _plain(values)

    def _column(self, batch: pa.RecordBatch, field_id: int) -> pa.Array[Any]:
        """A column, or a field within structs: NULL where one of these is."""
        path = self.table.schema().accessor_for_field(field_id)
        values = batch.column(path.position)
        while path.inner is not None:
            path = path.inner
            values = cast("pa.Array[Any]", pc.struct_field(values, [path.position]))
        return values

    def partitions(self, batch: pa.RecordBatch) -> Iterator[tuple[tuple[Any, ...], int, int]]:
        """Each partition of a batch of sorted keys: its values, first row, and end."""
        values = [batch.column(name) for name in self._partition_names]
        changes = np.zeros(batch.num_rows - 1, bool)
        for column in values:
            changes |= _differs(column.slice(0, len(column) - 1), column.slice(1))
        bounds = [0, *(np.flatnonzero(changes) + 1).tolist(), batch.num_rows]
        for start, end in pairwise(bounds):
            yield tuple(column[start].as_py() for column in values), start, end


def _differs(one: pa.Array[Any], other: pa.Array[Any]) -> NDArray[np.bool_]:
    values = np.asarray(pc.not_equal(one, other).fill_null(False))
    nulls: NDArray[np.bool_] = np.asarray(one.is_null()) != np.asarray(other.is_null())
    return values | nulls


def _require_in_range(values: pa.Array[Any], column: pa.Array[Any], name: str | None) -> None:
    """Refuses numbers so small that their truncation is none of the column's type.

    Iceberg's truncation rounds down: integers become great positive ones, and pyiceberg writes no
    decimal of more digits than the type has.

    Raises:
        TableSchemaError: there is such a number.
    """
    kind = column.type
    if pa.types.is_decimal(kind):
        lowest = Decimal(f"-{10**kind.precision - 1}E{-kind.scale}")
        is_out = pc.less(values, pa.scalar(lowest, kind))
    elif pa.types.is_integer(kind):
        is_out = pc.greater(values, column)
    else:
        return
    if pc.any(is_out).as_py():
        raise TableSchemaError(
            f"a number is too small to be a partition by truncate() of {name}",
            field=name or "",
            received=f"a number at the lower end of {kind}",
            action="choose another transform, such as bucket(), in partition_by; or hold such "
            "numbers back by a rule of the contract",
        )


def _stored(column: pa.Array[Any]) -> pa.Array[Any]:
    """The column without uuid, which DuckDB does not sort as bytes."""
    if isinstance(column.type, pa.UuidType):
        return column.cast(pa.binary(_UUID_BYTES))
    return column


def _plain(values: pa.Array[Any]) -> pa.Array[Any]:
    """Times as the numbers that Iceberg stores."""
    if pa.types.is_date(values.type):
        return values.cast(pa.int32())
    if pa.types.is_timestamp(values.type) or pa.types.is_time(values.type):
        return values.cast(pa.int64())
    return values


def _ordered(values: pa.Array[Any]) -> pa.Array[Any]:
    """Floats as integers in Iceberg's order: -NaN, -Infinity, ..., -0, 0, ..., Infinity, NaN.

    Source: Iceberg table specification, "Sort Orders", https://iceberg.apache.org/spec/#sorting.
    The bits of a positive float are ordered as integers are, those of a negative one backwards.
    """
    if not pa.types.is_floating(values.type):
        return values
    wide = values.cast(pa.float64())
    bits = np.asarray(wide.fill_null(0.0)).view(np.int64)
    ordered = bits ^ ((bits >> 63) & np.int64(2**63 - 1))
    keys: pa.Array[Any] = pa.array(ordered, mask=np.asarray(wide.is_null()))
    return keys
