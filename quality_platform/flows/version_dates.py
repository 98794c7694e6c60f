"""From when a version of a row is valid, in `mode: snapshot`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from quality_platform.flows.merge_rules import MergeRules
from quality_platform.lake.query import quote_identifier
from quality_platform.lake.table_files import read_parquet
from quality_platform.lake.versions import VALID_FROM, VALID_TO, VERSION_COLUMNS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

INSTANT: Any = pa.timestamp("us", "UTC")

VERSION_FIELDS = tuple(
    pa.field(name, INSTANT, metadata={"doc": doc}) for name, doc in VERSION_COLUMNS.items()
)


@dataclass(frozen=True)
class VersionDates:
    """When the versions of one load begin.

    That is the row's value of `order_by`, a timestamp (in UTC where it has no zone), and `at` where
    that is "".
    """

    at: datetime
    order_by: str = ""

    def begun(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """The rows as present versions."""
        dates = [self._from(rows), pa.nulls(rows.num_rows, INSTANT)]
        fields = [pa.field(name, INSTANT) for name in (VALID_FROM, VALID_TO)]
        schema = pa.schema([*rows.schema, *fields])
        return pa.record_batch([*rows.columns, *dates], schema=schema)

    def _from(self, rows: pa.RecordBatch) -> pa.Array[Any]:
        if not self.order_by:
            same: pa.Array[Any] = pa.array([self.at] * rows.num_rows, INSTANT)
            return same
        dates: pa.Array[Any] = rows.column(self.order_by).cast(INSTANT)
        return dates

    def sql(self, order: str) -> str:
        """The same in SQL, of a row whose value of `order_by` is the given expression."""
        if not self.order_by:
            return f"TIMESTAMPTZ '{self.at.isoformat()}'"
        return f"({order})::TIMESTAMPTZ"


def version_dates(
    rules: MergeRules | None,
    connection: DuckDBPyConnection,
    published: Sequence[str],
    now: datetime,
) -> VersionDates | None:
    """The dates of a load that begins now; None where the table keeps no versions.

    No load is dated before one that is published, whatever the clocks of two machines say.
    """
    if rules is None or not rules.keeps_versions:
        return None
    if rules.dated_by_order:
        return VersionDates(now, rules.order_by)
    if not published:
        return VersionDates(now)
    columns = f"max({quote_identifier(VALID_FROM)}), max({quote_identifier(VALID_TO)})"
    latest = connection.sql(f"SELECT {columns} FROM {read_parquet(published)}").to_arrow_table()
    dates = [column[0].cast(INSTANT).as_py() for column in latest.columns]
    return VersionDates(max([now, *(date for date in dates if date is not None)]))
