"""The list of columns that is selected from a table, judged against the contract."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from quality_platform.config.source_models import DatabaseSourceConfig
from quality_platform.errors import HeaderError, Problem
from quality_platform.sources.postgres_catalog import Relation
from quality_platform.sources.postgres_types import selected
from quality_platform.sources.protocol import SourceContext
from quality_platform.sources.sql_text import quote_identifier


def select_list(relation: Relation, context: SourceContext, config: DatabaseSourceConfig) -> str:
    """The contract's columns, each selected so that nothing of it is lost.

    What `load.schema_drift` allows is left out (columns that the contract does not have) or NULL
    (optional ones that are missing); with `quarantine`, columns of a type that never fits come as
    text, and missing ones as NULL.

    Raises:
        HeaderError: with every column that does not fit.
    """
    problems = [*_name_problems(relation, context, config), *_type_problems(relation, context)]
    if problems:
        raise HeaderError.of(problems)
    return ", ".join(_selected(relation, field) for field in context.columns)


def _selected(relation: Relation, field: pa.Field[Any]) -> str:
    name = quote_identifier("postgres", field.name)
    column = relation.column(field.name)
    if column is None:
        return f"NULL::{'bytea' if pa.types.is_binary(field.type) else 'text'} AS {name}"
    expression = (selected(column, field) or "{0}::text").replace("{0}", name)
    return f"{expression} AS {name}"


def _name_problems(
    relation: Relation, context: SourceContext, config: DatabaseSourceConfig
) -> Iterator[Problem]:
    drift = context.load.schema_drift
    present = [column.name for column in relation.columns]
    known = {*context.columns.names, *config.ignore_columns}
    unexpected = [name for name in present if name not in known]
    where, place = context.location("source"), f"tables.{context.table}.source"
    for name in sorted({name for name in present if present.count(name) > 1}):
        yield Problem(
            f"the query has several columns {name!r}",
            where,
            place,
            action="give each a name of its own with AS",
        )
    for field in context.columns:
        may_miss = drift == "quarantine" or (drift == "evolve" and field.nullable)
        if field.name in present or may_miss:
            continue
        nearest = difflib.get_close_matches(field.name, unexpected, n=1)
        yield Problem(
            f"the source has no column {field.name!r}",
            where,
            place,
            received=", ".join(present),
            action=f"{nearest[0]!r} of the source may be meant: say so with `physicalName`"
            if nearest
            else "",
        )
    if drift == "fail":
        for name in unexpected:
            yield Problem(
                f"the contract has no column {name!r}",
                where,
                place,
                action="add it to the contract, or list it under `ignore_columns`",
            )


def _type_problems(relation: Relation, context: SourceContext) -> Iterator[Problem]:
    for field in context.columns:
        column = relation.column(field.name)
        if column is None or selected(column, field) is not None:
            continue
        if context.load.schema_drift == "quarantine" and not pa.types.is_binary(field.type):
            continue
        yield Problem(
            f"the column {column.name!r} has a type that cannot become the contract's",
            context.location("source"),
            f"tables.{context.table}.source",
            received=column.written,
            allowed=f"types that become {field.type}: docs/sources/postgres.md",
            action="change the contract's type (every type fits a string), or cast in a `query`",
        )
