"""Claims about values, as the engine judges them: against their definition in plain Python."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.batches import breaks

from quality_platform.checks.specs import (
    InRange,
    InSet,
    ItemCount,
    LengthBetween,
    Matches,
    MultipleOf,
    Nested,
    NotMissing,
    NotNull,
    Predicate,
    PropertyCount,
    UniqueItems,
    ValueClaim,
    When,
)
from quality_platform.validation.sql_predicates import broken

CONNECTION = duckdb.connect()


def broken_in_engine(claim: Predicate, values: list[Any], kind: pa.DataType) -> list[bool]:
    """Whether each value of the column `a` breaks the claim; NULL counts as kept."""
    rows = pa.table({"a": pa.array(values, kind), "n": range(len(values))})
    CONNECTION.register("rows", rows)
    try:
        sql = broken(claim).sql(dialect="duckdb")
        found = CONNECTION.sql(f"SELECT coalesce({sql}, FALSE) FROM rows ORDER BY n").fetchall()
    finally:
        CONNECTION.unregister("rows")
    return [value for (value,) in found]


def agree(claim: Predicate, values: list[Any], kind: pa.DataType) -> None:
    """Engine and definition judge alike."""
    assert broken_in_engine(claim, values, kind) == [breaks(claim, {"a": v}) for v in values]


NUMBERS = st.one_of(
    st.floats(),
    st.integers(-(10**6), 10**6).map(lambda n: n / 100),
    st.sampled_from([0.1 + 0.2, 0.3, -0.0, 2.0**53, 1e300, 5e-324, math.nan, math.inf, None]),
)


@settings(deadline=None, max_examples=50)
@given(st.lists(NUMBERS, max_size=8), st.sampled_from(["0.01", "0.1", "0.25", "3", "1000"]))
def test_a_float_is_a_multiple_when_it_is_the_nearest_one(values: list[Any], factor: str):
    # Beyond 2**53 the product of the definition is not exact.
    small = [v for v in values if v is None or not math.isfinite(v) or abs(v) < 2**40]
    agree(MultipleOf("a", Decimal(factor)), small, pa.float64())


@pytest.mark.parametrize(
    ("kind", "values", "factor"),
    [
        (pa.int64(), [0, 5, -10, 3, 2**63 - 1, -(2**63), None], "5"),
        (pa.int32(), [5, 3, -10, None], "2.5"),
        (pa.int64(), [2**63 - 1], "0.001"),
        (pa.decimal128(38, 0), [Decimal(10**37 + 1), Decimal(10**37)], "2"),
        (
            pa.decimal128(10, 2),
            [Decimal("0.30"), Decimal("0.35"), Decimal("-0.10"), Decimal("0.00"), None],
            "0.1",
        ),
    ],
)
def test_multiples_of_exact_numbers_are_exact(kind: pa.DataType, values: list[Any], factor: str):
    agree(MultipleOf("a", Decimal(factor)), values, kind)


def test_a_float_of_four_bytes_is_a_multiple_in_four_bytes():
    claim = MultipleOf("a", Decimal("0.1"))
    assert broken_in_engine(claim, [0.3, 0.7, 0.35, None], pa.float32()) == [
        False,
        False,
        True,
        False,
    ]


@settings(deadline=None, max_examples=50)
@given(
    st.lists(NUMBERS, max_size=6),
    st.none() | st.integers(-3, 3),
    st.none() | st.integers(-3, 3),
    st.booleans(),
    st.booleans(),
)
def test_not_a_number_is_within_no_range(
    values: list[Any], low: int | None, high: int | None, above: bool, below: bool
):
    agree(InRange("a", low, high, above, below), values, pa.float64())


ITEMS = st.none() | st.lists(st.none() | st.integers(0, 3), max_size=4)


@settings(deadline=None, max_examples=50)
@given(
    st.lists(ITEMS, max_size=5),
    st.sampled_from(
        [
            ItemCount("a", 1, 2),
            ItemCount("a", 0, 3),
            ItemCount("a", 2, None),
            UniqueItems("a"),
            Nested("a", ("[]",), NotNull("a[]")),
            Nested("a", ("[]",), InSet("a[]", (1, 2))),
            Nested("a", ("[]",), InRange("a[]", 1, 2)),
            Nested("a", ("[]",), NotMissing("a[]", (0, None))),
            Nested("a", ("[]",), MultipleOf("a[]", Decimal(2))),
        ]
    ),
)
def test_arrays_are_judged_item_by_item(values: list[Any], claim: Predicate):
    agree(claim, values, pa.list_(pa.int64()))


LINE = pa.struct([("sku", pa.string()), ("tags", pa.list_(pa.string()))])
TEXTS = st.none() | st.sampled_from(["", "a", "ab", "é日"])
LINES = st.none() | st.fixed_dictionaries(
    {"sku": TEXTS, "tags": st.none() | st.lists(TEXTS, max_size=2)}
)
INNER: list[ValueClaim] = [
    NotNull("x"),
    NotMissing("x", ("", None)),
    InSet("x", ("a", "ab")),
    Matches("x", "^a"),
    LengthBetween("x", 1, 1),
]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(LINES, max_size=4),
    st.sampled_from(INNER),
    st.sampled_from([("sku",), ("tags", "[]")]),
)
def test_a_part_is_judged_where_its_parent_is_there(
    values: list[Any], inner: ValueClaim, steps: tuple[str, ...]
):
    agree(Nested("a", steps, inner), values, LINE)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.none() | st.lists(LINES, max_size=3), max_size=4),
    st.sampled_from(INNER),
    st.sampled_from([("[]", "sku"), ("[]", "tags", "[]")]),
)
def test_a_row_breaks_a_rule_when_any_part_does(
    values: list[Any], inner: ValueClaim, steps: tuple[str, ...]
):
    agree(Nested("a", steps, inner), values, pa.list_(LINE))


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.none()
        | st.dictionaries(st.sampled_from(["a", "b", "ab"]), TEXTS, max_size=3).map(
            lambda entries: list(entries.items())
        ),
        max_size=4,
    ),
    st.sampled_from(INNER),
    st.sampled_from([("{key}",), ("{value}",)]),
)
def test_keys_and_values_of_maps_are_judged_each(
    values: list[Any], inner: ValueClaim, steps: tuple[str, ...]
):
    agree(Nested("a", steps, inner), values, pa.map_(pa.string(), pa.string()))


@settings(deadline=None, max_examples=60)
@given(st.lists(LINES, max_size=4), st.none() | st.integers(0, 2), st.none() | st.integers(0, 2))
def test_the_values_of_an_object_are_counted(
    values: list[Any], least: int | None, most: int | None
):
    agree(PropertyCount("a", ("sku", "tags"), least, most), values, LINE)


@pytest.mark.parametrize(
    ("kind", "written", "others"),
    [
        (pa.decimal128(10, 2), Decimal("0.125"), [Decimal("0.13"), Decimal("0.12")]),
        (pa.decimal128(38, 2), Decimal("0.12000000001"), [Decimal("0.12")]),
        (pa.int64(), 2**53 + 1, [2**53]),
        (pa.float64(), 0.1, [0.2]),
        (pa.bool_(), True, [False]),
    ],
)
def test_a_value_of_a_set_is_compared_with_all_its_digits(
    kind: pa.DataType, written: Any, others: list[Any]
):
    assert broken_in_engine(InSet("a", (written,)), others, kind) == [True] * len(others)


def test_a_rule_with_a_condition_judges_no_other_rows():
    claim = When('"n" > 0', ("n",), NotNull("a"))
    assert broken_in_engine(claim, [None, None, "x"], pa.string()) == [False, True, False]
    unknown = When('CASE WHEN "n" = 1 THEN TRUE END', ("n",), NotNull("a"))
    assert broken_in_engine(unknown, [None, None, None], pa.string()) == [False, True, False]
