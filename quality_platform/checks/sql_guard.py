"""The border between SQL that people write and the engine that runs it.

A row predicate is parsed and only an allow-list of expressions passes: columns of the table,
literals, comparisons, logic, arithmetic, and a few pure functions. A metric query must be one
SELECT that reads nothing but the batch. Everything else (other tables, files, settings, writes) is
refused: the guard fails closed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.scope import traverse_scope

from quality_platform.checks.predicate_language import (
    Columns,
    advice,
    as_written_for_duckdb,
    is_allowed,
    is_condition,
    path_of,
    property_at,
)
from quality_platform.documents.suggestions import did_you_mean
from quality_platform.errors import Location, PredicateError

DUCKDB = "duckdb"
"""sqlglot's name of the SQL in which checks run."""

BATCH = "batch"
"""The name under which a metric query sees the rows of the batch."""


def checked_predicate(
    text: str, columns: Columns, location: Location | None
) -> tuple[str, tuple[str, ...]]:
    """The predicate as DuckDB SQL with quoted identifiers, and the columns that it reads.

    Where `columns` gives the properties, parts of objects can be read (`address.city`), and a bare
    column must be a boolean to be a condition.

    Raises:
        PredicateError: it cannot be parsed, reads something else than the columns, uses what is
            not on the allow-list, or is a value and not a condition.
    """
    try:
        tree, sql = _remembered_predicate(text)
    except PredicateError:
        tree, sql = _predicate(text, location)
    used = [_known_column(column, columns, text, location) for column in tree.find_all(exp.Column)]
    if not is_condition(tree, columns):
        raise PredicateError(
            "the predicate is a value, not a condition",
            location=location,
            received=text,
            allowed="what is true or false for a row",
            action="compare it with something, such as `... > 0`",
        )
    return sql, tuple(dict.fromkeys(used))


def _predicate(text: str, location: Location | None) -> tuple[exp.Expr, str]:
    """A predicate of allowed expressions as a tree, which nobody changes, and in DuckDB's SQL."""
    tree = _parsed(text, location)
    for node in tree.walk():
        if not is_allowed(node):
            raise PredicateError(
                f"{_called(node)} is not allowed in a row predicate",
                location=location,
                received=node.sql(dialect="duckdb"),
                allowed="columns, literals, comparisons, AND/OR/NOT, arithmetic, CASE, LIKE, "
                "regexp_matches, and the functions for numbers, texts, times and arrays that "
                "docs/checks.md lists",
                action=advice(node),
            )
    written = as_written_for_duckdb(tree)
    return tree, written.sql(dialect="duckdb", identify=True, comments=False, copy=False)


_MOST = 2048
"""So much SQL is remembered: a thousand tables have many rules that are written alike."""


# An error is not remembered: it names the place of the rule.
@lru_cache(maxsize=_MOST)
def _remembered_predicate(text: str) -> tuple[exp.Expr, str]:
    return _predicate(text, None)


def predicate_problem(text: str, columns: Columns) -> str:
    """What is wrong with a predicate, in a sentence; "" where nothing is."""
    try:
        checked_predicate(text, columns, None)
    except PredicateError as error:
        return error.problems[0].message
    return ""


def _called(node: exp.Expr) -> str:
    return f"{node.name}()" if isinstance(node, exp.Anonymous) else type(node).__name__


def _known_column(
    column: exp.Column, columns: Columns, text: str, location: Location | None
) -> str:
    """The table's column that a reference reads, or reads a part of."""
    path = path_of(column)
    is_known = path[0] in columns and (
        len(path) == 1 or (isinstance(columns, Mapping) and property_at(path, columns) is not None)
    )
    if not is_known:
        raise PredicateError(
            f"the predicate reads {column.sql()!r}, which is no column of the table",
            location=location,
            received=text,
            allowed=", ".join(columns),
            action=did_you_mean(column.name, columns),
        )
    return path[0]


def checked_query(text: str, location: Location | None, column: str | None = None) -> str:
    """A metric query in DuckDB's SQL, guarded; placeholders and errors as in `query_tree`."""
    try:
        return _remembered_query(text, column)
    except PredicateError:
        return _query(text, location, column)


def _query(text: str, location: Location | None, column: str | None) -> str:
    return query_tree(text, location, column).sql(dialect=DUCKDB, comments=False, copy=False)


@lru_cache(maxsize=_MOST)
def _remembered_query(text: str, column: str | None) -> str:
    return _query(text, None, column)


