"""What a `physicalType` says: a type of PostgreSQL, MySQL, Snowflake, Spark, Iceberg, ...

The text is parsed by sqlglot in the dialect of the contract's servers; a table of our own has what
it does not know. Sources: the type pages of each system, and https://iceberg.apache.org/spec/ for
Iceberg's own names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

DIALECTS = {
    "athena": "athena",
    "bigquery": "bigquery",
    "clickhouse": "clickhouse",
    "cloudsql": "postgres",
    "databricks": "databricks",
    "dremio": "dremio",
    "duckdb": "duckdb",
    "exasol": "exasol",
    "hive": "hive",
    "mysql": "mysql",
    "oracle": "oracle",
    "postgres": "postgres",
    "postgresql": "postgres",
    "presto": "presto",
    "redshift": "redshift",
    "snowflake": "snowflake",
    "sqlserver": "tsql",
    "synapse": "tsql",
    "teradata": "teradata",
    "trino": "trino",
}
"""sqlglot's dialects, by the `type` of a server."""


@dataclass(frozen=True)
class PhysicalType:
    """A type of a data source.

    `kind` is one of the keys of `LOGICAL`; `bounds` are those of an integer; `length` is the
    greatest number of characters of a text; `precision` and `scale` are a decimal's, None
    where the type leaves them open. `inner` are the names and the texts of the types within a
    struct, list or map; the name is "" in the latter two.
    """

    kind: str
    bounds: tuple[int, int] | None = None
    length: int | None = None
    precision: int | None = None
    scale: int | None = None
    inner: tuple[tuple[str, str], ...] = ()


LOGICAL = {
    "integer": "integer",
    "decimal": "number",
    "float": "number",
    "double": "number",
    "boolean": "boolean",
    "date": "date",
    "timestamp": "timestamp",
    "timestamptz": "timestamp",
    "time": "time",
    "string": "string",
    "binary": "string",
    # As text it loses nothing, and only the contract could tell what is in it.
    "json": "string",
    "struct": "object",
    "list": "array",
    "map": "map",
    "zoned time": "",
    "huge decimal": "",
}
"""The logicalType that each kind tells where none is written; "" where it tells none."""

_SIGNED = {"TINYINT": 8, "SMALLINT": 16, "SMALLSERIAL": 16, "MEDIUMINT": 24, "INT": 32}
_SIGNED |= {"SERIAL": 32, "BIGINT": 64, "BIGSERIAL": 64, "INT128": 128}
_UNSIGNED = {"UTINYINT": 8, "USMALLINT": 16, "UMEDIUMINT": 24, "UINT": 32, "UBIGINT": 64}
_UNSIGNED |= {"UINT128": 128}

_KINDS = {
    "FLOAT": "float",
    "DOUBLE": "double",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "DATE32": "date",
    "TIME": "time",
    "TIMETZ": "zoned time",
    "TIMESTAMP": "timestamp",
    "TIMESTAMPNTZ": "timestamp",
    "DATETIME": "timestamp",
    "DATETIME2": "timestamp",
    "DATETIME64": "timestamp",
    "SMALLDATETIME": "timestamp",
    "TIMESTAMPTZ": "timestamptz",
    "TIMESTAMPLTZ": "timestamptz",
    "BIGDECIMAL": "huge decimal",
    "BINARY": "binary",
    "VARBINARY": "binary",
    "BLOB": "binary",
    "TINYBLOB": "binary",
    "MEDIUMBLOB": "binary",
    "LONGBLOB": "binary",
    "ROWVERSION": "binary",
    "CHAR": "string",
    "NCHAR": "string",
    "VARCHAR": "string",
    "NVARCHAR": "string",
    "BPCHAR": "string",
    "TEXT": "string",
    "TINYTEXT": "string",
    "MEDIUMTEXT": "string",
    "LONGTEXT": "string",
    "NAME": "string",
    "UUID": "string",
    "UNIQUEIDENTIFIER": "string",
    "ENUM": "string",
    "ENUM8": "string",
    "ENUM16": "string",
    "XML": "string",
    "INET": "string",
    "IPADDRESS": "string",
    "IPV4": "string",
    "IPV6": "string",
    "INTERVAL": "string",
    "JSON": "json",
    "JSONB": "json",
    "VARIANT": "json",
    "SUPER": "json",
    "OBJECT": "json",
    "STRUCT": "struct",
    "ARRAY": "list",
    "LIST": "list",
    "VECTOR": "list",
    "MAP": "map",
}
"""Kinds by sqlglot's names of types, integers and decimals aside."""

