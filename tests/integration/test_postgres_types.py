"""Every type of PostgreSQL is published exactly, held with a reason, or refused before a row."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest
from support.postgres_database import PostgresDatabase, postgres_database, postgres_table
from support.project import Project, integer, number, rows_of_table, text

from quality_platform.errors import HeaderError
from quality_platform.flows.load_table import load_table


@pytest.fixture(scope="module")
def database(postgres_url: str) -> Iterator[PostgresDatabase]:
    with postgres_database(postgres_url) as found:
        yield found


def column(logical: str, physical: str = "", **more: Any) -> dict[str, Any]:
    """A column of a contract."""
    return {"logicalType": logical, **({"physicalType": physical} if physical else {}), **more}


def is_same(one: Any, other: Any) -> bool:
    """Whether two values are equal and of one type; NaN is itself."""
    return type(one) is type(other) and (one == other or repr(one) == repr(other))


def array_of(item: dict[str, Any]) -> dict[str, Any]:
    return {"logicalType": "array", "items": item}


DAY, TIME = column("date"), column("time")
ZONED = column("timestamp", "timestamptz")
LOCAL = column("timestamp", "timestamp")
DECIMAL = number("decimal(38,10)")

EXACT: list[tuple[str, str, dict[str, Any], Any]] = [
    ("bool", "true", column("boolean"), True),
    ("int2", "-32768", integer(), -32768),
    ("int4", "2147483647", integer(), 2147483647),
    ("int8", "-9223372036854775808", integer(), -(2**63)),
    ("oid", "4294967295", integer(), 4294967295),
    ("numeric(20,0)", "42.00", integer(), 42),
    ("numeric", "1234567890123456789012345678.0123456789", DECIMAL,
     Decimal("1234567890123456789012345678.0123456789")),
    ("numeric", "'NaN'", number(), float("nan")),
    ("money", "'$1234.56'", DECIMAL, Decimal("1234.56")),
    ("float4", "0.1", number("float"), 0.10000000149011612),
    ("float8", "'-Infinity'", number(), float("-inf")),
    ("float8", "0.1", number(), 0.1),
    ("text", "E'a\\u00e4\\U0001F600\\n'", text(), "a\u00e4\U0001f600\n"),
    ("text", "'12'", integer(), 12),
    ("varchar(9)", "'ab '", text(), "ab "),
    ("char(4)", "'ab'", text(), "ab  "),
    ("char(4)", "'12'", integer(), 12),
    ("bytea", "'\\x00ff'", column("string", "binary"), b"\x00\xff"),
    ("bytea", "'\\x00ff'", text(), "\\x00ff"),
    ("date", "'0001-01-01'", DAY, date.min),
    ("date", "'9999-12-31'", DAY, date.max),
    ("time", "'23:59:59.999999'", TIME, time.max),
    ("timestamp", "'2024-02-29 01:02:03.000004'", LOCAL, datetime(2024, 2, 29, 1, 2, 3, 4)),
    ("timestamptz", "'0001-01-01 00:00:00+00'", ZONED, datetime(1, 1, 1, tzinfo=UTC)),
    ("timestamptz", "'2024-02-29 01:02:03.5+02'", ZONED,
     datetime(2024, 2, 28, 23, 2, 3, 500000, UTC)),
    ("timestamp", "'2024-07-01 12:00'",
     column("timestamp", "timestamptz", logicalTypeOptions={"defaultTimezone": "Europe/Berlin"}),
     datetime(2024, 7, 1, 10, tzinfo=UTC)),
    ("timetz", "'12:00:00+05'", text(), "12:00:00+05"),
    ("interval", "'1 year 2 days 03:04:05.6'", text(), "P1Y2DT3H4M5.6S"),
    ("uuid", "'0E984725-C51C-4BF4-9960-E1C80E27ABA0'", text(),
     "0e984725-c51c-4bf4-9960-e1c80e27aba0"),
    ("json", "'{\"a\":  1.0}'", text(), '{"a":  1.0}'),
    ("jsonb", "'[1, \"x\"]'", text(), '[1, "x"]'),
    ("jsonb", "'{\"a\": 12345678901234567890.5}'",
     {"logicalType": "object", "properties": [{"name": "a", **DECIMAL}]},
     {"a": Decimal("12345678901234567890.5")}),
    ("int4[]", "'{1,NULL,-3}'", array_of(integer()), [1, None, -3]),
    ("text[]", "'{\"a,b\",\"\"}'", array_of(text()), ["a,b", ""]),
    ("int4[]", "'{}'", array_of(integer()), []),
    ("int4[]", "'{{1,2},{3,4}}'", array_of(array_of(integer())), [[1, 2], [3, 4]]),
    ("numeric[]", "'{0.1,12345678901234567890.5}'", array_of(DECIMAL),
     [Decimal("0.1"), Decimal("12345678901234567890.5")]),
    ("timestamptz[]", "'{2024-01-01 00:00:00+01}'", array_of(ZONED),
     [datetime(2023, 12, 31, 23, tzinfo=UTC)]),
    ("int4[]", "'{1,2}'", text(), "{1,2}"),
    ("mood", "'happy'", text(), "happy"),
    ("citext", "'Ab'", text(), "Ab"),
    ("citext", "'12'", integer(), 12),
    ("hstore", "'b=>NULL, a=>1'", text(), '"a"=>"1", "b"=>NULL'),
    ("hstore", "'b=>NULL, a=>1'",
     {"logicalType": "object",
      "properties": [{"name": "a", **text()}, {"name": "b", **text()}]},
     {"a": "1", "b": None}),
    ("int2vector", "'3 4'", array_of(integer()), [3, 4]),
    ("int4range", "'[1,5)'", text(), "[1,5)"),
    ("int4multirange", "'{[1,5),[7,8)}'", text(), "{[1,5),[7,8)}"),
    ("bit(4)", "B'1010'", text(), "1010"),
    ("point", "'(1.5,-2)'", text(), "(1.5,-2)"),
    ("inet", "'192.168.0.1/24'", text(), "192.168.0.1/24"),
    ("cidr", "'10.0.0.0/8'", text(), "10.0.0.0/8"),
    ("macaddr", "'08:00:2b:01:02:03'", text(), "08:00:2b:01:02:03"),
    ("pg_lsn", "'16/B374D848'", text(), "16/B374D848"),
    ("xml", "'<a>1</a>'", text(), "<a>1</a>"),
    ("tsvector", "'fat:2 cat'", text(), "'cat' 'fat':2"),
    ("money", "'$-1.50'", text(), "-$1.50"),
    ("numeric", "1e45", text(), f"1{'0' * 45}"),
    ("int8", "42", text(), "42"),
    ("float8", "1e300", text(), "1e+300"),
    ("timestamptz", "'infinity'", text(), "infinity"),
    ('"char"', "'x'", text(), "x"),
    ("positive", "7", integer(), 7),
    ("pair", "ROW(1, 'x')",
     {"logicalType": "object",
      "properties": [{"name": "a", **integer()}, {"name": "b", **text()}]},
     {"a": 1, "b": "x"}),
    ("pair", "ROW(1, 'x')", text(), "(1,x)"),
]  # fmt: skip
"""A type, a value of it in SQL, a column of a contract, and what must be published."""


@pytest.fixture(scope="module")
def types(database: PostgresDatabase) -> PostgresDatabase:
    """The database with types of users' own."""
    database.run(
        "CREATE EXTENSION citext",
        "CREATE EXTENSION hstore",
        "CREATE TYPE mood AS ENUM ('sad', 'happy')",
        "CREATE DOMAIN positive AS int8 CHECK (VALUE > 0)",
        "CREATE TYPE pair AS (a int4, b text)",
    )
    return database


