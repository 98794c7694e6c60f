"""What a table or query of MySQL has: its columns and their types."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from quality_platform.config.source_models import MySqlSourceConfig
from quality_platform.errors import RunnerFileError
from quality_platform.sources.mysql_session import MySqlSession
from quality_platform.sources.mysql_types import SourceColumn
from quality_platform.sources.sql_errors import DatabasePlace
from quality_platform.sources.sql_text import quote_identifier, split_name, text_literal

_ROWS_OF_QUERIES = 8192
_MOST_ROWS = 65_536
_BATCH_BYTES = 2_000_000


@dataclass(frozen=True)
class Relation:
    """What is read: `sql` stands after FROM, and a batch has at most `batch_rows` rows.

    `indexed` are the columns that an index begins with.
    """

    sql: str
    columns: tuple[SourceColumn, ...]
    batch_rows: int = _ROWS_OF_QUERIES
    indexed: frozenset[str] = frozenset()

    def column(self, name: str) -> SourceColumn | None:
        """The column of a name."""
        return next((column for column in self.columns if column.name == name), None)


def found_relation(
    session: MySqlSession, config: MySqlSourceConfig, place: DatabasePlace
) -> Relation:
    """The table or query that the configuration names.

    Raises:
        RunnerFileError: the table's name is none.
        SourceError: there is no such table, it may not be read, or the query cannot be run.
    """
    if config.query is not None:
        # The line end closes a comment at the query's end.
        return _described(session, f"({config.query.rstrip().rstrip(';')}\n) AS q")
    try:
        parts = split_name(str(config.table))
        if len(parts) > 2:
            raise ValueError("a table has no more than a database before it")
        quoted = quote_identifier("mysql", *parts)
    except ValueError as error:
        raise RunnerFileError(
            str(error),
            location=place.location,
            field=f"{place.field}.table",
            received=str(config.table),
            allowed="table, database.table, `a name with dots`.table",
        ) from None
    return _table(session, quoted, parts)


def _table(session: MySqlSession, quoted: str, parts: tuple[str, ...]) -> Relation:
    *schemas, table = parts
    schema = text_literal("mysql", schemas[0]) if schemas else "DATABASE()"
    name = text_literal("mysql", table)
    # The server compares these names without their case even where it tells tables apart by it.
    here = (
        f"table_schema = {schema} AND table_name = {name} AND "
        f"(BINARY table_name = BINARY {name} OR @@lower_case_table_names <> 0)"
    )
    (told,) = session.rows(
        "SELECT CAST(COALESCE(MAX(avg_row_length), 0) AS SIGNED) AS bytes, "
        "CAST(COALESCE(MAX(table_type = 'BASE TABLE'), 0) AS SIGNED) AS is_table "
        f"FROM information_schema.tables WHERE {here}"
    )
    columns = _columns(session, here, is_table=bool(told["is_table"]))
    if not columns:
        # The server's own error says whether it is missing or forbidden.
        return _described(session, quoted)
    indexes = session.rows(
        "SELECT DISTINCT column_name AS name FROM information_schema.statistics "
        f"WHERE {here} AND seq_in_index = 1"
    )
    batch_rows = _BATCH_BYTES // max(1, told["bytes"])
    return Relation(
        quoted,
        columns,
        max(1, min(_MOST_ROWS, batch_rows)),
        frozenset(row["name"] for row in indexes),
    )


def _columns(session: MySqlSession, here: str, *, is_table: bool) -> tuple[SourceColumn, ...]:
    rows = session.rows(
        "SELECT column_name AS name, data_type AS type, "
        "CAST(COALESCE(numeric_precision, 0) AS SIGNED) AS digits, "
        "CAST(COALESCE(numeric_scale, 0) AS SIGNED) AS scale, "
        "CAST(COALESCE(datetime_precision, 0) AS SIGNED) AS fraction "
        f"FROM information_schema.columns WHERE {here} ORDER BY ordinal_position"
    )
    return tuple(
        SourceColumn(
            row["name"],
            row["type"].lower(),
            row["digits"],
            row["scale"],
            row["fraction"],
            is_stored=is_table,
        )
        for row in rows
    )


def _described(session: MySqlSession, sql: str) -> Relation:
    """The relation by the types of its result, which say less than the catalog's."""
    schema, none = session.stream(f"SELECT * FROM {sql} LIMIT 0", 1)
    list(none)
    names = [quote_identifier("mysql", name) for name in schema.names]
    charsets = session.rows(
        f"SELECT {', '.join(f'CHARSET(r.{name}) AS c{n}' for n, name in enumerate(names))} "
        f"FROM (SELECT 1) AS one LEFT JOIN (SELECT * FROM {sql} LIMIT 0) AS r ON TRUE"
    )[0]
    return Relation(
        sql,
        tuple(
            SourceColumn(field.name, _type(field.type, charsets[f"c{n}"]))
            for n, field in enumerate(schema)
        ),
    )


def _type(found: pa.DataType, charset: str) -> str:
    """A type of the server that is read as a result of this Arrow type must be."""
    kinds = (
        (pa.types.is_integer, "number"),
        (pa.types.is_float32, "float"),
        (pa.types.is_float64, "double"),
        (pa.types.is_decimal, "decimal"),
        (pa.types.is_timestamp, "datetime"),
        (pa.types.is_date, "date"),
        (pa.types.is_time, "time"),
    )
    for is_kind, name in kinds:
        if is_kind(found):
            return name
    if charset == "binary":
        return "varbinary"
    # MySQL's JSON looks like any text; as text of its own it keeps its numbers.
    return "json"
