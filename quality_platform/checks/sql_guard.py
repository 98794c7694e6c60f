"""The border between SQL that people write and the engine that runs it.

A row predicate is parsed and only an allow-list of expressions passes: columns of the table,
literals, comparisons, logic, arithmetic, and a few pure functions. A metric query must be one
SELECT that reads nothing but the batch. Everything else (other tables, files, settings, writes) is
refused: the guard fails closed.
"""

from __future__ import annotations

from collections.abc import Collection

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

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
    return tree.sql(dialect="duckdb", identify=True), tuple(dict.fromkeys(used))


def checked_query(text: str, location: Location | None) -> str:
    """A metric query whose placeholder for the table is replaced by the batch.

    Both spellings of the placeholders are understood: `{object}` and `${table}`.

    Raises:
        PredicateError: it is not one SELECT, or reads something else than the batch.
    """
    for placeholder in ("${object}", "${table}", "{object}", "{table}"):
        text = text.replace(placeholder, BATCH)
    tree = _parsed(text, location)
    if not isinstance(tree, exp.Select):
        raise PredicateError("a metric must be one SELECT", location=location, received=text)
    own = {cte.alias for cte in tree.find_all(exp.CTE)} | {BATCH}
    for node in tree.walk():
        is_foreign_table = isinstance(node, exp.Table) and (
            not isinstance(node.this, exp.Identifier) or node.name not in own or node.db
        )
        # What sqlglot does not know by name (getenv, current_setting, ...) may read anything.
        if is_foreign_table or isinstance(node, exp.Command | exp.DDL | exp.DML | exp.Anonymous):
            raise PredicateError(
                "a metric query may read nothing but the batch",
                location=location,
                received=node.sql(dialect="duckdb"),
                allowed="{object}, and the standard's SQL functions",
            )
    return tree.sql(dialect="duckdb")


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
