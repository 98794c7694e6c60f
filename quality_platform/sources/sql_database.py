"""Any database with a driver for SQLAlchemy or ADBC as a source, as a whole or by a cursor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol

import pyarrow as pa

from quality_platform.config.base_models import seconds
from quality_platform.config.load_models import IncrementalConfig
from quality_platform.config.source_models import ConnectionConfig, SqlSourceConfig
from quality_platform.contracts.schemas import DEFAULT_ZONE
from quality_platform.errors import HeaderError, RunnerFileError
from quality_platform.sources.adbc_session import PREFIX, adbc_session
from quality_platform.sources.incremental import (
    CursorRange,
    CursorValue,
    cursor_field,
    cursor_name,
    cursor_range,
    lookback_amount,
    never_read,
    parsed,
)
from quality_platform.sources.protocol import (
    Part,
    RejectedRecord,
    SourceBatch,
    SourceContext,
    Wanted,
)
from quality_platform.sources.python_values import text_of
from quality_platform.sources.raw_rows import json_rows
from quality_platform.sources.sql_columns import name_problems
from quality_platform.sources.sql_errors import DatabasePlace

WHOLE = "table"
"""The name of the position's entry for what is read as a whole."""
_ADBC_SQLITE = "adbc_driver_sqlite"
_UTC = ("UTC", "Etc/UTC", "Etc/Zulu", "Zulu")


class Session(Protocol):
    """What both kinds of session can do."""

    def names(self) -> list[str]:
        """The names of the columns."""
        ...

    @property
    def orders_texts(self) -> bool:
        """Whether texts are compared byte by byte, as the position is."""
        ...

    def greatest(self, column: str, *, is_text: bool) -> tuple[Any, bool]:
        """The column's greatest value, and whether there are rows without one."""
        ...

    def stream(
        self, schema: pa.Schema, within: CursorRange | None, missing: Sequence[str] = ()
    ) -> Iterator[tuple[pa.RecordBatch, tuple[RejectedRecord, ...]]]:
        """The columns of the schema in batches, and the rows that cannot be written in Arrow."""
        ...


