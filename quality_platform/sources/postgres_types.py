"""How each type of PostgreSQL is selected so that it arrives exactly: docs/sources/postgres.md.

The driver reads a few types without loss; all others come as the text that PostgreSQL writes, and
are converted like text of a file, each cell with its own reason where it does not convert. What
the driver would change is never asked of it: it makes decimals of numeric, a signed number of oid,
and a flat list of an array with two dimensions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from quality_platform.contracts.schemas import DEFAULT_ZONE


@dataclass(frozen=True)
class CatalogColumn:
    """A column of a table or query.

    `written` is the type as PostgreSQL writes it: `numeric(18,4)`. `base` is the name of the type
    without domains, "" where a user or an extension made it; `extension_type` is its name then.
    `kind` and `category` are `typtype` and `typcategory` of the base, of
    https://www.postgresql.org/docs/current/catalog-pg-type.html; `required` says that it holds no
    NULL.
    """

    name: str
    written: str
    base: str
    extension_type: str
    kind: str
    category: str
    required: bool = False


_INTEGERS = ("int2", "int4", "int8")
_FLOATS = ("float4", "float8")
_TEXTS = ("text", "varchar", "bpchar", "name")
_JSON = ("json", "jsonb")
_JSON_EXTENSIONS = ("hstore",)
_VECTORS = ("vector", "halfvec")
"""pgvector writes its values as JSON arrays."""

# Lower bounds other than 1 have no place in JSON; the text with them is none, and is held.
_ARRAY = (
    "CASE WHEN pg_catalog.array_lower({0}, 1) <> 1 OR pg_catalog.array_lower({0}, 2) <> 1 "
    "THEN {0}::text ELSE pg_catalog.to_json({0})::text END"
)
_NESTED = (pa.types.is_struct, pa.types.is_list, pa.types.is_map)

Choice = Callable[[CatalogColumn, "pa.Field[Any]"], str | None]
"""The SQL of a column for a type of the contract, with `{0}` for its name; None: never fits."""


def selected(column: CatalogColumn, wanted: pa.Field[Any]) -> str | None:
    """The SQL that gives the column so that it becomes the wanted type, with `{0}` for its name.

    None where no value of the column could ever become one of the wanted type without loss.
    """
    if pa.types.is_string(wanted.type):
        return _text(column)
    for is_kind, choice in _CHOICES:
        if is_kind(wanted.type):
            return choice(column, wanted)
    return None


def comparable(column: CatalogColumn, cursor: pa.DataType) -> bool:
    """Whether PostgreSQL orders the column's values as the cursor's type orders them."""
    if pa.types.is_string(cursor):
        return column.category == "S" or column.base == "uuid"
    kinds = (
        (pa.types.is_integer, (*_INTEGERS, "numeric")),
        (pa.types.is_decimal, (*_INTEGERS, "numeric")),
        (pa.types.is_date, ("date",)),
        (pa.types.is_timestamp, ("timestamptz" if _is_zoned(cursor) else "timestamp",)),
    )
    return any(is_kind(cursor) and column.base in bases for is_kind, bases in kinds)


def has_infinities(column: CatalogColumn) -> bool:
    """Whether the column can hold values beyond all others, which no cursor ever reaches."""
    return column.base in ("date", "timestamp", "timestamptz")


def _is_zoned(kind: pa.DataType) -> bool:
    return pa.types.is_timestamp(kind) and kind.tz is not None


def _text(column: CatalogColumn) -> str:
    # PostgreSQL drops the blanks at the end of char(n) when it is cast.
    return "{0}" if column.base in _TEXTS else "{0}::text"


def _written_text(column: CatalogColumn) -> str | None:
    """Texts are parsed as those of a file are."""
    is_text = column.base in _TEXTS or (column.category == "S" and not column.base)
    return "{0}::text" if is_text else None


def _integer(column: CatalogColumn, _: pa.Field[Any]) -> str | None:
    if column.base in _INTEGERS:
        return "{0}"
    if column.base == "oid":
        return "{0}::int8"
    if column.base == "numeric":
        # 5.00 is a whole number.
        return "pg_catalog.trim_scale({0})::text"
    return _written_text(column)


def _decimal(column: CatalogColumn, _: pa.Field[Any]) -> str | None:
    if column.base in _INTEGERS:
        return "{0}"
    if column.base == "numeric":
        return "{0}::text"
    if column.base == "money":
        return "{0}::numeric::text"
    return _written_text(column)


def _float(column: CatalogColumn, wanted: pa.Field[Any]) -> str | None:
    fits = _FLOATS if pa.types.is_float64(wanted.type) else ("float4",)
    return "{0}" if column.base in fits else _decimal(column, wanted)


def _one_of(*bases: str) -> Choice:
    def choice(column: CatalogColumn, _: pa.Field[Any]) -> str | None:
        return "{0}" if column.base in bases else _written_text(column)

    return choice


def _timestamp(column: CatalogColumn, wanted: pa.Field[Any]) -> str | None:
    is_zoned = _is_zoned(wanted.type)
    if column.base == ("timestamptz" if is_zoned else "timestamp"):
        return "{0}"
    if column.base == "timestamp" and DEFAULT_ZONE in (wanted.metadata or {}):
        return "{0}"
    return _written_text(column)


def _binary(column: CatalogColumn, _: pa.Field[Any]) -> str | None:
    return "{0}" if column.base == "bytea" else None


def _nested(column: CatalogColumn, wanted: pa.Field[Any]) -> str | None:
    is_list = pa.types.is_list(wanted.type)
    if column.base in _JSON or (is_list and column.extension_type in _VECTORS):
        return "{0}::text"
    if is_list and column.category == "A":
        # int2vector and oidvector count from 0, and always do.
        counts_from_zero = column.base in ("int2vector", "oidvector")
        return "pg_catalog.to_json({0})::text" if counts_from_zero else _ARRAY
    is_object = column.kind == "c" or column.base == "record"
    is_map = column.extension_type in _JSON_EXTENSIONS
    if not is_list and (is_object or is_map):
        return "pg_catalog.to_json({0})::text"
    return _written_text(column)


_CHOICES: tuple[tuple[Callable[[pa.DataType], bool], Choice], ...] = (
    (pa.types.is_boolean, _one_of("bool")),
    (pa.types.is_integer, _integer),
    (pa.types.is_decimal, _decimal),
    (pa.types.is_floating, _float),
    (pa.types.is_date, _one_of("date")),
    (pa.types.is_time, _one_of("time")),
    (pa.types.is_timestamp, _timestamp),
    (pa.types.is_binary, _binary),
    (lambda kind: any(is_kind(kind) for is_kind in _NESTED), _nested),
)
