"""A cheap question to a source's database: the greatest value of a column, and nothing more."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import pyarrow as pa

from quality_platform.config.source_models import (
    DatabaseSourceConfig,
    MySqlSourceConfig,
    PostgresSourceConfig,
    SqlSourceConfig,
)
from quality_platform.errors import HeaderError
from quality_platform.sources.incremental import cursor_field
from quality_platform.sources.protocol import SourceContext
from quality_platform.sources.python_values import text_of
from quality_platform.sources.sql_errors import DatabasePlace
from quality_platform.sources.sql_text import quote_identifier


def greatest_at_source(
    config: DatabaseSourceConfig, context: SourceContext, query: str = ""
) -> str | None:
    """The greatest value of the table's incremental cursor, or of the one column of a query.

    The value is a text that is the same as long as the value is; None where there is none.
    Infinities do not count where they are the cursor: nothing would ever be greater.

    Raises:
        RunnerFileError: the connection or the table's name cannot be used.
        SourceError: the database cannot be asked, has no such column, or the query has several.
    """
    assert context.connection is not None
    asked = config.model_copy(update={"table": None, "query": query}) if query else config
    column = None if query else cursor_field(context)
    place = DatabasePlace.of(config.connection, context)
    match asked:
        case PostgresSourceConfig():
            return _of_postgres(asked, context, place, column)
        case MySqlSourceConfig():
            return _of_mysql(asked, context, place, column)
        case SqlSourceConfig():
            return _of_sql(asked, context, place, column)
    raise AssertionError(f"no database: {config.type}")


def _of_postgres(
    config: PostgresSourceConfig,
    context: SourceContext,
    place: DatabasePlace,
    column: pa.Field[Any] | None,
) -> str | None:
    from quality_platform.sources.postgres_catalog import found_relation
    from quality_platform.sources.postgres_session import postgres_session
    from quality_platform.sources.postgres_types import has_infinities

    assert context.connection is not None
    with postgres_session(context.connection, place, "READ COMMITTED") as session:
        relation = found_relation(session, config)
        name = _column(column, [found.name for found in relation.columns], context)
        found = relation.column(name)
        assert found is not None
        sql, where = quote_identifier("postgres", name), ""
        if column is not None and (found.base == "numeric" or has_infinities(found)):
            where = f" WHERE {sql} < '{'NaN' if found.base == 'numeric' else 'infinity'}'"
        if column is not None and pa.types.is_string(column.type):
            # As the load compares it.
            sql = f'{sql}::text COLLATE "C"'
        rows = session.rows(f"SELECT max({sql})::text AS greatest FROM {relation.sql}{where}")
    value: str | None = rows[0]["greatest"]
    return value


def _of_mysql(
    config: MySqlSourceConfig,
    context: SourceContext,
    place: DatabasePlace,
    column: pa.Field[Any] | None,
) -> str | None:
    from quality_platform.sources.mysql_catalog import found_relation
    from quality_platform.sources.mysql_session import MySqlSession

    assert context.connection is not None
    with MySqlSession(context.connection, place, context.home) as session:
        relation = found_relation(session, config, place)
        name = _column(column, [found.name for found in relation.columns], context)
        sql = quote_identifier("mysql", name)
        rows = session.rows(f"SELECT CAST(MAX({sql}) AS CHAR) AS greatest FROM {relation.sql}")
    value: str | None = rows[0]["greatest"]
    return value


def _of_sql(
    config: SqlSourceConfig,
    context: SourceContext,
    place: DatabasePlace,
    column: pa.Field[Any] | None,
) -> str | None:
    is_text = column is not None and pa.types.is_string(column.type)
    with _session(config, context, place) as session:
        names = session.names()
        name = _column(column, names, context)
        value, _ = session.greatest(name, is_text=is_text)
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    return text_of(value)


def _session(
    config: SqlSourceConfig, context: SourceContext, place: DatabasePlace
) -> AbstractContextManager[Any]:
    from quality_platform.sources.adbc_session import PREFIX, adbc_session

    assert context.connection is not None
    if context.connection.url.get_secret_value().startswith(PREFIX):
        return adbc_session(context.connection, config, place)
    from quality_platform.sources.alchemy_session import alchemy_session

    return alchemy_session(context.connection, config, place)


def _column(cursor: pa.Field[Any] | None, names: list[str], context: SourceContext) -> str:
    """The name of the column that is asked for.

    Raises:
        HeaderError: the table has no such column, or the query has not exactly one.
    """
    if cursor is not None and cursor.name in names:
        return cursor.name
    if cursor is None and len(names) == 1:
        return names[0]
    wanted = "a query of one column" if cursor is None else repr(cursor.name)
    raise HeaderError(
        "the source cannot be asked for its greatest value",
        location=context.location("source"),
        field=f"tables.{context.table}.source",
        received=f"the columns {', '.join(names)}",
        allowed=wanted,
    )