@dataclass(frozen=True)
class SqlSource:
    """A table or query of a database."""

    config: SqlSourceConfig
    context: SourceContext
    connection: ConnectionConfig
    place: DatabasePlace

    def parts(self, wanted: Wanted) -> Sequence[Part]:
        """The range that is new, or everything.

        Raises:
            RunnerFileError: the connection or `load.incremental` cannot be used.
            SourceError: the source cannot be read, or its columns do not fit the contract.
        """
        incremental = self.context.load.incremental
        if incremental is not None and wanted.backfill is None:
            self._require_safe_end(incremental)
        now = datetime.now(UTC)
        with self._session() as session:
            self._missing(session)
            if incremental is None:
                # Each reading is a version of its own: what is in a table has no checksum.
                version = f"read at {now.isoformat()}"
                return (Part(WHOLE, version, partial(self._batches, None), whole=True),)
            found = self._range(session, wanted, now)
        if found is None:
            return ()
        return (Part(cursor_name(incremental), found.version, partial(self._batches, found)),)

    def _require_safe_end(self, incremental: IncrementalConfig) -> None:
        """Refuses a cursor behind which rows could be committed late, and never be read.

        Raises:
            RunnerFileError: the database may have several writers, and nothing waits for them.
        """
        looks_back = self.context.load.mode == "merge" and lookback_amount(incremental.lookback)
        if looks_back or seconds(incremental.lag) or self._has_one_writer:
            return
        raise RunnerFileError(
            "rows could be lost: a transaction that commits late can bring a lower cursor, and "
            "which ones are still running is not known of this database",
            location=self.context.location("load", "incremental"),
            field=f"tables.{self.context.table}.load.incremental",
            action="use load.mode: merge with a `lookback`, or for times a `lag`; where only one "
            "transaction writes at a time, say `single_writer: true` in the source",
        )

    @property
    def _has_one_writer(self) -> bool:
        scheme = self.connection.url.get_secret_value().partition(":")[0]
        is_sqlite = scheme.partition("+")[0] == "sqlite" or scheme == f"{PREFIX}{_ADBC_SQLITE}"
        return self.config.single_writer or is_sqlite

    def _session(self) -> AbstractContextManager[Session]:
        if self.connection.url.get_secret_value().startswith(PREFIX):
            return adbc_session(self.connection, self.config, self.place)
        from quality_platform.sources.alchemy_session import alchemy_session

        return alchemy_session(self.connection, self.config, self.place)

    def _missing(self, session: Session) -> list[str]:
        """The contract's columns that the source may lack, and does.

        Raises:
            HeaderError: other columns are missing, or there are some that nobody knows.
        """
        names = session.names()
        if problems := name_problems(names, self.context, self.config):
            raise HeaderError.of(problems)
        return [name for name in self.context.columns.names if name not in names]

    def _range(self, session: Session, wanted: Wanted, now: datetime) -> CursorRange | None:
        column = cursor_field(self.context)
        is_text = pa.types.is_string(column.type)
        if is_text and not session.orders_texts:
            raise self._no_cursor(column, "text of a database that may have an order of its own")
        value, has_nulls = session.greatest(column.name, is_text=is_text)
        if has_nulls and self.context.load.mode == "append":
            raise never_read(self.context, "NULL")
        greatest = None if value is None else self._comparable(value, column)
        found = cursor_range(self.context, wanted, greatest, now, has_nulls=has_nulls)
        return found and (_without_zone(found) if _is_naive(value) else found)

    def _comparable(self, value: Any, column: pa.Field[Any]) -> CursorValue:
        """The value in the contract's type, where the database orders it as the contract does."""
        if pa.types.is_string(column.type) != isinstance(value, str):
            raise self._no_cursor(column, f"{type(value).__name__} of the database")
        if isinstance(value, datetime) and pa.types.is_timestamp(column.type):
            zone = (column.metadata or {}).get(DEFAULT_ZONE, b"").decode()
            if (column.type.tz is None) == _is_naive(value) or zone in _UTC:
                return parsed(value.isoformat(), column, self.context)
            raise self._no_cursor(
                column, f"a time with{'out' if _is_naive(value) else ''} a zone of the database"
            )
        return parsed(str(text_of(value)), column, self.context)

    def _no_cursor(self, column: pa.Field[Any], received: str) -> HeaderError:
        return HeaderError(
            f"rows cannot be followed by the column {column.name!r}",
            location=self.context.location("load", "incremental", "cursor"),
            field=f"tables.{self.context.table}.load.incremental.cursor",
            received=f"{received}, {column.type} of the contract",
            allowed="a column that is of the contract's type at the database too",
            action="use another column, or a `query` that converts it",
        )

    def _batches(self, within: CursorRange | None) -> Iterator[SourceBatch]:
        with self._session() as session:
            missing = self._missing(session)
            for rows, rejects in session.stream(self.context.columns, within, missing):
                if rows.num_rows or rejects:
                    lines = pa.nulls(rows.num_rows, pa.int64())
                    yield SourceBatch(rows, lines, json_rows(rows), rejects, text=False)


def open_source(config: SqlSourceConfig, context: SourceContext) -> SqlSource:
    """The table or query that the configuration names; connects to nothing yet."""
    connection = context.connection
    assert connection is not None
    return SqlSource(config, context, connection, DatabasePlace.of(config.connection, context))


def _is_naive(value: Any) -> bool:
    return isinstance(value, datetime) and value.tzinfo is None


def _without_zone(found: CursorRange) -> CursorRange:
    """The range as the database writes it: its times are those of UTC without saying so."""
    return replace(
        found,
        after=_naive(found.after),
        first=_naive(found.first),
        up_to=_naive(found.up_to),
        before=_naive(found.before),
    )


def _naive(value: CursorValue | None) -> CursorValue | None:
    if not isinstance(value, datetime) or value.tzinfo is None:
        return value
    return value.astimezone(UTC).replace(tzinfo=None)
