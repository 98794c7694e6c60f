"""The range of rows that an incremental load reads from PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pyarrow as pa

from quality_platform.config.base_models import seconds
from quality_platform.config.load_models import IncrementalConfig
from quality_platform.config.source_models import ConnectionConfig
from quality_platform.errors import HeaderError, RunnerFileError, SourceError
from quality_platform.sources.incremental import (
    CursorRange,
    CursorValue,
    cursor_field,
    cursor_range,
    lookback_amount,
    never_read,
    parsed,
)
from quality_platform.sources.postgres_catalog import Relation
from quality_platform.sources.postgres_session import PostgresSession
from quality_platform.sources.postgres_types import CatalogColumn, comparable, has_infinities
from quality_platform.sources.postgres_writers import oldest_start, wait_for, writers
from quality_platform.sources.protocol import SourceContext, Wanted
from quality_platform.sources.sql_errors import DatabasePlace
from quality_platform.sources.sql_text import literal, quote_identifier

_BEFORE = timedelta(microseconds=1)


@dataclass(frozen=True)
class PostgresCursor:
    """The cursor of a table's `load.incremental`."""

    context: SourceContext
    connection: ConnectionConfig
    place: DatabasePlace

    def range_of(
        self, session: PostgresSession, relation: Relation, wanted: Wanted
    ) -> tuple[CursorRange | None, Sequence[str]]:
        """The rows to read, and the transactions that must end before they are read.

        The session's transaction must see what is committed between its statements.

        Raises:
            RunnerFileError: rows cannot be followed by this column.
            SourceError: the source cannot be read.
        """
        field, column = self._field, self._column(relation)
        if not self._looks_back:
            self._require_ascending(session, relation, column)
        greatest = self._greatest(session, relation, column)
        clock: datetime = session.rows("SELECT pg_catalog.clock_timestamp() AS now")[0]["now"]
        settled, ids = None, []
        if not self._looks_back and wanted.backfill is None:
            settled = self._settled(session, field, clock)
            ids = writers(session, only_hidden=settled is not None)
        found = cursor_range(
            self.context,
            wanted,
            greatest,
            clock,
            settled=settled,
            has_nulls=self._has_unreachable(session, relation),
        )
        return found, ids if found else []

    def wait(self, ids: Sequence[str]) -> None:
        """Waits until these transactions have ended.

        Raises:
            SourceTimeoutError: they take too long.
        """
        wait_for(ids, self.connection, self.place)

    def condition(self, relation: Relation, within: CursorRange) -> str:
        """The range as SQL."""
        column = self._column(relation)
        found = within.where(self._sql(column), partial(literal, "postgres"))
        beyond = _beyond(column)
        if not within.nulls or not beyond:
            return found
        return f"({found} OR {self._sql(column)} IN ({', '.join(beyond)}))"

    def require_no_unreachable(self, session: PostgresSession, relation: Relation) -> None:
        """Refuses rows that no range would ever have.

        Raises:
            SourceError: there is a row whose cursor is NULL, infinite or NaN.
        """
        if self._has_unreachable(session, relation):
            raise never_read(self.context, "NULL or infinite")

    @property
    def _incremental(self) -> IncrementalConfig:
        incremental = self.context.load.incremental
        assert incremental is not None
        return incremental

    @property
    def _field(self) -> pa.Field[Any]:
        return cursor_field(self.context)

    @property
    def _looks_back(self) -> bool:
        return lookback_amount(self._incremental.lookback) > 0

    def _column(self, relation: Relation) -> CatalogColumn:
        column = relation.column(self._incremental.cursor)
        if column is not None and comparable(column, self._field.type):
            return column
        raise HeaderError(
            f"rows cannot be followed by the column {self._incremental.cursor!r}",
            location=self.context.location("load", "incremental", "cursor"),
            field=f"tables.{self.context.table}.load.incremental.cursor",
            received=column.written if column else "no such column at the source",
            allowed=f"a column that PostgreSQL orders as {self._field.type}",
        )

    def _sql(self, column: CatalogColumn) -> str:
        name = quote_identifier("postgres", column.name)
        # The position is compared here as well, and only bytes are ordered the same everywhere.
        return f'{name}::text COLLATE "C"' if pa.types.is_string(self._field.type) else name

    def _greatest(
        self, session: PostgresSession, relation: Relation, column: CatalogColumn
    ) -> CursorValue | None:
        sql, beyond = self._sql(column), _beyond(column)
        where = f" WHERE {sql} < {beyond[0]}" if beyond else ""
        cast = "::text" if column.base == "numeric" else ""
        rows = session.rows(f"SELECT max({sql}){cast} AS greatest FROM {relation.sql}{where}")
        found: CursorValue | None = rows[0]["greatest"]
        if cast and isinstance(found, str):
            found = parsed(found, self._field, self.context)
        if isinstance(found, Decimal) and not found.is_finite():
            raise SourceError(
                f"the cursor {column.name!r} holds an infinity",
                location=self.context.location("load", "incremental", "cursor"),
                action="correct the row at the source",
            )
        return found

    def _settled(
        self, session: PostgresSession, field: pa.Field[Any], clock: datetime
    ) -> CursorValue | None:
        """The time before which every transaction has ended; None where the column tells none."""
        is_date = pa.types.is_date(field.type)
        if not is_date and not (pa.types.is_timestamp(field.type) and field.type.tz):
            return None
        oldest = oldest_start(session)
        before = (clock if oldest is None else min(clock, oldest)) - _BEFORE
        return _day_before(before) if is_date else before

    def _has_unreachable(self, session: PostgresSession, relation: Relation) -> bool:
        column = self._column(relation)
        sql = self._sql(column)
        conditions = [f"{sql} = {value}" for value in _beyond(column)]
        conditions += [] if column.required else [f"{sql} IS NULL"]
        tests = [f"EXISTS (SELECT 1 FROM {relation.sql} WHERE {test})" for test in conditions]
        if not tests:
            return False
        found: bool = session.rows(f"SELECT {' OR '.join(tests)} AS found")[0]["found"]
        return found

    def _require_ascending(
        self, session: PostgresSession, relation: Relation, column: CatalogColumn
    ) -> None:
        """Refuses what makes the end of a range unsafe and can be told from the catalog.

        Raises:
            RunnerFileError: the server is a standby, or the ids come from a sequence with a cache.
        """
        standby = session.rows("SELECT pg_catalog.pg_is_in_recovery() AS yes")[0]["yes"]
        if standby and not seconds(self._incremental.lag):
            raise self._unsafe("the server is a standby, which does not tell who is writing")
        if relation.oid is None:
            return
        cached = session.rows(
            "SELECT s.seqcache::int8 AS cache FROM pg_catalog.pg_depend d "
            "JOIN pg_catalog.pg_sequence s ON s.seqrelid = d.objid "
            "JOIN pg_catalog.pg_attribute a "
            "ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid "
            f"WHERE d.refobjid = {relation.oid} AND d.deptype IN ('a', 'i') AND s.seqcache > 1 "
            f"AND a.attname = {literal('postgres', column.name)}"
        )
        if cached:
            raise self._unsafe(
                f"the sequence of {column.name!r} has a cache of {cached[0]['cache']}, so that "
                "lower ids can be inserted after higher ones"
            )

    def _unsafe(self, reason: str) -> RunnerFileError:
        return RunnerFileError(
            f"rows could be lost: {reason}",
            location=self.context.location("load", "incremental"),
            field=f"tables.{self.context.table}.load.incremental",
            action="use load.mode: merge with a `lookback`, or for times a `lag`",
        )


def _beyond(column: CatalogColumn) -> tuple[str, ...]:
    """Values that no other reaches, the greatest first."""
    if column.base == "numeric":
        return ("'NaN'",)
    return ("'infinity'", "'-infinity'") if has_infinities(column) else ()


def _day_before(at: datetime) -> date:
    return at.date() - timedelta(days=1)
