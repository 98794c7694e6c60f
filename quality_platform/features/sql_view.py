"""A feature view's SQL: checked before it runs, then run where it can reach nothing else.

The guard reads the statement and fails closed: one SELECT, over the inputs and its own CTEs,
without table functions. The engine then runs it with its access to files reduced to the inputs' own
data files and its settings locked: what the guard does not understand cannot do harm either.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pyarrow as pa
import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, SqlglotError

from quality_platform.documents.suggestions import did_you_mean
from quality_platform.errors import FeatureViewError, Location
from quality_platform.lake.query import (
    EngineSettings,
    duckdb_session,
    quote_identifier,
    shut,
)
from quality_platform.lake.table_files import column_sql, read_parquet

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_FORBIDDEN: tuple[type, ...] = (
    exp.Command, exp.DDL, exp.DML, exp.Into, exp.Describe, exp.Placeholder, exp.Parameter,
)  # fmt: skip


@dataclass(frozen=True)
class FeatureQuery:
    """One SELECT that may run: its text as written, the tables it may read, where it stands."""

    sql: str
    inputs: tuple[str, ...]
    location: Location | None


@dataclass(frozen=True)
class FeatureInput:
    """What one table's name stands for: the data files of a pinned snapshot, and its columns.

    A table without files is a table without rows.
    """

    files: Sequence[str]
    schema: pa.Schema


def validated(sql: str, inputs: Sequence[str], *, location: Location | None) -> FeatureQuery:
    """The SQL (DuckDB's dialect) as a query that may run.

    Args:
        sql: the text of the view.
        inputs: the names of the tables that it may read.
        location: the file that holds the text; a line is added to it where one is known.

    Raises:
        FeatureViewError: it is not exactly one SELECT, or reads something else than the inputs.
    """
    tree = _only_select(sql, location)
    own = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    for node in tree.walk():
        if isinstance(node, _FORBIDDEN):
            raise FeatureViewError(
                f"{type(node).__name__.upper()} is not allowed in a feature view",
                location=location,
                received=node.sql(dialect="duckdb"),
                allowed="one SELECT",
            )
        if isinstance(node, exp.Table):
            _require_input(node, inputs, own, location)
    return FeatureQuery(sql, tuple(inputs), location)


def compute(
    query: FeatureQuery,
    inputs: Mapping[str, FeatureInput],
    settings: EngineSettings,
    batch_rows: int = 65536,
    where: str = "",
) -> Iterator[pa.RecordBatch]:
    """The rows of the query, as they come: batches of about `batch_rows` rows, none for no rows.

    `where` is a SQL condition on the query's columns, "" for all rows.

    Column types are DuckDB's: the sum of integers is a decimal of 38 digits, timestamps have
    microseconds. Work that does not fit into the memory limit spills to disk.

    Raises:
        FeatureViewError: an input is missing, or DuckDB refuses or fails to run the query.
    """
    import duckdb

    missing = [name for name in query.inputs if name not in inputs]
    if missing:
        raise FeatureViewError(
            f"no rows were given for the input {missing[0]!r}",
            location=query.location,
            received=", ".join(inputs),
            allowed=query.inputs,
        )
    with duckdb_session(settings) as connection:
        try:
            for name in query.inputs:
                show(connection, name, inputs[name])
            shut(connection, [file for name in query.inputs for file in inputs[name].files])
            # Unlike execute(), sql() streams: nothing of the result is kept.
            relation = connection.sql(query.sql)
            _require_distinct_names(relation.columns, query)
            if where:
                relation = relation.filter(where)
            yield from relation.to_arrow_reader(batch_rows)
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            # What fails while rows are streaming arrives as OSError with DuckDB's message.
            raise _failure(error, query) from error


def _only_select(sql: str, location: Location | None) -> exp.Query:
    try:
        statements = sqlglot.parse(sql, read="duckdb")
    except SqlglotError as error:
        known = error.errors[0] if isinstance(error, ParseError) and error.errors else {}
        raise FeatureViewError(
            f"not valid SQL: {known.get('description') or str(error).splitlines()[0]}",
            location=_at_line(location, known.get("line") or 0),
            received=known.get("highlight", ""),
        ) from error
    # A comment after the last semicolon counts as a statement of its own.
    found = [one for one in statements if one is not None and not isinstance(one, exp.Semicolon)]
    if len(found) != 1 or not isinstance(found[0], exp.Query):
        raise FeatureViewError(
            "a feature view must be exactly one SELECT",
            location=location,
            received=", ".join(type(one).__name__.upper() for one in found) or "no statement",
            allowed="SELECT, with CTEs and UNION where wanted",
        )
    return found[0]


def _require_input(
    table: exp.Table, inputs: Sequence[str], own: set[str], location: Location | None
) -> None:
    if not isinstance(table.this, exp.Identifier):
        raise FeatureViewError(
            "a table function is not allowed in a feature view",
            location=location,
            received=table.sql(dialect="duckdb"),
            allowed=f"FROM one of {', '.join(inputs)}; for a series: SELECT unnest(range(...))",
        )
    known = own | {name.lower() for name in inputs}
    if table.db or table.catalog or table.name.lower() not in known:
        raise FeatureViewError(
            f"the feature view reads {table.name!r}, which is none of its inputs",
            location=location,
            received=table.sql(dialect="duckdb"),
            allowed=inputs,
            action=did_you_mean(table.name, inputs) or "add the table to the view's inputs",
        )


def show(connection: DuckDBPyConnection, name: str, rows: FeatureInput) -> None:
    """Makes the input visible to this connection, with exactly the table's own columns."""
    if not rows.files:
        connection.register(name, rows.schema.empty_table())
        return
    columns = ", ".join(column_sql(column) for column in rows.schema)
    connection.execute(
        f"CREATE TEMP VIEW {quote_identifier(name)} AS "
        f"SELECT {columns} FROM {read_parquet(rows.files)}"
    )


def _require_distinct_names(columns: Sequence[str], query: FeatureQuery) -> None:
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise FeatureViewError(
            "the feature view returns several columns of one name",
            location=query.location,
            received=", ".join(twice),
            action="give each its own name with AS",
        )


def _failure(error: Exception, query: FeatureQuery) -> FeatureViewError:
    text = str(error).strip()
    line = re.search(r"^LINE (\d+):", text, re.MULTILINE)
    return FeatureViewError(
        f"DuckDB could not compute the feature view: {text}",
        location=_at_line(query.location, int(line[1]) if line else 0),
        action="mend the view's SQL",
    )


def _at_line(location: Location | None, line: int) -> Location | None:
    return location if location is None or location.line else replace(location, line=line)
