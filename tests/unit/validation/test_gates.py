"""Gates in one aggregate: shares of the rows judged, counts under a condition, ages."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from duckdb import DuckDBPyConnection
from support.batches import SMALL, Batch, bound, gate, parquet, places, row_rule, rows

from quality_platform.checks.specs import (
    ForeignKey,
    Fresh,
    InRange,
    NotNull,
    Retained,
    RowCount,
    Unique,
    When,
)
from quality_platform.checks.thresholds import Operator
from quality_platform.lake.query import duckdb_session

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
HALF = bound(Operator.LESS_OR_EQUAL, 50, percent=True)


@pytest.fixture
def batch(tmp_path: Path) -> Batch:
    return Batch(tmp_path)


@pytest.fixture
def connection() -> Iterator[DuckDBPyConnection]:
    with duckdb_session(SMALL) as session:
        yield session


def times(kind: pa.DataType, *values: Any) -> pa.Table:
    return pa.table({"at": pa.array(values, kind)})


# --- conditions ---------------------------------------------------------------------------------


def test_a_share_is_of_the_rows_for_which_the_condition_is_true(batch, connection):
    spec = gate("usa", When("b = 'US'", ("b",), NotNull("a")), HALF)
    table = rows([None, "US"], [1, "US"], [None, "DE"], [None, None])
    outcome = batch.checks(connection, table).run([spec])["usa"]
    assert (outcome.count, outcome.rows, outcome.value, outcome.passed) == (1, 2, 50, True)


def test_a_share_of_no_rows_is_nothing(batch, connection):
    spec = gate("usa", When("b = 'US'", ("b",), NotNull("a")), HALF)
    outcome = batch.checks(connection, rows([None, "DE"])).run([spec])["usa"]
    assert (outcome.count, outcome.rows, outcome.value) == (0, 0, 0)


def test_a_conditional_row_rule_labels_only_rows_of_its_condition(batch, connection):
    spec = row_rule("usa", When("b = 'US'", ("b",), InRange("a", 1, None)))
    checks = batch.checks(connection, rows([0, "US"], [1, "US"], [0, "DE"], [0, None]))
    assert checks.run([spec])["usa"].count == 1
    assert places(checks, spec) == [("good_0", 0)]


def test_rows_are_counted_under_a_condition(batch, connection):
    some = gate("some", RowCount("a > 1"), bound(Operator.MUST_BE, 2))
    every = gate("every", RowCount(), bound(Operator.MUST_BE, 4))
    outcomes = batch.checks(connection, rows([1], [2], [3], [None])).run([some, every])
    assert (outcomes["some"].value, outcomes["some"].passed) == (2, True)
    assert outcomes["every"].value == 4


def test_keys_are_compared_among_the_rows_of_a_condition_alone(batch, connection):
    labels = row_rule("labels", Unique(("a",), "b = 'on'"))
    share = gate("share", Unique(("a",), "b = 'on'"), HALF)
    table = rows([1, "on"], [1, "off"], [1, "on"], [2, "on"], [2, None])
    checks = batch.checks(connection, table)
    outcomes = checks.run([labels, share])
    assert places(checks, labels) == [("good_0", 0), ("good_0", 2)]
    assert (outcomes["labels"].count, outcomes["labels"].rows) == (2, 3)
    assert outcomes["share"].value == Decimal(100) / 3


def test_published_rows_are_compared_under_the_condition_too(batch, connection):
    spec = row_rule("on", Unique(("a",), "b = 'on'"))
    checks = batch.checks(
        connection, rows([1, "on"], [2, "on"]), published=[rows([1, "off"], [2, "on"])]
    )
    checks.run([spec])
    assert places(checks, spec) == [("good_0", 1)]


def test_a_key_as_a_gate_is_counted_beside_other_gates(batch, connection, tmp_path):
    batch.references["other"] = [parquet(tmp_path, "other", pa.table({"k": ["x"]}))]
    specs = [
        gate("key", ForeignKey(("b",), "other", ("k",)), bound(Operator.LESS, 5)),
        gate("nulls", NotNull("b"), bound(Operator.LESS, 5)),
        gate("broken", InRange("a", "no number", None), bound(Operator.LESS, 5)),
    ]
    outcomes = batch.checks(connection, rows([1, "x"], [2, "y"], [3, None])).run(specs)
    assert [outcomes[name].count for name in ("key", "nulls")] == [1, 1]
    assert outcomes["broken"].error


# --- ages ---------------------------------------------------------------------------------------

HOUR = bound(Operator.LESS_OR_EQUAL, 3600)


@pytest.mark.parametrize(
    ("table", "age"),
    [
        (times(pa.timestamp("us", "UTC"), NOON - timedelta(seconds=90), None), 90),
        (times(pa.timestamp("us"), NOON.replace(tzinfo=None)), 0),
        (times(pa.timestamp("us", "UTC"), NOON + timedelta(hours=1)), -3600),
        (times(pa.date32(), date(2024, 5, 1), date(2024, 4, 1)), 12 * 3600),
        (times(pa.timestamp("us", "UTC"), NOON - timedelta(microseconds=1)), Decimal("0.000001")),
    ],
)
def test_the_age_is_that_of_the_newest_value(batch, connection, table, age):
    spec = gate("fresh", Fresh("at", 3600), HOUR)
    outcome = batch.checks(connection, table, evaluated_at=NOON).run([spec])["fresh"]
    assert (outcome.value, outcome.passed, outcome.count) == (age, age <= 3600, None)


def test_of_a_batch_without_a_value_no_age_can_be_told(batch, connection):
    spec = gate("fresh", Fresh("at", 3600), HOUR)
    for table in (times(pa.date32(), None), times(pa.date32())):
        outcome = batch.checks(connection, table, evaluated_at=NOON).run([spec])["fresh"]
        assert (outcome.passed, outcome.value, outcome.error) == (False, None, "")
        assert outcome.message == "there is no value to tell the age by"


@pytest.mark.parametrize("kind", [pa.timestamp("us", "UTC"), pa.timestamp("us")])
def test_rows_older_than_the_period_are_counted(batch, connection, kind):
    ages = [0, 59, 60, 61, 3600]
    moments = [NOON - timedelta(seconds=age) for age in ages]
    if not kind.tz:
        moments = [moment.replace(tzinfo=None) for moment in moments]
    spec = gate("kept", Retained("at", 60))
    table = times(kind, *moments, None)
    checks = batch.checks(connection, table, evaluated_at=NOON)
    outcome = checks.run([spec])["kept"]
    assert (outcome.count, outcome.rows, outcome.passed) == (2, 6, False)
    assert len(checks.failing_rows(spec, ["at"], 9)) == 2


def test_nothing_is_older_than_all_of_time(batch, connection):
    spec = gate("kept", Retained("at", 10**12))
    table = times(pa.timestamp("us"), datetime(1, 1, 1))
    outcome = batch.checks(connection, table, evaluated_at=NOON).run([spec])["kept"]
    assert (outcome.count, outcome.error) == (0, "")


def test_now_is_the_instant_of_an_evaluation_without_one(batch, connection):
    spec = gate("fresh", Fresh("at", 3600), HOUR)
    table = times(pa.timestamp("us", "UTC"), datetime.now(UTC) - timedelta(minutes=1))
    assert batch.checks(connection, table).run([spec])["fresh"].passed
