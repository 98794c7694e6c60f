"""The list of columns that is selected from a table, judged against the contract."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from quality_platform.config.source_models import DatabaseSourceConfig
from quality_platform.errors import HeaderError
from quality_platform.sources.postgres_catalog import Relation
from quality_platform.sources.postgres_types import selected
from quality_platform.sources.protocol import SourceContext
from quality_platform.sources.schema_drift import SchemaDrift
from quality_platform.sources.sql_columns import name_problems, type_problems
from quality_platform.sources.sql_text import quote_identifier


def select_list(relation: Relation, context: SourceContext, config: DatabaseSourceConfig) -> str:
    """The contract's columns, each selected so that nothing of it is lost.

    What `load.schema_drift` allows is left out (columns that the contract does not have) or NULL
    (optional ones that are missing); with `quarantine`, columns of a type that never fits come as
    text, and missing ones as NULL.

    Raises:
        HeaderError: with every column that does not fit.
    """
    names = [column.name for column in relation.columns]
    problems = [
        *name_problems(names, context, config),
        *type_problems(
            _misfits(relation, context),
            context,
            SchemaDrift.of(context, config),
            page="postgres.md",
            action="change the contract's type (every type fits a string), or cast in a `query`",
        ),
    ]
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


def _misfits(relation: Relation, context: SourceContext) -> Iterator[tuple[pa.Field[Any], str]]:
    for field in context.columns:
        column = relation.column(field.name)
        if column is not None and selected(column, field) is None:
            yield field, column.written
