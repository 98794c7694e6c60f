"""Types of data sources, as contracts name them."""

from __future__ import annotations

import pytest

from quality_platform.contracts.physical_types import DIALECTS, PhysicalType, physical_type

INT = PhysicalType("integer", bounds=(-(2**31), 2**31 - 1))
LONG = PhysicalType("integer", bounds=(-(2**63), 2**63 - 1))


def text(length: int | None = None) -> PhysicalType:
    return PhysicalType("string", length=length)


def decimal(precision: int, scale: int) -> PhysicalType:
    return PhysicalType("decimal", precision=precision, scale=scale)


@pytest.mark.parametrize(
    ("written", "dialect", "expected"),
    [
        ("varchar(36)", "", text(36)),
        ("VARCHAR2(10 char)", "oracle", text(10)),
        ("character varying(5)", "postgres", text(5)),
        ("nvarchar(20)", "tsql", text(20)),
        ("nvarchar(max)", "tsql", text()),
        ("char(3)", "duckdb", text(3)),
        ("text", "", text()),
        ("String", "", text()),
        ("uuid", "postgres", text()),
        ("enum('a','b')", "mysql", text()),
        ("citext", "postgres", None),
        ("numeric(5,2)", "", decimal(5, 2)),
        ("NUMBER(38,0)", "snowflake", decimal(38, 0)),
        ("number", "snowflake", decimal(38, 0)),
        ("decimal(7)", "mysql", decimal(7, 0)),
        ("NUMERIC", "bigquery", decimal(38, 9)),
        ("numeric", "postgres", PhysicalType("decimal")),
        ("BIGNUMERIC", "bigquery", PhysicalType("huge decimal")),
        ("int", "", INT),
        ("INTEGER", "", INT),
        ("int4", "postgres", INT),
        ("serial", "postgres", INT),
        ("serial", "", INT),
        ("serial4", "postgres", INT),
        ("serial", "mysql", PhysicalType("integer", bounds=(0, 2**64 - 1))),
        ("bigserial", "", LONG),
        ("serial2", "", PhysicalType("integer", bounds=(-32768, 32767))),
        ("int8", "", LONG),
        ("int8", "postgres", LONG),
        ("Int8", "clickhouse", PhysicalType("integer", bounds=(-128, 127))),
        ("long", "", LONG),
        ("bigint", "", LONG),
        ("INT64", "bigquery", LONG),
        ("INT", "snowflake", LONG),
        ("smallint", "", PhysicalType("integer", bounds=(-32768, 32767))),
        ("int unsigned", "mysql", PhysicalType("integer", bounds=(0, 2**32 - 1))),
        ("bigint unsigned", "mysql", PhysicalType("integer", bounds=(0, 2**64 - 1))),
        ("tinyint(1)", "mysql", PhysicalType("boolean", bounds=(-128, 127))),
        ("bit", "tsql", PhysicalType("boolean", bounds=(-128, 127))),
        ("real", "", PhysicalType("float")),
        ("float", "postgres", PhysicalType("double")),
        ("float", "tsql", PhysicalType("double")),
        ("FLOAT64", "bigquery", PhysicalType("double")),
        ("double precision", "", PhysicalType("double")),
        ("bytea", "postgres", PhysicalType("binary")),
        ("BYTES", "bigquery", PhysicalType("binary")),
        ("fixed[16]", "", PhysicalType("binary")),
        ("timestamp", "", PhysicalType("timestamp")),
        ("timestamp", "databricks", PhysicalType("timestamptz")),
        ("timestamp", "bigquery", PhysicalType("timestamptz")),
        ("DATETIME", "bigquery", PhysicalType("timestamp")),
        ("timestamp_ntz", "snowflake", PhysicalType("timestamp")),
        ("TIMESTAMP_LTZ(9)", "snowflake", PhysicalType("timestamptz")),
        ("timestamp(3) with time zone", "postgres", PhysicalType("timestamptz")),
        ("timestamp without time zone", "postgres", PhysicalType("timestamp")),
        ("datetimeoffset", "tsql", PhysicalType("timestamptz")),
        ("time", "", PhysicalType("time")),
        ("timetz", "postgres", PhysicalType("zoned time")),
        ("jsonb", "postgres", PhysicalType("json")),
        ("VARIANT", "snowflake", PhysicalType("json")),
        ("array", "", PhysicalType("list")),
        ("text[]", "postgres", PhysicalType("list", inner=(("", "TEXT"),))),
        ("MAP<STRING, INT>", "spark", PhysicalType("map", inner=(("", "STRING"), ("", "INT")))),
        (
            "STRUCT<a: INT, b: ARRAY<STRING>>",
            "databricks",
            PhysicalType("struct", inner=(("a", "INT"), ("b", "ARRAY<STRING>"))),
        ),
    ],
)
def test_a_type_of_a_system_is_understood(written: str, dialect: str, expected: PhysicalType):
    assert physical_type(written, dialect) == expected


@pytest.mark.parametrize("written", ["geometry!", "topic", "int; select 1", "varchar(", "''", "("])
def test_what_is_no_type_is_none(written: str):
    assert physical_type(written) is None


def test_every_dialect_is_one_that_sqlglot_knows():
    for dialect in set(DIALECTS.values()):
        assert physical_type("varchar(3)", dialect) == text(3)


PLAIN = ["bigint", "bool", "boolean", "date", "double", "int", "integer", "smallint", "text"]
PLAIN += ["varchar", "varchar(20)", "char(3)", "decimal(12,2)", "numeric(10, 0)"]


@pytest.mark.parametrize("dialect", ["", *sorted(set(DIALECTS.values()))])
@pytest.mark.parametrize("written", PLAIN)
def test_a_name_that_all_systems_share_is_read_as_sqlglot_reads_it(written: str, dialect: str):
    # With a comment the text goes through sqlglot.
    assert physical_type(written, dialect) == physical_type(f"{written} /**/", dialect)
