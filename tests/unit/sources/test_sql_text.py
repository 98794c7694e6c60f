"""Names and values as SQL, which nobody can break out of."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st
from sqlglot import exp

from quality_platform.sources.sql_text import (
    Dialect,
    SqlValue,
    literal,
    quote_identifier,
    split_name,
    text_literal,
)

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
DIALECTS: dict[Dialect, str] = {"postgres": "postgres", "mysql": "mysql", "ansi": "duckdb"}


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("orders", ("orders",)),
        ("sales.orders", ("sales", "orders")),
        ('"a.b".c', ("a.b", "c")),
        ('"say ""hi""".t', ('say "hi"', "t")),
        ("`a.b`.c", ("a.b", "c")),
        ("Caf\u00e9 1.o'rders", ("Caf\u00e9 1", "o'rders")),
    ],
)
def test_a_dotted_name_has_parts(name: str, parts: tuple[str, ...]) -> None:
    assert split_name(name) == parts


@pytest.mark.parametrize("name", ["", ".a", "a.", "a..b", '"a"b', 'a"b', '"open'])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not a name"):
        split_name(name)


@pytest.mark.parametrize("dialect", DIALECTS)
@given(name=TEXTS.filter(bool))
def test_any_name_comes_back_as_one_identifier(dialect: Dialect, name: str) -> None:
    quoted = quote_identifier(dialect, name)

    mark = quoted[0]
    assert quoted[1:-1].replace(mark * 2, "").count(mark) == 0
    assert quoted[1:-1].replace(mark * 2, mark) == name


@given(value=TEXTS)
def test_any_text_comes_back_from_a_literal_of_postgresql(value: str) -> None:
    found = sqlglot.parse_one(f"SELECT {text_literal('postgres', value)}", dialect="postgres")

    (only,) = found.expressions
    assert isinstance(only, exp.Literal | exp.ByteString)


@given(value=TEXTS)
def test_a_text_of_mysql_is_digits_whatever_backslashes_mean(value: str) -> None:
    found = text_literal("mysql", value)

    assert bytes.fromhex(found.removeprefix("_utf8mb4 X'").removesuffix("'")).decode() == value


@pytest.mark.parametrize(
    ("dialect", "value", "sql"),
    [
        ("postgres", True, "TRUE"),
        ("postgres", -5, "-5"),
        ("postgres", Decimal("1E+3"), "1000"),
        ("postgres", "it's", "'it''s'"),
        ("postgres", "a\\'b", "E'a\\\\''b'"),
        ("ansi", "a\\b", "'a\\b'"),
        ("ansi", date(2024, 2, 29), "DATE '2024-02-29'"),
        ("postgres", datetime(99, 1, 2, 3, 4, 5), "TIMESTAMP '0099-01-02 03:04:05.000000'"),
        (
            "postgres",
            datetime(2024, 1, 2, tzinfo=timezone(timedelta(hours=2))),
            "TIMESTAMP WITH TIME ZONE '2024-01-01 22:00:00.000000+00:00'",
        ),
        ("mysql", datetime(2024, 1, 2, tzinfo=UTC), "TIMESTAMP '2024-01-02 00:00:00.000000'"),
    ],
)
def test_values_have_literals_of_their_type(dialect: Dialect, value: SqlValue, sql: str) -> None:
    assert literal(dialect, value) == sql


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("Infinity"), "a\0b"])
def test_what_no_literal_can_hold_is_refused(value: SqlValue) -> None:
    with pytest.raises(ValueError, match=r"literal|NUL"):
        literal("postgres", value)


@pytest.mark.parametrize("parts", [(), ("",), ("a", ""), ("a\0",)])
def test_an_empty_name_is_refused(parts: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="must have characters"):
        quote_identifier("postgres", *parts)
