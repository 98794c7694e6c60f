"""Arrow columns without encodings that say nothing about their values."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from quality_platform.errors import Location, MalformedSourceError


def plain_type(found: pa.DataType) -> pa.DataType:
    """The type without dictionaries, 64-bit offsets and views, also in what it holds."""
    kind: Any = found
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return plain_type(kind.value_type)
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind):
        return pa.binary()
    if pa.types.is_map(kind):
        # Fields keep their nullability, which the type stubs do not know.
        make: Any = pa.map_
        made: pa.DataType = make(_plain_field(kind.key_field), _plain_field(kind.item_field))
        return made
    if pa.types.is_struct(kind):
        return pa.struct([_plain_field(part) for part in kind])
    is_list = (
        pa.types.is_list,
        pa.types.is_large_list,
        pa.types.is_list_view,
        pa.types.is_large_list_view,
        pa.types.is_fixed_size_list,
    )
    if any(matches(kind) for matches in is_list):
        return pa.list_(_plain_field(kind.value_field))
    return found


def plain_schema(schema: pa.Schema) -> pa.Schema:
    """The columns with plain types and nothing else said of them."""
    return pa.schema([_plain_field(field) for field in schema])


def plain_batch(batch: pa.RecordBatch, path: str) -> pa.RecordBatch:
    """The batch with plain types, sound in all that it says of itself.

    A column of text with bytes that are not UTF-8 comes as bytes.

    Raises:
        MalformedSourceError: the values of a column contradict each other, or text within objects
            or arrays is not UTF-8.
    """
    schema = plain_schema(batch.schema)
    columns = [
        _sound(_plain(column, field.type), field.name, path)
        for column, field in zip(batch.columns, schema, strict=True)
    ]
    return pa.record_batch(columns, names=schema.names)


def _plain_field(field: pa.Field[Any]) -> pa.Field[Any]:
    return pa.field(field.name, plain_type(field.type), nullable=field.nullable)


def _plain(column: pa.Array[Any], target: pa.DataType) -> pa.Array[Any]:
    return column if column.type == target else column.cast(target)


def _sound(column: pa.Array[Any], name: str, path: str) -> pa.Array[Any]:
    try:
        column.validate(full=True)
    except pa.ArrowInvalid as error:
        if pa.types.is_string(column.type):
            return column.view(pa.binary())
        raise MalformedSourceError(
            f"the column {name!r} holds what its type cannot hold",
            location=Location(path),
            received="text within it that is not UTF-8, or parts that contradict each other",
            allowed=str(column.type),
            action="deliver the file again",
        ) from error
    return column
