"""The lake's type of one property, from its logicalType, physicalType and logicalTypeOptions.

The physicalType is the type in the data source. Where it is known, the lake takes the type that
holds all its values; where it is not, the logicalType and its `format` decide.

Types are told by Iceberg's names, so that contracts can be judged without importing Arrow;
`contracts/schemas.py` makes Arrow's types of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from quality_platform.contracts.models import Property, SchemaObject
from quality_platform.contracts.physical_types import PhysicalType, physical_type
from quality_platform.contracts.time_formats import time_format
from quality_platform.documents.suggestions import did_you_mean
from quality_platform.errors import Problem


@dataclass(frozen=True)
class ScalarType:
    """A type without parts, by Iceberg's name; `precision` and `scale` are a decimal's digits."""

    name: str
    precision: int = 0
    scale: int = 0


@dataclass(frozen=True)
class NestedType:
    """A struct, list or map of properties, or the list of a vector's `element`."""

    name: str
    parts: tuple[Property, ...] = ()
    element: ScalarType | None = None


LakeType = ScalarType | NestedType

_INT, _LONG = ScalarType("int"), ScalarType("long")
_FLOAT, _DOUBLE = ScalarType("float"), ScalarType("double")

_DEFAULTS = {
    "string": ScalarType("string"),
    "integer": _LONG,
    "number": _DOUBLE,
    "boolean": ScalarType("boolean"),
    "date": ScalarType("date"),
    "timestamp": ScalarType("timestamptz"),
    "time": ScalarType("time"),
}
LOGICAL_TYPES = (*_DEFAULTS, "object", "array", "map", "vector")
"""The logical types of the standard, v3.2."""

_FITTING = {
    "string": ("string", "binary", "json"),
    "integer": ("integer", "decimal"),
    "number": ("double", "float", "integer", "decimal"),
    "boolean": ("boolean",),
    "date": ("date",),
    "timestamp": ("timestamptz", "timestamp"),
    "time": ("time",),
    "object": ("struct", "json", "string"),
    "array": ("list", "json", "string"),
    "map": ("map", "json", "string"),
    "vector": ("list", "json", "string"),
}
"""The kinds of physical types that fit each logical type."""

_EXAMPLES = {
    "string": "string, text, varchar(n), char(n), uuid, json, binary",
    "integer": "int, long, bigint, smallint, decimal(p, 0) with p <= 38",
    "number": "double, float, decimal(p, s) with s <= p <= 38, int, long",
    "boolean": "boolean",
    "date": "date",
    "timestamp": "timestamptz, timestamp",
    "time": "time",
    "object": "struct<...>, json",
    "array": "array<...>, list<...>, json",
    "map": "map<..., ...>, json",
    "vector": "array<float>, vector(n)",
}

_FORMAT_BOUNDS = {
    **{f"i{n}": (-(2 ** (n - 1)), 2 ** (n - 1) - 1) for n in (8, 16, 32, 64, 128)},
    **{f"u{n}": (0, 2**n - 1) for n in (8, 16, 32, 64, 128)},
}
_BRACKETED = re.compile(r"(?:var)?char(?:acter)?\[([1-9][0-9]*)\]", re.IGNORECASE)
_VECTOR_ELEMENTS = {
    "float16": _FLOAT,
    "bfloat16": _FLOAT,
    "float32": _FLOAT,
    "float64": _DOUBLE,
    "int8": _INT,
    "uint8": _INT,
}


def type_problems(table: SchemaObject) -> list[Problem]:
    """Why no table can be made of an object: columns, and parts of them, without a type."""
    if not table.properties:
        return [
            Problem(
                f"the object {table.name!r} has no properties, and so no table can be made of it",
                table.location,
                "properties",
                action="list its columns",
            )
        ]
    return [problem for column in table.properties for problem in _problems(column)]


def untold(table: SchemaObject) -> list[Problem]:
    """Those of the problems that say too little for a table, and nothing wrong."""
    if not table.properties:
        return type_problems(table)
    return [p for column in table.properties for p in _problems(column) if p.field in _UNTOLD]


_DIGITS = "physicalType (digits)"
_UNTOLD = ("logicalType", "properties", "items", "map", _DIGITS)
"""The fields of which a problem says that they are missing."""


