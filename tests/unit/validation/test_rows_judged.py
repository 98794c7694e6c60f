"""How many rows a row rule judged: its share is of these."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from duckdb import DuckDBPyConnection
from support.batches import SMALL, Batch, row_rule, rows

from quality_platform.checks.specs import InRange, NotNull, Satisfies, When
from quality_platform.lake.query import duckdb_session
from quality_platform.validation.row_rules import ReferenceKeys, RowRules

USA = row_rule("usa", When("b = 'US'", ("b",), InRange("a", 1, None)))
FAILING = row_rule("failing", When('CAST("b" AS INTEGER) = 1', ("b",), NotNull("a")))
EVERY = row_rule("every", Satisfies("a > 0", ("a",)))
ROWS = ([0, "US"], [1, "US"], [0, "DE"], [None, None], [None, "US"])


@pytest.fixture
def connection() -> Iterator[DuckDBPyConnection]:
    with duckdb_session(SMALL) as session:
        yield session


def compiled(connection: DuckDBPyConnection, *specs) -> RowRules:
    return RowRules.compiled(connection, specs, ReferenceKeys(connection, {}))


def one_batch() -> pa.RecordBatch:
    (batch,) = rows(*ROWS).combine_chunks().to_batches()
    return batch


def test_a_conditional_row_rule_over_files_tells_the_rows_of_its_condition(
    tmp_path: Path, connection: DuckDBPyConnection
):
    outcomes = Batch(tmp_path).checks(connection, rows(*ROWS)).run([USA, EVERY])
    assert (outcomes["usa"].count, outcomes["usa"].rows) == (1, 3)
    assert (outcomes["every"].count, outcomes["every"].rows) == (2, 5)


def test_a_condition_that_cannot_judge_a_value_takes_no_other_rule_down(
    tmp_path: Path, connection: DuckDBPyConnection
):
    outcomes = Batch(tmp_path).checks(connection, rows(*ROWS)).run([FAILING, USA, EVERY])
    assert outcomes["failing"].error
    assert "DE" not in outcomes["failing"].error
    assert (outcomes["usa"].rows, outcomes["every"].rows) == (3, 5)


def test_a_conditional_rule_over_batches_counts_the_rows_of_its_condition(
    connection: DuckDBPyConnection,
):
    rules = compiled(connection, EVERY, USA)
    assert rules.judged(one_batch()) == {"usa": 3}
    assert rules.judged(one_batch(), [1, 3]) == {"usa": 2}
    assert rules.judged(one_batch().slice(0, 0)) == {}


def test_over_batches_a_failing_condition_is_told_without_the_value(
    connection: DuckDBPyConnection,
):
    rules = compiled(connection, FAILING, USA)
    assert rules.judged(one_batch()) == {"usa": 3}
    assert list(rules.failed) == ["failing"]
    assert "DE" not in rules.failed["failing"]
    assert rules.judged(one_batch()) == {"usa": 3}


def test_many_conditions_are_each_counted(connection: DuckDBPyConnection):
    specs = [
        row_rule(f"from_{n}", When(f'"a" >= {n % 120}', ("a",), NotNull("b"))) for n in range(240)
    ]
    numbers = pa.record_batch({"a": range(120), "b": ["x"] * 120})
    judged = compiled(connection, *specs).judged(numbers)
    assert judged == {f"from_{n}": 120 - n % 120 for n in range(240)}
