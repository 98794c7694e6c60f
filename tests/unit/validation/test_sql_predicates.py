"""Values of contracts as SQL literals, and claims as SQL that people can read."""

from __future__ import annotations

from decimal import Decimal

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp

from quality_platform.checks.specs import (
    InRange,
    InSet,
    ItemCount,
    LengthBetween,
    Matches,
    Nested,
    NotMissing,
    NotNull,
    RowCount,
    Satisfies,
    Unique,
    UniqueItems,
    When,
)
from quality_platform.validation.sql_predicates import broken, judged, literal


def engine_value(sql: str) -> object:
    return duckdb.sql(f"SELECT {sql}").fetchall()[0][0]


@settings(deadline=None, max_examples=150)
@given(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**63 - 1),
        st.text(st.characters(codec="utf-8")),
        st.sampled_from(
            ["'", "''", "\\", "\\'", "'; DROP TABLE x --", "\x00", "a\nb", "$$", "{x}"]
        ),
    )
)
def test_the_engine_reads_a_literal_as_the_value_that_it_was(value):
    found = engine_value(literal(value).sql(dialect="duckdb"))
    assert found == value
    assert type(found) is type(value)


@settings(deadline=None, max_examples=100)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_engine_reads_a_float_as_the_nearest_double(value):
    assert engine_value(f"CAST({literal(value).sql(dialect='duckdb')} AS DOUBLE)") == value


@pytest.mark.parametrize(
    ("claim", "sql"),
    [
        (NotNull("a b"), '"a b" IS NULL'),
        (NotMissing("a", ("NA", None)), '("a" IN (\'NA\') OR "a" IS NULL)'),
        (NotMissing("a", ()), "FALSE"),
        (InSet("a", (1, None)), 'NOT ("a" IN (1))'),
        (InSet("a", ()), 'NOT "a" IS NULL'),
        (Matches("a", "it's"), "NOT REGEXP_MATCHES(CAST(\"a\" AS TEXT), 'it''s')"),
        (InRange("a", 1, 2, True, False), '("a" <= 1 OR "a" > 2)'),
        (InRange("a"), "FALSE"),
        (InRange("a", "2020-01-01"), "(\"a\" < '2020-01-01')"),
        (ItemCount("a", 1, 2), '(LENGTH("a") < 1 OR LENGTH("a") > 2)'),
        (UniqueItems("a"), 'LIST_COUNT("a") > LIST_UNIQUE("a")'),
        (
            Nested("a", ("b", "c"), NotNull("a.b.c")),
            'NOT "a" IS NULL AND (NOT STRUCT_EXTRACT("a", \'b\') IS NULL AND '
            "(STRUCT_EXTRACT(STRUCT_EXTRACT(\"a\", 'b'), 'c') IS NULL))",
        ),
        (
            Nested("a", ("[]",), InSet("a[]", (1,))),
            'LENGTH(LIST_FILTER("a", LAMBDA item0 : NOT (item0 IN (1)))) > 0',
        ),
        (
            When('"b" = 1', ("b",), InSet("a", (1, 2))),
            '("b" = 1) AND (NOT ("a" IN (1, 2)))',
        ),
        (LengthBetween("a", 0, 5), '(LENGTH(CAST("a" AS TEXT)) > 5)'),
        (LengthBetween("a", 1, None), '(LENGTH(CAST("a" AS TEXT)) < 1)'),
        (Satisfies('"a" = 1 OR "b" = 2'), 'NOT ("a" = 1 OR "b" = 2)'),
    ],
)
def test_a_claim_is_the_sql_that_is_true_for_a_row_that_breaks_it(claim, sql):
    assert broken(claim).sql(dialect="duckdb") == sql


def test_the_condition_of_a_claim_tells_the_rows_judged():
    for claim in (
        When('"b" = 1', ("b",), NotNull("a")),
        Unique(("a",), '"b" = 1'),
        RowCount('"b" = 1'),
    ):
        condition = judged(claim)
        assert condition is not None
        assert condition.sql(dialect="duckdb") == '("b" = 1)'
    for claim in (NotNull("a"), Unique(("a",)), RowCount(), Nested("a", ("b",), NotNull("a.b"))):
        assert judged(claim) is None


@pytest.mark.parametrize(
    ("number", "sql"),
    [
        (1e-7, "0.0000001"),
        (Decimal("1E+3"), "1000"),
        (Decimal("0.10"), "0.10"),
        (1e22, "1e+22"),
    ],
)
def test_a_number_has_no_exponent_where_it_can_be_exact(number, sql: str):
    assert literal(number).sql(dialect="duckdb") == sql


def test_a_nested_claim_reads_nothing_but_its_column():
    claim = Nested("a", ("[]", "b", "[]"), NotNull("a[].b[]"))
    assert {column.name for column in broken(claim).find_all(exp.Column)} == {"a"}