def test_values_of_every_kind_of_type_are_published_exactly(
    project: Project, types: PostgresDatabase
) -> None:
    names = [f"c{n}" for n in range(len(EXACT))]
    defined = ", ".join(f"{n} {kind}" for n, (kind, *_) in zip(names, EXACT, strict=True))
    values = ", ".join(f"({value})::{kind}" for kind, value, *_ in EXACT)
    types.run(f"CREATE TABLE exact ({defined})", f"INSERT INTO exact VALUES ({values})",
              "INSERT INTO exact DEFAULT VALUES")  # fmt: skip
    columns = {name: wanted for name, (_, _, wanted, _) in zip(names, EXACT, strict=True)}

    platform = postgres_table(project, types, "exact", columns).open()
    outcome = load_table(platform, "exact", "r1")

    assert (outcome.rows_read, outcome.rows_quarantined) == (2, 0)
    full, empty = sorted(rows_of_table(platform, "shop.exact"), key=lambda row: row["c0"] is None)
    for name, (kind, value, _, expected) in zip(names, EXACT, strict=True):
        assert is_same(full[name], expected), (kind, value, full[name])
    assert set(empty.values()) == {None}


HELD: list[tuple[str, str, dict[str, Any], str]] = [
    ("timestamptz", "'infinity'", ZONED, "infinity"),
    ("timestamptz", "'-infinity'", ZONED, "-infinity"),
    ("timestamp", "'infinity'", LOCAL, "infinity"),
    ("timestamp", "'0044-03-15 BC'", LOCAL, "-043-03-15T00:00:00.000000"),
    ("timestamptz", "'294276-12-31 23:59:59+00'", ZONED, "after the year 294246"),
    ("date", "'infinity'", DAY, "infinity"),
    ("date", "'-infinity'", DAY, "-infinity"),
    ("date", "'0044-03-15 BC'", DAY, "-043-03-15"),
    ("date", "'5874897-12-31'", DAY, "5874897-12-31"),
    ("time", "'24:00:00'", TIME, "86400000000 us after midnight"),
    ("numeric", "'NaN'", DECIMAL, "NaN"),
    ("numeric", "'Infinity'", DECIMAL, "Infinity"),
    ("numeric", "0.123", number("decimal(9,2)"), "0.123"),
    ("numeric", "1e40", DECIMAL, f"1{'0' * 40}"),
    ("numeric", "1e400", number(), f"1{'0' * 400}"),
    ("numeric", "0.5", integer(), "0.5"),
    ("int8", "4294967296", column("integer", "int"), "4294967296"),
    ("int4[]", "'[0:1]={1,2}'", array_of(integer()), "[0:1]={1,2}"),
    ("int4[]", "'{{1,2},{3,4}}'", array_of(integer()), "[[1,2],[3,4]]"),
    ("timestamptz[]", "'{infinity}'", array_of(ZONED), '["infinity"]'),
    ("timestamp", "'2024-03-31 02:30'",
     column("timestamp", "timestamptz", logicalTypeOptions={"defaultTimezone": "Europe/Berlin"}),
     "2024-03-31 02:30:00"),
]  # fmt: skip
"""A type, a value that the contract's column cannot hold, and what the raw record shows of it."""


