"""One read-only session on a database through SQLAlchemy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from quality_platform.config.source_models import ConnectionConfig, SqlSourceConfig
from quality_platform.errors import RunnerFileError
from quality_platform.sources.alchemy_engine import engine_of, prepare, read_exactly
from quality_platform.sources.alchemy_errors import NO_SUCH, REFUSED, STOPPED, UNREACHABLE, telling
from quality_platform.sources.incremental import CursorRange, CursorValue
from quality_platform.sources.protocol import RejectedRecord
from quality_platform.sources.python_values import text_columns
from quality_platform.sources.sql_errors import DatabasePlace
from quality_platform.sources.sql_text import split_name

FIRST_ROWS, MOST_ROWS = 10, 10_000
"""Rows of the first batch, and the most that one has."""
BATCH_BYTES = 8_000_000
"""What a batch is to have in Arrow, by the rows before it."""

_BYTE_ORDER = {"sqlite": "BINARY", "postgresql": "C"}
"""The collation, by dialect, that orders texts as Python does, where the position is compared."""


@dataclass
class AlchemySession:
    """A connection within its transaction, and the table or query that is read."""

    connection: sa.Connection
    relation: sa.FromClause
    place: DatabasePlace

    @property
    def orders_texts(self) -> bool:
        """Whether texts are compared byte by byte, as the position is."""
        return self.connection.dialect.name in _BYTE_ORDER

    def names(self) -> list[str]:
        """The names of the relation's columns."""
        everything = sa.select(sa.text("*")).select_from(self.relation).limit(0)
        self.place.request()
        with telling(self.place, NO_SUCH, shown=True):
            result = self.connection.execute(everything)
            names = list(result.keys())
            result.close()
            return names

    def greatest(self, column: str, *, is_text: bool) -> tuple[Any, bool]:
        """The column's greatest value, and whether there are rows without one."""
        found = self._compared(column, is_text=is_text)
        statement = sa.select(sa.func.max(found), sa.func.count(), sa.func.count(found))
        self.place.request()
        with telling(self.place, STOPPED):
            row = self.connection.execute(statement.select_from(self.relation)).one()
        return row[0], row[1] > row[2]

    def stream(
        self, schema: pa.Schema, within: CursorRange | None, missing: Sequence[str] = ()
    ) -> Iterator[tuple[pa.RecordBatch, tuple[RejectedRecord, ...]]]:
        """The columns of the schema, as text; NULL where `missing`.

        Raises:
            SourceError: the database stopped, also after rows were given.
        """
        columns = [
            sa.null().label(name) if name in missing else self._column(name)
            for name in schema.names
        ]
        statement = sa.select(*columns).select_from(self.relation)
        if within is not None:
            statement = statement.where(self._condition(within))
        self.place.request()
        with telling(self.place, STOPPED):
            read_exactly(self.connection)
            rows = self.connection.execution_options(
                stream_results=True, max_row_buffer=MOST_ROWS
            ).execute(statement)
            try:
                yield from _batches(rows, schema)
            finally:
                rows.close()

    def _column(self, name: str) -> sa.ColumnClause[Any]:
        return sa.column(quoted(name, self.connection.dialect))

    def _compared(self, name: str, *, is_text: bool) -> sa.ColumnElement[Any]:
        column = self._column(name)
        collation = _BYTE_ORDER.get(self.connection.dialect.name)
        return sa.collate(column, collation) if is_text and collation else column

    def _condition(self, within: CursorRange) -> sa.ColumnElement[bool]:
        bounds = (within.after, within.first, within.up_to, within.before)
        is_text = any(isinstance(value, str) for value in bounds)
        column = self._compared(within.column, is_text=is_text)
        compared: tuple[tuple[CursorValue | None, Any], ...] = tuple(
            zip(bounds, (column.__gt__, column.__ge__, column.__le__, column.__lt__), strict=True)
        )
        inside = sa.and_(
            sa.true(), *(is_so(value) for value, is_so in compared if value is not None)
        )
        return sa.or_(inside, self._column(within.column).is_(None)) if within.nulls else inside


def _batches(
    rows: sa.CursorResult[Any], schema: pa.Schema
) -> Iterator[tuple[pa.RecordBatch, tuple[RejectedRecord, ...]]]:
    """Batches that are bounded by what the rows before needed."""
    count = FIRST_ROWS
    while part := rows.fetchmany(count):
        batch, rejects = text_columns(part, schema)
        yield batch, rejects
        fitting = BATCH_BYTES * len(part) // max(batch.nbytes, 1)
        count = max(1, min(fitting, count * 10, MOST_ROWS))


@contextmanager
def alchemy_session(
    connection: ConnectionConfig, config: SqlSourceConfig, place: DatabasePlace
) -> Iterator[AlchemySession]:
    """A session that only reads; rolled back at its end.

    Raises:
        RunnerFileError: the URL cannot be used, or names a driver that is not installed.
        SourceUnreachableError: the database does not answer.
        SourceAccessError: it refuses the user.
    """
    engine = engine_of(connection, place)
    relation = relation_of(config, place, engine.dialect)
    place.request()
    with telling(place, UNREACHABLE):
        opened = engine.connect()
    try:
        with telling(place, REFUSED):
            prepare(opened, connection)
        yield AlchemySession(opened, relation, place)
    finally:
        with suppress(SQLAlchemyError):
            opened.close()
        engine.dispose()


def relation_of(
    config: SqlSourceConfig, place: DatabasePlace, dialect: sa.Dialect
) -> sa.FromClause:
    """The table, or the query as a subquery.

    Raises:
        RunnerFileError: the table's name is none.
    """
    if config.query is not None:
        # A colon would begin a parameter; a comment at the end would take the bracket with it.
        query = sa.text(config.query.rstrip().rstrip(";").replace(":", "\\:") + "\n")
        return query.columns().subquery("source")
    assert config.table is not None
    try:
        *schema, name = split_name(config.table)
        if len(schema) > 1:
            raise ValueError("a name has no more than two parts")
    except ValueError as error:
        raise RunnerFileError(
            str(error),
            location=place.location,
            field=f"{place.field}.table",
            received=config.table,
            allowed="table, schema.table",
            action="write a `query` for what lies in another catalog",
        ) from None
    within = quoted(schema[0], dialect) if schema else None
    return sa.table(quoted(name, dialect), schema=within)


def quoted(name: str, dialect: sa.Dialect) -> str:
    """The name as it stands, quoted.

    Oracle and its kin say `orders` where they mean ORDERS; there SQLAlchemy knows when to quote.
    """
    return sa.sql.quoted_name(name, quote=None if dialect.requires_name_normalize else True)
