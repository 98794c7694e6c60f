"""A contract's columns as an Arrow schema."""

from __future__ import annotations

import re

import pyarrow as pa

from quality_platform.contracts.models import Property, SchemaObject
from quality_platform.documents.suggestions import did_you_mean
from quality_platform.errors import ContractError, Problem

_PHYSICAL: dict[str, pa.DataType] = {
    "boolean": pa.bool_(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", "UTC"),
    "string": pa.string(),
    "binary": pa.binary(),
}
"""Iceberg's primitive types, https://iceberg.apache.org/spec/#primitive-types, as Arrow types."""

_SYNONYMS = {
    "bool": "boolean",
    "integer": "int",
    "bigint": "long",
    "real": "float",
    "varchar": "string",
    "text": "string",
}

_BY_LOGICAL = {
    "string": ("string", "binary"),
    "integer": ("long", "int"),
    "number": ("double", "float", "long", "int", "decimal"),
    "boolean": ("boolean",),
    "date": ("date",),
    "timestamp": ("timestamptz", "timestamp"),
}
"""Physical types that fit each logical type; the first is the one where none is written."""

_DECIMAL = re.compile(r"decimal\((\d{1,2}),\s*(\d{1,2})\)")


def arrow_schema(table: SchemaObject) -> pa.Schema:
    """The columns in the contract's order; descriptions in the fields' `doc` metadata.

    A required column is not nullable.

    Raises:
        ContractError: a type that is not supported, or a physical type that does not fit the
            logical one; every problem is listed.
    """
    fields, problems = [], []
    for column in table.properties:
        arrow_type = _arrow_type(column)
        if isinstance(arrow_type, Problem):
            problems.append(arrow_type)
            continue
        metadata = {"doc": column.description} if column.description else None
        fields.append(
            pa.field(column.name, arrow_type, nullable=not column.required, metadata=metadata)
        )
    if problems:
        raise ContractError.of(problems)
    return pa.schema(fields)


def _arrow_type(column: Property) -> pa.DataType | Problem:
    fitting = _BY_LOGICAL.get(column.logical_type)
    if fitting is None:
        return _problem(column, "logicalType", column.logical_type, tuple(_BY_LOGICAL))
    written = column.physical_type.strip().casefold()
    physical = _SYNONYMS.get(written, written) or fitting[0]
    if decimal := _DECIMAL.fullmatch(physical):
        precision, scale = int(decimal[1]), int(decimal[2])
        if "decimal" in fitting and scale <= precision <= 38 and precision:
            return pa.decimal128(precision, scale)
    if physical not in fitting or physical == "decimal":
        return _problem(column, "physicalType", column.physical_type, fitting)
    return _PHYSICAL[physical]


def _problem(column: Property, key: str, received: str, allowed: tuple[str, ...]) -> Problem:
    shown = [
        name if name != "decimal" else "decimal(P,S) with S <= P, 1 <= P <= 38" for name in allowed
    ]
    return Problem(
        message=f"the column {column.name!r} has a {key} that is not supported here",
        location=column.location,
        field=key,
        received=received,
        allowed=", ".join(shown),
        action=did_you_mean(received, allowed),
    )
