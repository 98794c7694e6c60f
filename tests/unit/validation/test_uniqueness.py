"""Uniqueness within a batch and against what is published."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from duckdb import DuckDBPyConnection
from hypothesis import given, settings
from hypothesis import strategies as st
from support.batches import SMALL, Batch, bound, gate, labelled_rows, places, row_rule, rows

from quality_platform.checks.specs import Unique
from quality_platform.checks.thresholds import Operator
from quality_platform.lake.query import duckdb_session
from quality_platform.validation.ordered_keys import out_of_order


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
    assert (outcome.passed, outcome.count, labelled_rows(checks)) == (True, 0, [])


def test_every_value_of_whole_neighbourhoods_may_be_repeated(batch, connection):
    checks = batch.checks(connection, rows(*([n % 128] for n in range(256))))
    outcome = checks.run([UNIQUE])["unique"]
    assert (outcome.error, outcome.count) == ("", 256)


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
        (bound(Operator.LESS, 6), False, 6),
        (bound(Operator.LESS_OR_EQUAL, 6), True, 6),
        (bound(Operator.LESS_OR_EQUAL, 75, percent=True), True, 75),
        (bound(Operator.LESS, 75, percent=True), False, 75),
    ],
)
def test_a_gate_on_duplicates_counts_extra_rows_and_all_rows_of_published_keys(
    batch, connection, threshold, passed, value
):
    spec = gate("unique", Unique(("a",)), threshold)
    table = rows([1], [1], [1], [2], [2], [3], [3], [4])
    checks = batch.checks(connection, table, published=[rows([3], [2], [9], [None])])
    outcome = checks.run([spec])["unique"]
    assert (outcome.passed, outcome.count, outcome.value) == (passed, 6, value)
    assert labelled_rows(checks) == []


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
        found = places(checks, labels)
    expected = [i for i, pair in enumerate(pairs) if None not in pair and pair in taken]
    assert found == [("good_0", i) for i in expected]
    assert outcomes["both"].count == len(expected)
    known = set(published) if with_published else set()
    assert outcomes["extra"].count == sum(
        n if pair in known else n - 1 for pair, n in counted.items()
    )


# --- every way of proving it --------------------------------------------------------------------

NUMBERS = st.one_of(
    st.integers(-70, 70),
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from([-(2**63), 2**63 - 1, 0, 63, 64, -64, -65]),
)
KEYS: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.int64(): NUMBERS,
    pa.int8(): st.integers(-128, 127),
    pa.float64(): st.sampled_from([0.0, -0.0, 1.5, float("nan"), float("inf"), -1e308]),
    pa.string(): st.text(st.sampled_from("ab\x00é"), max_size=2),
    pa.timestamp("us", "UTC"): st.integers(-(2**50), 2**50),
    pa.date32(): st.integers(-3000, 3000),
    pa.decimal128(9, 2): st.integers(-3, 3).map(lambda n: Decimal(n) / 4),
    pa.bool_(): st.booleans(),
}


def same(value: Any) -> Any:
    """Values that are one key for SQL: NaN is itself there, and zero has no sign."""
    if isinstance(value, float):
        return "nan" if math.isnan(value) else value + 0.0
    return value


@settings(deadline=None, max_examples=60)
@given(st.data(), st.sampled_from(sorted(KEYS, key=str)), st.booleans(), st.booleans())
def test_repeated_keys_of_any_type_and_order_are_found(
    tmp_path_factory, data, kind, is_sorted, with_published
):
    drawn = data.draw(st.lists(st.none() | KEYS[kind], max_size=20))
    if is_sorted and kind != pa.bool_():
        drawn = sorted((v for v in drawn if v is not None), key=lambda v: (str(v) == "nan", v))
    old = data.draw(st.lists(st.none() | KEYS[kind], max_size=5)) if with_published else []
    table, before = (pa.table({"k": pa.array(values, kind)}) for values in (drawn, old))
    spec = row_rule("k", Unique(("k",)))
    keys = [same(value) for value in drawn]
    known = {same(value) for value in old}
    expected = [
        i for i, key in enumerate(keys) if key is not None and (keys.count(key) > 1 or key in known)
    ]
    with duckdb_session(SMALL) as session:
        checks = Batch(tmp_path_factory.mktemp("keys")).checks(
            session, table, published=[before] if with_published else ()
        )
        outcome = checks.run([spec])["k"]
        found = [position for _, position in places(checks, spec)]
    assert (outcome.error, outcome.count, found) == ("", len(expected), expected)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.integers(-130, 130), st.integers(1, 5)), min_size=40, max_size=80))
def test_integers_that_lie_close_are_found_however_often_they_occur(tmp_path_factory, drawn):
    values = [value for value, times in drawn for _ in range(times)]
    spec = row_rule("k", Unique(("k",)))
    with duckdb_session(SMALL) as session:
        checks = Batch(tmp_path_factory.mktemp("close")).checks(
            session, pa.table({"k": pa.array(values, pa.int64())})
        )
        checks.run([spec])
        found = [position for _, position in places(checks, spec)]
    times = Counter(values)
    assert found == [i for i, value in enumerate(values) if times[value] > 1]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(-5, 40), max_size=60), st.booleans())
def test_what_occurs_twice_is_out_of_order(values, is_sorted):
    values = sorted(values) if is_sorted else values
    with duckdb_session(SMALL) as session:
        session.register("given", pa.table({"k": pa.array(values, pa.int64())}))
        late = out_of_order(session, "SELECT k FROM given")
    assert late is not None
    expected = [v for i, v in enumerate(values) if i and v <= max(values[:i])]
    assert late.to_pylist() == expected
    assert {v for v in values if values.count(v) > 1} <= set(expected)


def test_values_without_any_order_are_left_to_another_way():
    with duckdb_session(SMALL) as session:
        scattered = "SELECT (i * 7919 % 65537)::BIGINT FROM range(200000) t(i)"
        assert out_of_order(session, scattered) is None
