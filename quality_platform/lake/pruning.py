"""Which data files of a snapshot can hold rows of a period, told without opening them."""

from __future__ import annotations

from datetime import datetime

from pyiceberg.expressions import (
    AlwaysTrue,
    And,
    BooleanExpression,
    GreaterThanOrEqual,
    LessThanOrEqual,
    Reference,
)
from pyiceberg.expressions.literals import literal
from pyiceberg.table import FileScanTask, Table

from quality_platform.lake.storage_errors import reading


def tasks_between(
    table: Table,
    snapshot_id: int,
    column: str,
    first: datetime | None,
    last: datetime | None,
) -> list[FileScanTask]:
    """What there is to be read of a snapshot for the rows of a period, with their delete files.

    Iceberg knows the bounds of every column of a data file, and the partitions: files that hold no
    row from `first` to `last` (both included, None is without bound) are left out. The others may
    hold rows outside of the period too. `column` holds timestamps (without a time zone: in UTC) or
    dates (the first moment of the day).

    Raises:
        StorageError: the table's files cannot be read.
    """
    period: BooleanExpression = AlwaysTrue()
    if first is not None:
        period = And(period, GreaterThanOrEqual(term=Reference(column), value=literal(first)))
    if last is not None:
        period = And(period, LessThanOrEqual(term=Reference(column), value=literal(last)))
    with reading(table):
        return list(table.scan(row_filter=period, snapshot_id=snapshot_id).plan_files())
