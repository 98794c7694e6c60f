"""A contract's columns as an Arrow schema."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from quality_platform.contracts.column_types import column_type
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
    problems: list[Problem] = []
    if not table.properties:
        problems.append(
            Problem(
                f"the object {table.name!r} has no properties, and so no table can be made of it",
                table.location,
                "properties",
                action="list its columns",
            )
        )
    fields = [_field(column, problems) for column in table.properties]
    if problems:
        raise ContractError.of(problems)
    return pa.schema(fields)


def _field(column: Property, problems: list[Problem]) -> pa.Field[Any]:
    found = column_type(column, lambda part: _field(part, problems))
    if isinstance(found, Problem):
        problems.append(found)
        found = pa.null()
    return pa.field(column.name, found, nullable=not column.required, metadata=_metadata(column))


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
