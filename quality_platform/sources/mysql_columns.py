"""How each of the contract's columns is read, judged against what the server has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from quality_platform.config.source_models import MySqlSourceConfig
from quality_platform.errors import HeaderError
from quality_platform.sources.mysql_catalog import Relation
from quality_platform.sources.mysql_types import Reading, as_text, nothing, reading_of
from quality_platform.sources.protocol import SourceContext
from quality_platform.sources.schema_drift import SchemaDrift
from quality_platform.sources.sql_columns import name_problems, type_problems


def readings(
    relation: Relation, context: SourceContext, config: MySqlSourceConfig
) -> tuple[Reading, ...]:
    """How the contract's columns are read, in its order.

    With `load.schema_drift: quarantine`, a column of a type that never fits comes as text; a
    missing one that is allowed to be missing is NULL.

    Raises:
        HeaderError: with every column that does not fit.
    """
    problems = [
        *name_problems([column.name for column in relation.columns], context, config),
        *type_problems(
            _misfits(relation, context),
            context,
            SchemaDrift.of(context, config),
            page="mysql.md",
            action="change the contract's type, or convert the column in a `query`",
        ),
    ]
    if problems:
        raise HeaderError.of(problems)
    return tuple(_reading(relation, field) for field in context.columns)


def _reading(relation: Relation, field: pa.Field[Any]) -> Reading:
    column = relation.column(field.name)
    if column is None:
        return nothing(field)
    return reading_of(column, field) or as_text(column)


def _misfits(relation: Relation, context: SourceContext) -> Iterator[tuple[pa.Field[Any], str]]:
    for field in context.columns:
        column = relation.column(field.name)
        if column is not None and reading_of(column, field) is None:
            yield field, column.type
