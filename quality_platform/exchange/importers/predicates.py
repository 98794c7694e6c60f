"""SQL conditions of other systems as row predicates of a contract."""

from __future__ import annotations

from collections.abc import Collection

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from quality_platform.checks.sql_guard import checked_predicate
from quality_platform.errors import PredicateError
from quality_platform.exchange.odcs import RuleNotes, TableDraft, predicate_rule

_TEMPLATE = ("{{", "{%", "${")


def add_predicate(
    table: TableDraft, sql: str, notes: RuleNotes, where: str, dialect: str = ""
) -> None:
    """Adds a rule that every row satisfies the condition, or lists the condition as lost.

    Call it when the table has all its columns: a predicate may read nothing else.
    """
    problem = predicate_problem(sql, table.columns, dialect)
    if problem:
        table.lose(where, f"the condition {sql}", problem)
        return
    table.add_rule(predicate_rule(in_duckdb(sql, dialect)), notes)


def predicate_problem(sql: str, columns: Collection[str], dialect: str = "") -> str:
    """Why the condition cannot be a row predicate; "" where it can."""
    if any(mark in sql for mark in _TEMPLATE):
        return "it holds a template, which only its own tool fills in"
    try:
        checked_predicate(in_duckdb(sql, dialect), list(columns), None)
    except PredicateError as error:
        return f"no row predicate: {error.problems[0].message}"
    except SqlglotError as error:
        return f"not valid SQL: {str(error).splitlines()[0]}"
    return ""


def in_duckdb(sql: str, dialect: str) -> str:
    """The condition in DuckDB's dialect.

    Raises:
        SqlglotError: it is no SQL.
    """
    tree = sqlglot.parse_one(sql, read=dialect or "duckdb")
    return tree.transform(_plain_list).transform(_plain_text).sql(dialect="duckdb")


def _plain_text(node: exp.Expression) -> exp.Expression:
    """A text that is cast to text, which is how PostgreSQL keeps every one, as it is."""
    is_text = isinstance(node, exp.Cast) and node.to.this in exp.DataType.TEXT_TYPES
    return node.this if is_text and isinstance(node.this, exp.Literal) else node


def _plain_list(node: exp.Expression) -> exp.Expression:
    """`x = ANY (ARRAY['a', 'b'])`, which is how PostgreSQL keeps an IN, as an IN."""
    if not isinstance(node, exp.EQ) or not isinstance(node.expression, exp.Any):
        return node
    listed = node.expression.this.unnest()
    while isinstance(listed, exp.Cast):
        listed = listed.this.unnest()
    if not isinstance(listed, exp.Array):
        return node
    tested = node.this.unnest()
    return exp.In(this=tested, expressions=[value.copy() for value in listed.expressions])
