"""The data files that may hold rows of some periods, told by their statistics."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import reduce
from typing import Any

from pyiceberg.expressions import And, BooleanExpression, GreaterThanOrEqual, LessThan, Or
from pyiceberg.table import Table
from pyiceberg.types import DateType, TimestamptzType

from quality_platform.lake.reading import files_of_tasks
from quality_platform.lake.storage_errors import reading
from quality_platform.lake.table_files import TableFiles

_AT_LEAST: Any = GreaterThanOrEqual
_BEFORE: Any = LessThan
"""Their types leave out that a column and a value are enough."""


def files_of_periods(
    table: Table, snapshot_id: int, column: str, periods: Sequence[tuple[date, date]]
) -> TableFiles:
    """The data files of a snapshot that may hold rows of the periods; files without any are not.

    Args:
        table: The table.
        snapshot_id: A snapshot with the table's columns of today.
        column: A date or timestamp.
        periods: Each from its first day (inclusive) to the second (exclusive), in UTC; at least
            one.

    Raises:
        StorageError: the table's files cannot be read.
    """
    kind = table.schema().find_field(column).field_type
    zone = "+00:00" if isinstance(kind, TimestamptzType) else ""
    time = "" if isinstance(kind, DateType) else f"T00:00:00{zone}"

    def within(period: tuple[date, date]) -> BooleanExpression:
        first, last = (f"{day.isoformat()}{time}" for day in period)
        return And(_AT_LEAST(column, first), _BEFORE(column, last))

    with reading(table):
        scan = table.scan(row_filter=reduce(Or, map(within, periods)), snapshot_id=snapshot_id)
        return files_of_tasks(table, scan.plan_files())
