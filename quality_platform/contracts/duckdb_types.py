"""The lake's types in the words of DuckDB."""

from __future__ import annotations

from quality_platform.contracts.column_types import LakeType, NestedType, column_type
from quality_platform.contracts.models import Property
from quality_platform.errors import ContractError, Problem

_TYPES = {
    "string": "VARCHAR",
    "binary": "BLOB",
    "int": "INTEGER",
    "long": "BIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMP WITH TIME ZONE",
    "time": "TIME",
}
"""DuckDB's names of the lake's types, decimals aside."""


def duckdb_type(column: Property) -> str:
    """The type of a column as DuckDB reads it from the lake.

    Raises:
        ContractError: the column, or a part of it, has no type.
    """
    found = column_type(column)
    if isinstance(found, Problem):
        raise ContractError.of([found])
    return _written(found)


def _written(kind: LakeType) -> str:
    if not isinstance(kind, NestedType):
        is_decimal = kind.name == "decimal"
        return f"DECIMAL({kind.precision}, {kind.scale})" if is_decimal else _TYPES[kind.name]
    if kind.element is not None:
        return f"{_written(kind.element)}[]"
    match kind.name:
        case "struct":
            parts = (f"{_quoted(part.name)} {duckdb_type(part)}" for part in kind.parts)
            return f"STRUCT({', '.join(parts)})"
        case "list":
            return f"{duckdb_type(kind.parts[0])}[]"
        case _:
            return f"MAP({', '.join(duckdb_type(part) for part in kind.parts)})"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
