"""Every type of a real MariaDB is published exactly, quarantined with a reason, or refused."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest
from support.mariadb_server import MariaDb
from support.mariadb_tables import mysql_table
from support.project import Project, integer, number, rows_of_table, text

from quality_platform.errors import HeaderError
from quality_platform.flows.load_table import load_table
from quality_platform.flows.platform import Platform

DATE = {"logicalType": "date"}
TIME = {"logicalType": "time"}
BOOLEAN = {"logicalType": "boolean"}
BYTES = {"logicalType": "string", "physicalType": "binary"}
ZONED = {"logicalType": "timestamp", "physicalType": "timestamptz"}
LOCAL = {"logicalType": "timestamp", "physicalType": "timestamp"}
JSON_OBJECT = {
    "logicalType": "object",
    "properties": [
        {"name": "a", "logicalType": "integer"},
        {"name": "b", "logicalType": "array", "items": {"logicalType": "string"}},
    ],
}
INT = integer(physicalType="int")
FLOAT = number("float")

EXACT: list[tuple[str, dict[str, Any], list[tuple[str, Any]]]] = [
    ("tinyint", INT, [("-128", -128), ("127", 127), ("NULL", None)]),
    ("tinyint unsigned", INT, [("255", 255)]),
    ("smallint", INT, [("-32768", -32768)]),
    ("smallint unsigned", INT, [("65535", 65535)]),
    ("mediumint", INT, [("-8388608", -8388608)]),
    ("mediumint unsigned", INT, [("16777215", 16777215)]),
    ("int", INT, [("-2147483648", -(2**31)), ("2147483647", 2**31 - 1)]),
    ("int unsigned", integer(), [("4294967295", 2**32 - 1)]),
    ("int(6) zerofill", integer(), [("42", 42)]),
    ("bigint", integer(), [("-9223372036854775808", -(2**63)), ("NULL", None)]),
    ("bigint unsigned", integer(), [("9223372036854775807", 2**63 - 1)]),
    ("bigint unsigned", number("decimal(20,0)"), [("18446744073709551615", Decimal(2**64 - 1))]),
    ("bigint unsigned", text(), [("18446744073709551615", "18446744073709551615")]),
    ("int", number("double"), [("7", 7.0)]),
    ("int", number("decimal(12,2)"), [("7", Decimal("7.00"))]),
    ("tinyint(1)", BOOLEAN, [("TRUE", True), ("0", False), ("NULL", None)]),
    ("bit(1)", BOOLEAN, [("b'1'", True), ("b'0'", False), ("NULL", None)]),
    ("bit(8)", INT, [("b'10000001'", 129)]),
    ("bit(64)", number("decimal(20,0)"), [("0xFFFFFFFFFFFFFFFF", Decimal(2**64 - 1))]),
    ("year", INT, [("2024", 2024), ("'0000'", 0), ("2155", 2155)]),
    ("decimal(12,2)", number("decimal(12,2)"), [("-1234567890.12", Decimal("-1234567890.12"))]),
    ("decimal(12,2)", text(), [("1.10", "1.10")]),
    ("decimal(12,2)", number("double"), [("1.25", 1.25)]),
    ("decimal(18,18)", number("decimal(18,18)"), [("-0.999999999999999999", Decimal("-0.999999999999999999"))]),  # noqa: E501
    ("decimal(18,0)", number("decimal(38,10)"), [("999999999999999999", Decimal(10**18 - 1))]),
    ("decimal(10,0)", integer(), [("12", 12)]),
    ("decimal(38,10)", number("decimal(38,10)"), [("-9999999999999999999999999999.9999999999", Decimal("-9999999999999999999999999999.9999999999"))]),  # noqa: E501
    ("decimal(65,30)", text(), [("1.5", "1.500000000000000000000000000000")]),
    ("float", FLOAT, [("0.1", 0.10000000149011612), ("-3.4e38", -3.3999999521443642e38)]),
    ("float", number("double"), [("16777216", 16777216.0)]),
    ("double", number("double"), [("0.1", 0.1), ("1.7976931348623157e308", 1.7976931348623157e308)]),  # noqa: E501
    ("date", DATE, [("'0001-01-01'", date(1, 1, 1)), ("'9999-12-31'", date(9999, 12, 31)), ("'2024-02-29'", date(2024, 2, 29)), ("NULL", None)]),  # noqa: E501
    ("date", text(), [("'0000-00-00'", "0000-00-00"), ("'2024-00-10'", "2024-00-10")]),
    ("datetime", LOCAL, [("'1969-12-31 23:59:59'", datetime(1969, 12, 31, 23, 59, 59)), ("NULL", None)]),  # noqa: E501
    ("datetime(3)", LOCAL, [("'2024-01-02 03:04:05.678'", datetime(2024, 1, 2, 3, 4, 5, 678000))]),
    ("datetime(6)", LOCAL, [("'0001-01-01 00:00:00.000001'", datetime(1, 1, 1, 0, 0, 0, 1)), ("'9999-12-31 23:59:59.999999'", datetime(9999, 12, 31, 23, 59, 59, 999999)), ("NULL", None)]),  # noqa: E501
    ("timestamp", ZONED, [("'2024-07-01 12:00:00'", datetime(2024, 7, 1, 12, tzinfo=UTC))]),
    ("timestamp(6)", ZONED, [("'1970-01-01 00:00:01.000001'", datetime(1970, 1, 1, 0, 0, 1, 1, tzinfo=UTC)), ("'2038-01-19 03:14:07.999999'", datetime(2038, 1, 19, 3, 14, 7, 999999, tzinfo=UTC))]),  # noqa: E501
    ("time", TIME, [("'00:00:00'", time(0)), ("'23:59:59'", time(23, 59, 59)), ("NULL", None)]),
    ("time(6)", TIME, [("'12:34:56.789012'", time(12, 34, 56, 789012))]),
    ("time(6)", text(), [("'-838:59:59.5'", "-838:59:59.500000")]),
    ("char(5)", text(), [("'ab'", "ab"), ("''", ""), ("NULL", None)]),
    ("varchar(20)", text(), [("' ä€😀 '", " ä€😀 "), ("'a\\0b'", "a\0b")]),
    ("varchar(20) character set latin1", text(), [("'Grüße'", "Grüße")]),
    ("varchar(20) character set utf16", text(), [("'ä😀'", "ä😀")]),
    ("varchar(20) character set sjis", text(), [("'日本'", "日本")]),
    ("tinytext", text(), [("'x'", "x")]),
    ("text", text(), [("'ä😀'", "ä😀")]),
    ("mediumtext", text(), [("REPEAT('ä', 100000)", "ä" * 100_000)]),
    ("longtext", text(), [("''", ""), ("NULL", None)]),
    ("enum('a','b')", text(), [("'b'", "b"), ("NULL", None)]),
    ("set('a','b','c')", text(), [("'a,c'", "a,c"), ("''", "")]),
    ("json", text(), [("'{\"a\": 1.00000000000000000001}'", '{"a": 1.00000000000000000001}')]),
    ("json", JSON_OBJECT, [("'{\"a\": 1, \"b\": [\"x\"]}'", {"a": 1, "b": ["x"]}), ("NULL", None)]),
    ("binary(4)", BYTES, [("X'00FF00'", b"\x00\xff\x00\x00")]),
    ("varbinary(300)", BYTES, [("X'00FF'", b"\x00\xff"), ("X''", b""), ("NULL", None)]),
    ("tinyblob", BYTES, [("X'00FF'", b"\x00\xff")]),
    ("blob", BYTES, [("REPEAT(X'00FF', 30000)", b"\x00\xff" * 30_000), ("NULL", None)]),
    ("mediumblob", BYTES, [("X'80'", b"\x80")]),
    ("longblob", BYTES, [("X'80'", b"\x80")]),
    ("uuid", text(), [("'123e4567-e89b-12d3-a456-426614174000'", "123e4567-e89b-12d3-a456-426614174000")]),  # noqa: E501
    ("inet4", text(), [("'192.0.2.1'", "192.0.2.1")]),
    ("inet6", text(), [("'2001:db8::1'", "2001:db8::1"), ("'::ffff:192.0.2.1'", "::ffff:192.0.2.1")]),  # noqa: E501
]  # fmt: skip

IMPOSSIBLE: list[tuple[str, dict[str, Any], str, str]] = [
    ("date", DATE, "'0000-00-00'", "0000-00-00"),
    ("date", DATE, "'2024-00-10'", "2024-00-10"),
    ("date", DATE, "'2024-02-31'", "2024-02-31"),
    ("date", {**DATE, "logicalTypeOptions": {"format": "dd.MM.yyyy"}}, "'2023-02-29'", "2023-02-29"),  # noqa: E501
    ("datetime", LOCAL, "'0000-00-00 00:00:00'", "0000-00-00 00:00:00"),
    ("datetime(6)", LOCAL, "'2024-01-00 01:02:03.5'", "2024-01-00 01:02:03.500000"),
    ("datetime(6)", LOCAL, "'2024-04-31 23:59:59.999999'", "2024-04-31 23:59:59.999999"),
    ("timestamp", ZONED, "'0000-00-00'", "0000-00-00 00:00:00"),
    ("timestamp(6)", ZONED, "'0000-00-00'", "0000-00-00 00:00:00"),
    ("time", TIME, "'24:00:00'", "24:00:00"),
    ("time(6)", TIME, "'-00:00:00.000001'", "-00:00:00.000001"),
    ("time(6)", TIME, "'838:59:59.999999'", "838:59:59.999999"),
    ("tinyint(1)", BOOLEAN, "2", "2"),
    ("bigint unsigned", BOOLEAN, "18446744073709551615", "18446744073709551615"),
    ("bigint unsigned", integer(), "9223372036854775808", "9223372036854775808"),
    ("bigint", INT, "2147483648", "2147483648"),
    ("decimal(65,0)", number("decimal(38,0)"), "1" + "0" * 38, "1" + "0" * 38),
    ("decimal(10,2)", number("decimal(10,1)"), "1.25", "1.25"),
    ("decimal(10,2)", integer(), "1.50", "1.50"),
    ("text", integer(), "'x'", "x"),
    ("longtext", JSON_OBJECT, "'{'", "{"),
]  # fmt: skip

REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("geometry", text()),
    ("point", BYTES),
    ("binary(16)", text()),
    ("blob", text()),
    ("text", BYTES),
    ("date", INT),
    ("int", DATE),
    ("datetime", ZONED),
    ("timestamp", LOCAL),
    ("double", FLOAT),
    ("double", number("decimal(10,2)")),
    ("double", text()),
    ("time", LOCAL),
    ("uuid", BYTES),
]


@pytest.fixture(scope="module")
def database(mariadb: MariaDb) -> MariaDb:
    mariadb.empty()
    return mariadb


def platform_of(
    project: Project, database: MariaDb, columns: dict[str, Any], source: dict[str, Any]
) -> Platform:
    return mysql_table(project, database, "things", columns, source=source).open()


def fill(database: MariaDb, types: list[str], rows: list[list[str]]) -> None:
    """Makes `things` with columns c0, c1, ... and rows of SQL values."""
    columns = ", ".join(f"c{n} {kind} NULL" for n, kind in enumerate(types))
    database.run(
        "SET sql_mode = 'ALLOW_INVALID_DATES', time_zone = '+00:00'",
        f"CREATE OR REPLACE TABLE things (n int PRIMARY KEY, {columns})",
        *(f"INSERT INTO things VALUES ({n}, {', '.join(row)})" for n, row in enumerate(rows)),
    )


def test_every_type_is_published_exactly(project: Project, database: MariaDb) -> None:
    most = max(len(values) for _, _, values in EXACT)
    rows = [
        [values[n][0] if n < len(values) else "NULL" for _, _, values in EXACT] for n in range(most)
    ]
    fill(database, [kind for kind, _, _ in EXACT], rows)
    columns = {"n": INT, **{f"c{n}": column for n, (_, column, _) in enumerate(EXACT)}}
    platform = platform_of(project, database, columns, {"table": "things"})

    outcome = load_table(platform, "things", "r1")

    assert (outcome.rows_read, outcome.rows_published) == (most, most)
    found = sorted(rows_of_table(platform, "shop.things"), key=lambda row: row["n"])
    for n, (kind, _, values) in enumerate(EXACT):
        expected = [value for _, value in values] + [None] * (most - len(values))
        assert [row[f"c{n}"] for row in found] == expected, kind


def test_what_no_value_can_be_is_quarantined_with_its_text(
    project: Project, database: MariaDb
) -> None:
    rows = [
        [value if n == row else "NULL" for n, (_, _, value, _) in enumerate(IMPOSSIBLE)]
        for row in range(len(IMPOSSIBLE))
    ]
    fill(database, [kind for kind, _, _, _ in IMPOSSIBLE], [*rows, ["NULL"] * len(IMPOSSIBLE)])
    columns = {"n": INT, **{f"c{n}": column for n, (_, column, _, _) in enumerate(IMPOSSIBLE)}}
    platform = platform_of(project, database, columns, {"table": "things"})

    outcome = load_table(platform, "things", "r1")

    assert (outcome.rows_published, outcome.rows_quarantined) == (1, len(IMPOSSIBLE))
    held = {
        json.loads(row["_raw_record"])["n"]: row
        for row in rows_of_table(platform, "quarantine.things")
    }
    for n, (kind, _, _, shown) in enumerate(IMPOSSIBLE):
        assert str(json.loads(held[n]["_raw_record"])[f"c{n}"]) == shown, kind
        assert f"c{n}: " in str(held[n]), kind


@pytest.mark.parametrize(("kind", "column"), REFUSED)
def test_what_never_fits_is_refused(
    project: Project, database: MariaDb, kind: str, column: dict[str, Any]
) -> None:
    fill(database, [kind], [])
    platform = platform_of(project, database, {"n": INT, "c0": column}, {"table": "things"})

    with pytest.raises(HeaderError, match="'c0'"):
        load_table(platform, "things", "r1")


def test_results_of_a_query_are_as_exact_as_a_table(project: Project, database: MariaDb) -> None:
    # In the result of a query a TIMESTAMP is a local time, and BIT is bytes.
    exact = [entry for entry in EXACT if not entry[0].startswith(("timestamp", "bit"))]
    fill(database, [kind for kind, _, _ in exact], [[values[0][0] for _, _, values in exact]])
    columns = {"n": INT, **{f"c{n}": column for n, (_, column, _) in enumerate(exact)}}
    platform = platform_of(project, database, columns, {"query": "SELECT * FROM things"})

    outcome = load_table(platform, "things", "r1")

    assert outcome.rows_published == 1
    (found,) = rows_of_table(platform, "shop.things")
    for n, (kind, _, values) in enumerate(exact):
        assert found[f"c{n}"] == values[0][1], kind


def test_geometry_comes_as_bytes_of_a_query(project: Project, database: MariaDb) -> None:
    source = {"query": "SELECT 1 AS n, ST_AsBinary(POINT(1, 2)) AS c0"}
    platform = platform_of(project, database, {"n": INT, "c0": BYTES}, source)

    load_table(platform, "things", "r1")

    (found,) = rows_of_table(platform, "shop.things")
    assert found["c0"].hex() == "0101000000000000000000f03f0000000000000040"


def test_moments_that_a_view_works_out_are_those_of_its_table(
    project: Project, database: MariaDb
) -> None:
    values = ["NULL", "'0000-00-00'", "'1970-01-01 00:00:01'", "'2038-01-19 03:14:07.999999'"]
    fill(database, ["timestamp(6)", "timestamp"], [[value, "NULL"] for value in values])
    expression = "IF(n > 9, c1, GREATEST(COALESCE(c0, c1), COALESCE(c1, c0)))"
    database.run(f"CREATE OR REPLACE VIEW later AS SELECT n, {expression} AS c0 FROM things")
    platform = platform_of(project, database, {"n": INT, "c0": ZONED}, {"table": "later"})

    outcome = load_table(platform, "things", "r1")

    assert (outcome.rows_published, outcome.rows_quarantined) == (3, 1)
    assert {row["n"]: row["c0"] for row in rows_of_table(platform, "shop.things")} == {
        0: None,
        2: datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC),
        3: datetime(2038, 1, 19, 3, 14, 7, 999999, tzinfo=UTC),
    }


def test_a_local_time_becomes_a_moment_by_the_contracts_zone(
    project: Project, database: MariaDb
) -> None:
    fill(database, ["datetime"], [["'2024-07-01 12:00:00'"], ["'0000-00-00'"]])
    zoned = {**ZONED, "logicalTypeOptions": {"defaultTimezone": "Europe/Berlin"}}
    platform = platform_of(project, database, {"n": INT, "c0": zoned}, {"table": "things"})

    outcome = load_table(platform, "things", "r1")

    assert (outcome.rows_published, outcome.rows_quarantined) == (1, 1)
    (found,) = rows_of_table(platform, "shop.things")
    assert found["c0"] == datetime(2024, 7, 1, 10, tzinfo=UTC)
