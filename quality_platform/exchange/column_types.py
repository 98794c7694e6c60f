"""Types of SQL and of Arrow as types of a contract.

A contract's physical types are Iceberg's, https://iceberg.apache.org/spec/#primitive-types: what a
type says beyond them (a length, a bit width) becomes an option of the logical type.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from quality_platform.contracts.physical_types import PhysicalType, physical_type

_MAX_PRECISION = 38


@dataclass(frozen=True)
class ColumnType:
    """Keys of a property that tell its type, and what of the type they do not tell."""

    keys: dict[str, Any] = field(hash=False)
    lost: str = ""


def _type(logical: str, physical: str = "", lost: str = "", **options: Any) -> ColumnType:
    keys: dict[str, Any] = {"logicalType": logical}
    if physical:
        keys["physicalType"] = physical
    if options:
        keys["logicalTypeOptions"] = options
    return ColumnType(keys, lost)


_KINDS = {
    "float": _type("number", "float"),
    "double": _type("number", "double"),
    "boolean": _type("boolean"),
    "date": _type("date"),
    "time": _type("time"),
    "timestamp": _type("timestamp", "timestamp"),
    "timestamptz": _type("timestamp", "timestamptz"),
    "binary": _type("string", "binary"),
    "json": _type("string", "", "that the text is JSON"),
}
"""By the kinds of `contracts.physical_types`; numbers and nested types aside."""

_FORMATS = {
    (low, high): f"{sign}{bits}"
    for bits in (8, 16, 32, 64)
    for sign, low, high in (
        ("i", -(2 ** (bits - 1)), 2 ** (bits - 1) - 1),
        ("u", 0, 2**bits - 1),
    )
}
_TEXTS = ("UUID", "UNIQUEIDENTIFIER")


def from_sql(text: str, dialect: str = "") -> ColumnType:
    """A SQL type as written in the dialect (sqlglot's name of it; "" for no particular one)."""
    found = physical_type(text, dialect)
    if found is None:
        return _unknown(text)
    match found.kind:
        case "integer":
            return _integer(found.bounds)
        case "decimal":
            return _decimal(found.precision, found.scale or 0)
        case "string":
            return _text(text, found)
        case "list" if len(found.inner) == 1:
            return _array(from_sql(found.inner[0][1], dialect))
        case "struct" if found.inner and all(name for name, _ in found.inner):
            return _object([(name, from_sql(t, dialect), False) for name, t in found.inner])
        case kind:
            return _KINDS.get(kind) or _unknown(text)


def _text(text: str, found: PhysicalType) -> ColumnType:
    if text.strip().upper() in _TEXTS:
        return _type("string", format="uuid")
    if found.length is not None:
        return _type("string", maxLength=found.length)
    return _type("string") if _is_plain_text(text) else _unknown(text)


def _is_plain_text(text: str) -> bool:
    return any(word in text.casefold() for word in ("char", "text", "string", "clob", "utf8"))


def _integer(bounds: tuple[int, int] | None) -> ColumnType:
    """Of 32 and 64 bits there are types; others are told by `format`."""
    name = "i64" if bounds is None else _FORMATS.get(bounds)
    match name:
        case "i32":
            return _type("integer", "int")
        case "i64":
            return _type("integer", "long")
        case "u64":
            return _type("number", "decimal(20,0)")
        case None:
            return _type("number", "decimal(38,0)", "the range of its values")
        case _:
            return _type("integer", "long" if name == "u32" else "int", format=name)


def _decimal(precision: int | None, scale: int = 0) -> ColumnType:
    if precision is None:
        return _type("number", "decimal(38,9)", "no precision is told: taken as decimal(38,9)")
    if not 0 <= scale <= precision <= _MAX_PRECISION or not precision:
        lost = f"decimal({precision},{scale}) is beyond 38 digits: taken as decimal(38,9)"
        return _type("number", "decimal(38,9)", lost)
    return _type("number", f"decimal({precision},{scale})")


def _array(items: ColumnType) -> ColumnType:
    return ColumnType({"logicalType": "array", "items": items.keys}, items.lost)


def _object(parts: list[tuple[str, ColumnType, bool]]) -> ColumnType:
    properties = [
        {"name": name, **kind.keys, **({"required": True} if required else {})}
        for name, kind, required in parts
    ]
    lost = "; ".join(f"{name}: {kind.lost}" for name, kind, _ in parts if kind.lost)
    return ColumnType({"logicalType": "object", "properties": properties}, lost)


def _unknown(text: str) -> ColumnType:
    return _type("string", "", f"the type {text}, which a contract has not: taken as string")


_BY_ARROW: tuple[tuple[Callable[[pa.DataType], bool], ColumnType], ...] = (
    (pa.types.is_boolean, _type("boolean")),
    (pa.types.is_int8, _type("integer", "int", format="i8")),
    (pa.types.is_int16, _type("integer", "int", format="i16")),
    (pa.types.is_int32, _type("integer", "int")),
    (pa.types.is_int64, _type("integer", "long")),
    (pa.types.is_uint8, _type("integer", "int", format="u8")),
    (pa.types.is_uint16, _type("integer", "int", format="u16")),
    (pa.types.is_uint32, _type("integer", "long", format="u32")),
    (pa.types.is_uint64, _type("number", "decimal(20,0)")),
    (pa.types.is_float16, _type("number", "float")),
    (pa.types.is_float32, _type("number", "float")),
    (pa.types.is_float64, _type("number", "double")),
    (pa.types.is_date, _type("date")),
    (pa.types.is_time, _type("time")),
    (pa.types.is_string, _type("string")),
    (pa.types.is_large_string, _type("string")),
    (pa.types.is_string_view, _type("string")),
    (pa.types.is_binary, _type("string", "binary")),
    (pa.types.is_large_binary, _type("string", "binary")),
)


def from_arrow(kind: pa.DataType) -> ColumnType:
    """An Arrow type; a dictionary counts as the type of its values."""
    if pa.types.is_dictionary(kind):
        return from_arrow(kind.value_type)
    if pa.types.is_decimal(kind):
        return _decimal(kind.precision, kind.scale)
    if pa.types.is_timestamp(kind):
        lost = "digits below the microsecond" if kind.unit == "ns" else ""
        return _type("timestamp", "timestamptz" if kind.tz else "timestamp", lost)
    if pa.types.is_fixed_size_binary(kind):
        return _type("string", "binary", f"that it has {kind.byte_width} bytes")
    if pa.types.is_struct(kind):
        return _object([(f.name, from_arrow(f.type), not f.nullable) for f in kind])
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return _array(from_arrow(kind.value_type))
    return next((found for fits, found in _BY_ARROW if fits(kind)), _unknown(str(kind)))
