"""The border between SQL that people write over tables of the lake and the engine that runs it.

Such a query selects entity rows for training. It must be one SELECT over tables that it names with
their namespace (`shop.orders`), and over its own WITH queries. The guard fails closed; whoever runs
the query closes the engine to everything but the files of these tables besides.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp, parse
from sqlglot.errors import SqlglotError

from quality_platform.errors import PredicateError

_REFUSED = (
    exp.Command,
    exp.DDL,
    exp.DML,
    exp.Describe,
    exp.Into,
    exp.Lock,
    exp.Parameter,
    exp.Placeholder,
    exp.ReadCSV,
    exp.ReadParquet,
)


@dataclass(frozen=True)
class TableQuery:
    """One SELECT that may run, as written, and the tables of the lake that it reads."""

    sql: str
    tables: tuple[str, ...]


def checked_table_query(text: str) -> TableQuery:
    """The query (in DuckDB's SQL), guarded.

    Raises:
        PredicateError: it is not one SELECT, or reads something else than tables of the lake.
    """
    tree = _only_select(text)
    for node in tree.find_all(*_REFUSED):
        raise PredicateError(
            "the query may do nothing but read tables of the lake",
            received=node.sql(dialect="duckdb"),
            allowed="one SELECT",
        )
    own = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    read = [table for table in tree.find_all(exp.Table) if not _is_own(table, own)]
    for table in read:
        if not isinstance(table.this, exp.Identifier) or not table.db or table.catalog:
            raise PredicateError(
                "the query reads what is no table of the lake",
                received=table.sql(dialect="duckdb"),
                allowed="a table with its namespace, such as shop.orders",
            )
    return TableQuery(text, tuple(dict.fromkeys(f"{table.db}.{table.name}" for table in read)))


def _only_select(text: str) -> exp.Query:
    try:
        trees = parse(text, read="duckdb")
    except SqlglotError as error:
        raise PredicateError(
            f"not valid SQL: {str(error).splitlines()[0]}", received=text
        ) from error
    # A comment after the last semicolon counts as a statement of its own.
    found = [tree for tree in trees if tree is not None and not isinstance(tree, exp.Semicolon)]
    if len(found) != 1 or not isinstance(found[0], exp.Query):
        raise PredicateError("the query must be one SELECT", received=text)
    return found[0]


def _is_own(table: exp.Table, own: set[str]) -> bool:
    """Whether it is one of the query's own WITH queries.

    Where the name is not in scope, the engine finds nothing of that name: it knows tables with a
    namespace only.
    """
    is_name = isinstance(table.this, exp.Identifier)
    return is_name and not table.db and table.name.lower() in own
