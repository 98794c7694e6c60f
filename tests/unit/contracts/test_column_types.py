"""The Arrow type of a column, and what its type says beyond it."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from support.contracts import contract_text, load_text, orders
from support.problems import only_problem

from quality_platform.contracts.column_types import integer_bounds, text_length
from quality_platform.contracts.models import Property
from quality_platform.contracts.schemas import arrow_schema
from quality_platform.errors import ContractError

ZONED, NAIVE = pa.timestamp("us", "UTC"), pa.timestamp("us")


def table_of(folder: Path, entry: str, server: str = ""):
    more = f"servers: [{server}]\n" if server else ""
    text = contract_text(f"schema:\n- name: t\n  properties:\n  - {entry}\n", "v3.2.0", more)
    (table,) = load_text(folder, text).objects
    return table


def column_of(folder: Path, entry: str) -> Property:
    return table_of(folder, f"{{name: a, {entry}}}").properties[0]


def type_of(folder: Path, entry: str, server: str = "") -> pa.DataType:
    return arrow_schema(table_of(folder, f"{{name: a, {entry}}}", server)).field("a").type


def refused(folder: Path, entry: str):
    table = table_of(folder, f"{{name: a, {entry}}}")
    return only_problem(ContractError, lambda: arrow_schema(table))


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("logicalType: integer, logicalTypeOptions: {format: i8}", pa.int32()),
        ("logicalType: integer, logicalTypeOptions: {format: u16}", pa.int32()),
        ("logicalType: integer, logicalTypeOptions: {format: i32}", pa.int32()),
        ("logicalType: integer, logicalTypeOptions: {format: u32}", pa.int64()),
        ("logicalType: integer, logicalTypeOptions: {format: i64}", pa.int64()),
        ("logicalType: integer, logicalTypeOptions: {format: u64}", pa.decimal128(20, 0)),
        ("logicalType: integer, logicalTypeOptions: {format: i128}", pa.decimal128(38, 0)),
        ("logicalType: integer, logicalTypeOptions: {format: u128}", pa.decimal128(38, 0)),
        ("logicalType: integer, physicalType: smallint", pa.int32()),
        ("logicalType: integer, physicalType: 'NUMBER(9, 0)'", pa.int32()),
        ("logicalType: integer, physicalType: 'NUMBER(18)'", pa.int64()),
        ("logicalType: integer, physicalType: 'NUMBER(38,0)'", pa.decimal128(38, 0)),
        ("logicalType: integer, physicalType: int, logicalTypeOptions: {format: i64}", pa.int32()),
        ("logicalType: integer, physicalType: tinyint(1)", pa.int32()),
        ("logicalType: boolean, physicalType: tinyint(1)", pa.bool_()),
        ("logicalType: number, logicalTypeOptions: {format: f32}", pa.float32()),
        ("logicalType: number, logicalTypeOptions: {format: f64}", pa.float64()),
        ("logicalType: number, physicalType: 'numeric(5,2)'", pa.decimal128(5, 2)),
        ("logicalType: number, physicalType: 'bigint unsigned'", pa.decimal128(20, 0)),
        ("logicalType: string, physicalType: uuid", pa.string()),
        ("logicalType: string, physicalType: jsonb", pa.string()),
        ("logicalType: string, physicalType: bytea", pa.binary()),
        ("logicalType: string, physicalType: what_is_this", pa.string()),
        ("logicalType: time", pa.time64("us")),
        ("logicalType: vector, logicalTypeOptions: {dimensions: 3}", pa.list_(pa.float32())),
        (
            "logicalType: vector, logicalTypeOptions: {dimensions: 3, elementType: float64}",
            pa.list_(pa.float64()),
        ),
        ("physicalType: 'varchar(3)'", pa.string()),
        ("physicalType: date", pa.date32()),
        ("physicalType: 'array<int>'", pa.list_(pa.int32())),
        ("physicalType: 'map<string, decimal(5,2)>'", pa.map_(pa.string(), pa.decimal128(5, 2))),
        (
            "logicalType: object, physicalType: 'struct<a: int, b: array<struct<c: date>>>'",
            pa.struct(
                [("a", pa.int32()), ("b", pa.list_(pa.struct([("c", pa.date32())])))],
            ),
        ),
    ],
)
def test_the_type_follows_from_what_the_contract_says(tmp_path: Path, entry: str, expected):
    found = type_of(tmp_path, entry)
    assert found == expected or str(found).replace("element:", "item:") == str(expected)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("", ZONED),
        ("physicalType: timestamp", NAIVE),
        ("physicalType: timestamp, logicalTypeOptions: {timezone: true}", ZONED),
        ("physicalType: timestamptz", ZONED),
        ("logicalTypeOptions: {timezone: true}", ZONED),
        ("logicalTypeOptions: {timezone: false}", NAIVE),
        ("logicalTypeOptions: {defaultTimezone: Europe/Berlin}", ZONED),
        ("logicalTypeOptions: {format: yyyy-MM-dd}", NAIVE),
        ("logicalTypeOptions: {format: \"yyyy-MM-dd'T'HH:mmXXX\"}", ZONED),
        ("logicalTypeOptions: {format: yyyy-MM-dd, defaultTimezone: Etc/UTC}", ZONED),
    ],
)
def test_a_timestamp_has_a_zone_or_none(tmp_path: Path, entry: str, expected: pa.DataType):
    assert type_of(tmp_path, f"logicalType: timestamp, {entry}") == expected


@pytest.mark.parametrize(
    "entry",
    [
        "physicalType: timestamptz, logicalTypeOptions: {timezone: false}",
        "physicalType: timestamp_ntz, logicalTypeOptions: {timezone: true}",
        "logicalTypeOptions: {timezone: true, format: yyyy-MM-dd}",
        "logicalTypeOptions: {timezone: false, format: \"yyyy-MM-dd'T'HH:mmXXX\"}",
    ],
)
def test_a_zone_that_contradicts_itself_is_told(tmp_path: Path, entry: str):
    assert refused(tmp_path, f"logicalType: timestamp, {entry}").field == "logicalTypeOptions"


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        ("{server: a, type: databricks, catalog: c, schema: s}", ZONED),
        ("{server: a, type: bigquery, project: p, dataset: d}", ZONED),
        ("{server: a, type: postgres, host: h, port: 1, database: d, schema: s}", NAIVE),
        (
            "{server: a, type: databricks, catalog: c, schema: s}, "
            "{server: b, type: local, path: p, format: csv}",
            NAIVE,
        ),
    ],
)
def test_a_physical_type_is_meant_in_the_sql_of_the_only_kind_of_server(
    tmp_path: Path, server: str, expected: pa.DataType
):
    entry = "logicalType: timestamp, physicalType: timestamp"
    assert type_of(tmp_path, entry, server) == expected


@pytest.mark.parametrize(
    ("entry", "key"),
    [
        ("logicalType: number, physicalType: BIGNUMERIC", "physicalType"),
        ("logicalType: time, physicalType: timetz", "physicalType"),
        ("logicalType: object, physicalType: int", "physicalType"),
        ("logicalType: array, physicalType: 'struct<a: int>'", "physicalType"),
        ("physicalType: timetz", "logicalType"),
        (
            "logicalType: vector, logicalTypeOptions: {dimensions: 8, elementType: binary}",
            "logicalTypeOptions.elementType",
        ),
    ],
)
def test_what_has_no_type_in_the_lake_is_told(tmp_path: Path, entry: str, key: str):
    assert refused(tmp_path, entry).field == key


@pytest.mark.parametrize(
    ("entry", "length"),
    [
        ("logicalType: string, physicalType: varchar(36)", 36),
        ("logicalType: string, physicalType: char(2)", 2),
        ("logicalType: string, physicalType: text", None),
        ("logicalType: string", None),
        ("logicalType: integer, physicalType: int(4)", None),
    ],
)
def test_the_length_of_a_text(tmp_path: Path, entry: str, length: int | None):
    assert text_length(column_of(tmp_path, entry)) == length


@pytest.mark.parametrize(
    ("entry", "bounds"),
    [
        ("logicalTypeOptions: {format: i8}", (-128, 127)),
        ("logicalTypeOptions: {format: u8}", (0, 255)),
        ("logicalTypeOptions: {format: i32}", None),
        ("logicalTypeOptions: {format: u32}", (0, 2**32 - 1)),
        ("logicalTypeOptions: {format: i64}", None),
        ("logicalTypeOptions: {format: u64}", (0, 2**64 - 1)),
        ("logicalTypeOptions: {format: i128}", None),
        ("logicalTypeOptions: {format: u128}", (0, 10**38 - 1)),
        ("physicalType: smallint", (-32768, 32767)),
        ("physicalType: 'NUMBER(5,0)'", (-99999, 99999)),
        ("physicalType: smallint, logicalTypeOptions: {format: u8}", (0, 255)),
        ("physicalType: bigint", None),
        ("", None),
    ],
)
def test_the_bounds_of_an_integer(tmp_path: Path, entry: str, bounds: tuple[int, int] | None):
    assert integer_bounds(column_of(tmp_path, f"logicalType: integer, {entry}")) == bounds


def test_only_an_integer_has_bounds(tmp_path: Path):
    assert (
        integer_bounds(column_of(tmp_path, "logicalType: number, physicalType: smallint")) is None
    )


def test_what_reading_needs_stands_in_the_fields_metadata(tmp_path: Path):
    (table,) = load_text(
        tmp_path,
        orders(
            "{name: d, logicalType: date, logicalTypeOptions: {format: d.M.yyyy}}",
            "{name: t, logicalType: timestamp, logicalTypeOptions: {defaultTimezone: Etc/UTC}}",
            "{name: l, logicalType: array, items: {logicalType: date, "
            "logicalTypeOptions: {format: d.M.yyyy}}}",
        ),
    ).objects
    schema = arrow_schema(table)
    assert schema.field("d").metadata == {b"odcs:format": b"d.M.yyyy"}
    assert schema.field("t").metadata == {b"odcs:defaultTimezone": b"Etc/UTC"}
    assert schema.field("l").type.value_field.metadata == {b"odcs:format": b"d.M.yyyy"}


def test_parts_are_nullable_and_named_as_in_iceberg(tmp_path: Path):
    kind = type_of(
        tmp_path,
        "logicalType: array, items: {logicalType: object, required: true, properties: "
        "[{name: b, logicalType: string, required: true, description: What.}]}",
    )
    assert str(kind) == "list<element: struct<b: string>>"
    assert kind.value_type.field("b").metadata == {b"doc": b"What."}