_OWN = {
    "bytes": "binary",
    "cidr": "string",
    "clob": "string",
    "character varying": "string",
    "datetimeoffset": "timestamptz",
    "float64": "double",
    "float32": "float",
    "geography": "string",
    "keyword": "string",
    "macaddr": "string",
    "nclob": "string",
    "number": "decimal",
    "record": "struct",
    "row": "struct",
    "string": "string",
    "timestamp_ns": "timestamp",
    "timestamptz_ns": "timestamptz",
    "utf8": "string",
}
"""Names that sqlglot does not know in every dialect, in lower case."""

_SERIALS = {
    "smallserial": "SMALLSERIAL",
    "serial2": "SMALLSERIAL",
    "serial": "SERIAL",
    "serial4": "SERIAL",
    "bigserial": "BIGSERIAL",
    "serial8": "BIGSERIAL",
}
"""PostgreSQL's counters; sqlglot knows some of them, and those in few dialects."""

_WIDE_FLOAT = {"bigquery", "oracle", "teradata", "tsql"}
"""Where FLOAT has eight bytes."""
_WIDE_INT = {"bigquery", "oracle", "snowflake"}
"""Where all integers are of one type with at least the range of 64 bits."""
_DEFAULT_DECIMAL = {
    "bigquery": (38, 9),
    "databricks": (10, 0),
    "duckdb": (18, 3),
    "hive": (10, 0),
    "mysql": (10, 0),
    "snowflake": (38, 0),
    "tsql": (18, 0),
}
"""Precision and scale of a decimal that is written without."""

_LENGTH = re.compile(
    r"(?i)^\s*(?:n?var|n|bp|national )?char(?:2|acter)?(?: varying)?\s*\((\d+)\D*\)"
)
_PLAIN = {
    "bigint": "BIGINT",
    "bool": "BOOLEAN",
    "boolean": "BOOLEAN",
    "char": "CHAR",
    "date": "DATE",
    "decimal": "DECIMAL",
    "double": "DOUBLE",
    "int": "INT",
    "integer": "INT",
    "numeric": "DECIMAL",
    "smallint": "SMALLINT",
    "text": "TEXT",
    "varchar": "VARCHAR",
}
"""Names that every dialect of sqlglot reads as the same of its types; importing it takes long."""
_PLAIN_TEXT = re.compile(
    r"(bigint|bool|boolean|date|double|int|integer|smallint|text|varchar)"
    r"|(char|varchar) ?\( ?(\d+) ?\)|(decimal|numeric) ?\( ?(\d+) ?, ?(\d+) ?\)"
)
_FIXED = re.compile(r"(?i)^(fixed|binary)\s*[\[(]\s*\d+\s*[\])]$")


@lru_cache(maxsize=4096)
def physical_type(text: str, dialect: str = "") -> PhysicalType | None:
    """The type that a `physicalType` names; None where nobody knows it.

    `dialect` is sqlglot's name of the SQL in which it is meant, "" where that is not known.
    """
    name = " ".join(text.split()).casefold()
    if plain := _PLAIN_TEXT.fullmatch(name):
        word, *numbers = (part for part in plain.groups() if part)
        return _of_word(_PLAIN[word], [int(n) for n in numbers], dialect)
    return _parsed(text, name, dialect)


