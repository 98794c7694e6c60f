"""Uniqueness within a batch and against what is published."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from duckdb import DuckDBPyConnection
from hypothesis import given, settings
from hypothesis import strategies as st
from support.batches import SMALL, Batch, bound, gate, places, row_rule, rows

from quality_platform.checks.specs import Operator, Unique
from quality_platform.lake.query import duckdb_session


@pytest.fixture
def batch(tmp_path: Path) -> Batch:
    return Batch(tmp_path)


@pytest.fixture
def connection() -> Iterator[DuckDBPyConnection]:
    with duckdb_session(SMALL) as session:
        yield session


UNIQUE = row_rule("unique", Unique(("a",)))


def test_all_rows_of_a_group_are_labelled_wherever_they_are(batch, connection):
    checks = batch.checks(connection, rows([1], [2], [1]), rows([3], [1]))
    outcome = checks.run([UNIQUE])["unique"]
    assert (outcome.passed, outcome.count, outcome.rows) == (False, 3, 5)
    assert places(checks, UNIQUE) == [("good_0", 0), ("good_0", 2), ("good_1", 1)]


def test_rows_without_a_key_are_not_judged(batch, connection):
    composite = row_rule("both", Unique(("a", "b")))
    table = rows([None, "x"], [None, "x"], [1, None], [1, None], [1, "x"], [1, "x"])
    checks = batch.checks(connection, table, published=[rows([1, None], [None, "x"])])
    outcome = checks.run([composite])["both"]
    assert outcome.count == 2
    assert places(checks, composite) == [("good_0", 4), ("good_0", 5)]


def test_a_key_that_is_published_already_labels_the_row(batch, connection):
    checks = batch.checks(
        connection, rows([1], [2], [3]), published=[rows([2], [9]), rows([3], [None])]
    )
    outcome = checks.run([UNIQUE])["unique"]
    assert (outcome.passed, outcome.count) == (False, 2)
    assert places(checks, UNIQUE) == [("good_0", 1), ("good_0", 2)]


def test_keys_that_stand_once_pass(batch, connection):
    checks = batch.checks(connection, rows([1], [2], [None], [None]), published=[rows([3])])
    outcome = checks.run([UNIQUE])["unique"]
    assert (outcome.passed, outcome.count, checks.broken_rows) == (True, 0, [])


def test_held_rows_take_part_in_uniqueness_but_for_those_without_values(batch, connection):
    why = pa.array([["rule"], ["unread"]])
    held = rows([1], [2]).append_column("why", why)
    checks = batch.checks(connection, rows([1], [2]), held=held)
    outcome = checks.run([UNIQUE])["unique"]
    assert (outcome.rows, outcome.count) == (3, 2)
    assert places(checks, UNIQUE) == [("good_0", 0), ("held", 0)]


@pytest.mark.parametrize(
    ("threshold", "passed", "value"),
    [
        (bound(Operator.LESS, 3), False, 3),
        (bound(Operator.LESS_OR_EQUAL, 3), True, 3),
        (bound(Operator.LESS_OR_EQUAL, 50, percent=True), True, 50),
        (bound(Operator.LESS, 50, percent=True), False, 50),
    ],
)
def test_a_gate_on_duplicates_counts_the_extra_rows_of_the_batch(
    batch, connection, threshold, passed, value
):
    spec = gate("unique", Unique(("a",)), threshold)
    table = rows([1], [1], [1], [2], [2], [3])
    checks = batch.checks(connection, table, published=[rows([3])])
    outcome = checks.run([spec])["unique"]
    assert (outcome.passed, outcome.count, outcome.value) == (passed, 3, value)
    assert checks.broken_rows == []


@settings(deadline=None, max_examples=25)
@given(
    st.lists(
        st.tuples(st.none() | st.integers(0, 3), st.none() | st.sampled_from("xyé")), max_size=12
    ),
    st.lists(
        st.tuples(st.none() | st.integers(0, 3), st.none() | st.sampled_from("xyé")), max_size=3
    ),
    st.booleans(),
)
def test_uniqueness_is_as_defined(tmp_path_factory, pairs, published, with_published):
    labels = row_rule("both", Unique(("b", "a")))
    extra = gate("extra", Unique(("b", "a")), bound(Operator.LESS, 1000))
    counted = Counter(pair for pair in pairs if None not in pair)
    taken = {pair for pair, n in counted.items() if n > 1}
    if with_published:
        taken |= set(published)
    folder = tmp_path_factory.mktemp("unique")
    with duckdb_session(SMALL) as session:
        checks = Batch(folder).checks(
            session, rows(*pairs), published=[rows(*published)] if with_published else ()
        )
        outcomes = checks.run([labels, extra])
    expected = [i for i, pair in enumerate(pairs) if None not in pair and pair in taken]
    assert places(checks, labels) == [("good_0", i) for i in expected]
    assert outcomes["both"].count == len(expected)
    assert outcomes["extra"].count == sum(n - 1 for n in counted.values())
