"""One session on a database through any ADBC driver: Arrow from end to end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

import pyarrow as pa

from quality_platform.config.source_models import ConnectionConfig, SqlSourceConfig
from quality_platform.errors import (
    RunnerFileError,
    SourceError,
    SourceNotFoundError,
    SourceUnreachableError,
)
from quality_platform.sources.incremental import CursorRange
from quality_platform.sources.sql_errors import DatabasePlace, Failure
from quality_platform.sources.sql_text import literal, quote_identifier, split_name

PREFIX = "adbc+"

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
_UNREACHABLE = Failure(
    SourceUnreachableError,
    "the database cannot be opened",
    "run it again once it is up, or correct the connection's url",
)


@dataclass
class AdbcSession:
    """A connection, and the table or query that is read, as SQL."""

    connection: Any
    relation: str
    place: DatabasePlace

    def names(self) -> list[str]:
        """The names of the relation's columns."""
        return list(self._table(f"SELECT * FROM {self.relation} WHERE 1 = 0").schema.names)

    def greatest(self, column: str) -> tuple[Any, bool]:
        """The column's greatest value, and whether there are rows without one."""
        name = quote_identifier("ansi", column)
        row = self._table(
            f"SELECT max({name}) AS greatest, count(*) AS n, count({name}) AS known "
            f"FROM {self.relation}"
        ).to_pylist()[0]
        return row["greatest"], row["n"] > row["known"]

    def stream(
        self, schema: pa.Schema, within: CursorRange | None, missing: Sequence[str] = ()
    ) -> Iterator[pa.RecordBatch]:
        """The columns of the schema, with the driver's types; NULL where `missing`.

        Raises:
            SourceError: the database stopped, also after rows were given.
        """
        columns = ", ".join(
            f"{'NULL AS ' if name in missing else ''}{quote_identifier('ansi', name)}"
            for name in schema.names
        )
        sql = f"SELECT {columns} FROM {self.relation}"
        if within is not None:
            column = quote_identifier("ansi", within.column)
            sql += f" WHERE {within.where(column, partial(literal, 'ansi'))}"
        with _telling(self.place, _STOPPED), self.connection.cursor() as cursor:
            cursor.execute(sql)
            yield from cursor.fetch_record_batch()

    def _table(self, sql: str) -> pa.Table:
        with _telling(self.place, _NO_SUCH, shown=True), self.connection.cursor() as cursor:
            cursor.execute(sql)
            found: pa.Table = cursor.fetch_arrow_table()
            return found


@contextmanager
def adbc_session(
    connection: ConnectionConfig, config: SqlSourceConfig, place: DatabasePlace
) -> Iterator[AdbcSession]:
    """A session with the driver that the URL `adbc+DRIVER:URI` names.

    `DRIVER` is a Python package with an ADBC driver, such as `adbc_driver_sqlite`, or a driver that
    ADBC's driver manager finds by its name or path.

    Raises:
        RunnerFileError: there is no such driver, or the table's name is none.
        SourceUnreachableError: the database cannot be opened.
    """
    driver, _, uri = connection.url.get_secret_value().removeprefix(PREFIX).partition(":")
    relation = _relation(config, place)
    opened = _connect(driver, uri, place)
    try:
        yield AdbcSession(opened, relation, place)
    finally:
        with suppress(*_errors()):
            opened.close()


def _connect(driver: str, uri: str, place: DatabasePlace) -> Any:
    try:
        connect = import_module(f"{driver}.dbapi").connect
        arguments: tuple[Any, ...] = (uri,)
        settings: dict[str, Any] = {}
    except (ImportError, ValueError):
        from adbc_driver_manager import dbapi

        connect, arguments = dbapi.connect, ()
        settings = {"driver": driver, "db_kwargs": {"uri": uri}}
    try:
        return connect(*arguments, **settings)
    except _errors() as error:
        if "NOT_FOUND" in str(error) or "Could not load" in str(error):
            raise RunnerFileError(
                "there is no such ADBC driver",
                location=place.location,
                field=f"connections.{place.connection}.url",
                received=driver,
                allowed="a Python package such as adbc_driver_sqlite, or an installed driver",
                action="install it",
            ) from None
        raise place.error(_UNREACHABLE, str(error)) from None


def _errors() -> tuple[type[Exception], ...]:
    from adbc_driver_manager import Error

    return (Error, OSError, pa.ArrowException)


@contextmanager
def _telling(place: DatabasePlace, failure: Failure, *, shown: bool = False) -> Iterator[None]:
    try:
        yield
    except SourceError:
        raise
    except _errors() as error:
        raise place.error(failure, str(error) if shown else "") from None


def _relation(config: SqlSourceConfig, place: DatabasePlace) -> str:
    if config.query is not None:
        return f"({config.query.rstrip().rstrip(';')}) AS source"
    assert config.table is not None
    try:
        return quote_identifier("ansi", *split_name(config.table))
    except ValueError as error:
        raise RunnerFileError(
            str(error),
            location=place.location,
            field=f"{place.field}.table",
            received=config.table,
            allowed="table, schema.table",
        ) from None