def _parsed(text: str, name: str, dialect: str) -> PhysicalType | None:
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    if own := _OWN.get(name):
        return _decimal((), dialect) if own == "decimal" else PhysicalType(own)
    if _FIXED.match(name):
        return PhysicalType("binary")
    if name == "serial" and dialect == "mysql":
        return _of_word("UBIGINT", (), dialect)
    if counter := _SERIALS.get(name):
        return _of_word(counter, (), dialect)
    if name == "int8" and dialect != "clickhouse":
        # Eight bytes in PostgreSQL, MySQL and DuckDB; sqlglot takes it for eight bits.
        name = text = "bigint"
    try:
        parsed = exp.DataType.build(text, dialect=dialect or None)
    except (SqlglotError, ValueError):
        return None
    found = _of_datatype(parsed, dialect)
    if found and found.kind == "string" and (length := _LENGTH.match(text)):
        # sqlglot's DuckDB drops the length, as DuckDB itself does not keep to it.
        return PhysicalType("string", length=int(length[1]))
    return found


def told_logical_type(text: str, dialect: str = "") -> str:
    """The logicalType that a physical type tells; "" where it tells none."""
    found = physical_type(text, dialect) if text else None
    return LOGICAL[found.kind] if found else ""


def _of_datatype(parsed: object, dialect: str) -> PhysicalType | None:
    from sqlglot import exp

    if not isinstance(parsed, exp.DataType):
        return None
    word = parsed.this.name if isinstance(parsed.this, exp.DataType.Type) else ""
    numbers = [int(n.name) for n in parsed.find_all(exp.Literal) if n.name.isdigit()]
    return _of_word(word, numbers, dialect, lambda kind: _inner(parsed, kind, dialect))


def _of_word(
    word: str,
    numbers: Sequence[int],
    dialect: str,
    inner: Callable[[str], tuple[tuple[str, str], ...]] = lambda _: (),
) -> PhysicalType | None:
    """The type of sqlglot's name `word`, with the numbers in its parentheses."""
    if (word == "BIT" and dialect == "tsql") or (
        word == "TINYINT" and numbers == [1] and dialect in ("", "mysql")
    ):
        # MySQL's boolean is an integer, and people use it as both.
        return PhysicalType("boolean", bounds=_integer_bounds("TINYINT", ""))
    if word in _SIGNED or word in _UNSIGNED:
        return PhysicalType("integer", bounds=_integer_bounds(word, dialect))
    if word.startswith("DECIMAL"):
        return _decimal(numbers, dialect)
    if word == "FLOAT" and (dialect in _WIDE_FLOAT or (numbers and numbers[0] > 24)):
        return PhysicalType("double")
    kind = _KINDS.get(word)
    if kind is None:
        return None
    length = numbers[0] if kind == "string" and word.endswith("CHAR") and numbers else None
    return PhysicalType(kind, length=length, inner=inner(kind))


def _integer_bounds(word: str, dialect: str) -> tuple[int, int]:
    if word in _UNSIGNED:
        return 0, 2 ** _UNSIGNED[word] - 1
    bits = max(64, _SIGNED[word]) if dialect in _WIDE_INT else _SIGNED[word]
    return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1


def _decimal(numbers: Sequence[int], dialect: str) -> PhysicalType:
    precision, scale = _DEFAULT_DECIMAL.get(dialect, (None, None))
    if numbers:
        precision, scale = numbers[0], numbers[1] if len(numbers) > 1 else 0
    return PhysicalType("decimal", precision=precision, scale=scale)


def _inner(parsed: object, kind: str, dialect: str) -> tuple[tuple[str, str], ...]:
    from sqlglot import exp

    if kind not in ("struct", "list", "map") or not isinstance(parsed, exp.DataType):
        return ()
    parts = [part for part in parsed.expressions if isinstance(part, exp.DataType | exp.ColumnDef)]
    return tuple(
        (part.name, part.args["kind"].sql(dialect or None))
        if isinstance(part, exp.ColumnDef)
        else ("", part.sql(dialect or None))
        for part in parts
    )
