"""The border between SQL that people write and the engine that runs it.

A row predicate is parsed and only an allow-list of expressions passes: columns of the table,
literals, comparisons, logic, arithmetic, and a few pure functions. A metric query must be one
SELECT that reads nothing but the batch. Everything else (other tables, files, settings, writes) is
refused: the guard fails closed.
"""

from __future__ import annotations

import re
from collections.abc import Collection

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.scope import traverse_scope

from quality_platform.documents.suggestions import did_you_mean
from quality_platform.errors import Location, PredicateError

BATCH = "batch"
"""The name under which a metric query sees the rows of the batch."""

_ALLOWED: tuple[type[exp.Expression], ...] = (
    exp.Column, exp.Identifier, exp.Literal, exp.Boolean, exp.Null, exp.Paren, exp.Tuple,
    exp.And, exp.Or, exp.Not, exp.Is, exp.In, exp.Between,
    exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ,
    exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.Neg, exp.Abs, exp.Round, exp.Floor, exp.Ceil,
    exp.Case, exp.If, exp.Coalesce, exp.Nullif, exp.Greatest, exp.Least,
    exp.Like, exp.ILike, exp.RegexpLike, exp.Length, exp.Lower, exp.Upper, exp.Trim,
    exp.Concat, exp.DPipe, exp.Substring, exp.StartsWith, exp.EndsWith,
    exp.Cast, exp.DataType, exp.DataTypeParam, exp.Interval, exp.Var, exp.Date, exp.CurrentDate,
    exp.Extract, exp.Year, exp.Month, exp.Day,
)  # fmt: skip


def checked_predicate(
    text: str, columns: Collection[str], location: Location | None
) -> tuple[str, tuple[str, ...]]:
    """The predicate as DuckDB SQL with quoted identifiers, and the columns that it reads.

    Raises:
        PredicateError: it cannot be parsed, reads something else than the columns, or uses what
            is not on the allow-list.
    """
    tree = _parsed(text, location)
    for node in tree.walk():
        if not isinstance(node, _ALLOWED):
            raise PredicateError(
                f"{type(node).__name__} is not allowed in a row predicate",
                location=location,
                received=node.sql(dialect="duckdb"),
                allowed="columns, literals, comparisons, AND/OR/NOT, arithmetic, CASE, LIKE, "
                "regexp_matches, and simple text and number functions",
                action="write the rule as a `sql` metric, or compute the value upstream",
            )
    used = []
    for column in tree.find_all(exp.Column):
        if column.table or column.name not in columns:
            raise PredicateError(
                f"the predicate reads {column.sql()!r}, which is no column of the table",
                location=location,
                received=text,
                allowed=", ".join(columns),
                action=did_you_mean(column.name, columns),
            )
        used.append(column.name)
    sql = tree.sql(dialect="duckdb", identify=True, comments=False)
    return sql, tuple(dict.fromkeys(used))


def checked_query(text: str, location: Location | None, column: str | None = None) -> str:
    """A metric query whose placeholders stand for the batch and, in a rule of a column, for that.

    Both spellings of the placeholders are understood: `{object}` and `${table}`, `{property}` and
    `${column}`.

    Raises:
        PredicateError: it is not one SELECT, or reads something else than the batch.
    """
    tree = _parsed(_filled(text, column), location)
    if not isinstance(tree, exp.Select):
        raise PredicateError("a metric must be one SELECT", location=location, received=text)
    for node in (*_tables_read(tree, location), *tree.find_all(*_REFUSED)):
        if not isinstance(node, exp.Table) or not _is_batch(node):
            raise PredicateError(
                "a metric query may read nothing but the batch",
                location=location,
                received=node.sql(dialect="duckdb"),
                allowed="{object}, and the standard's SQL functions",
            )
    return tree.sql(dialect="duckdb", comments=False)


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


def _filled(text: str, column: str | None) -> str:
    values = {"object": BATCH, "table": BATCH}
    if column is not None:
        quoted = exp.to_identifier(column, quoted=True).sql(dialect="duckdb")
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


def _parsed(text: str, location: Location | None) -> exp.Expr:
    try:
        trees = sqlglot.parse(text, read="duckdb")
    except SqlglotError as error:
        raise PredicateError(
            f"not valid SQL: {str(error).splitlines()[0]}", location=location, received=text
        ) from error
    if len(trees) != 1 or trees[0] is None:
        raise PredicateError("must be one expression", location=location, received=text)
    return trees[0]
