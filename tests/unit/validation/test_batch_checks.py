"""Checks on a whole batch: gates, metrics, rows to show, and what cannot run."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from duckdb import DuckDBPyConnection
from support.batches import SMALL, Batch, bound, gate, parquet, places, row_rule, rows

from quality_platform.checks.specs import (
    ForeignKey,
    InSet,
    Matches,
    NotNull,
    RowCount,
    Satisfies,
    Severity,
    SqlMetric,
    Unique,
)
from quality_platform.checks.thresholds import Operator
from quality_platform.lake.query import duckdb_session


@pytest.fixture
def batch(tmp_path: Path) -> Batch:
    return Batch(tmp_path)


@pytest.fixture
def connection() -> Iterator[DuckDBPyConnection]:
    with duckdb_session(SMALL) as session:
        yield session


UNIQUE = row_rule("unique", Unique(("a",)))


# --- counted claims -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("threshold", "passed", "message"),
    [
        (bound(Operator.LESS_OR_EQUAL, 2), True, "2, must be <= 2"),
        (bound(Operator.LESS, 2), False, "2, must be < 2"),
        (bound(Operator.MUST_BE, 2), True, "2, must be = 2"),
        (bound(Operator.LESS_OR_EQUAL, 40, percent=True), True, "40%, must be <= 40%"),
        (bound(Operator.LESS, 40, percent=True), False, "40%, must be < 40%"),
        (bound(Operator.BETWEEN, 1, 3), True, "2, must be between 1 and 3"),
        (bound(Operator.NOT_BETWEEN, 1, 3), False, "2, must be not between 1 and 3"),
    ],
)
def test_a_gate_compares_the_rows_that_break_it(batch, connection, threshold, passed, message):
    spec = gate("nulls", NotNull("a"), threshold)
    outcome = batch.checks(connection, rows([1], [None], [2], [None], [3])).run([spec])["nulls"]
    assert (outcome.passed, outcome.count, outcome.rows) == (passed, 2, 5)
    assert outcome.message == message


def test_a_share_is_compared_with_all_its_digits(batch, connection):
    """One of 3,000,000 rows is 0.0000333... percent: not nothing, and more than 0.00003."""
    table = pa.table({"a": pa.array([None] + [1] * 2_999_999, pa.int64())})
    specs = [
        gate("none", NotNull("a"), bound(Operator.LESS_OR_EQUAL, 0, percent=True)),
        gate("less", NotNull("a"), bound(Operator.LESS_OR_EQUAL, "0.00003", percent=True)),
        gate("more", NotNull("a"), bound(Operator.LESS_OR_EQUAL, "0.00004", percent=True)),
    ]
    outcomes = batch.checks(connection, table).run(specs)
    assert [outcomes[spec.name].passed for spec in specs] == [False, False, True]
    assert outcomes["none"].message == "0.0000333333%, must be <= 0%"


def test_a_third_is_shown_in_few_digits(batch, connection):
    spec = gate("nulls", NotNull("a"), bound(Operator.LESS, 50, percent=True))
    outcome = batch.checks(connection, rows([1], [2], [None])).run([spec])["nulls"]
    assert outcome.message == "33.3333%, must be < 50%"


def test_many_claims_are_counted_together(batch, connection, tmp_path):
    batch.references["other"] = [parquet(tmp_path, "other", pa.table({"k": [1]}))]
    specs = [
        gate("nulls", NotNull("a"), bound(Operator.LESS, 5)),
        gate("valid", InSet("b", ("x",)), bound(Operator.LESS, 5)),
        row_rule("key", ForeignKey(("a",), "other", ("k",))),
        row_rule("predicate", Satisfies('"a" < 3', ("a",)), Severity.WARNING),
    ]
    table = rows([1, "x"], [2, "y"], [None, "z"], [3, None])
    outcomes = batch.checks(connection, table).run(specs)
    assert {name: outcome.count for name, outcome in outcomes.items()} == {
        "nulls": 1,
        "valid": 2,
        "key": 2,
        "predicate": 1,
    }


# --- row counts and metrics ---------------------------------------------------------------------


def test_the_row_count_is_of_all_records(batch, connection):
    held = rows([1], [2]).append_column("why", pa.array([["rule"], ["unread"]]))
    spec = gate("rows", RowCount(), bound(Operator.MUST_BE, 4))
    outcome = batch.checks(connection, rows([1], [2]), held=held).run([spec])["rows"]
    assert (outcome.passed, outcome.value, outcome.count) == (True, 4, None)


def test_the_row_count_is_what_was_read_where_that_is_known(batch, connection):
    spec = gate("rows", RowCount(), bound(Operator.GREATER, 10))
    checks = batch.checks(connection, rows([1]), rows_read=7)
    outcome = checks.run([spec])["rows"]
    assert (outcome.passed, outcome.value) == (False, 7)
    assert checks.rows == 1


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("SELECT sum(a) FROM batch", Decimal(6)),
        ("SELECT avg(a) FROM batch", Decimal("1.5")),
        ("SELECT 0.1::DECIMAL(5,3)", Decimal("0.100")),
        ("SELECT 9007199254740993", Decimal(9007199254740993)),
        ("SELECT count(*) FROM batch WHERE b = 'x'", Decimal(2)),
    ],
)
def test_a_metric_is_the_number_that_its_query_gives(batch, connection, query, value):
    spec = gate("metric", SqlMetric(query), bound(Operator.MUST_BE, str(value)))
    table = rows([1, "x"], [1, "x"], [2, "y"], [2, None])
    outcome = batch.checks(connection, table).run([spec])["metric"]
    assert (outcome.passed, outcome.value, outcome.count) == (True, value, None)


@pytest.mark.parametrize(
    ("query", "given"),
    [
        ("SELECT a FROM batch WHERE a > 99", "0 rows of 0 columns"),
        ("SELECT a FROM batch", "3 rows of 1 columns"),
        ("SELECT 1, 2", "1 rows of 2 columns"),
        ("SELECT max(a) FROM batch WHERE a > 99", "NULL"),
        ("SELECT 'secret'", "a value of type str"),
        ("SELECT '7'", "a value of type str"),
        ("SELECT TRUE", "a value of type bool"),
        ("SELECT 'nan'::DOUBLE", "a value of type float"),
        ("SELECT 'inf'::DOUBLE", "a value of type float"),
        ("SELECT DATE '2020-01-01'", "a value of type date"),
        ("SELECT [1]", "a value of type list"),
    ],
)
@pytest.mark.parametrize("operator", [Operator.MUST_NOT_BE, Operator.GREATER])
def test_a_query_that_gives_no_number_is_an_error_without_its_answer(
    batch, connection, query, given, operator
):
    spec = gate("metric", SqlMetric(query), bound(operator, 0))
    fine = gate("rows", RowCount(), bound(Operator.MUST_BE, 3))
    outcomes = batch.checks(connection, rows([1], [2], [3])).run([spec, fine])
    assert outcomes["metric"].error == f"the query must give one finite number, not {given}"
    assert not outcomes["metric"].passed
    assert outcomes["metric"].value is None
    assert outcomes["rows"].passed


# --- what cannot run ----------------------------------------------------------------------------


def test_a_check_that_cannot_run_is_an_error_and_takes_no_other_down(batch, connection):
    bad = [
        gate("no_column", NotNull("nope"), bound(Operator.LESS, 5)),
        gate("no_pattern", Matches("b", "("), bound(Operator.LESS, 5)),
        row_rule("no_table", ForeignKey(("a",), "nowhere", ("k",))),
        row_rule("no_key", Unique(("nope",))),
        gate("no_query", SqlMetric("SELECT nope FROM batch")),
        row_rule("no_number", Satisfies('CAST("b" AS INTEGER) > 0', ("b",))),
    ]
    good = [
        gate("nulls", NotNull("a"), bound(Operator.MUST_BE, 1)),
        row_rule("unique", Unique(("a",))),
        gate("rows", RowCount(), bound(Operator.MUST_BE, 3)),
        gate("metric", SqlMetric("SELECT sum(a) FROM batch"), bound(Operator.MUST_BE, 3)),
    ]
    checks = batch.checks(connection, rows([1, "x"], [2, "y"], [None, "z"]))
    outcomes = checks.run([*bad, *good])
    assert {spec.name for spec in bad} == {n for n, o in outcomes.items() if o.error}
    assert [outcomes[spec.name].passed for spec in bad] == [False] * len(bad)
    assert [outcomes[spec.name].passed for spec in good] == [True] * len(good)
    for spec in bad:
        assert checks.failing_rows(spec, ["a"], 5) == []


# --- no rows ------------------------------------------------------------------------------------

EMPTY = [
    gate("nulls", NotNull("a"), bound(Operator.LESS, 5, percent=True)),
    row_rule("unique", Unique(("a",))),
    gate("metric", SqlMetric("SELECT count(*) FROM batch"), bound(Operator.MUST_BE, 0)),
]


@pytest.mark.parametrize("files", [0, 1], ids=["no file", "a file without rows"])
def test_a_batch_without_rows_breaks_only_what_asks_for_rows(batch, connection, files):
    some = gate("some_rows", RowCount(), bound(Operator.GREATER, 0))
    checks = batch.checks(connection, *[rows()] * files, published=[rows([1])])
    outcomes = checks.run([*EMPTY, some])
    assert {name: outcome.passed for name, outcome in outcomes.items()} == {
        "nulls": True,
        "unique": True,
        "metric": True,
        "some_rows": False,
    }
    assert outcomes["nulls"].value == 0
    assert all(outcome.rows == 0 for outcome in outcomes.values())
    for spec in EMPTY:
        assert checks.failing_rows(spec, ["a", "b"], 3) == []


# --- rows to show -------------------------------------------------------------------------------


def test_the_first_failing_rows_are_shown_in_the_columns_asked_for(batch, connection):
    spec = gate("nulls", NotNull("a"), bound(Operator.LESS, 1))
    checks = batch.checks(connection, rows([None, "p"], [1, "q"]), rows([None, "r"], [None, "s"]))
    checks.run([spec])
    assert checks.failing_rows(spec, ["b"], 2) == [{"b": "p"}, {"b": "r"}]
    assert checks.failing_rows(spec, ["b", "a"], 9)[2] == {"b": "s", "a": None}


def test_the_first_rows_of_a_broken_key_are_shown(batch, connection):
    table = rows(*([n % 500, str(n)] for n in range(1000)))
    checks = batch.checks(connection, table)
    checks.run([UNIQUE])
    assert checks.failing_rows(UNIQUE, ["b"], 3) == [{"b": "0"}, {"b": "1"}, {"b": "2"}]


def test_the_first_rows_are_shown_in_whatever_order_they_were_found(batch, connection):
    checks = batch.checks(connection, rows([1, "p"], [2, "q"], [1, "r"]))
    checks.run([UNIQUE])
    assert checks.failing_rows(UNIQUE, ["b"], 1) == [{"b": "p"}]


def test_of_a_metric_no_rows_can_be_shown(batch, connection):
    spec = gate("metric", SqlMetric("SELECT 1"))
    checks = batch.checks(connection, rows([1]))
    assert not checks.run([spec])["metric"].passed
    assert checks.failing_rows(spec, ["a"], 3) == []


# --- names --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "two words",
        'quo"te',
        "it's",
        "select",
        "filename",
        "_file",
        "_position",
        "file",
        "position",
        "_row",
        "_hit",
        "n",
        "batch",
        "count",
        "日",
    ],
)
def test_a_column_of_the_batch_may_have_any_name(batch, connection, tmp_path, name):
    batch.references["other"] = [parquet(tmp_path, "other", pa.table({name: [1]}))]
    unique = row_rule("unique", Unique((name,)))
    specs = [
        unique,
        gate("nulls", NotNull(name), bound(Operator.LESS, 9)),
        gate("key", ForeignKey((name,), "other", (name,)), bound(Operator.LESS, 9)),
    ]
    table = pa.table({name: [7, 1, 7, 2, None]})
    checks = batch.checks(connection, table, published=[pa.table({name: [2]})])
    outcomes = checks.run(specs)
    assert {n: (o.count, o.error) for n, o in outcomes.items()} == {
        "unique": (3, ""),
        "nulls": (1, ""),
        "key": (3, ""),
    }
    assert places(checks, unique) == [("good_0", 0), ("good_0", 2), ("good_0", 3)]
    assert checks.failing_rows(unique, [name], 9) == [{name: 7}, {name: 7}, {name: 2}]
