"""One read-only session on a database through SQLAlchemy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    NoSuchModuleError,
    SQLAlchemyError,
)

from quality_platform.config.base_models import seconds
from quality_platform.config.source_models import ConnectionConfig, SqlSourceConfig
from quality_platform.errors import (
    RunnerFileError,
    SourceAccessError,
    SourceError,
    SourceNotFoundError,
    SourceUnreachableError,
)
from quality_platform.sources.incremental import CursorRange, CursorValue
from quality_platform.sources.python_values import text_columns
from quality_platform.sources.sql_errors import DatabasePlace, Failure
from quality_platform.sources.sql_text import split_name

FETCH_ROWS = 2000
"""Rows that a batch has; the server is asked for so many at a time."""

_UNREACHABLE = Failure(
    SourceUnreachableError,
    "the database does not answer",
    "run it again once it is up, or correct the connection's url",
)
_NOT_ALLOWED = Failure(
    SourceAccessError,
    "the database refuses the user",
    "correct user, password and rights of the connection",
)
_NO_SUCH = Failure(
    SourceNotFoundError,
    "the table or query cannot be read",
    "correct `table` or `query`, and the rights of the connection's user",
)
_STOPPED = Failure(
    SourceUnreachableError,
    "the reading was stopped; nothing of what was read is published",
    "run it again once the database is up",
)
_DENIED = ("password", "authentication", "access denied", "not authorized", "permission")
_CONNECT_TIMEOUTS = {
    "postgresql": "connect_timeout",
    "mysql": "connect_timeout",
    "sqlite": "timeout",
}
_STATEMENT_TIMEOUTS = {
    "postgresql": "SET statement_timeout = {ms}",
    "mariadb": "SET max_statement_time = {s}",
    "mysql": "SET max_execution_time = {ms}",
}


@dataclass
class AlchemySession:
    """A connection within its transaction, and the table or query that is read."""

    connection: sa.Connection
    relation: sa.FromClause
    place: DatabasePlace

    def names(self) -> list[str]:
        """The names of the relation's columns."""
        with self._telling(_NO_SUCH, shown=True):
            result = self.connection.execute(
                sa.select(sa.text("*")).select_from(self.relation).limit(0)
            )
            names = list(result.keys())
            result.close()
            return names

    def greatest(self, column: str) -> tuple[Any, bool]:
        """The column's greatest value, and whether there are rows without one."""
        found = _column(column)
        with self._telling(_NO_SUCH, shown=True):
            row = self.connection.execute(
                sa.select(sa.func.max(found), sa.func.count(), sa.func.count(found)).select_from(
                    self.relation
                )
            ).one()
        return row[0], row[1] > row[2]

    def stream(
        self, schema: pa.Schema, within: CursorRange | None, missing: Sequence[str] = ()
    ) -> Iterator[pa.RecordBatch]:
        """The columns of the schema, as text; NULL where `missing`.

        Raises:
            SourceError: the database stopped, also after rows were given.
        """
        columns = [
            sa.null().label(name) if name in missing else _column(name) for name in schema.names
        ]
        statement = sa.select(*columns).select_from(self.relation)
        if within is not None:
            statement = statement.where(_condition(within))
        with self._telling(_STOPPED):
            rows = self.connection.execution_options(
                stream_results=True, max_row_buffer=FETCH_ROWS
            ).execute(statement)
            try:
                for part in rows.partitions(FETCH_ROWS):
                    yield text_columns(part, schema)
            finally:
                rows.close()

    @contextmanager
    def _telling(self, failure: Failure, *, shown: bool = False) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            lost = _STOPPED if error.connection_invalidated else failure
            # Only a statement that reads no row can be told of without telling what is in a row.
            raise self.place.error(lost, str(error.orig) if shown else "") from None
        except SQLAlchemyError as error:
            raise self.place.error(Failure(SourceError, _named(error))) from None


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
    engine = _engine(connection, place)
    try:
        opened = engine.connect()
    except DBAPIError as error:
        text = str(error.orig)
        denied = any(word in text.casefold() for word in _DENIED)
        raise place.error(_NOT_ALLOWED if denied else _UNREACHABLE, text) from None
    try:
        _prepare(opened, connection)
        yield AlchemySession(opened, _relation(config, place), place)
    finally:
        with suppress(SQLAlchemyError):
            opened.close()
        engine.dispose()


def _engine(connection: ConnectionConfig, place: DatabasePlace) -> sa.Engine:
    try:
        url = sa.make_url(connection.url.get_secret_value())
        option = _CONNECT_TIMEOUTS.get(url.get_backend_name().replace("mariadb", "mysql"))
        arguments = {option: seconds(connection.connect_timeout)} if option else {}
        # Rows hold what people are; SQLAlchemy's messages would show them.
        return sa.create_engine(
            url, poolclass=sa.NullPool, connect_args=arguments, hide_parameters=True
        )
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise RunnerFileError(
            f"the URL cannot be used ({type(error).__name__})",
            location=place.location,
            field=f"connections.{place.connection}.url",
            allowed="a URL of SQLAlchemy whose driver is installed, or adbc+DRIVER:URI",
            action="correct it, or install the driver that it names",
        ) from None


def _prepare(opened: sa.Connection, connection: ConnectionConfig) -> None:
    limit = seconds(connection.statement_timeout)
    dialect = opened.dialect
    name = "mariadb" if getattr(dialect, "is_mariadb", False) else dialect.name
    if name in _STATEMENT_TIMEOUTS:
        opened.execute(sa.text(_STATEMENT_TIMEOUTS[name].format(s=limit, ms=limit * 1000)))
    if dialect.driver == "psycopg2":
        _keep_json_as_text(opened)


def _keep_json_as_text(opened: sa.Connection) -> None:
    """Python's reading of JSON would round its numbers."""
    from psycopg2.extras import register_default_json, register_default_jsonb

    driver = opened.connection.dbapi_connection
    for register in (register_default_json, register_default_jsonb):
        register(driver, loads=str)


def _relation(config: SqlSourceConfig, place: DatabasePlace) -> sa.FromClause:
    if config.query is not None:
        # A colon would begin a parameter.
        query = sa.text(config.query.rstrip().rstrip(";").replace(":", "\\:"))
        return query.columns().subquery("source")
    assert config.table is not None
    try:
        *schema, name = split_name(config.table)
    except ValueError as error:
        raise RunnerFileError(
            str(error),
            location=place.location,
            field=f"{place.field}.table",
            received=config.table,
            allowed="table, schema.table",
        ) from None
    within = ".".join(schema) or None
    return sa.table(_quoted(name), schema=_quoted(within) if within else None)


def _quoted(name: str) -> str:
    return sa.sql.quoted_name(name, quote=True)


def _column(name: str) -> sa.ColumnClause[Any]:
    return sa.column(_quoted(name))


def _condition(within: CursorRange) -> sa.ColumnElement[bool]:
    column = _column(within.column)
    bounds: tuple[tuple[CursorValue | None, Any], ...] = (
        (within.after, column.__gt__),
        (within.first, column.__ge__),
        (within.up_to, column.__le__),
        (within.before, column.__lt__),
    )
    inside = sa.and_(sa.true(), *(compare(value) for value, compare in bounds if value is not None))
    return sa.or_(inside, column.is_(None)) if within.nulls else inside


def _named(error: SQLAlchemyError) -> str:
    return f"the statement cannot be made ({type(error).__name__})"
