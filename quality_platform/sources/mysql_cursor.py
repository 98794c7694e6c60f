"""The range of rows that an incremental load reads from MySQL."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import pyarrow as pa

from quality_platform.config.base_models import seconds
from quality_platform.config.load_models import IncrementalConfig
from quality_platform.errors import HeaderError, RunnerFileError
from quality_platform.sources.incremental import (
    CursorRange,
    CursorValue,
    cursor_field,
    cursor_range,
    never_read,
    parsed,
)
from quality_platform.sources.mysql_catalog import Relation
from quality_platform.sources.mysql_session import MySqlSession
from quality_platform.sources.mysql_types import SourceColumn
from quality_platform.sources.protocol import SourceContext, Wanted
from quality_platform.sources.sql_text import literal, quote_identifier

CLOCK = "CAST(UTC_TIMESTAMP(6) AS CHAR)"
"""The server's time in UTC, as text."""

_INTEGERS = ("tinyint", "smallint", "mediumint", "int", "bigint", "number")
_DATES = ("date", "datetime", "timestamp")
_NO_DATE = "0000-00-00"


@dataclass(frozen=True)
class MySqlCursor:
    """The cursor of a table's `load.incremental`."""

    context: SourceContext
    relation: Relation

    def range_of(self, session: MySqlSession, wanted: Wanted) -> CursorRange | None:
        """The rows to read; None where nothing is new.

        Raises:
            RunnerFileError: a bound is no value of the column.
            HeaderError: rows cannot be followed by this column.
            SourceError: `append` would never read some rows.
        """
        name, table = self._name, self.relation.sql
        unreachable = " OR ".join(self._unreachable)
        rows = session.rows(
            f"SELECT (SELECT CAST(MAX({name}) AS CHAR) FROM {table}) AS greatest, "
            f"EXISTS(SELECT 1 FROM {table} WHERE {unreachable}) AS unreachable, {CLOCK} AS now"
        )
        greatest, has_unreachable = rows[0]["greatest"], bool(rows[0]["unreachable"])
        if has_unreachable and self.context.load.mode == "append":
            raise never_read(self.context, "NULL or a zero date")
        known = greatest is not None and not greatest.startswith(_NO_DATE)
        return cursor_range(
            self.context,
            wanted,
            self._parsed(greatest) if known else None,
            datetime.fromisoformat(rows[0]["now"]).replace(tzinfo=UTC),
            has_nulls=has_unreachable,
        )

    def condition(self, found: CursorRange) -> str:
        """The range as SQL."""
        within = found.where(self._name, partial(literal, "mysql"))
        if not found.nulls:
            return within
        return f"({' OR '.join([within, *self._unreachable])})"

    def await_writers(self, session: MySqlSession, condition: str) -> None:
        """Waits for transactions that have written rows of the range and are still running.

        A row that is read with a lock is waited for. Without an index that begins with the cursor
        the server would lock every row of the table.

        Raises:
            RunnerFileError: there is no such index, and no `lag` either.
            SourceTimeoutError: they take longer than the server's innodb_lock_wait_timeout.
        """
        if self._incremental.cursor in self.relation.indexed:
            session.rows(
                f"SELECT COUNT({self._name}) AS n FROM {self.relation.sql} "
                f"WHERE {condition} LOCK IN SHARE MODE"
            )
        elif not seconds(self._incremental.lag):
            raise RunnerFileError(
                f"rows could be lost: no index of the table begins with "
                f"{self._incremental.cursor!r}, so that running transactions cannot be waited for",
                location=self.context.location("load", "incremental"),
                field=f"tables.{self.context.table}.load.incremental",
                action="make such an index, or use load.mode: merge with a `lookback`, or for "
                "times a `lag`",
            )

    @property
    def _incremental(self) -> IncrementalConfig:
        incremental = self.context.load.incremental
        assert incremental is not None
        return incremental

    @property
    def _column(self) -> SourceColumn:
        field = cursor_field(self.context)
        column = self.relation.column(field.name)
        if column is not None and _is_comparable(column.type, field.type):
            return column
        raise HeaderError(
            f"rows cannot be followed by the column {field.name!r}",
            location=self.context.location("load", "incremental", "cursor"),
            field=f"tables.{self.context.table}.load.incremental.cursor",
            received=column.type if column else "no such column at the source",
            allowed="a whole number, DECIMAL, DATE, DATETIME (as timestamp), TIMESTAMP (as "
            "timestamptz), under the same type in the contract",
        )

    @property
    def _name(self) -> str:
        return quote_identifier("mysql", self._column.name)

    @property
    def _unreachable(self) -> list[str]:
        """Conditions for rows that no range has: without a cursor, and with a date that is none."""
        dates = [f"{self._name} = 0"] if self._column.type in _DATES else []
        return [f"{self._name} IS NULL", *dates]

    def _parsed(self, text: str) -> CursorValue:
        return parsed(text, cursor_field(self.context), self.context)


def _is_comparable(found: str, target: pa.DataType) -> bool:
    """Whether the server orders the column as Python orders the contract's values."""
    if pa.types.is_integer(target):
        return found in _INTEGERS
    if pa.types.is_decimal(target):
        return found in (*_INTEGERS, "decimal")
    if pa.types.is_date(target):
        return found == "date"
    if pa.types.is_timestamp(target):
        return found == ("timestamp" if target.tz else "datetime")
    return False