def test_values_that_the_lake_cannot_hold_are_held_with_a_reason_and_their_text(
    project: Project, types: PostgresDatabase
) -> None:
    names = [f"c{n}" for n in range(len(HELD))]
    defined = ", ".join(f"{n} {kind}" for n, (kind, *_) in zip(names, HELD, strict=True))
    inserts = [
        f"INSERT INTO held (id, c{n}) VALUES ({n}, {value})"
        for n, (_, value, *_) in enumerate(HELD)
    ]
    types.run(f"CREATE TABLE held (id int, {defined})", *inserts)
    columns = {name: wanted for name, (_, _, wanted, _) in zip(names, HELD, strict=True)}

    platform = postgres_table(project, types, "held", {"id": integer(), **columns}).open()
    outcome = load_table(platform, "held", "r1")

    assert (outcome.rows_read, outcome.rows_published) == (len(HELD), 0)
    rows = rows_of_table(platform, "quarantine.held")
    assert len(rows) == len(HELD)
    for row in rows:
        raw = json.loads(row["_raw_record"])
        kind, value, _, shown = HELD[raw["id"]]
        name = f"c{raw['id']}"
        assert row["_reasons"][0].startswith(f"{name}"), (kind, value)
        assert shown in str(raw[name]), (kind, value)


def test_every_base_type_of_the_server_is_readable_as_a_string(
    project: Project, types: PostgresDatabase
) -> None:
    """The list is the running server's own, so that no type is forgotten."""
    kinds = [
        name
        for (name,) in types.rows(
            "SELECT format_type(t.oid, NULL) FROM pg_type t "
            "WHERE t.typtype IN ('b', 'r', 'm', 'e', 'd') AND t.typelem = 0 "
            "AND t.typnamespace = 'pg_catalog'::regnamespace ORDER BY 1"
        )
    ]
    assert len(kinds) > 60
    defined = ", ".join(f'"{kind}" {kind}' for kind in (k.replace('"', "") for k in kinds))
    names = [kind.replace('"', "") for kind in kinds]
    defined = ", ".join(f'"{n}" {k}' for n, k in zip(names, kinds, strict=True))
    types.run(f"CREATE TABLE every ({defined})", "INSERT INTO every DEFAULT VALUES")
    columns = {f"c{n}": text(physicalName=name) for n, name in enumerate(names)}

    platform = postgres_table(project, types, "every", columns).open()
    outcome = load_table(platform, "every", "r1")

    assert (outcome.rows_read, outcome.rows_published) == (1, 1)


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("timetz", TIME),
        ("timestamptz", LOCAL),
        ("timestamp", ZONED),
        ("float8", DECIMAL),
        ("float8", integer()),
        ("float8", number("float")),
        ("interval", TIME),
        ("bool", integer()),
        ("int4", column("boolean")),
        ("bit(8)", column("boolean")),
        ("text", column("string", "binary")),
        ("int4range", {"logicalType": "object", "properties": [{"name": "a", **integer()}]}),
        ("point", array_of(number())),
        ("mood", integer()),
        ("date", LOCAL),
    ],
)  # fmt: skip
def test_a_type_that_would_lose_something_is_refused_before_a_row_is_read(
    project: Project, types: PostgresDatabase, kind: str, wanted: dict[str, Any]
) -> None:
    types.run("DROP TABLE IF EXISTS refused", f"CREATE TABLE refused (c {kind})")
    platform = postgres_table(project, types, "refused", {"c": wanted}).open()

    with pytest.raises(HeaderError) as refused:
        load_table(platform, "refused", "r1")

    assert "cannot become the contract's" in str(refused.value)
    assert f"received: {types.rows(f'SELECT {chr(39)}{kind}{chr(39)}::regtype')[0][0]}" in str(
        refused.value
    )