def query_tree(
    text: str, location: Location | None, column: str | None = None, dialect: str = DUCKDB
) -> exp.Select:
    """A metric query whose placeholders stand for the batch and, in a rule of a column, for that.

    Both spellings of the placeholders are understood: `{object}` and `${table}`, `{property}` and
    `${column}`. The text is in the SQL of `dialect`, by sqlglot's name.

    Raises:
        PredicateError: it is not one SELECT, or reads something else than the batch.
    """
    filled = _filled(text, column, dialect)
    try:
        tree = _parsed(filled, location, dialect)
    except PredicateError:
        _refuse_variable(filled, location)
        raise
    if tree.find(exp.Parameter, exp.Placeholder):
        _refuse_variable(filled, location)
    if not isinstance(tree, exp.Select):
        raise PredicateError("a metric must be one SELECT", location=location, received=text)
    guarded(tree, location, dialect)
    return tree


def _refuse_variable(query: str, location: Location | None) -> None:
    """Refuses what v3.2 calls a variable, where the query has one."""
    if found := re.search(r"\$\{[^}]*\}", query):
        raise PredicateError(
            "the query has a variable, and nothing here gives it a value",
            location=location,
            received=found[0],
            allowed="{object} or ${table}, and in a rule of a column {property} or ${column}",
            action="write the value itself",
        )


def guarded(
    tree: exp.Select,
    location: Location | None,
    dialect: str = DUCKDB,
    *,
    knows_functions: bool = False,
) -> None:
    """Refuses a query that reads anything but the batch.

    `knows_functions` says that sqlglot itself wrote the functions, which it need not know by name.

    Raises:
        PredicateError: it does.
    """
    refused = [kind for kind in _REFUSED if kind is not exp.Anonymous or not knows_functions]
    for node in (*_tables_read(tree, location), *tree.find_all(*refused)):
        if not isinstance(node, exp.Table) or not _is_batch(node):
            raise PredicateError(
                "a metric query may read nothing but the batch",
                location=location,
                received=node.sql(dialect=dialect),
                allowed=f"{{object}}, and the standard's SQL functions{_as(dialect)}",
                action="" if dialect == DUCKDB else _OTHER_DIALECT,
            )


def _as(dialect: str) -> str:
    """Tells the SQL in which a query was read, where it is not the platform's own."""
    return "" if dialect == DUCKDB else f" (read as the SQL of {dialect})"


# What sqlglot does not know by name (getenv, current_setting, ...) may read anything.
_REFUSED = (
    exp.Command,
    exp.DDL,
    exp.DML,
    exp.Anonymous,
    exp.Lateral,
    exp.ReadCSV,
    exp.ReadParquet,
)


def _filled(text: str, column: str | None, dialect: str) -> str:
    values = {"object": BATCH, "table": BATCH}
    if column is not None:
        quoted = exp.to_identifier(column, quoted=True).sql(dialect=dialect)
        values |= {"property": quoted, "column": quoted}
    return re.sub(r"\$?\{(object|table|property|column)\}", lambda m: values.get(m[1], m[0]), text)


def _tables_read(tree: exp.Expr, location: Location | None) -> list[exp.Table]:
    """The tables outside of the query: a name that a WITH gives counts only where it is in scope.

    `WITH t AS (SELECT * FROM t)` reads the table `t`, or a file of that name.
    """
    try:
        sources = [source for scope in traverse_scope(tree) for source in scope.sources.values()]
    except SqlglotError as error:
        raise PredicateError(
            f"not valid SQL: {str(error).splitlines()[0]}", location=location
        ) from error
    in_scope = [source for source in sources if isinstance(source, exp.Table)]
    # Fails closed: a table that belongs to no scope must be the batch or one of the query's names.
    own = {cte.alias for cte in tree.find_all(exp.CTE)}
    others = [table for table in tree.find_all(exp.Table) if table.name not in own or table.db]
    return [*in_scope, *others]


def _is_batch(table: exp.Table) -> bool:
    is_name = isinstance(table.this, exp.Identifier)
    return is_name and table.name == BATCH and not table.db


def _parsed(text: str, location: Location | None, dialect: str = DUCKDB) -> exp.Expr:
    try:
        trees = sqlglot.parse(text, read=dialect)
    except SqlglotError as error:
        raise PredicateError(
            f"not valid SQL{_as(dialect)}: {str(error).splitlines()[0]}",
            location=location,
            received=text,
            action="" if dialect == DUCKDB else _OTHER_DIALECT,
        ) from error
    if len(trees) != 1 or trees[0] is None:
        raise PredicateError("must be one expression", location=location, received=text)
    return trees[0]


_OTHER_DIALECT = "the rule's custom property `dialect` names the SQL of a query, such as `duckdb`"