def _problems(column: Property) -> Iterator[Problem]:
    found = column_type(column)
    if isinstance(found, Problem):
        yield found
    elif isinstance(found, NestedType):
        for part in found.parts:
            yield from _problems(part)


def column_type(column: Property) -> LakeType | Problem:
    """The type of a property, or why it has none; its parts are judged by themselves."""
    logical = column.logical_type
    if logical not in _FITTING:
        return _no_logical_type(column)
    physical = _physical(column)
    if physical is not None and physical.kind not in _FITTING[logical]:
        return _not_fitting(column)
    if logical in ("object", "array", "map", "vector"):
        return _nested(column)
    if logical in ("date", "timestamp", "time"):
        return _temporal(column, physical)
    if physical is not None:
        return _of_physical(column, physical)
    return _of_format(column)


def text_length(column: Property) -> int | None:
    """The greatest length of a text in characters: n of varchar(n) or char(n), else None."""
    physical = _physical(column) if column.logical_type == "string" else None
    return physical.length if physical else None


def integer_bounds(column: Property) -> tuple[int, int] | None:
    """Least and greatest value of an integer, from `format` or a narrow physical type.

    None where the column's type in the lake has no others.
    """
    if column.logical_type != "integer":
        return None
    physical = _physical(column)
    stated = [_FORMAT_BOUNDS.get(str(column.options.get("format")))]
    if physical is not None and physical.kind == "decimal" and physical.precision:
        stated.append((1 - 10**physical.precision, 10**physical.precision - 1))
    elif physical is not None:
        stated.append(physical.bounds)
    bounds = [pair for pair in stated if pair is not None]
    kind = column_type(column)
    if not bounds or not isinstance(kind, ScalarType):
        return None
    least, greatest = _range_of(kind)
    found = max(least, *(low for low, _ in bounds)), min(greatest, *(high for _, high in bounds))
    return None if found == (least, greatest) else found


def _range_of(kind: ScalarType) -> tuple[int, int]:
    if kind.name == "decimal":
        return 1 - 10**kind.precision, 10**kind.precision - 1
    bits = 32 if kind == _INT else 64
    return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1


def bracketed_length(column: Property) -> int | None:
    """The n of a text's `varchar[n]`: by the type of PostgreSQL an array, which a text is not."""
    if column.logical_type != "string" or not column.physical_type:
        return None
    written = _BRACKETED.fullmatch(column.physical_type.strip())
    return int(written[1]) if written else None


def _physical(column: Property) -> PhysicalType | None:
    if length := bracketed_length(column):
        return PhysicalType("string", length=length)
    found = physical_type(column.physical_type, column.dialect) if column.physical_type else None
    if found and found.bounds and found.kind == "boolean" and column.logical_type == "integer":
        return PhysicalType("integer", bounds=found.bounds)
    return found


def _of_physical(column: Property, physical: PhysicalType) -> LakeType | Problem:
    match physical.kind:
        case "integer":
            return _integer(physical.bounds or _FORMAT_BOUNDS["i64"])
        case "decimal":
            return _decimal(column, physical)
        case "float":
            return _FLOAT
        case "double":
            return _DOUBLE
        case "binary":
            return ScalarType("binary")
        case _:
            return _DEFAULTS[column.logical_type]


def _of_format(column: Property) -> LakeType | Problem:
    wanted = str(column.options.get("format"))
    if column.logical_type == "integer" and wanted in _FORMAT_BOUNDS:
        return _integer(_FORMAT_BOUNDS[wanted])
    if column.logical_type == "number" and wanted == "f32":
        return _FLOAT
    return _DEFAULTS[column.logical_type]


def _integer(bounds: tuple[int, int]) -> ScalarType:
    """The smallest of Iceberg's types that holds all the values; beyond 38 digits, as many."""
    for kind in (_INT, _LONG, ScalarType("decimal", 20)):
        least, greatest = _range_of(kind)
        if least <= bounds[0] and bounds[1] <= greatest:
            return kind
    return ScalarType("decimal", 38)


