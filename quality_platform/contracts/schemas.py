"""A contract's columns as an Arrow schema."""

from __future__ import annotations

from typing import Any, cast

import pyarrow as pa

from quality_platform.contracts.column_types import (
    NestedType,
    ScalarType,
    column_type,
    type_problems,
)
from quality_platform.contracts.models import Property, SchemaObject
from quality_platform.errors import ContractError, Problem

FORMAT = b"odcs:format"
"""Key of a field's metadata: the `format` in which its texts are written."""
DEFAULT_ZONE = b"odcs:defaultTimezone"
"""Key of a field's metadata: the IANA zone of texts that name none."""

DIMENSIONS = b"odcs:dimensions"
"""Key of a field's metadata: how many elements a vector has."""


def arrow_schema(table: SchemaObject) -> pa.Schema:
    """The columns in the contract's order; descriptions in the fields' `doc` metadata.

    A required column is not nullable. What stands within a column is always nullable: a check finds
    a required part that is missing, whose row can then be shown and held. The names of a list's and
    a map's parts are Iceberg's: `element`, `key`, `value`.

    Raises:
        ContractError: a type that is not supported, or a physical type that does not fit the
            logical one; every problem is listed.
    """
    if problems := type_problems(table):
        raise ContractError.of(problems)
    return pa.schema([_field(column) for column in table.properties])


def _field(column: Property) -> pa.Field[Any]:
    found = column_type(column)
    if isinstance(found, Problem):
        raise ContractError.of([found])
    kind = _scalar(found) if isinstance(found, ScalarType) else _nested(found)
    return pa.field(column.name, kind, nullable=not column.required, metadata=_metadata(column))


_SCALARS: dict[str, pa.DataType] = {
    "string": pa.string(),
    "binary": pa.binary(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", "UTC"),
    "time": pa.time64("us"),
}


def _scalar(kind: ScalarType) -> pa.DataType:
    if kind.name == "decimal":
        return pa.decimal128(kind.precision, kind.scale)
    return _SCALARS[kind.name]


def _nested(kind: NestedType) -> pa.DataType:
    if kind.element is not None:
        return pa.list_(pa.field("element", _scalar(kind.element)))
    parts = [_field(part) for part in kind.parts]
    match kind.name:
        case "struct":
            return pa.struct([part.with_nullable(True) for part in parts])
        case "list":
            return pa.list_(parts[0].with_name("element").with_nullable(True))
        case _:
            key, value = parts
            return _map_of(
                key.with_name("key").with_nullable(False),
                value.with_name("value").with_nullable(True),
            )


def _map_of(key: pa.Field[Any], value: pa.Field[Any]) -> pa.DataType:
    # Fields keep their metadata, which the type stubs do not know.
    make: Any = pa.map_
    return cast(pa.DataType, make(key, value))


def _metadata(column: Property) -> dict[str, str] | None:
    metadata = {"doc": column.description} if column.description else {}
    wanted = {}
    if column.logical_type in ("date", "timestamp", "time"):
        wanted = {FORMAT: "format", DEFAULT_ZONE: "defaultTimezone"}
    elif column.logical_type == "vector":
        wanted = {DIMENSIONS: "dimensions"}
    for key, option in wanted.items():
        if value := column.options.get(option):
            metadata[key.decode()] = str(value)
    return metadata or None
