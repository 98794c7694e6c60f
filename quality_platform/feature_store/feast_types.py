"""Types of columns and of declared features, as Feast's types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from quality_platform.errors import MaterializationError

if TYPE_CHECKING:
    from feast.types import FeastType

_PLAIN = {
    pa.bool_(): "Bool",
    pa.int8(): "Int32",
    pa.int16(): "Int32",
    pa.int32(): "Int32",
    pa.int64(): "Int64",
    pa.uint8(): "Int32",
    pa.uint16(): "Int32",
    pa.uint32(): "Int64",
    pa.float32(): "Float32",
    pa.float64(): "Float64",
    pa.string(): "String",
    pa.large_string(): "String",
    pa.binary(): "Bytes",
    pa.large_binary(): "Bytes",
    # As Feast's own stores do: midnight in UTC.
    pa.date32(): "UnixTimestamp",
}

_TEXTS = (pa.string(), pa.large_string())

_WORDS = {
    "boolean": "Bool",
    "int32": "Int32",
    "int64": "Int64",
    "float": "Float32",
    "double": "Float64",
    "string": "String",
    "binary": "Bytes",
    "timestamp": "UnixTimestamp",
}

_ARROW: dict[str, pa.DataType] = {
    "boolean": pa.bool_(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "string": pa.string(),
    "binary": pa.binary(),
    "timestamp": pa.timestamp("us", "UTC"),
}

_WITHIN = ("Bool", "Int32", "Int64", "Float32", "Float64", "Decimal", "String", "Bytes")
"""What keeps its value within a struct or a map: Feast tells the type of each there by Python's."""

KEY_TYPES = ("Int32", "Int64", "String")
"""What Feast finds entities by."""


def feast_type(type_: Any, column: str) -> FeastType:
    """Feast's type for the values of a column.

    A list is an Array, a struct a Struct, and a map with keys of text a Map. Within the last two
    Feast tells the type of a value by Python's: there are no moments, days and lists in them.

    Raises:
        MaterializationError: there is none that holds every value of the column as it is.
    """
    from feast import types

    if name := _name(type_):
        plain: FeastType = getattr(types, name)
        return plain
    if _is_list(type_) and not _is_list(type_.value_type) and not pa.types.is_map(type_.value_type):
        return types.Array(feast_type(type_.value_type, column))
    if pa.types.is_struct(type_) and type_.num_fields and _keeps_types(type_):
        return types.Struct({field.name: feast_type(field.type, column) for field in type_})
    if pa.types.is_map(type_) and type_.key_type in _TEXTS and _keeps_types(type_.item_type):
        return types.Map
    raise MaterializationError(
        "Feast has no type for the column",
        field=column,
        received=type_,
        allowed="boolean, int32, int64, float, double, decimal, string, binary, date, timestamp, "
        "lists of these and of structs, structs, and maps with keys of text; within structs and "
        "maps no list, date or timestamp",
        action="cast the column in the view's SQL",
    )


def feast_type_of_word(word: str) -> FeastType:
    """Feast's type for a word of runner.yaml: `double`, `list<int64>`.

    Raises:
        KeyError: there is no such word.
    """
    from feast import types

    inner = word.removeprefix("list<").removesuffix(">")
    plain: FeastType = getattr(types, _WORDS[inner])
    return plain if inner == word else types.Array(plain)


def arrow_type_of_word(word: str) -> pa.DataType:
    """Arrow's type for a word of runner.yaml: `double`, `list<int64>`.

    Raises:
        KeyError: there is no such word.
    """
    inner = word.removeprefix("list<").removesuffix(">")
    plain = _ARROW[inner]
    return plain if inner == word else pa.list_(pa.field("element", plain))


def _name(type_: pa.DataType) -> str:
    """The name of Feast's plain type; "" where there is none."""
    if pa.types.is_timestamp(type_):
        return "UnixTimestamp"
    if pa.types.is_decimal(type_):
        return "Decimal"
    if pa.types.is_fixed_size_binary(type_):
        return "Bytes"
    return _PLAIN.get(type_, "")


def _is_list(type_: pa.DataType) -> bool:
    return bool(pa.types.is_list(type_) or pa.types.is_large_list(type_))


def _keeps_types(type_: pa.DataType) -> bool:
    if pa.types.is_struct(type_):
        return all(_keeps_types(field.type) for field in type_)
    return _name(type_) in _WITHIN
