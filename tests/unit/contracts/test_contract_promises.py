"""Which of two thresholds allows more, and the numbers of versions."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quality_platform.contracts.promises import (
    OPERATORS,
    Turn,
    turn_of_bound,
    turn_of_sets,
    turn_of_thresholds,
)
from quality_platform.contracts.versions import Version

Threshold = dict[str, Any]
bounds = st.integers(0, 4)
thresholds: st.SearchStrategy[Threshold] = st.one_of(
    st.builds(lambda name, n: {name: n}, st.sampled_from(OPERATORS[:6]), bounds),
    st.builds(
        lambda name, a, b: {name: sorted((a, b))}, st.sampled_from(OPERATORS[6:]), bounds, bounds
    ),
)


def allowed(rule: Threshold) -> set[float]:
    """The values among a few that a threshold lets pass, judged one by one."""
    ((name, bound),) = rule.items()
    low, high = bound if isinstance(bound, list) else (bound, bound)
    judges = {
        "mustBe": lambda v: v == low,
        "mustNotBe": lambda v: v != low,
        "mustBeGreaterThan": lambda v: v > low,
        "mustBeGreaterOrEqualTo": lambda v: v >= low,
        "mustBeLessThan": lambda v: v < low,
        "mustBeLessOrEqualTo": lambda v: v <= low,
        "mustBeBetween": lambda v: low <= v <= high,
        "mustNotBeBetween": lambda v: not low <= v <= high,
    }
    return {n / 2 for n in range(-4, 14) if judges[name](n / 2)}


@given(thresholds, thresholds)
def test_a_threshold_is_tighter_exactly_where_it_lets_less_pass(
    old: Threshold, new: Threshold
) -> None:
    before, after = allowed(old), allowed(new)
    expected = (
        None
        if before == after
        else Turn.TIGHTER
        if after < before
        else Turn.LOOSER
        if before < after
        else Turn.OTHER
    )
    assert turn_of_thresholds(old, new) is expected


@pytest.mark.parametrize(
    ("written", "numbers"),
    [("1.2.3", (1, 2, 3)), ("v2", (2, 0, 0)), ("1.4", (1, 4, 0)), ("3.0.0-rc.1+b", (3, 0, 0))],
)
def test_version_numbers_are_read(written: str, numbers: tuple[int, int, int]) -> None:
    assert Version.of(written) == Version(*numbers)


@pytest.mark.parametrize("written", ["", "latest", "1.x", "1.2.3.4", "\u0661.0.0"])
def test_other_texts_are_no_version(written: str) -> None:
    assert Version.of(written) is None


@pytest.mark.parametrize(
    ("old", "new", "turn"),
    [
        ({"mustBe": 0}, {"mustBeLessOrEqualTo": 0}, None),
        ({}, {"mustBe": 0}, None),
        ({"mustBe": 0}, {"mustBeLessThan": 5}, Turn.LOOSER),
        ({"mustBe": 0}, {"mustBe": 0, "unit": "percent"}, Turn.OTHER),
        ({"mustBeLessThan": 0.1}, {"mustBeLessThan": 0.1}, None),
    ],
)
def test_a_library_metric_is_never_negative(
    old: Threshold, new: Threshold, turn: Turn | None
) -> None:
    metric = {"metric": "nullValues"}
    assert turn_of_thresholds({**metric, **old}, {**metric, **new}) is turn


@pytest.mark.parametrize(
    ("option", "old", "new", "turn"),
    [
        ("minimum", 1, 2, Turn.TIGHTER),
        ("minimum", 2, 1.5, Turn.LOOSER),
        ("maximum", 10, 9, Turn.TIGHTER),
        ("exclusiveMaximum", False, True, Turn.TIGHTER),
        ("exclusiveMinimum", True, False, Turn.LOOSER),
        ("minimum", "2024-01-01", "2024-02-01", Turn.TIGHTER),
        ("maxLength", 5, 5, None),
    ],
)
def test_a_bound_is_tighter_where_it_allows_less(
    option: str, old: object, new: object, turn: Turn | None
) -> None:
    assert turn_of_bound(option, old, new) is turn


def test_values_of_another_type_are_other_values() -> None:
    assert turn_of_sets([1, 2], ["1", 2]) is Turn.OTHER
    assert turn_of_sets([True], [1]) is Turn.OTHER
