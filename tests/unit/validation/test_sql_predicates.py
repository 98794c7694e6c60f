"""Values of contracts as SQL literals, and claims as SQL that people can read."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quality_platform.checks.specs import (
    InRange,
    InSet,
    LengthBetween,
    Matches,
    NotMissing,
    NotNull,
    Satisfies,
)
from quality_platform.validation.sql_predicates import broken, literal


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
        (LengthBetween("a", 0, 5), '(LENGTH(CAST("a" AS TEXT)) > 5)'),
        (LengthBetween("a", 1, None), '(LENGTH(CAST("a" AS TEXT)) < 1)'),
        (Satisfies('"a" = 1 OR "b" = 2'), 'NOT ("a" = 1 OR "b" = 2)'),
    ],
)
def test_a_claim_is_the_sql_that_is_true_for_a_row_that_breaks_it(claim, sql):
    assert broken(claim).sql(dialect="duckdb") == sql
