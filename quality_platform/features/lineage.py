"""Which columns of its inputs each column of a feature view is made of, read from its SQL.

A column's value is made of the columns in its expression, through joins, CTEs and subqueries. The
columns of conditions (WHERE, ON, GROUP BY) decide which rows there are, and are not told. What
sqlglot cannot follow to the end is told as unknown: half a lineage would be a wrong one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.lineage import Node
from sqlglot.lineage import lineage as lineage_of_all

DIALECT = "duckdb"

_UNNAMED = (exp.Columns, exp.Exists, exp.PositionalColumn, exp.TableColumn)


@dataclass(frozen=True)
class InputColumn:
    """A column of an input."""

    table: str
    column: str


@dataclass(frozen=True)
class Lineage:
    """Where columns come from.

    Attributes:
        columns: For each column that can be told, the columns that it is made of; () for one of
            none, such as a count of rows.
        unknown: The columns that cannot be told.
    """

    columns: Mapping[str, tuple[InputColumn, ...]] = field(default_factory=dict, hash=False)
    unknown: tuple[str, ...] = ()


def lineage_of_sql(
    sql: str, inputs: Mapping[str, Sequence[str]], columns: Sequence[str]
) -> Lineage:
    """The lineage of the columns of a query (DuckDB's dialect) that passed the guard.

    Args:
        sql: The query.
        inputs: The columns of each table that it may read.
        columns: The columns whose lineage is wanted.
    """
    known = {
        table.casefold(): (table, {name.casefold(): name for name in names})
        for table, names in inputs.items()
    }
    nodes = _nodes(sql, inputs)
    found: dict[str, tuple[InputColumn, ...]] = {}
    for column in columns:
        node = nodes.get(column.casefold())
        sources = None if node is None else _sources(node, known)
        if sources is not None:
            found[column] = sources
    return Lineage(found, tuple(column for column in columns if column not in found))


def _nodes(sql: str, inputs: Mapping[str, Sequence[str]]) -> dict[str, Node]:
    """The root of each column's tree by the column's name in lower case; {} where there is none."""
    schema = {table: dict.fromkeys(names, "UNKNOWN") for table, names in inputs.items()}
    try:
        # A comment after the last semicolon counts as a statement of its own.
        (tree, *_) = [one for one in sqlglot.parse(sql, read=DIALECT) if one is not None]
        if any(union.args.get("by_name") for union in tree.find_all(exp.SetOperation)):
            # sqlglot puts the columns of both sides together by their places.
            return {}
        nodes = lineage_of_all(None, tree, schema, dialect=DIALECT, trim_selects=False)
    except (SqlglotError, ValueError, KeyError, AttributeError, RecursionError):
        # What its optimizer was not made for ends anywhere in it.
        return {}
    return {name.casefold(): node for name, node in nodes.items()}


_Known = Mapping[str, tuple[str, Mapping[str, str]]]


def _sources(root: Node, known: _Known) -> tuple[InputColumn, ...] | None:
    """The columns at the ends of a tree; None where one of its ends is in the dark."""
    found: dict[InputColumn, None] = {}
    for node in _walk(root):
        if _is_dark(node.expression):
            return None
        if node.downstream:
            continue
        if isinstance(node.expression, exp.Table):
            column = _column(node, known)
            if column is None:
                return None
            found[column] = None
        elif not _is_of_no_column(node):
            return None
    return tuple(sorted(found, key=lambda one: (one.table, one.column)))


def _is_dark(expression: exp.Expr) -> bool:
    """Whether an expression has columns that sqlglot does not name.

    These are COLUMNS('...'), #1, whole rows, windows that are named elsewhere, and EXISTS; and a
    query or star where a column was looked for and not found.
    """
    if isinstance(expression, exp.Select | exp.SetOperation | exp.Star):
        return True
    if expression.find(*_UNNAMED):
        return True
    return any(window.args.get("alias") for window in expression.find_all(exp.Window))


def _is_of_no_column(node: Node) -> bool:
    """Whether an expression has no column in it; the star of count(*) is none."""
    if isinstance(node.expression, exp.Placeholder):
        return False
    stars = node.expression.find_all(exp.Star)
    has_columns = next(node.expression.find_all(exp.Column), None) is not None
    return not has_columns and all(isinstance(star.parent, exp.Count) for star in stars)


def _walk(root: Node) -> Iterator[Node]:
    """Every node once: what is shared by several columns is shared in the tree."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if id(node) not in seen:
            seen.add(id(node))
            yield node
            waiting += node.downstream


def _column(node: Node, known: _Known) -> InputColumn | None:
    table = node.expression.name.casefold()
    name = exp.to_column(node.name).name.casefold()
    if table not in known or name not in known[table][1]:
        return None
    return InputColumn(known[table][0], known[table][1][name])
