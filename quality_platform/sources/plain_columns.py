"""Arrow columns without encodings that say nothing about their values."""

from __future__ import annotations

from typing import Any

import pyarrow as pa


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


def plain_batch(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with plain types, sound in all that it says of itself.

    A column of text with bytes that are not UTF-8 comes as bytes. Nothing of the batch may be
    looked at before: what a damaged file says of its own values leads anywhere in memory.

    Raises:
        pyarrow.ArrowInvalid: the parts of a column contradict each other, or text within objects
            or arrays is not UTF-8.
    """
    columns = [
        _plain(_sound(column, name))
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
    ]
    return pa.record_batch(columns, names=batch.schema.names)


def _plain_field(field: pa.Field[Any]) -> pa.Field[Any]:
    return pa.field(field.name, plain_type(field.type), nullable=field.nullable)


def _plain(column: pa.Array[Any]) -> pa.Array[Any]:
    target = plain_type(column.type)
    return column if column.type == target else column.cast(target)


_BYTES_OF = {
    pa.string(): pa.binary(),
    pa.large_string(): pa.large_binary(),
    pa.string_view(): pa.binary_view(),
}


def _sound(column: pa.Array[Any], name: str) -> pa.Array[Any]:
    try:
        column.validate(full=True)
    except pa.ArrowInvalid as error:
        if column.type in _BYTES_OF:
            column.validate()
            found = column.view(_BYTES_OF[column.type])
            found.validate(full=True)
            return found
        raise pa.ArrowInvalid(
            f"the column {name!r} holds what its type {column.type} cannot hold"
        ) from error
    return column
