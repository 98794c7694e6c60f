"""Row rules in one statement, against their definition in plain Python."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from duckdb import DuckDBPyConnection
from hypothesis import given, settings
from hypothesis import strategies as st
from support.batches import SMALL, breaks, masks_of, row_rule
from support.random_rules import SCHEMA, claims, rows

from quality_platform.checks.specs import (
    Claim,
    InRange,
    InSet,
    LengthBetween,
    Matches,
    NotMissing,
    NotNull,
    Satisfies,
)
from quality_platform.errors import EngineError
from quality_platform.lake.query import duckdb_session
from quality_platform.validation.conditions import condition_of
from quality_platform.validation.row_rules import BITS, ReferenceKeys, RowMasks, RowRules

few = settings(deadline=None, max_examples=80)


@pytest.fixture(scope="module")
def connection() -> Iterator[DuckDBPyConnection]:
    with duckdb_session(SMALL) as session:
        yield session


def broken(connection: DuckDBPyConnection, table: pa.Table, *claims: Claim) -> list[list[int]]:
    """For each claim the positions of the rows that break it."""
    specs = [row_rule(f"rule_{n}", claim) for n, claim in enumerate(claims)]
    masks = masks_of(connection, table, specs)
    return [masks.breaking(n).tolist() for n in range(len(claims))]


# --- against the definition ---------------------------------------------------------------------


@few
@given(rows(), st.lists(claims(), min_size=1, max_size=6))
def test_the_statement_finds_the_rows_that_the_definition_finds(connection, table, drawn):
    found = broken(connection, pa.Table.from_pylist(table, SCHEMA), *drawn)
    expected = [[i for i, row in enumerate(table) if breaks(claim, row)] for claim in drawn]
    assert found == expected


@settings(deadline=None, max_examples=12)
@given(st.lists(st.lists(st.integers(0, 129), unique=True), max_size=20))
def test_a_hundred_and_thirty_rules_keep_apart_in_three_words(connection, wanted):
    """Row i breaks exactly the rules in wanted[i], whichever of the words they are in."""
    table = pa.table(
        {"keys": pa.array([f",{','.join(map(str, w))}," for w in wanted], pa.string())}
    )
    specs = [row_rule(f"rule_{n}", Satisfies(f"\"keys\" NOT LIKE '%,{n},%'")) for n in range(130)]
    masks = masks_of(connection, table, specs)
    assert len(masks.words) in (0, 3)
    expected = [(i, tuple(sorted(w))) for i, w in enumerate(wanted) if w]
    assert list(masks.rules_by_row()) == expected
    for n in (0, 1, 61, 62, 123, 124, 129):
        assert masks.breaking(n).tolist() == [i for i, w in enumerate(wanted) if n in w]


def test_one_rule_more_than_a_word_holds_begins_a_new_word(connection):
    table = pa.table({"a": [1]})
    for count, words in ((BITS, 1), (BITS + 1, 2), (2 * BITS, 2)):
        specs = [row_rule(f"r{n}", InSet("a", (2,))) for n in range(count)]
        masks = masks_of(connection, table, specs)
        assert len(masks.words) == words
        assert list(masks.rules_by_row()) == [(0, tuple(range(count)))]


# --- single claims ------------------------------------------------------------------------------


def test_null_breaks_nothing_but_the_claim_that_there_is_a_value(connection):
    table = pa.Table.from_pylist([dict.fromkeys(SCHEMA.names)], SCHEMA)
    assert broken(
        connection,
        table,
        NotNull("s"),
        NotMissing("s", ("",)),
        NotMissing("s", (None,)),
        InSet("s", ("a",)),
        InSet("s", ("a", None)),
        InSet("s", ()),
        Matches("s", "a"),
        InRange("n", 1, 2),
        LengthBetween("s", 1, 2),
        Satisfies('"n" > 5'),
    ) == [[0], [], [0], [], [], [], [], [], [], []]


def test_the_pattern_is_found_anywhere_in_the_text(connection):
    table = pa.table({"s": ["xay", "a", "XAY", "", "x\na"]})
    assert broken(connection, table, Matches("s", "a"), Matches("s", "^a$")) == [
        [2, 3],
        [0, 2, 3, 4],
    ]


def test_a_pattern_may_be_asked_of_a_column_that_is_no_text(connection):
    assert broken(connection, pa.table({"n": [12, 5]}), Matches("n", "^.$")) == [[0]]


def test_lengths_are_counted_in_characters_not_in_bytes(connection):
    table = pa.table({"s": ["é", "日本", "😀😀😀"]})
    assert broken(connection, table, LengthBetween("s", 2, 2)) == [[0, 2]]


@pytest.mark.parametrize(
    ("claim", "outside"),
    [
        (InRange("n", 1, 3), [0, 4]),
        (InRange("n", 1, 3, True, False), [0, 1, 4]),
        (InRange("n", 1, 3, False, True), [0, 3, 4]),
        (InRange("n", 1, 3, True, True), [0, 1, 3, 4]),
        (InRange("n", None, 3), [4]),
        (InRange("n", 1, None), [0]),
        (InRange("n", None, None), []),
        (InRange("n", None, None, True, True), []),
    ],
)
def test_a_bound_belongs_to_the_range_unless_it_is_exclusive(connection, claim, outside):
    assert broken(connection, pa.table({"n": [0, 1, 2, 3, 4]}), claim) == [outside]


def test_dates_and_times_are_compared_with_texts_in_iso_form(connection):
    table = pa.table(
        {
            "day": pa.array([date(2020, 1, 1), date(2020, 1, 2)]),
            "at": pa.array(
                [datetime(2020, 1, 1, 12), datetime(2020, 1, 1, 13)], pa.timestamp("us", "UTC")
            ),
        }
    )
    assert broken(
        connection,
        table,
        InRange("day", "2020-01-02", None),
        InSet("day", ("2020-01-01",)),
        InRange("at", "2020-01-01T12:30:00Z", None),
        InRange("at", "2020-01-01T14:30:00+02:00", None),
        InRange("at", None, "2020-01-01 12:30:00"),
    ) == [[0], [1], [0], [0], [1]]


def test_numbers_keep_all_their_digits(connection):
    table = pa.table({"n": [2**53, 2**53 + 1, 2**63 - 1]})
    assert broken(connection, table, InSet("n", (2**53 + 1,)), InRange("n", None, 2**63 - 2)) == [
        [0, 2],
        [2],
    ]


def test_not_a_number_is_out_of_every_range(connection):
    table = pa.table({"x": [float("nan"), 1.0]})
    claims = [InRange("x", 0, None), InRange("x", None, 5), InRange("x", None, None)]
    assert broken(connection, table, *claims) == [[0], [0], []]


def test_a_predicate_that_is_unknown_passes(connection):
    table = pa.table({"a": [1, None, 3], "b": [2, 2, 2]})
    assert broken(connection, table, Satisfies('"a" < "b"', ("a", "b"))) == [[2]]


def test_alternatives_of_a_predicate_stay_together(connection):
    table = pa.table({"a": [1, 2, 3]})
    assert broken(connection, table, Satisfies('"a" = 1 OR "a" = 2')) == [[2]]


# --- names --------------------------------------------------------------------------------------

NAMES = [
    "two words",
    'quo"te',
    "it's",
    "select",
    "order",
    "x.y",
    "ä日",
    "B",
    "b",
    "batch",
    "r0",
    "_row",
    "row",
    "mask0",
    "mask1",
    "k0",
    "hit",
    "_hit",
    "_key0",
    "key0",
    "1",
    "%s",
    "{x}",
    "$1",
    "?",
    "a\nb",
    "--",
    "/*",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_column_may_have_any_name(connection, name):
    table = pa.table({name: [1, None, 3], "other": ["p", "q", None]})
    quoted = name.replace('"', '""')
    assert broken(
        connection,
        table,
        NotNull(name),
        InRange(name, 2, None),
        Satisfies(f'"{quoted}" < 3', (name,)),
        NotNull("other"),
    ) == [[1], [0], [2], [2]]


def test_a_column_called_as_a_word_of_the_mask_stays_itself_in_later_words(connection):
    table = pa.table({"mask0": [1, 9]})
    found = broken(connection, table, *[InRange("mask0", 5, None)] * 70)
    assert found == [[0]] * 70


# --- edges --------------------------------------------------------------------------------------


def test_no_rows_break_nothing(connection):
    assert broken(connection, pa.table({"a": pa.array([], pa.int64())}), NotNull("a")) == [[]]


def test_no_rules_are_broken_by_nothing(connection):
    masks = masks_of(connection, pa.table({"a": [1]}), [])
    assert list(masks.rules_by_row()) == []


def test_rows_come_in_their_order(connection):
    table = pa.table({"a": [None if n % 7 == 0 else n for n in range(5000)]})
    assert broken(connection, table, NotNull("a")) == [list(range(0, 5000, 7))]


def test_a_compiled_statement_judges_batch_after_batch(connection):
    rules = RowRules.compiled(
        connection, [row_rule("r", NotNull("a"))], ReferenceKeys(connection, {})
    )
    for values in ([1, None], [None, 2, None], [3]):
        found = rules.masks(pa.record_batch({"a": pa.array(values, pa.int64())}))
        assert found.positions.tolist() == [i for i, v in enumerate(values) if v is None]


def test_a_thousand_rules_fit_into_a_small_session(connection):
    """One statement for all took memory that grew with the square of their number."""
    table = pa.table({"a": ["x1", "x999", None]})
    claims = [InSet("a", (f"x{n}", *(f"y{m}" for m in range(30)))) for n in range(1000)]
    found = broken(connection, table, *claims)
    assert [n for n, rows in enumerate(found) if rows != [0, 1]] == [1, 999]
    assert (found[1], found[999]) == ([1], [0])


def test_rules_that_are_the_same_are_kept_apart(connection):
    table = pa.table({"a": [1, None]})
    assert broken(connection, table, NotNull("a"), NotNull("a")) == [[1], [1]]


def test_masks_without_some_rows_keep_the_others():
    masks = RowMasks(np.array([1, 4, 7]), (np.array([1, 2, 3]), np.array([0, 0, 1])))
    kept = masks.without([4, 5])
    assert list(kept.rules_by_row()) == [(1, (0,)), (7, (0, 1, BITS))]
    assert list(masks.without([]).rules_by_row()) == list(masks.rules_by_row())


# --- rules that cannot run ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "claim",
    [
        NotNull("nope"),
        Matches("s", "("),
        Matches("s", "(?=x)"),
        InRange("day", "no date", None),
        InRange("s", 1, 2),
        InSet("n", ("x",)),
        InRange("n", float("inf"), None),
        Satisfies('"n" > "s" || 1'),
    ],
    ids=str,
)
def test_a_rule_that_no_row_could_be_judged_by_fails_before_the_first_row(connection, claim):
    rules = RowRules.compiled(connection, [row_rule("r", claim)], ReferenceKeys(connection, {}))
    with pytest.raises(EngineError, match="DuckDB"):
        rules.tried(SCHEMA)


@pytest.mark.parametrize(
    "claim",
    [
        Satisfies('CAST("s" AS INTEGER) > 0'),
        Satisfies('"small" * 2 > 3'),
        InSet("s", (1, 2)),
    ],
    ids=str,
)
def test_a_rule_that_fails_on_a_value_is_told_without_the_value_and_alone(connection, claim):
    table = pa.Table.from_pylist([{"s": "secret", "small": 2**31 - 1}, {"s": "7"}], SCHEMA)
    specs = [
        row_rule("fine", NotNull("n")),
        row_rule("culprit", claim),
        row_rule("b", NotNull("x")),
    ]
    rules = RowRules.compiled(connection, specs, ReferenceKeys(connection, {}))
    (batch,) = table.to_batches()
    assert list(rules.masks(batch).rules_by_row()) == [(0, (0, 2)), (1, (0, 2))]
    assert list(rules.failed) == ["culprit"]
    assert "cannot judge a value" in rules.failed["culprit"]
    assert "secret" not in rules.failed["culprit"]
    assert str(2**31 - 1) not in rules.failed["culprit"]
    assert list(rules.masks(batch.slice(1)).rules_by_row()) == [(0, (0, 2))]


def test_missing_values_are_found_without_a_statement():
    specs = (row_rule("a", NotNull("a")), row_rule("b", NotNull("b")))
    table = pa.table({"a": [1, None, None], "b": ["x", "y", None]})
    nobody: Any = None
    conditions = [condition_of(spec, nobody, n) for n, spec in enumerate(specs)]
    masks = RowRules(nobody, specs, conditions).masks(table.to_batches()[0])
    assert list(masks.rules_by_row()) == [(1, (0,)), (2, (0, 1))]


def test_rules_with_and_without_a_statement_keep_their_places(connection):
    """Every second one of 130 rules wants nothing but a value."""
    specs = [
        row_rule(f"r{n}", NotNull("a") if n % 2 else Satisfies(f"b <> {n}")) for n in range(130)
    ]
    table = pa.table({"a": [None, 1, 1], "b": [1, 128, 64]})
    found = dict(masks_of(connection, table, specs).rules_by_row())
    assert found == {0: tuple(range(1, 130, 2)), 1: (128,), 2: (64,)}
