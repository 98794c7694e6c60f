"""What a table that holds an object of a contract looks like, and why none can be made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quality_platform.contracts.column_types import type_problems
from quality_platform.contracts.models import SchemaObject
from quality_platform.errors import ContractError, Problem
from quality_platform.quarantine.columns import META_COLUMNS

if TYPE_CHECKING:
    import pyarrow as pa

_RESERVED = (*META_COLUMNS, "file_row_number")
"""DuckDB calls a row's place in its file by the last, and knows no other name for it."""


def table_schema(obj: SchemaObject) -> pa.Schema:
    """The Arrow schema of a table that holds an object.

    Raises:
        ContractError: a column has a name that the platform needs for itself, or has no type.
    """
    from quality_platform.contracts.schemas import arrow_schema

    if problems := table_problems(obj):
        raise ContractError.of(problems)
    return arrow_schema(obj)


def table_problems(obj: SchemaObject) -> list[Problem]:
    """Why no table can be made of an object; found without importing Arrow."""
    taken = [column for column in obj.column_names if column.casefold() in _RESERVED]
    if not taken:
        return type_problems(obj)
    return [
        Problem(
            f"the column {taken[0]!r} has the name of one of the platform's own",
            obj.location,
            action="give it another `name`, and its present one as `physicalName`",
        )
    ]