def _decimal(column: Property, physical: PhysicalType) -> LakeType | Problem:
    precision, scale = physical.precision, physical.scale
    if precision is None and scale is None:
        return _without_digits(column)
    if precision is None or scale is None or not 0 <= scale <= precision <= 38 or not precision:
        return _not_fitting(column)
    if column.logical_type == "number":
        return ScalarType("decimal", precision, scale)
    if scale:
        return _not_fitting(column)
    if precision <= 18:
        return _INT if precision <= 9 else _LONG
    return ScalarType("decimal", precision)


def _temporal(column: Property, physical: PhysicalType | None) -> LakeType | Problem:
    if column.logical_type != "timestamp":
        return _DEFAULTS[column.logical_type]
    written, options = column.physical_type.strip().casefold(), column.options
    wanted = options.get("timezone")
    has_zone = physical.kind == "timestamptz" if physical else None
    if wanted is not None and has_zone is not None and wanted != has_zone:
        if written not in ("timestamp", "datetime"):
            return _zone_problem(column, "`timezone` contradicts the physicalType")
        has_zone = wanted
    form = time_format(str(options["format"]), "timestamp") if options.get("format") else None
    writes_zone = form is None or "zone" in form.parts
    if has_zone is None:
        has_zone = bool(wanted if wanted is not None else writes_zone or _default_zone(column))
    if form and has_zone and not writes_zone and not _default_zone(column):
        return _zone_problem(column, "the format has no zone, and there is no defaultTimezone")
    if form and not has_zone and writes_zone:
        return _zone_problem(column, "the format has a zone, and the timestamp none")
    return ScalarType("timestamptz" if has_zone else "timestamp")


def _default_zone(column: Property) -> str:
    return str(column.options.get("defaultTimezone") or "")


def _nested(column: Property) -> LakeType | Problem:
    match column.logical_type:
        case "vector":
            return _vector(column)
        case "object" if column.properties:
            return NestedType("struct", column.properties)
        case "array" if column.items:
            return NestedType("list", (column.items,))
        case "map" if column.map_key and column.map_value:
            return NestedType("map", (column.map_key, column.map_value))
        case _:
            return _empty(column)


def _vector(column: Property) -> LakeType | Problem:
    element = str(column.options.get("elementType") or "float32")
    kind = _VECTOR_ELEMENTS.get(element)
    if kind is None:
        return Problem(
            f"the elements of the vector {column.name!r} have no type in the lake",
            column.location,
            "logicalTypeOptions.elementType",
            received=element,
            allowed=", ".join(_VECTOR_ELEMENTS),
        )
    return NestedType("list", element=kind)


def _no_logical_type(column: Property) -> Problem:
    return Problem(
        f"the type of the column {column.name!r} cannot be told",
        column.location,
        "logicalType",
        received=column.logical_type or "nothing",
        allowed=", ".join(LOGICAL_TYPES),
        action=did_you_mean(column.logical_type, LOGICAL_TYPES),
    )


def _not_fitting(column: Property) -> Problem:
    return Problem(
        f"the physicalType of the column {column.name!r} does not fit "
        f"the logicalType {column.logical_type}",
        column.location,
        "physicalType",
        received=column.physical_type,
        allowed=_EXAMPLES[column.logical_type],
    )


def _without_digits(column: Property) -> Problem:
    return Problem(
        f"the physicalType of the column {column.name!r} does not say how many digits it has, and "
        "no type of the lake has any number of them",
        column.location,
        _DIGITS,
        received=column.physical_type,
        allowed="decimal(p, s) with s <= p <= 38, or double, which rounds",
        action="write the digits that its values have, such as numeric(38, 10)",
    )


def _zone_problem(column: Property, message: str) -> Problem:
    return Problem(
        f"the column {column.name!r}: {message}",
        column.location,
        "logicalTypeOptions",
        received=f"physicalType {column.physical_type or 'none'}, "
        f"timezone {column.options.get('timezone')}, format {column.options.get('format')}",
        action="set `timezone`, write the zone in the format (XXX), or give a `defaultTimezone`",
    )


def _empty(column: Property) -> Problem:
    key = {"object": "properties", "array": "items", "map": "map"}[column.logical_type]
    return Problem(
        f"the {column.logical_type} {column.name!r} does not say what it holds",
        column.location,
        key,
        action=f"write its `{key}`, or `logicalType: string` to keep it as the text that it is",
    )
